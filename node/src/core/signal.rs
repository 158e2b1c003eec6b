//! What the roles of a node are told.

use std::sync::Arc;

use surety_attest::claims::Contradiction;
use surety_attest::effect::{Executed, Offer, Recalled};
use surety_protocol::approval::Approval;
use surety_protocol::claim::SignedClaim;
use surety_protocol::facts::BlockFacts;
use surety_protocol::id::{AssignmentId, ClaimId, Digest, ItemId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::time::{Height, Slot, Timestamp};
use surety_protocol::verified::Authentic;

use super::Signed;

/// Something that happened and that a role may care about.
#[derive(Debug)]
pub enum Signal<'a> {
    /// Time passed.
    Tick {
        /// The clock on the wall.
        wall: Timestamp,
        /// The height to stamp.
        height: Height,
    },
    /// A block was applied.
    Block(&'a Arc<BlockFacts>),
    /// The log of a process begins.
    LogBegan(&'a Authentic<Item>),
    /// An item has a slot of a process.
    Arrived {
        /// The process.
        process: ProcessId,
        /// The item.
        item: ItemId,
    },
    /// A scheduler was handed something that it has already.
    Known {
        /// The process.
        process: ProcessId,
        /// The item.
        item: ItemId,
    },
    /// A page of the outbox was read.
    Recalled(&'a Recalled),
    /// A log has more slots, and its module is here.
    LogGrew(ProcessId),
    /// A log lost its end.
    LogShrank(ProcessId),
    /// A scheduler signed two assignments for a slot.
    Double {
        /// The process.
        process: ProcessId,
        /// The slot.
        slot: Slot,
        /// One assignment.
        first: AssignmentId,
        /// The other.
        second: AssignmentId,
    },
    /// A claimant contradicted itself.
    Contradiction(&'a Contradiction),
    /// An authentic claim of another operator.
    Claim(&'a SignedClaim),
    /// The batch behind a digest came.
    Batch(&'a Digest),
    /// An approval counts that did not before, or is to be compared once more.
    Approval(&'a Approval),
    /// The trace proof of an approval was compared with what was seen here.
    Compared {
        /// The approval.
        approval: &'a Approval,
        /// Whether it is that.
        holds: bool,
    },
    /// The trace proofs of a claim are not all of one trace.
    Disagree {
        /// The claim.
        claim: ClaimId,
        /// The block that committed it.
        committed: Height,
    },
    /// There is more to work with of a process: claims or leaves.
    Material(ProcessId),
    /// A state or the module of a process is here that was not.
    Here(ProcessId),
    /// All that happened in this step was told.
    StepEnds,
    /// An execution came back.
    Executed(&'a Executed),
    /// A signature was made.
    Signed(&'a Signed),
    /// Something wants a slot.
    Offered {
        /// What it is.
        offer: &'a Offer,
        /// The clock on the wall.
        wall: Timestamp,
        /// The height to stamp.
        height: Height,
    },
}
