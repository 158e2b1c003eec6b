//! What the machines of this crate ask for, and what they report.
//!
//! # Rules
//!
//! - `[F-1]` Every [`Effect::Persist`] of a step is durable before any other effect of that step is performed.
//! - `[F-2]` Every answer comes back as an input that names what was asked.

mod record;

use std::sync::Arc;

use surety_protocol::approval::{Approval, ClaimBatch};
use surety_protocol::claim::{Claim, Leaf, SignedClaim};
use surety_protocol::evidence::OffenceKind;
use surety_protocol::history::Frontier;
use surety_protocol::id::{
    Address, AssignmentId, ClaimId, Digest, EvidenceId, ItemId, MessageId, ModuleId, ProcessId,
};
use surety_protocol::item::{Item, ItemDraft};
use surety_protocol::origin::Action;
use surety_protocol::profiles::{Ruling, Stride};
use surety_protocol::time::{Slot, Timestamp};
use surety_protocol::verified::Authentic;

use crate::claims::Contradiction;
use crate::guard::{ApprovalDraft, SafeToSign};
use crate::log::kind;
use crate::push::Parcel;
use crate::reservation::Reservation;

pub use record::Record;

/// What a machine asks for.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Make durable (rule F-1).
    Persist(Record),
    /// Execute; answered by [`Executed`].
    Execute(Job),
    /// Sign the assignments of a reservation, one after another; answered by the signed items.
    SignAssignments(SafeToSign<Reservation>),
    /// Sign a claim; answered by the signed claim.
    SignClaim {
        /// The cleared claim.
        claim: SafeToSign<Claim>,
        /// The leaves before the new ones.
        frontier: Frontier,
        /// The new leaves.
        leaves: Vec<Leaf>,
    },
    /// Sign an approval; answered by the signed approval.
    SignApproval(SafeToSign<ApprovalDraft>),
    /// Sign a message that a process sends; answered by the signed item.
    SignMessage {
        /// From which process, slot and place in the outbox.
        source: Source,
        /// The message.
        draft: ItemDraft,
    },
    /// Tell every node.
    Broadcast(Gossip),
    /// Get something from a node that has it.
    Fetch(Want),
    /// Hand something to the scheduler of the process that it is for.
    Deliver(Offer),
    /// Hand an item that is somewhere in the network to the scheduler of a process that it is to be an input of.
    Assign(Assign),
    /// Read back a page of what is to arrive at a process from the outbox; answered by [`Recalled`].
    Recall {
        /// The process.
        process: ProcessId,
        /// Where the page before ended; empty for the first.
        after: Vec<u8>,
    },
    /// Put an action on the ledger.
    Submit(Action),
    /// Tell whoever watches this node.
    Notify(Event),
}

/// An item that a process asks to be an input of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assign {
    /// The process that is to have it.
    pub process: ProcessId,
    /// The item.
    pub item: ItemId,
    /// Fields of it that the process does not want.
    pub exclude: Vec<String>,
}

/// Something that wants a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// A process, or a message to one.
    Item(Authentic<Item>),
    /// An item that is to be an input of a process, whoever it is for.
    Assign {
        /// The process.
        process: ProcessId,
        /// The item.
        item: Authentic<Item>,
        /// Fields of it that the process does not want.
        exclude: Vec<String>,
    },
}

impl Offer {
    /// The item.
    pub const fn item(&self) -> &Authentic<Item> {
        match self {
            Offer::Item(item) | Offer::Assign { item, .. } => item,
        }
    }

    /// The process that is to have it: for a process itself, for a message its target.
    pub fn process(&self) -> Option<ProcessId> {
        match self {
            Offer::Assign { process, .. } => Some(*process),
            Offer::Item(item) if kind(item) == Some("Process") => Some(item.id().into()),
            Offer::Item(item) => item.target().map(|it| ProcessId::new(*it)),
        }
    }
}

/// A place in a process' outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// The sending process.
    pub process: ProcessId,
    /// The slot whose result sends.
    pub slot: Slot,
    /// The place among what that result sends.
    pub index: u64,
}

impl Source {
    /// The place that a pushed item names as its own; whoever signed it may lie.
    pub fn named_by(item: &Item) -> Option<Source> {
        Some(Source {
            process: item.tag("From-Process")?.parse().ok()?,
            slot: Slot(item.tag("From-Slot")?.parse().ok()?),
            index: item.tag("From-Index")?.parse().ok()?,
        })
    }
}

/// Answer to [`Effect::Recall`]: a page of what is to arrive at a process; what it spawns is among what is to arrive at itself.
#[derive(Debug, Clone)]
pub struct Recalled {
    /// The process.
    pub process: ProcessId,
    /// What it is.
    pub parcels: Vec<Parcel>,
    /// Where the page ended, if there may be more.
    pub more: Option<Vec<u8>>,
}

/// What every node is told.
#[derive(Debug, Clone)]
pub enum Gossip {
    /// A slot of a log: the assignment, and the message or process item.
    Input {
        /// The assignment.
        assignment: Authentic<Item>,
        /// The message, or at slot 0 the process item.
        message: Option<Authentic<Item>>,
    },
    /// A claim.
    Claim(Box<SignedClaim>),
    /// The claims behind a committed digest.
    Batch(ClaimBatch),
    /// An approval.
    Approval(Box<Approval>),
}

