//! Knows the truth and watches: what must never happen, and what must have happened in the end.
//!
//! # Rules
//!
//! - `[OC-1]` Safety, after every event: no honest operator loses stake or is tombstoned, nor loses the bond of a challenge.
//!   No claim or approval of an honest operator is false, and nothing false is certified.
//! - `[OC-2]` Nobody honest contradicts itself in what it publishes: one assignment for a slot, one leaf for an assignment, one
//!   verdict on a case. Every message has one slot at most.
//! - `[OC-3]` Ledgers agree on every block, and stake is conserved in each.
//! - `[OC-4]` What an honest node publishes is rejected by no honest node, and no honest node's guard has to refuse. What is forged
//!   no honest node passes on.
//! - `[OC-5]` Liveness, once the network is healed: every message of users and processes has a slot, every honest node has
//!   every log that it follows, every slot is certified, and every lie that was told is punished, as each of its offences at most once, and nothing else.
//!   A process has come to its end, with its scheduler, if that signed two assignments of a slot, of which one was certified while
//!   the log went on from the other.
//! - `[OC-6]` Whoever lied loses all that it bonded.
//! - `[OC-8]` Who approved without executing, and whose approval counted at an honest node that executed the claim and has not crashed
//!   since, is punished; no honest verifier is ever found blind.
//! - `[OC-9]` In the end no honest node keeps a file of which it was found that it proves nothing.
//! - `[OC-7]` What an honest node puts on the ledger is refused only because others were faster or time passed.

mod blind;
pub(crate) mod disk;
mod liveness;
mod publish;
mod truth;

use std::collections::{BTreeMap, BTreeSet};

use surety_attest::effect::Event;
use surety_node::core::{Core, Write};
use surety_protocol::certificate::CertificateError;
use surety_protocol::evidence::OffenceKind;
use surety_protocol::id::{
    Address, AssignmentId, BlockId, CaseId, ClaimId, Digest, ItemId, MessageId, ProcessId,
};
use surety_protocol::item::Item;
use surety_protocol::profiles::Profiles;
use surety_protocol::stake::Stake;
use surety_protocol::time::{Height, Slot};
use surety_protocol::verified::Authentic;
use surety_slashing::ledger::{CaseState, ItemRefused, Ledger, LedgerEvent};

use crate::world::BOND;
use blind::Blind;
use truth::Truth;

/// Something that must not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{invariant}: {what}")]
pub struct Violation {
    /// The invariant's name.
    pub invariant: &'static str,
    /// What happened instead.
    pub what: String,
}

impl Violation {
    /// A violation.
    pub fn new(invariant: &'static str, what: impl std::fmt::Display) -> Violation {
        Violation {
            invariant,
            what: what.to_string(),
        }
    }
}

/// An offence: who, what, in which process, at which slot.
pub type Told = (Address, OffenceKind, ProcessId, Slot);

/// Who lied, in which process, about which slot.
pub type Lie = (Address, ProcessId, Slot);

/// Everything that the oracle has seen.
#[derive(Debug)]
pub struct Oracle {
    truth: Truth,
    honest: BTreeSet<Address>,
    height: Height,
    blocks: BTreeMap<Height, BlockId>,
    /// The slots that schedulers gave.
    scheduled: BTreeMap<(ProcessId, Slot), MessageId>,
    slots: BTreeMap<MessageId, Slot>,
    pushed: BTreeMap<ItemId, ProcessId>,
    assigned: BTreeMap<(ProcessId, Slot), [u8; 48]>,
    stood: BTreeMap<(Address, ProcessId, AssignmentId), Digest>,
    verdicts: BTreeMap<(Address, CaseId), bool>,
    /// The items that honest nodes have for the ledger.
    items: BTreeSet<ItemId>,
    /// Every published claim, and where it lies.
    claims: BTreeMap<ClaimId, (ProcessId, Option<Slot>)>,
    /// The claims that lie, and who approved them.
    approved: BTreeSet<(ClaimId, Told)>,
    certified: BTreeSet<ClaimId>,
    /// Assignments beside the first of their slots, by what is signed.
    doubles: BTreeMap<[u8; 48], Told>,
    /// The offences that were committed.
    told: BTreeSet<Told>,
    blind: Blind,
}

impl Oracle {
    /// An oracle; these operators must not be harmed, and those approve what is claimed of a slot without looking.
    pub fn new(
        profiles: Profiles,
        honest: BTreeSet<Address>,
        blind: BTreeMap<Address, Slot>,
    ) -> Oracle {
        Oracle {
            truth: Truth::new(profiles),
            honest,
            height: Height(0),
            blocks: BTreeMap::new(),
            scheduled: BTreeMap::new(),
            slots: BTreeMap::new(),
            pushed: BTreeMap::new(),
            assigned: BTreeMap::new(),
            stood: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            items: BTreeSet::new(),
            claims: BTreeMap::new(),
            approved: BTreeSet::new(),
            certified: BTreeSet::new(),
            doubles: BTreeMap::new(),
            told: BTreeSet::new(),
            blind: Blind::new(blind),
        }
    }

