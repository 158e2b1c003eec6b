//! What this node wants on the ledger and nobody else repeats.
//!
//! # Rules
//!
//! - `[CO-13]` A verdict or a challenge that no block has carried for [`CONFIRM_BLOCKS`] is signed again and sent again: the
//!   proposer may have stopped with it. So is a challenge for which the ledger had no room, or its signer no balance. A challenge
//!   that a role of this node makes is durable with its evidence before it is said, until a block has carried it or the ledger needs
//!   it no more: nobody else may have the evidence. What is left at a start is sent again with the first block; 1,024 are kept, of
//!   more the oldest. Claims and certificates are repeated by the machines that make them.

use surety_protocol::evidence::OffenceKind;
use surety_protocol::id::ItemId;
use surety_protocol::item::Item;
use surety_protocol::machine::Outbox;
use surety_protocol::origin::{Action, Challenge};
use surety_protocol::time::Height;
use surety_slashing::ledger::{Case, CaseState, Ledger};

use super::{Core, Effect, Shared, Write};
use crate::archive::{Archive, ArchiveError, CHALLENGES_MAX};

/// Blocks after which an item that no block has carried counts as lost.
const CONFIRM_BLOCKS: u64 = 6;
/// Items whose block is awaited.
const UNCONFIRMED_MAX: usize = 1024;

/// What a start takes back has room.
const _: () = assert!(CHALLENGES_MAX <= UNCONFIRMED_MAX);

/// Something of this node for the ledger, until a block has carried it.
#[derive(Debug)]
pub(super) struct Sent {
    action: Action,
    /// When it counts as lost.
    due: Height,
    /// Whether the ledger has refused it, but may take it later.
    refused: bool,
}

impl Core {
    /// Makes a challenge of this node durable before it is said. What there are too many of is lost with a stop.
    pub(super) fn keep_challenge(&mut self, action: &Action, out: &mut Outbox<Effect>) {
        let Action::Challenge { challenge, .. } = action else {
            return;
        };
        let case = challenge.case();
        if self.kept.len() < CHALLENGES_MAX && !self.kept.contains_key(&case) {
            self.kept.insert(case, challenge.clone());
            out.push(Effect::Persist(Write::Challenge(challenge.clone())));
        }
    }

    /// Takes back the challenges that no block had carried when the node stopped.
    pub(super) fn resume_challenges(
        &mut self,
        archive: &Archive,
        out: &mut Outbox<Effect>,
    ) -> Result<(), ArchiveError> {
        for challenge in archive.challenges()? {
            let case = challenge.case();
            if !needs(&self.ledger, &self.shared, &challenge) {
                out.push(Effect::Persist(Write::Settled(case)));
                continue;
            }
            // With the first block peers are there to hear it, and it may be one of those that were missed.
            let sent = Sent {
                action: archive.accusation(challenge.clone())?,
                due: self.shared.height,
                refused: false,
            };
            // It has no item yet; none is named like its case.
            let unsigned = ItemId::new(*case.as_bytes());
            self.unconfirmed.insert(unsigned, sent);
            self.kept.insert(case, challenge);
        }
        Ok(())
    }

    /// Remembers what was signed until a block has carried it.
    pub(super) fn remember(&mut self, item: &Item) {
        if matches!(item.tag("Action"), Some("Verdict" | "Challenge"))
            && self.unconfirmed.len() < UNCONFIRMED_MAX
            && let Ok((action, _)) = Action::from_item(&self.shared.network, item)
        {
            let sent = Sent {
                action,
                due: self.shared.height.plus(CONFIRM_BLOCKS),
                refused: false,
            };
            self.unconfirmed.insert(item.id(), sent);
        }
    }

    /// The ledger has no room for an item now, or its signer no balance: it is sent once more later.
    pub(super) fn refused_for_now(&mut self, item: &ItemId) {
        let due = self.shared.height.plus(CONFIRM_BLOCKS);
        if let Some(sent) = self.unconfirmed.get_mut(item) {
            (sent.due, sent.refused) = (due, true);
        }
    }

    /// Sends again what no block has carried, unless it is settled without it.
    pub(super) fn confirm(&mut self, out: &mut Outbox<Effect>) {
        let (ledger, shared, kept) = (&self.ledger, &self.shared, &mut self.kept);
        self.unconfirmed.retain(|item, sent| {
            let carried = !sent.refused && ledger.has_seen(item);
            let wanted = match &sent.action {
                Action::Verdict(verdict) => ledger
                    .case(&verdict.case)
                    .is_some_and(|case| case.state == CaseState::Open),
                Action::Challenge { challenge, .. } => {
                    let case = challenge.case();
                    if carried && kept.remove(&case).is_some() {
                        out.push(Effect::Persist(Write::Settled(case)));
                    }
                    needs(ledger, shared, challenge)
                }
                _ => false,
            };
            wanted && !carried
        });
        // Some of them may be with the signer.
        for (case, _) in kept.extract_if(.., |_, it| !needs(ledger, shared, it)) {
            out.push(Effect::Persist(Write::Settled(case)));
        }
        let height = shared.height;
        let lost: Vec<ItemId> = self
            .unconfirmed
            .iter()
            .filter(|(_, sent)| height >= sent.due)
            .map(|(item, _)| *item)
            .collect();
        for item in lost {
            if let Some(sent) = self.unconfirmed.remove(&item) {
                self.submit(sent.action, out);
            }
        }
    }
}

/// Whether the ledger may still take a challenge of this node.
fn needs(ledger: &Ledger, shared: &Shared, challenge: &Challenge) -> bool {
    // Where a claim was false, another file may take back more (rule L-34).
    let kind = OffenceKind::from_number(challenge.kind).filter(|_| challenge.claim.is_none());
    let punished = kind.is_some_and(|kind| {
        let (process, slot) = (challenge.process, challenge.slot);
        ledger.is_punished(challenge.offender, kind, process, slot)
    });
    // Somebody else's may be open, and come to nothing.
    let others = |case: &Case| {
        let ours = [shared.operator, shared.item_key].contains(&case.challenger);
        case.state == CaseState::Open && !ours
    };
    let case = ledger.case(&challenge.case());
    !punished && case.is_none_or(|case| others(case) || case.is_void())
}

#[cfg(test)]
mod tests;