/// What this node lacks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Want {
    /// The log of a process from a slot on.
    Log {
        /// The process.
        process: ProcessId,
        /// The first missing slot.
        from: Slot,
    },
    /// Where the logs end that an operator schedules, which only itself is asked.
    Ends {
        /// The operator.
        operator: Address,
    },
    /// A data item.
    Item(ItemId),
    /// The pages of a state.
    State {
        /// The process.
        process: ProcessId,
        /// The state's root.
        root: Digest,
        /// Who claimed it.
        claimant: Address,
    },
    /// The claims behind a digest on the ledger.
    Claims {
        /// The digest.
        root: Digest,
        /// Who committed it.
        claimant: Address,
    },
    /// The leaves below a history root.
    Leaves {
        /// The process.
        process: ProcessId,
        /// The history's root.
        root: Digest,
        /// How many leaves it has.
        size: u64,
        /// Who claimed it.
        claimant: Address,
    },
}

/// Something to execute. Heavy, so it is done beside the machines.
#[derive(Debug, Clone)]
pub enum Job {
    /// Evaluate the next inputs of a process that this node keeps up with.
    Evaluate {
        /// The process.
        process: ProcessId,
        /// The first slot.
        from: Slot,
        /// How many.
        count: u64,
        /// The inputs since the last state root, before these.
        stride: Stride,
    },
    /// Evaluate the new leaves of a claim.
    Check {
        /// The claim.
        claim: Box<SignedClaim>,
        /// The leaves from the last one with a state root before the new ones, up to them.
        lead: Vec<Leaf>,
    },
    /// Make the evidence that a claim is false at a slot.
    Accuse {
        /// The claim.
        claim: Box<SignedClaim>,
        /// All leaves of its history.
        history: Vec<Leaf>,
        /// The first false one.
        slot: Slot,
    },
    /// Make the evidence that a scheduler signed two assignments for a slot; both are in the archive.
    AccuseScheduler {
        /// The process.
        process: ProcessId,
        /// The slot.
        slot: Slot,
        /// The assignment that came first.
        first: AssignmentId,
        /// The other.
        second: AssignmentId,
    },
    /// Make the evidence that a claimant contradicted itself.
    AccuseClaimant(Contradiction),
}

/// What an execution gave.
#[derive(Debug, Clone)]
pub enum Executed {
    /// Answer to [`Job::Evaluate`].
    Evaluated {
        /// The process.
        process: ProcessId,
        /// The leaves, with the state after each and its result's parts.
        leaves: Vec<EvaluatedLeaf>,
    },
    /// Answer to [`Job::Check`].
    Checked {
        /// The claim.
        claim: ClaimId,
        /// What came out.
        finding: Finding,
    },
    /// Answer to [`Job::Accuse`].
    Accused {
        /// The claim.
        claim: ClaimId,
        /// The first false slot.
        slot: Slot,
        /// The evidence file.
        evidence: Arc<[u8]>,
    },
    /// Answer to [`Job::AccuseScheduler`] and [`Job::AccuseClaimant`]: what signatures alone prove.
    Proven {
        /// What was done.
        kind: OffenceKind,
        /// Who did it.
        offender: Address,
        /// The process.
        process: ProcessId,
        /// The slot.
        slot: Slot,
        /// The evidence file.
        evidence: Arc<[u8]>,
    },
    /// This host could not; try again later or leave it.
    Abstained {
        /// What.
        job: Box<Job>,
        /// Why.
        reason: String,
    },
}

/// One evaluated input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluatedLeaf {
    /// The leaf.
    pub leaf: Leaf,
    /// The root of the state after it, where a stride or the job ends.
    pub head: Option<Digest>,
    /// The profile under which it was evaluated.
    pub ruling: Ruling,
    /// The result's parts.
    pub parts: Vec<Vec<u8>>,
    /// What was evaluated: the message, at slot 0 the process item, for a tick its assignment.
    pub subject: Authentic<Item>,
}

/// What re-executing a claim's new leaves found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// All are true, the head too.
    True,
    /// The first false leaf, or the head after it, is at this slot.
    False(Slot),
    /// The state to start from is not here.
    StateMissing(Digest),
}

/// What whoever watches a node is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A message got its slot.
    Scheduled {
        /// The message, the process at slot 0, or the assignment of a tick.
        message: MessageId,
        /// The process.
        process: ProcessId,
        /// The slot.
        slot: Slot,
        /// The assignment's item.
        assignment: ItemId,
        /// The scheduler's clock.
        timestamp: Timestamp,
    },
    /// A message was refused.
    Unscheduled {
        /// The message.
        message: MessageId,
        /// The process that was to have it.
        process: Option<ProcessId>,
        /// A stable code.
        code: &'static str,
        /// Why.
        reason: String,
    },
    /// An input was evaluated here.
    Evaluated {
        /// The process.
        process: ProcessId,
        /// The slot.
        slot: Slot,
        /// The gas that it took.
        gas: u64,
    },
    /// This node signed a claim.
    Claimed {
        /// The process.
        process: ProcessId,
        /// The claim.
        claim: ClaimId,
        /// Its first new leaf.
        first_new: u64,
        /// The end of its leaves.
        size: u64,
    },
    /// This node approved a claim.
    Approved {
        /// The process.
        process: ProcessId,
        /// The claim.
        claim: ClaimId,
    },
    /// A claim was found false here.
    Refuted {
        /// The process.
        process: ProcessId,
        /// The claim.
        claim: ClaimId,
        /// Who signed it.
        claimant: Address,
        /// The first false slot.
        slot: Slot,
    },
    /// Evidence was made here.
    Accused {
        /// The file.
        evidence: EvidenceId,
        /// Who is accused.
        offender: Address,
    },
    /// A process sent a message on.
    Pushed {
        /// Where from.
        source: Source,
        /// The item.
        item: ItemId,
    },
    /// A process cannot be executed: its module is refused.
    Unexecutable {
        /// The process.
        process: ProcessId,
        /// Its module.
        module: ModuleId,
        /// Why.
        reason: String,
    },
    /// The guard refused to sign: this is never normal.
    Refused {
        /// What it would have contradicted.
        reason: String,
    },
}
