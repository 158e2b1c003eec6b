//! The duties that wait for something, the oldest first, and those of one process.

use std::collections::BTreeSet;

use surety_protocol::id::{ClaimId, ProcessId};
use surety_protocol::time::Height;

/// The claims of duties that wait, and of some that do no more.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    by_age: BTreeSet<(Height, ProcessId, ClaimId)>,
    by_process: BTreeSet<(ProcessId, Height, ClaimId)>,
}

impl Waiting {
    pub(super) const fn new() -> Waiting {
        Waiting {
            by_age: BTreeSet::new(),
            by_process: BTreeSet::new(),
        }
    }

    /// Adds a claim of a process that was committed then.
    pub(super) fn insert(&mut self, process: ProcessId, committed: Height, claim: ClaimId) {
        self.by_age.insert((committed, process, claim));
        self.by_process.insert((process, committed, claim));
    }

    /// Leaves out those that wait no more.
    pub(super) fn retain(&mut self, waits: impl Fn(&ClaimId, Height) -> bool) {
        self.by_age.retain(|(height, _, id)| waits(id, *height));
        self.by_process.retain(|(_, height, id)| waits(id, *height));
    }

    /// All, the first committed first.
    pub(super) fn oldest_first(&self) -> impl Iterator<Item = ClaimId> {
        self.by_age.iter().map(|(_, _, id)| *id)
    }

    /// Those of a process, the first committed first.
    pub(super) fn of(&self, process: &ProcessId) -> impl Iterator<Item = ClaimId> {
        let first = (*process, Height(0), ClaimId::new([0; 32]));
        let last = (*process, Height(u64::MAX), ClaimId::new([u8::MAX; 32]));
        self.by_process.range(first..=last).map(|(_, _, id)| *id)
    }
}
