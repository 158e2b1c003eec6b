//! What nodes ask one another, and what they answer.
//!
//! # Rules
//!
//! - `[XC-1]` Requests and answers are canonical objects. An answer is bounded by what fits its protocol; who needs more
//!   asks again from where the answer ended.
//! - `[XC-2]` An answer is believed only as far as it can be checked: ids, signatures, roots.
//! - `[XC-3]` A node answers from its archive; what it has not got it says so.

mod claims;
mod evidence;
mod fetch;
mod hedge;
mod places;
mod requests;
mod serve;

use serde_bytes::ByteBuf;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};
use surety_protocol::approval::ClaimBatch;
use surety_protocol::claim::{Leaf, SignedClaim};
use surety_protocol::codec::Wire;
use surety_protocol::evidence::InputBytes;
use surety_protocol::history::Frontier;
use surety_protocol::id::{Address, AssignmentId, Digest, EvidenceId, ItemId, ProcessId};
use surety_protocol::time::{Height, Slot, Timestamp};
use surety_protocol::witness::{PageNode, StateHead};

pub use fetch::{Fetcher, Wanted};
pub use requests::{AskError, Requests};
pub use serve::serve;

/// Bytes that one answer of items or blocks fills.
const ANSWER_BYTES: usize = 8 << 20;

/// Asks for a log from a slot on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub(crate) struct LogRequest {
    pub(crate) process: ProcessId,
    pub(crate) from: Slot,
}

impl Wire for LogRequest {
    const KIND: u8 = 70;
    const BYTES_MAX: usize = 128;
}

/// Slots of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub(crate) struct LogAnswer {
    pub(crate) slots: Vec<InputBytes>,
}

impl Wire for LogAnswer {
    const KIND: u8 = 71;
    const BYTES_MAX: usize = 16 << 20;
}

/// Asks a scheduler where its logs end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub(crate) struct EndsRequest {
    /// The last process that is known of, if any.
    pub(crate) after: Option<ProcessId>,
}

impl Wire for EndsRequest {
    const KIND: u8 = 81;
    const BYTES_MAX: usize = 64;
}

/// Processes in ascending order, and how many slots each has; there are more if the list is full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub(crate) struct EndsAnswer {
    pub(crate) ends: Vec<(ProcessId, u64)>,
}

impl Wire for EndsAnswer {
    const KIND: u8 = 82;
    const BYTES_MAX: usize = 256 * 1024;
}

/// Asks for an item or where a scheduler is, or hands an item to a scheduler.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize_tuple, Deserialize_tuple)]
pub(crate) struct ItemRequest {
    pub(crate) wanted: Option<ItemId>,
    pub(crate) offered: Option<ByteBuf>,
    /// The process that is to have what is offered, and without which fields, if it is not for it.
    pub(crate) assign: Option<(ProcessId, Vec<String>)>,
    /// The scheduler, by its key, whose location is asked for.
    pub(crate) location: Option<Address>,
}

impl Wire for ItemRequest {
    const KIND: u8 = 72;
    const BYTES_MAX: usize = 12 << 20;
}

/// An item, or what became of an offered one: a slot, with a refusal if it had that already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub(crate) struct ItemAnswer {
    pub(crate) item: Option<ByteBuf>,
    pub(crate) scheduled: Option<Receipt>,
    pub(crate) refused: Option<(String, String)>,
}

impl Wire for ItemAnswer {
    const KIND: u8 = 73;
    const BYTES_MAX: usize = 12 << 20;
}

/// The slot that an item got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Receipt {
    /// The process.
    pub process: ProcessId,
    /// The slot.
    pub slot: Slot,
    /// The assignment.
    pub assignment: AssignmentId,
    /// The scheduler's clock.
    pub timestamp: Timestamp,
}

/// Where an offered item is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Its slot.
    pub receipt: Receipt,
    /// Whether it had it before it was offered.
    pub already: bool,
}

/// Asks for parts of a state, or for how a history of so many leaves ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub(crate) struct PagesRequest {
    pub(crate) head: Option<Digest>,
    pub(crate) nodes: Vec<Digest>,
    pub(crate) pages: Vec<Digest>,
    pub(crate) leaves: Option<(ProcessId, u64)>,
}

impl Wire for PagesRequest {
    const KIND: u8 = 74;
    const BYTES_MAX: usize = 64 * 1024;
}

/// What was asked for, as far as it is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub(crate) struct PagesAnswer {
    pub(crate) head: Option<StateHead>,
    pub(crate) nodes: Vec<PageNode>,
    pub(crate) pages: Vec<ByteBuf>,
    /// The history before the leaves, and from the last one with a state root on the leaves.
    pub(crate) leaves: Option<(Frontier, Vec<Leaf>)>,
}

impl Wire for PagesAnswer {
    const KIND: u8 = 75;
    const VERSION: u8 = 2;
    const BYTES_MAX: usize = 4 << 20;
}

/// Asks for the claims behind a digest, from a place in the batch on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub(crate) struct ClaimsRequest {
    pub(crate) root: Digest,
    pub(crate) claimant: Address,
    pub(crate) from: u64,
}

impl Wire for ClaimsRequest {
    const KIND: u8 = 79;
    const BYTES_MAX: usize = 128;
}

/// The batch, and claims of it in its order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub(crate) struct ClaimsAnswer {
    pub(crate) batch: Option<ClaimBatch>,
    pub(crate) claims: Vec<SignedClaim>,
}

impl Wire for ClaimsAnswer {
    const KIND: u8 = 80;
    const BYTES_MAX: usize = 16 << 20;
}

/// Asks for a piece of an evidence file; the answer is that piece, or nothing (rule XC-5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub(crate) struct EvidenceRequest {
    pub(crate) evidence: EvidenceId,
    pub(crate) piece: u32,
}

impl Wire for EvidenceRequest {
    const KIND: u8 = 76;
    const VERSION: u8 = 2;
    const BYTES_MAX: usize = 64;
}

/// Asks for blocks from a height on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub(crate) struct BlocksRequest {
    pub(crate) from: Height,
}

impl Wire for BlocksRequest {
    const KIND: u8 = 77;
    const BYTES_MAX: usize = 64;
}

/// Blocks, each in its canonical bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub(crate) struct BlocksAnswer {
    pub(crate) blocks: Vec<ByteBuf>,
}

impl Wire for BlocksAnswer {
    const KIND: u8 = 78;
    const BYTES_MAX: usize = 16 << 20;
}

#[cfg(test)]
mod tests;
