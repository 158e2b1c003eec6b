//! What a node asks for.

use std::sync::Arc;

use surety_attest::effect::{Assign, Event, Job, Offer, Record, Source, Want};
use surety_attest::guard::{ApprovalDraft, SafeToSign, VerdictDraft};
use surety_attest::reservation::Reservation;
use surety_protocol::block::Block;
use surety_protocol::claim::{Claim, Leaf};
use surety_protocol::execution::ExecutionRequest;
use surety_protocol::history::Frontier;
use surety_protocol::id::{Address, CaseId, EvidenceId, ItemId, ProcessId};
use surety_protocol::item::ItemDraft;
use surety_protocol::origin::{Action, Challenge, Registration};
use surety_protocol::profiles::Profiles;
use surety_protocol::time::Height;
use surety_slashing::ledger::LedgerEvent;

use super::Checking;
use crate::net::{Acceptance, Multiaddr, PeerId, Topic};

/// What a node asks for.
#[derive(Debug)]
pub enum Effect {
    /// Make durable (rule CO-1).
    Persist(Write),
    /// Execute, under these profiles of the network.
    Execute(Job, Arc<Profiles>),
    /// Execute what evidence asks for.
    Judge {
        /// The evidence.
        evidence: EvidenceId,
        /// What to execute.
        request: Box<ExecutionRequest>,
    },
    /// Verify signatures.
    Check(Checking),
    /// Sign.
    Sign(Box<Signing>),
    /// Gossip.
    Publish {
        /// Where.
        topic: Topic,
        /// The bytes.
        data: Vec<u8>,
    },
    /// Say what a gossiped message was worth.
    Report {
        /// Which.
        token: u64,
        /// What.
        acceptance: Acceptance,
    },
    /// Get something.
    Fetch(Want),
    /// Get an evidence file.
    FetchEvidence {
        /// Which.
        evidence: EvidenceId,
        /// How many bytes it has.
        bytes: u64,
        /// Who has it.
        challenger: Address,
    },
    /// Get blocks.
    FetchBlocks {
        /// From this height on.
        from: Height,
    },
    /// Hand something to an operator's scheduler.
    Deliver {
        /// What is offered.
        offer: Offer,
        /// The operator.
        to: Address,
    },
    /// Find an item, and come back with it as [`super::Input::Deliver`].
    Assign(Assign),
    /// Read a page of the outbox.
    Recall {
        /// The process that it is for.
        process: ProcessId,
        /// Where the page before ended; empty for the first.
        after: Vec<u8>,
    },
    /// A peer listens here, as it says itself.
    Locate {
        /// The peer.
        peer: PeerId,
        /// Where.
        addresses: Vec<Multiaddr>,
    },
    /// Say where this node listens.
    Announce,
    /// Hear of the processes in so many subnets as everybody does, or of all.
    Carry {
        /// How many everybody carries at least.
        everybody: usize,
        /// Whether this node needs all.
        all: bool,
    },
    /// Look again at a process whose log has lost its end.
    Shrank(ProcessId),
    /// Tell whoever watches.
    Notify(Event),
    /// The ledger went on.
    Applied {
        /// Its height.
        height: Height,
        /// What happened.
        events: Vec<LedgerEvent>,
    },
    /// A scheduler's answer to an offer that could not be taken.
    Refused {
        /// The item.
        item: ItemId,
        /// The process that was to have it, if it was for one.
        process: Option<ProcessId>,
        /// A stable code.
        code: &'static str,
        /// Why.
        reason: String,
    },
}

/// What is to be durable.
#[derive(Debug)]
pub enum Write {
    /// A record of the roles.
    Record(Record),
    /// A block.
    Block(Block),
    /// How many leaves of a process are certified.
    Certified(ProcessId, u64),
    /// The item with which an operator registered its keys.
    Registration {
        /// The operator.
        operator: Address,
        /// The keys in it.
        registration: Box<Registration>,
        /// The item.
        item: Vec<u8>,
    },
    /// A challenge that this node makes (rule CO-13).
    Challenge(Challenge),
    /// The challenge of this case need not be made any more.
    Settled(CaseId),
}

/// What is to be signed.
#[derive(Debug)]
pub enum Signing {
    /// The assignments of a reservation.
    Assignments(SafeToSign<Reservation>),
    /// A claim.
    Claim {
        /// The cleared claim.
        claim: SafeToSign<Claim>,
        /// The leaves before the new ones.
        frontier: Frontier,
        /// The new leaves.
        leaves: Vec<Leaf>,
    },
    /// An approval.
    Approval(SafeToSign<ApprovalDraft>),
    /// A message of a process.
    Message {
        /// Its place in the outbox.
        source: Source,
        /// The message.
        draft: ItemDraft,
    },
    /// A verdict.
    Verdict(SafeToSign<VerdictDraft>),
    /// An action on the ledger.
    Action {
        /// What.
        action: Action,
        /// After which height it is void.
        expires: Height,
    },
}
