//! What whoever watches a node is told.

use surety_protocol::id::{Address, ClaimId, EvidenceId, ItemId, MessageId, ModuleId, ProcessId};
use surety_protocol::time::{Slot, Timestamp};

use super::Source;

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
    /// A claim was executed here by an auditor, and is true.
    Audited {
        /// The process.
        process: ProcessId,
        /// The claim.
        claim: ClaimId,
    },
    /// This node's two engines differ about a case: one of them is at fault, and nobody is judged (rule VM-3).
    EnginesDiffer {
        /// What was judged.
        evidence: EvidenceId,
    },
    /// A claim was to be executed here by an auditor, and was not: more came than its budget allows, or what it needs did not.
    Unaudited {
        /// The process.
        process: ProcessId,
        /// The claim.
        claim: ClaimId,
    },
    /// An approval's trace proof was found false here: its verifier has not executed the claim.
    Blind {
        /// The process.
        process: ProcessId,
        /// The claim.
        claim: ClaimId,
        /// The verifier.
        verifier: Address,
    },
    /// The trace proofs of a claim are not of one trace; it is executed here.
    Disagree {
        /// The process.
        process: ProcessId,
        /// The claim.
        claim: ClaimId,
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
