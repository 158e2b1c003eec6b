//! The duties that wait for something: the oldest first, those of one process, and those that wait for nothing but a place.

use std::collections::{BTreeMap, BTreeSet};

use surety_protocol::id::{Address, ClaimId, ProcessId};
use surety_protocol::time::Height;

use crate::shares::Shares;

/// Duties of one claimant's claims of one process (rule VE-13): with each slot of the process all of them are looked at.
const OF_ONE_MAX: usize = 512;

/// The claims of duties that wait, and of some that do no more.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    by_age: BTreeSet<(Height, ProcessId, ClaimId)>,
    by_process: BTreeSet<(ProcessId, Address, Height, ClaimId)>,
    /// How many of each process and claimant.
    counts: Shares<(ProcessId, Address)>,
    held: BTreeMap<Address, BTreeSet<(Height, ClaimId)>>,
}

impl Waiting {
    pub(super) const fn new() -> Waiting {
        Waiting {
            by_age: BTreeSet::new(),
            by_process: BTreeSet::new(),
            counts: Shares::new(),
            held: BTreeMap::new(),
        }
    }

    /// Adds a claim of a process that a claimant had committed then.
    pub(super) fn insert(
        &mut self,
        process: ProcessId,
        claimant: Address,
        committed: Height,
        claim: ClaimId,
    ) {
        self.by_age.insert((committed, process, claim));
        let place = (process, claimant, committed, claim);
        if self.by_process.insert(place) {
            self.counts.take((process, claimant));
        }
    }

    /// Leaves out those that wait no more. None is held up any longer: all are tried now.
    pub(super) fn retain(&mut self, waits: impl Fn(&ClaimId, Height) -> bool) {
        self.by_age.retain(|(height, _, id)| waits(id, *height));
        self.by_process
            .retain(|(_, _, height, id)| waits(id, *height));
        let left = self.by_process.iter();
        self.counts = left.map(|(process, by, ..)| (*process, *by)).collect();
        self.held.clear();
    }

    /// All, the first committed first.
    pub(super) fn oldest_first(&self) -> impl Iterator<Item = ClaimId> {
        self.by_age.iter().map(|(_, _, id)| *id)
    }

    /// Those of a process, and when they were committed.
    pub(super) fn of(&self, process: &ProcessId) -> impl Iterator<Item = (Height, ClaimId)> {
        let first = (*process, LEAST, Height(0), ClaimId::new([0; 32]));
        let last = (
            *process,
            MOST,
            Height(u64::MAX),
            ClaimId::new([u8::MAX; 32]),
        );
        let range = self.by_process.range(first..=last);
        range.map(|(_, _, height, id)| (*height, *id))
    }

    /// Whether one more claim of this claimant and process may wait.
    pub(super) fn has_room(&self, process: &ProcessId, claimant: &Address) -> bool {
        self.counts.of(&(*process, *claimant)) < OF_ONE_MAX
    }

    /// A claim of this claimant, committed then, could be executed and has no place.
    pub(super) fn hold(&mut self, claimant: Address, committed: Height, claim: ClaimId) {
        let held = self.held.entry(claimant).or_default();
        held.insert((committed, claim));
    }

    /// Whose claims are held up.
    pub(super) fn held(&self) -> impl Iterator<Item = (Height, Address)> {
        let first = |(claimant, held): (&Address, &BTreeSet<(Height, ClaimId)>)| {
            Some((held.first()?.0, *claimant))
        };
        self.held.iter().filter_map(first)
    }

    /// The first that is held up of a claimant, which is so no more, and when the next one was committed.
    pub(super) fn release(&mut self, claimant: &Address) -> Option<(ClaimId, Option<Height>)> {
        let held = self.held.get_mut(claimant)?;
        let (_, claim) = held.pop_first()?;
        let next = held.first().map(|(committed, _)| *committed);
        if next.is_none() {
            self.held.remove(claimant);
        }
        Some((claim, next))
    }
}

const LEAST: Address = Address::new([0; 32]);
const MOST: Address = Address::new([u8::MAX; 32]);
