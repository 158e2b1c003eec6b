//! What is executed beside the machines, and what comes of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use surety_protocol::approval::Approval;
use surety_protocol::claim::{Leaf, SignedClaim};
use surety_protocol::evidence::OffenceKind;
use surety_protocol::id::{Address, AssignmentId, ClaimId, Digest, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::profiles::{Ruling, Stride};
use surety_protocol::time::{Height, Slot};
use surety_protocol::verified::Authentic;

use crate::claims::{Contradiction, Lead};

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
        /// The block that committed it, for a verifier.
        committed: Height,
        /// The leaves from the last one with a state root before the new ones, up to them.
        lead: Lead,
        /// What is to be traced.
        traced: Traced,
    },
    /// Make the evidence that a claim is false at a slot.
    Accuse {
        /// The claim.
        claim: Box<SignedClaim>,
        /// The leaves from the last one with a state root before its new ones, up to them.
        lead: Lead,
        /// The first false one.
        slot: Slot,
    },
    /// Make the evidence that an approval's trace proof is false.
    AccuseTrace {
        /// The claim, which is true.
        claim: Box<SignedClaim>,
        /// The leaves from the last one with a state root before its new ones, up to them.
        lead: Lead,
        /// The seed of its sortition.
        seed: Digest,
        /// The approval.
        approval: Box<Approval>,
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

/// The step to be traced in a check, and the keys (rule TP-2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// The step's slot.
    pub slot: Slot,
    /// The keys.
    pub keys: Vec<Digest>,
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
        /// As in the job.
        committed: Height,
        /// What came out.
        finding: Finding,
    },
    /// Answer to [`Job::Accuse`].
    Accused {
        /// The claim.
        claim: ClaimId,
        /// Who signed it, and is accused.
        claimant: Address,
        /// The first false slot.
        slot: Slot,
        /// The evidence file.
        evidence: Arc<[u8]>,
    },
    /// Answer to [`Job::AccuseTrace`], [`Job::AccuseScheduler`] and [`Job::AccuseClaimant`].
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
    /// All are true, the head too; the traces that were asked for, by their keys.
    True(BTreeMap<Digest, Digest>),
    /// The first false leaf, or the head after it, is at this slot.
    False(Slot),
    /// The state to start from is not here.
    StateMissing(Digest),
}
