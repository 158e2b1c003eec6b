//! Assignments: a scheduler's signed word that an input has a slot in a process' log.
//!
//! They are AO's own (`ao.TN.1`), so that its clients read ours and we read its.
//!
//! # Rules
//!
//! - `[AS-1]` An assignment is a data item without target and data. Its tags are exactly, in this order: `Process`,
//!   `Epoch`, `Nonce` (the slot), `Hash-Chain`, `Block-Height`, `Timestamp`, `Data-Protocol: ao`, `Type: Assignment`,
//!   `Variant: ao.TN.1`, `Message` unless there is none, any number of `Exclude`, and `Cron` if it assigns a tick.
//! - `[AS-2]` Ids are canonical base64url. Numbers are decimal without sign or leading zeros, but the block height
//!   is filled up to 12 digits. `Timestamp` is milliseconds since 1970.
//! - `[AS-3]` Without `Message` it assigns the process itself (slot 0) or, in later slots, a tick of the timer that `Cron` names.
//!   AO's schedulers assign none, so no unit of AO reads that tag.
//! - `[AS-4]` `Hash-Chain` is [`HashChain`]: SHA-256 of the process id in the first assignment, and then SHA-256 of the
//!   id of the assignment before and its `Hash-Chain`, in this order.
//! - `[AS-5]` Whether the signer may schedule the process is not seen in the assignment: AO's own are
//!   signed by other keys than the process names. A stranger's assignment is unauthorised, and no equivocation.

mod chain;
mod read;

pub use chain::HashChain;
pub use read::AssignmentError;

use crate::id::{Address, AssignmentId, MessageId, ProcessId};
use crate::item::{Item, ItemDraft};
use crate::time::{Slot, Timestamp};
use crate::verified::Authentic;

/// What a scheduler is about to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignmentDraft {
    /// The process.
    pub process: ProcessId,
    /// AO's epoch, 0 in practice.
    pub epoch: u64,
    /// The slot; AO calls it the nonce.
    pub slot: Slot,
    /// The chain over the assignments before.
    pub hash_chain: HashChain,
    /// The height of the block that the scheduler knew last.
    pub block_height: u64,
    /// The scheduler's clock.
    pub timestamp: Timestamp,
    /// The message, unless the slot is the process' own or a tick.
    pub message: Option<MessageId>,
    /// Fields of the message that the process is not to see.
    pub exclude: Vec<String>,
    /// The timer whose tick it is.
    pub timer: Option<String>,
}

impl AssignmentDraft {
    /// The item to sign; AO's schedulers put 32 random bytes into the anchor.
    pub fn to_item_draft(&self, anchor: Option<[u8; 32]>) -> ItemDraft {
        let mut draft = ItemDraft {
            anchor,
            ..ItemDraft::default()
        }
        .tag("Process", self.process.to_string())
        .tag("Epoch", self.epoch.to_string())
        .tag("Nonce", self.slot.to_string())
        .tag("Hash-Chain", self.hash_chain.to_string())
        .tag("Block-Height", block_height_text(self.block_height))
        .tag("Timestamp", self.timestamp.to_string())
        .tag("Data-Protocol", "ao")
        .tag("Type", "Assignment")
        .tag("Variant", "ao.TN.1");
        if let Some(message) = self.message {
            draft = draft.tag("Message", message.to_string());
        }
        self.exclude
            .iter()
            .map(|field| ("Exclude", field))
            .chain(self.timer.iter().map(|timer| ("Cron", timer)))
            .fold(draft, |draft, (name, value)| draft.tag(name, value))
    }
}

/// A well-formed assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The id of its item.
    pub id: AssignmentId,
    /// The address of the key that signed it.
    pub signer: Address,
    /// The process.
    pub process: ProcessId,
    /// AO's epoch.
    pub epoch: u64,
    /// The slot.
    pub slot: Slot,
    /// The chain over the assignments before.
    pub hash_chain: HashChain,
    /// The height of the block that the scheduler knew last.
    pub block_height: u64,
    /// The scheduler's clock.
    pub timestamp: Timestamp,
    /// The message, unless the slot is the process' own or a tick.
    pub message: Option<MessageId>,
    /// Fields of the message that the process is not to see.
    pub exclude: Vec<String>,
    /// The timer whose tick it is.
    pub timer: Option<String>,
}

impl Assignment {
    /// What its scheduler signed, but for the anchor.
    pub fn draft(&self) -> AssignmentDraft {
        AssignmentDraft {
            process: self.process,
            epoch: self.epoch,
            slot: self.slot,
            hash_chain: self.hash_chain,
            block_height: self.block_height,
            timestamp: self.timestamp,
            message: self.message,
            exclude: self.exclude.clone(),
            timer: self.timer.clone(),
        }
    }

    /// Reads the assignment that an item is.
    ///
    /// # Errors
    /// The rule that the item breaks.
    pub fn from_item(item: &Item) -> Result<Assignment, AssignmentError> {
        read::read(&item.view())
    }

    /// Reads the assignment that an authentic item is.
    ///
    /// # Errors
    /// The rule that the item breaks.
    pub fn from_authentic(
        item: &Authentic<Item>,
    ) -> Result<Authentic<Assignment>, AssignmentError> {
        Assignment::from_item(item).map(Authentic::new)
    }

    /// The `Hash-Chain` of the assignment after this one.
    #[must_use]
    pub fn next_hash_chain(&self) -> HashChain {
        self.hash_chain.next(&self.id)
    }
}

/// A block height as AO writes it, filled up to 12 digits.
pub fn block_height_text(height: u64) -> String {
    format!("{height:012}")
}

#[cfg(test)]
mod tests;