    /// An item that exists.
    pub fn learn(&mut self, item: &Authentic<Item>) {
        self.truth.learn(item);
    }

    /// Something that a node makes durable: where items come from.
    pub fn kept(&mut self, write: &Write) {
        use surety_attest::effect::Record;
        match write {
            Write::Record(Record::Input {
                assignment,
                message,
                ..
            }) => {
                self.truth.learn(assignment);
                if let Some(message) = message {
                    self.truth.learn(message);
                }
            }
            Write::Record(Record::Item(item)) => self.truth.learn(item),
            _ => {}
        }
    }

    /// Whether a message of a user or a process has a slot.
    pub fn has_slot(&self, item: ItemId) -> bool {
        self.slots.contains_key(&MessageId::from(item))
    }

    /// A node told its watchers something.
    ///
    /// # Errors
    /// If it must not happen.
    pub fn notified(&mut self, who: Address, event: &Event) -> Result<(), Violation> {
        match event {
            Event::Scheduled {
                message,
                process,
                slot,
                ..
            } => {
                let before = self.scheduled.insert((*process, *slot), *message);
                if before.is_some_and(|it| it != *message) {
                    let what = format!("slot {slot} of {process} was given to two messages");
                    return Err(Violation::new("one-message-per-slot", what));
                }
                if self
                    .slots
                    .insert(*message, *slot)
                    .is_some_and(|it| it != *slot)
                {
                    let what = format!("message {message} has two slots");
                    return Err(Violation::new("one-slot-per-message", what));
                }
            }
            // [OC-8]
            Event::Blind { verifier, .. }
                if self.honest.contains(&who) && self.honest.contains(verifier) =>
            {
                let what = format!("{who} takes {verifier} for blind");
                return Err(Violation::new("honest-traces", what));
            }
            Event::Refused { reason } if self.honest.contains(&who) => {
                return Err(Violation::new("guard-silent", format!("{who}: {reason}")));
            }
            _ => {}
        }
        Ok(())
    }

    /// A block was applied somewhere (rule OC-7).
    ///
    /// # Errors
    /// If somebody honest put nonsense into it.
    pub fn applied(&self, events: &[LedgerEvent]) -> Result<(), Violation> {
        for event in events {
            if let LedgerEvent::Refused { item, reason } = event
                && self.items.contains(item)
                && !excusable(reason)
            {
                return Err(Violation::new(
                    "honest-items-count",
                    format!("{item}: {reason}"),
                ));
            }
        }
        Ok(())
    }

    /// A message that a process sends to another.
    pub fn delivers(&mut self, item: &Item) {
        if let Some(target) = item.target() {
            self.pushed.insert(item.id(), ProcessId::new(*target));
        }
    }

    /// Looks at a node whose ledger may have gone on (rules OC-1, OC-3).
    ///
    /// # Errors
    /// What must not be there.
    pub fn observe(&mut self, core: &Core) -> Result<(), Violation> {
        let ledger = core.ledger();
        let (height, head) = (ledger.height(), ledger.head());
        match self.blocks.insert(height, head) {
            Some(before) if before == head => return Ok(()),
            Some(before) => {
                let what = format!("height {height} is {before} and {head}");
                return Err(Violation::new("one-ledger", what));
            }
            None => {}
        }
        self.height = self.height.max(height);
        conserved(ledger)?;
        self.nobody_harmed(ledger)?;
        self.nothing_false(ledger)
    }

    fn nobody_harmed(&mut self, ledger: &Ledger) -> Result<(), Violation> {
        // Who approved a lie is punished if that claim is proven false.
        for told in slashed(ledger) {
            let approved = self.approved.iter().any(|(_, it)| *it == told);
            let double = self.doubles.values().any(|it| *it == told);
            if approved || double || self.blind.explains(&told) {
                self.told.insert(told);
            }
        }
        // [OC-6]
        let mut paid: BTreeMap<Address, u128> = BTreeMap::new();
        for slashing in ledger.slashings() {
            let sum = paid.entry(slashing.offender).or_default();
            *sum = sum.saturating_add(slashing.amount.0);
        }
        if let Some((offender, lost)) = paid.iter().find(|(_, sum)| **sum != BOND.0) {
            let what = format!("{offender} lied and lost {} of {BOND}", Stake(*lost));
            return Err(Violation::new("all-stake-is-lost", what));
        }
        for slashing in ledger.slashings() {
            if self.honest.contains(&slashing.offender) {
                return Err(Violation::new(
                    "honest-stake",
                    format!("slashed: {slashing:?}"),
                ));
            }
        }
        for (address, operator) in ledger.operators() {
            let harmed = operator.tombstoned || operator.bonded > BOND;
            if self.honest.contains(address) && harmed {
                return Err(Violation::new(
                    "honest-stake",
                    format!("{address}: {operator:?}"),
                ));
            }
        }
        for (id, case) in ledger.cases() {
            if case.state == CaseState::Innocent && self.honest.contains(&case.challenger) {
                let what = format!("case {id} of {} was lost", case.challenger);
                return Err(Violation::new("honest-challenge", what));
            }
        }
        Ok(())
    }

