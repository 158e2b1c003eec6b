//! Verifiers who approve what is true without executing it (rule OC-8).

use std::collections::{BTreeMap, BTreeSet};

use surety_protocol::approval::Approval;
use surety_protocol::evidence::OffenceKind;
use surety_protocol::id::{Address, ClaimId, ProcessId};
use surety_protocol::time::{Height, Slot};

use super::Told;

/// A claim, and the block that committed it: what one seed is for.
type Key = (ClaimId, Height);

/// Who approves without looking, and who could have seen it.
#[derive(Debug, Default)]
pub(super) struct Blind {
    /// The slot whose claims each of them finds true.
    faults: BTreeMap<Address, Slot>,
    /// The slots that claims are about.
    leaves: BTreeMap<ClaimId, (u64, u64)>,
    /// Who approved without looking, and in which process.
    approvals: BTreeMap<Key, BTreeSet<Told>>,
    /// The honest nodes that executed it, and what they heard since they were started.
    executed: BTreeSet<(Address, Key)>,
    heard: BTreeSet<(Address, Key, Address)>,
}

impl Blind {
    pub(super) fn new(faults: BTreeMap<Address, Slot>) -> Blind {
        Blind {
            faults,
            ..Blind::default()
        }
    }

    pub(super) fn claimed(&mut self, claim: ClaimId, first_new: u64, size: u64) {
        self.leaves.insert(claim, (first_new, size));
    }

    /// Somebody publishes an approval of a true claim.
    pub(super) fn approved(
        &mut self,
        who: Address,
        honest: bool,
        process: ProcessId,
        it: &Approval,
    ) {
        let key = (it.claim, it.committed);
        if honest {
            self.executed.insert((who, key));
        }
        let leaves = self.leaves.get(&it.claim);
        if let (Some(slot), Some((first, end))) = (self.faults.get(&who), leaves)
            && (*first..*end).contains(&slot.0)
        {
            let told = (who, OffenceKind::FalseTrace, process, *slot);
            self.approvals.entry(key).or_default().insert(told);
        }
    }

    /// An honest node found that an approval counts.
    pub(super) fn heard(&mut self, who: Address, it: &Approval) {
        self.heard
            .insert((who, (it.claim, it.committed), it.verifier));
    }

    /// A node lost what it had in memory.
    pub(super) fn forgets(&mut self, who: Address) {
        self.executed.retain(|(it, _)| *it != who);
        self.heard.retain(|(it, _, _)| *it != who);
    }

    /// Whether somebody is punished for what it did, wherever the seed drew the step.
    pub(super) fn explains(&self, (who, kind, process, slot): &Told) -> bool {
        self.approvals.iter().any(|((claim, _), all)| {
            let leaves = self.leaves.get(claim);
            leaves.is_some_and(|(first, end)| (*first..*end).contains(&slot.0))
                && all
                    .iter()
                    .any(|it| (it.0, it.1, it.2) == (*who, *kind, *process))
        })
    }

    /// Somebody whom an honest node must have seen, and who is not among these.
    pub(super) fn unpunished(&self, punished: &BTreeSet<Address>) -> Option<Told> {
        let seen = |key: &Key, told: &Told| {
            let heard = |(who, it, by): &(Address, Key, Address)| {
                (it, *by) == (key, told.0) && self.executed.contains(&(*who, *key))
            };
            self.heard.iter().any(heard)
        };
        let mut all = self
            .approvals
            .iter()
            .flat_map(|(key, all)| all.iter().map(move |told| (key, told)));
        all.find(|(key, told)| !punished.contains(&told.0) && seen(key, told))
            .map(|(_, told)| *told)
    }
}

impl super::Oracle {
    /// A node has crashed.
    pub fn crashed(&mut self, who: Address) {
        self.blind.forgets(who);
    }
}
