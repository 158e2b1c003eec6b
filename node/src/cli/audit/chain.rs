//! A log, assignment by assignment: whether each continues those before it.

use surety_protocol::assignment::{Assignment, HashChain};
use surety_protocol::id::{Address, ProcessId};
use surety_protocol::time::{Slot, Timestamp};

/// A log as far as it was read.
pub(super) struct Chain {
    process: ProcessId,
    /// Who signs all of it.
    signer: Address,
    slot: Slot,
    /// The next hash chain; none where the log was not read from its start.
    next: Option<HashChain>,
    timestamp: Timestamp,
    height: u64,
}

impl Chain {
    /// Before a slot. What stands at another than the first cannot be told from what was before it.
    pub(super) fn before(slot: Slot, process: ProcessId, signer: Address) -> Chain {
        Chain {
            process,
            signer,
            slot,
            next: (slot == Slot(0)).then(|| HashChain::start(&process)),
            timestamp: Timestamp(0),
            height: 0,
        }
    }

    /// The slot that comes next.
    pub(super) const fn slot(&self) -> Slot {
        self.slot
    }

    /// The hash chain that comes next.
    pub(super) const fn next(&self) -> Option<&HashChain> {
        self.next.as_ref()
    }

    /// Takes the next assignment.
    ///
    /// # Errors
    /// What of it does not continue the log.
    pub(super) fn take(&mut self, assignment: &Assignment) -> Result<(), &'static str> {
        if assignment.process != self.process || assignment.slot != self.slot {
            return Err("the assignment's process or slot");
        }
        if assignment.signer != self.signer {
            return Err("the assignment's signer");
        }
        if self.next.is_some_and(|it| it != assignment.hash_chain) {
            return Err("the hash chain");
        }
        if assignment.timestamp < self.timestamp {
            return Err("the timestamp");
        }
        if assignment.block_height < self.height {
            return Err("the block height");
        }
        self.slot = self.slot.plus(1);
        self.next = Some(assignment.next_hash_chain());
        self.timestamp = assignment.timestamp;
        self.height = assignment.block_height;
        Ok(())
    }
}