    fn nothing_false(&mut self, ledger: &Ledger) -> Result<(), Violation> {
        for process in ledger.processes() {
            for segment in ledger.segments(&process) {
                match self.claims.get(&segment.claim) {
                    Some((_, None)) => self.certified.insert(segment.claim),
                    Some((_, Some(slot))) => {
                        let what = format!("{} of {process} lies at slot {slot}", segment.claim);
                        return Err(Violation::new("only-truth-is-certified", what));
                    }
                    None => {
                        let what = format!("nobody published {} of {process}", segment.claim);
                        return Err(Violation::new("only-truth-is-certified", what));
                    }
                };
            }
        }
        Ok(())
    }

    /// Judges the end of a run (rule OC-5).
    ///
    /// # Errors
    /// What is there and should not be.
    pub fn conclude(&self, ledger: &Ledger) -> Result<(), Violation> {
        let all: Vec<Told> = slashed(ledger);
        let once: BTreeSet<&Told> = all.iter().collect();
        let lies: BTreeSet<Lie> = all.iter().map(lie).collect();
        if once.len() != all.len()
            || !once.iter().all(|it| self.told.contains(*it))
            || lies != self.lies()
        {
            let what = format!("committed {:?}, punished {all:?}", self.told);
            return Err(Violation::new("punished-once", what));
        }
        for (address, operator) in ledger.operators() {
            if self.honest.contains(address) && operator.bonded != BOND {
                return Err(Violation::new(
                    "honest-stake",
                    format!("{address}: {operator:?}"),
                ));
            }
        }
        for process in self.processes() {
            let last = self
                .scheduled
                .range((process, Slot(0))..=(process, Slot(u64::MAX)))
                .next_back();
            if last.is_none_or(|((_, slot), _)| slot.next().0 != self.size(&process)) {
                let what = format!("the log of {process} has a gap");
                return Err(Violation::new("one-message-per-slot", what));
            }
        }
        Ok(())
    }

    fn processes(&self) -> BTreeSet<ProcessId> {
        self.scheduled.keys().map(|(process, _)| *process).collect()
    }

    fn size(&self, process: &ProcessId) -> u64 {
        let slots = self
            .scheduled
            .range((*process, Slot(0))..=(*process, Slot(u64::MAX)));
        u64::try_from(slots.count()).unwrap_or(u64::MAX)
    }

    /// Whether one of these claims lies.
    pub fn lie_among(&self, claims: &[ClaimId]) -> bool {
        let lies = |it: &ClaimId| matches!(self.claims.get(it), Some((_, Some(_))));
        claims.iter().any(lies)
    }

    /// Slots that were given.
    pub fn slots(&self) -> usize {
        self.scheduled.len()
    }

    /// Claims that were published.
    pub fn claims(&self) -> usize {
        self.claims.len()
    }

    /// Claims that were certified.
    pub fn certified(&self) -> usize {
        self.certified.len()
    }

    /// Where somebody lied: a lie may be two offences, if the truth was told too.
    pub fn lies(&self) -> BTreeSet<Lie> {
        self.told.iter().map(lie).collect()
    }

    /// The highest block.
    pub const fn height(&self) -> Height {
        self.height
    }
}

const fn lie(told: &Told) -> Lie {
    let (who, _, process, slot) = *told;
    (who, process, slot)
}

fn slashed(ledger: &Ledger) -> Vec<Told> {
    let slashings = ledger.slashings().into_iter();
    slashings
        .map(|it| (it.offender, it.kind, it.process, it.slot))
        .collect()
}

/// Everything that exists, summed from what the ledger shows of itself.
fn conserved(ledger: &Ledger) -> Result<(), Violation> {
    let mut total = ledger.burned().0;
    let mut add = |stake: Stake| total = total.saturating_add(stake.0);
    ledger.accounts().for_each(|(_, balance)| add(*balance));
    for (_, operator) in ledger.operators() {
        add(operator.bonded);
        add(operator.escrow);
        operator.unbonding.iter().for_each(|it| add(it.amount));
    }
    ledger.cases().for_each(|(_, case)| add(case.bond));
    if total == ledger.supply().0 {
        return Ok(());
    }
    let what = format!(
        "{total} of {} at block {}",
        ledger.supply(),
        ledger.height()
    );
    Err(Violation::new("conservation", what))
}

/// Whether an item that was right when it was signed can be refused so.
const fn excusable(reason: &ItemRefused) -> bool {
    !matches!(
        reason,
        ItemRefused::Item
            | ItemRefused::Action(_)
            | ItemRefused::Certificate(
                CertificateError::Claimant
                    | CertificateError::Sortition(_)
                    | CertificateError::Signature
                    | CertificateError::Approvers
                    | CertificateError::SelfApproval
                    | CertificateError::NotCommitted
            )
            | ItemRefused::Evidence(_)
            | ItemRefused::Challenge
            | ItemRefused::Forged
            | ItemRefused::NotElector
    )
}
