//! What can happen to a node.

use surety_attest::claims::Lead;
use surety_attest::effect::{Executed, Offer, Recalled, Source};
use surety_protocol::approval::{Approval, ClaimBatch};
use surety_protocol::block::Block;
use surety_protocol::claim::SignedClaim;
use surety_protocol::execution::Execution;
use surety_protocol::id::{Address, Digest, EvidenceId, ItemId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::origin::Verdict;
use surety_protocol::time::Timestamp;
use surety_protocol::verified::Authentic;
use surety_slashing::referee;

use crate::archive::LogSlot;
use crate::net::Topic;

/// Whoever brought something by gossip, which need not be its author.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Teller {
    /// The message's number.
    pub token: u64,
    /// What stands for the peer.
    pub peer: Digest,
}

/// What can happen to a node.
#[derive(Debug)]
pub enum Input {
    /// Time passed; the clock on the wall says this.
    Tick(Timestamp),
    /// Something was gossiped.
    Gossip {
        /// Who brought it, and what to report about it with.
        teller: Teller,
        /// Where.
        topic: Topic,
        /// The bytes.
        data: Vec<u8>,
    },
    /// Somebody wants a slot for something, or an item on the ledger.
    Offer {
        /// What is offered.
        offer: Offer,
        /// The clock on the wall.
        wall: Timestamp,
    },
    /// What a process wants assigned was found.
    Deliver(Offer),
    /// A page of the outbox was read.
    Recalled(Recalled),
    /// A scheduler elsewhere was handed something that it has already.
    Known {
        /// The process.
        process: ProcessId,
        /// The item.
        item: ItemId,
    },
    /// An execution came back.
    Executed(Executed),
    /// The execution that evidence asks for came back.
    Judged {
        /// The evidence.
        evidence: EvidenceId,
        /// The outcome.
        execution: Execution,
    },
    /// Signatures were verified: of each group, whether they hold; nothing if they could not be.
    Checked(Option<Vec<bool>>),
    /// A signature was made.
    Signed(Signed),
    /// What was asked for came, or did not.
    Fetched(Fetched),
}

/// What was asked for.
#[derive(Debug)]
pub enum Fetched {
    /// Slots of a log.
    Log(Vec<LogSlot>),
    /// Where the logs end that an operator schedules.
    Ends {
        /// The operator.
        operator: Address,
        /// Its processes, and how many slots each has.
        ends: Vec<(ProcessId, u64)>,
    },
    /// A data item.
    Item(Authentic<Item>),
    /// The claims behind a digest on the ledger, as far as they came.
    Claims {
        /// Which they are.
        batch: ClaimBatch,
        /// The claims.
        claims: Vec<SignedClaim>,
    },
    /// How a history ends.
    Leaves {
        /// The process.
        process: ProcessId,
        /// The root asked for.
        root: Digest,
        /// What came.
        lead: Lead,
    },
    /// A state is in the archive now.
    State(ProcessId),
    /// An evidence file, read.
    Evidence(Box<referee::File>),
    /// Blocks of the ledger.
    Blocks(Vec<Block>),
}

/// What was signed.
#[derive(Debug, Clone)]
pub enum Signed {
    /// The assignments of a reservation, in order.
    Assignments(Vec<Authentic<Item>>),
    /// A claim.
    Claim(Box<SignedClaim>),
    /// An approval.
    Approval(Box<Approval>),
    /// A message of a process.
    Message {
        /// Its place in the outbox.
        source: Source,
        /// The item.
        item: Authentic<Item>,
    },
    /// A verdict.
    Verdict(Verdict),
    /// An action on the ledger.
    Action(Authentic<Item>),
}
