//! What the machines of this crate ask for, and what they report.
//!
//! # Rules
//!
//! - `[F-1]` Every [`Effect::Persist`] of a step is durable before any other effect of that step is performed.
//! - `[F-2]` Every answer comes back as an input that names what was asked.

mod event;
mod job;
mod record;

use surety_protocol::approval::{Approval, ClaimBatch};
use surety_protocol::bls::{PublicKey, Signature, SignedDigest};
use surety_protocol::claim::{Claim, Leaf, SignedClaim};
use surety_protocol::history::Frontier;
use surety_protocol::id::{Address, ClaimId, Digest, ItemId, ProcessId};
use surety_protocol::item::{Item, ItemDraft};
use surety_protocol::origin::Action;
use surety_protocol::time::{Height, Slot};
use surety_protocol::verified::Authentic;

use crate::guard::{ApprovalDraft, SafeToSign};
use crate::log::kind;
use crate::push::Parcel;
use crate::reservation::Reservation;

pub use event::Event;
pub use job::{EvaluatedLeaf, Executed, Finding, Job, Traced};
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
    /// Have those approvals of a claim that count compared with what its execution has shown; answered by each of them.
    Compare {
        /// The claim.
        claim: ClaimId,
        /// The block that committed it.
        committed: Height,
    },
    /// Verify the signature in an approval's trace proof; answered if it does not hold.
    VerifyTrace {
        /// The approval.
        approval: Box<Approval>,
        /// Its verifier's signature on the trace that was seen here.
        signed: SignedDigest,
    },
    /// Verify that the trace proofs of a claim are all of one trace, whichever it is; answered if they are not.
    VerifyTogether {
        /// The claim.
        claim: ClaimId,
        /// The block that committed it.
        committed: Height,
        /// Verifiers' keys, and what each has signed.
        proofs: Vec<(PublicKey, Signature)>,
    },
    /// Count an approval no more: its trace proof is false.
    Discredit(Box<Approval>),
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
        /// Whose.
        process: ProcessId,
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
    Approval {
        /// What the approved claim is about.
        process: ProcessId,
        /// The approval.
        approval: Box<Approval>,
    },
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
    /// How a history ends: its leaves from the last one with a state root on.
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
