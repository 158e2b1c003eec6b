//! A node's memory at its start: everything durable is read back before anything happens.
//!
//! # Rules
//!
//! - `[RE-1]` The ledger is replayed from its blocks; a block in the archive that does not apply stops the node, because
//!   going on could sign against what it forgot.
//! - `[RE-2]` Logs, leaves, claims and the guard are as they were made durable. A slot that was reserved and not signed is
//!   signed now; a result that was evaluated and not pushed is pushed now.
//! - `[RE-3]` A scheduler announces again the last slot of each of its processes that is not certified, of 128 at most: it may have
//!   ended before anybody heard of it. Messages go with them, 4 MiB at most. Who hears of a slot asks for what is missing.

use std::sync::Arc;

use surety_attest::claims::CLAIMS_MAX;
use surety_attest::effect::Offer;
use surety_protocol::facts::BlockFacts;
use surety_protocol::id::{CaseId, ItemId, ProcessId};
use surety_protocol::machine::Outbox;
use surety_protocol::profiles::Profiles;
use surety_protocol::time::{Height, Slot, Tick};

use super::gossip::announcement;
use super::step::effects;
use super::{Core, Effect, Write};
use crate::archive::{Archive, ArchiveError, LOG_PAGE_MAX};

/// Slots that are announced again: no more than the network keeps until somebody hears them.
const UNHEARD_MAX: usize = 128;
/// Bytes of their messages; the others are asked for.
const UNHEARD_BYTES: usize = 4 << 20;

/// Why a node cannot go on from its archive.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The archive is damaged.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A block does not apply.
    #[error("block {0} in the archive does not apply: {1}")]
    Block(Height, surety_slashing::ledger::BlockError),
}

impl Core {
    /// Reads everything back; gives what is to be done first.
    ///
    /// # Errors
    /// If the archive cannot be trusted (rule RE-1).
    pub fn restore(&mut self, archive: &Archive) -> Result<Vec<Effect>, RestoreError> {
        let mut out = Outbox::default();
        archive.guard(|record| self.shared.guard.restore(record))?;
        for claim in archive.all_claims(CLAIMS_MAX)? {
            self.shared.claims.insert(claim);
        }
        let recent = self.replay(archive)?;
        self.resume_challenges(archive, &mut out)?;
        self.know_peers();
        self.logs(archive)?;
        let mut delivered = Vec::new();
        for role in &mut self.roles {
            let mut asked = Outbox::default();
            role.restore(archive, &self.ledger, &mut self.shared, &mut asked)?;
            let profiles = self.ledger.profiles_shared();
            delivered.extend(restored(asked.drain(), &profiles, &mut out));
        }
        for offer in delivered {
            self.deliver(Tick(0), offer, &mut out);
        }
        for (process, size) in self.certified_sizes() {
            self.tally.resume_at(process, size);
            out.push(Effect::Persist(Write::Certified(process, size)));
        }
        self.missed(&mut out);
        self.unheard(archive, &mut out)?;
        // The last blocks again, now that the machines are there to take them.
        for facts in recent {
            self.absorb(Tick(0), &facts, &mut out);
        }
        let cases: Vec<CaseId> = self.ledger.cases().map(|(case, _)| *case).collect();
        for case in cases {
            self.case_opened(case, &mut out);
        }
        self.settle(Tick(0), &mut out);
        Ok(effects(out))
    }

    /// What the ledger has certified of logs that are shorter here.
    fn missed(&mut self, out: &mut Outbox<Effect>) {
        for (process, size) in self.certified_sizes() {
            self.heard_of(process, size, None, out);
        }
    }

    /// How many leaves of each process are certified.
    fn certified_sizes(&self) -> Vec<(ProcessId, u64)> {
        let size = |process| Some((process, self.ledger.latest(&process)?.size));
        self.ledger.processes().filter_map(size).collect()
    }

    /// Announces what others may not have heard of (rule RE-3).
    fn unheard(&self, archive: &Archive, out: &mut Outbox<Effect>) -> Result<(), ArchiveError> {
        if !self.roles.iter().any(|it| it.schedules()) {
            return Ok(());
        }
        let logs = self.shared.logs.iter();
        let ours = logs.filter(|(_, log)| log.scheduler == self.shared.item_key);
        let unheard = ours.filter_map(|(process, log)| {
            let certified = self.ledger.latest(process).map_or(0, |it| it.size);
            let last = log.size.checked_sub(1)?;
            (log.size > certified).then_some((process, Slot(last)))
        });
        let mut left = UNHEARD_BYTES;
        for (process, last) in unheard.take(UNHEARD_MAX) {
            for (assignment, message) in archive.log(process, last, 1)? {
                // Peers pass on what makes their logs grow, and that takes the message.
                let bytes = message.as_ref().map_or(0, |it| it.bytes().len());
                let message = message.as_ref().filter(|_| bytes <= left);
                left = left.saturating_sub(message.map_or(0, |_| bytes));
                out.push(announcement(process, &assignment, message));
            }
        }
        Ok(())
    }

    fn replay(&mut self, archive: &Archive) -> Result<Vec<Arc<BlockFacts>>, RestoreError> {
        let mut recent = Vec::new();
        while let Some(block) = archive.block(self.ledger.height().next())? {
            let height = block.commit.header.height;
            let events = self
                .ledger
                .apply(&block)
                .map_err(|it| RestoreError::Block(height, it))?;
            recent.push(self.facts(height, &events));
            if recent.len() > 64 {
                recent.remove(0);
            }
        }
        self.shared.height = self.ledger.height();
        Ok(recent)
    }

    fn logs(&mut self, archive: &Archive) -> Result<(), RestoreError> {
        let horizon = self.ledger.horizon();
        for process in archive.processes()? {
            let mut from = Slot(0);
            loop {
                let slots = archive.log(&process, from, LOG_PAGE_MAX)?;
                if slots.is_empty() {
                    break;
                }
                from = from.plus(u64::try_from(slots.len()).unwrap_or(0));
                for (assignment, message) in slots {
                    // What is in the archive is not written again.
                    let logs = &mut self.shared.logs;
                    logs.append(horizon, assignment, message, &mut Outbox::default());
                }
            }
            let module = self.shared.logs.get(&process).map(|log| log.module);
            match module {
                Some(module) if archive.item_bytes(&ItemId::from(module))?.is_some() => {
                    self.shared.modules.insert(module);
                }
                Some(module) => {
                    self.lacking.insert(module);
                }
                None => {}
            }
        }
        Ok(())
    }
}

/// What the roles ask for at the start: signatures that a stop interrupted; and, given back, what may not have arrived.
fn restored(
    asked: Vec<surety_attest::effect::Effect>,
    profiles: &Arc<Profiles>,
    out: &mut Outbox<Effect>,
) -> Vec<Offer> {
    let mut delivered = Vec::new();
    use surety_attest::effect::Effect as Asked;
    for effect in asked {
        match effect {
            Asked::Persist(record) => out.push(Effect::Persist(super::Write::Record(record))),
            Asked::SignAssignments(cleared) => {
                super::sign(super::Signing::Assignments(cleared), out);
            }
            Asked::SignMessage { source, draft } => {
                super::sign(super::Signing::Message { source, draft }, out);
            }
            Asked::Execute(job) => out.push(Effect::Execute(job, Arc::clone(profiles))),
            Asked::Notify(event) => out.push(Effect::Notify(event)),
            Asked::Deliver(offer) => delivered.push(offer),
            Asked::Assign(assign) => out.push(Effect::Assign(assign)),
            // Nothing else is interrupted by a stop.
            _ => {}
        }
    }
    delivered
}
