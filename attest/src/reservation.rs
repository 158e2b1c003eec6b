//! Slots that are reserved together, so that what many messages wait for is made durable twice and not twice for each.
//!
//! # Rules
//!
//! - `[RV-1]` A reservation says everything of its assignments but their hash chains, of which the first is there: each of the others
//!   continues the assignment before it. So it determines what is signed, but for RSA's salts (rule SG-2).

use surety_protocol::assignment::{AssignmentDraft, HashChain};
use surety_protocol::id::{MessageId, ProcessId};
use surety_protocol::time::{Height, Slot, Timestamp};

/// Consecutive slots of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// The process.
    pub process: ProcessId,
    /// The first slot.
    pub slot: Slot,
    /// The chain over the assignments before it.
    pub hash_chain: HashChain,
    /// What each slot is for.
    pub entries: Vec<Entry>,
}

/// What a slot is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The height to stamp.
    pub height: Height,
    /// The time to stamp.
    pub timestamp: Timestamp,
    /// The message, unless the slot is the process' own or a tick.
    pub message: Option<MessageId>,
    /// Fields of the message that the process is not to see.
    pub exclude: Vec<String>,
    /// The timer whose tick it is.
    pub timer: Option<String>,
}

impl Reservation {
    /// The drafts in order, each to be made when the chain before it is known: `sign` gives the chain after it.
    ///
    /// # Errors
    /// As `sign`.
    pub fn sign<E>(
        &self,
        mut sign: impl FnMut(AssignmentDraft) -> Result<HashChain, E>,
    ) -> Result<(), E> {
        let (mut slot, mut hash_chain) = (self.slot, self.hash_chain);
        for entry in &self.entries {
            hash_chain = sign(AssignmentDraft {
                process: self.process,
                epoch: 0,
                slot,
                hash_chain,
                block_height: entry.height.0,
                timestamp: entry.timestamp,
                message: entry.message,
                exclude: entry.exclude.clone(),
                timer: entry.timer.clone(),
            })?;
            slot = slot.next();
        }
        Ok(())
    }
}
