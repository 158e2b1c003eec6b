//! What the machines want to be durable (rule F-1).

use std::sync::Arc;

use surety_protocol::approval::ClaimBatch;
use surety_protocol::claim::{Leaf, SignedClaim};
use surety_protocol::hashpath::Hashpath;
use surety_protocol::history::Frontier;
use surety_protocol::id::{Digest, EvidenceId, ItemId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::profiles::Ruling;
use surety_protocol::time::Slot;
use surety_protocol::verified::Authentic;

use super::{Assign, Source};
use crate::guard::GuardRecord;
use crate::reservation::Reservation;

/// What is to be durable.
#[derive(Debug, Clone)]
pub enum Record {
    /// A data item by its id.
    Item(Authentic<Item>),
    /// A slot of a process' log.
    Input {
        /// The process.
        process: ProcessId,
        /// The slot.
        slot: Slot,
        /// The assignment.
        assignment: Authentic<Item>,
        /// The message, or at slot 0 the process item.
        message: Option<Authentic<Item>>,
    },
    /// The hashpath of a log at one size.
    Hashpath {
        /// The process.
        process: ProcessId,
        /// Slots in the log.
        size: u64,
        /// The hashpath after them.
        hashpath: Hashpath,
    },
    /// Slots that are about to be signed, with all that is needed to sign them again.
    Reserved {
        /// What is signed.
        reservation: Reservation,
        /// For each slot the message, or at slot 0 the process item; a tick has none.
        messages: Vec<Option<Authentic<Item>>>,
    },
    /// An evaluated input.
    Evaluated {
        /// The process.
        process: ProcessId,
        /// The leaf.
        leaf: Leaf,
        /// The history before it, where it has a state root.
        frontier: Option<Frontier>,
        /// The root of the state after it, where it is known.
        head: Option<Digest>,
        /// The profile under which it was evaluated.
        ruling: Ruling,
        /// The result's parts.
        parts: Vec<Vec<u8>>,
    },
    /// What the guard cleared.
    Guard(GuardRecord),
    /// A claim that this node signed.
    Claim(Box<SignedClaim>),
    /// The claims that this node commits with one digest, for those who missed them.
    Batch(ClaimBatch),
    /// Evidence.
    Evidence {
        /// Its id.
        id: EvidenceId,
        /// Its canonical bytes.
        bytes: Arc<[u8]>,
    },
    /// A message that a process sends, signed.
    Outbox {
        /// Its place.
        source: Source,
        /// The signed item.
        item: Authentic<Item>,
        /// The spawn that it gives notice of, by place and id, which has arrived.
        spawn: Option<(Source, ItemId)>,
    },
    /// An assignment that a process asks for.
    Assign(Assign),
    /// What was to arrive somewhere is there already.
    Arrived {
        /// The process that has it.
        process: ProcessId,
        /// The item.
        item: ItemId,
        /// Its place in the outbox; an assignment has none.
        source: Option<Source>,
    },
    /// All that this result sends has been signed and handed over.
    Pushed {
        /// The process.
        process: ProcessId,
        /// Slots below this are done.
        next: Slot,
    },
}
