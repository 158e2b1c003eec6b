//! Judging evidence: one file in, a proven offence or the reason why it proves nothing out.
//!
//! # Rules
//!
//! - `[E-1]` A file is judged from its bytes alone. Offences that signatures prove are judged at once; a false
//!   claim or trace says what to execute and is judged by the outcome.
//! - `[E-2]` Nothing is proven by a file that can be read in two ways: canonical bytes, authentic items, exact counts.
//! - `[E-3]` An abstention proves nothing, and refutes nothing.

mod double_assignment;
mod equivocation;
mod false_claim;
mod false_trace;
mod stretch;

use surety_protocol::codec::{self, CodecError};
use surety_protocol::evidence::{Evidence, Offence, OffenceKind};
use surety_protocol::execution::{Execution, ExecutionRequest};
use surety_protocol::id::{Address, ClaimId, EvidenceId, NetworkId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::origin::{Action, Registration};
use surety_protocol::profiles::Profiles;
use surety_protocol::time::Slot;
use surety_protocol::verified::Authentic;

pub use false_claim::PendingFalseClaim;
pub use false_trace::PendingFalseTrace;

/// An offence that a file proves to anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The file.
    pub evidence: EvidenceId,
    /// The network whose stake answers.
    pub network: NetworkId,
    /// What was done.
    pub kind: OffenceKind,
    /// By whom.
    pub offender: Address,
    /// With which hot keys, as the offender itself registered them.
    pub registration: Registration,
    /// In which process.
    pub process: ProcessId,
    /// At which slot.
    pub slot: Slot,
    /// The claim that is false, if that is the offence.
    pub claim: Option<ClaimId>,
    /// What differs, for people.
    pub finding: Finding,
}

/// What exactly is false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// The profile, or the height that decides it, is not that of the inputs.
    Profile,
    /// The result is not what the input gives.
    Result,
    /// The gas is not what the evaluation takes.
    Gas,
    /// The state root is not that of the state after the input, or stands where none belongs.
    StateRoot,
    /// The head state root is not that of the state after the last leaf.
    HeadStateRoot,
    /// Two assignments for one slot.
    Assignments,
    /// Two leaves for one input.
    Leaves,
    /// The trace proof is not that of the step that was drawn.
    Trace,
}

impl Finding {
    /// The finding in words.
    pub const fn describe(self) -> &'static str {
        match self {
            Finding::Profile => {
                "the claimed profile is not the one that holds at the height of the inputs"
            }
            Finding::Result => "the claimed result is not what the input gives",
            Finding::Gas => "the claimed gas is not what the evaluation takes",
            Finding::StateRoot => "the claimed state root is not that of the state after the input",
            Finding::HeadStateRoot => {
                "the claimed head state is not the state after the last input"
            }
            Finding::Assignments => "two assignments were signed for one slot",
            Finding::Leaves => "two different leaves were signed for one input",
            Finding::Trace => "the trace proof is not that of the step that was drawn",
        }
    }
}

/// Why a file proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not canonical.
    #[error("not an evidence file: {0}")]
    Codec(#[from] CodecError),
    /// An item inside does not parse or its signature does not verify.
    #[error("the {0} inside is not an authentic data item")]
    Item(&'static str),
    /// Parts that do not belong together.
    #[error("the file contradicts itself: {0}")]
    Inconsistent(&'static str),
    /// A signature is not the offender's.
    #[error("the accused did not sign this")]
    Signature,
    /// The leaves are not in the claimed history.
    #[error("the leaves are not in the claimed history")]
    History,
    /// The witness, or the module, is at fault.
    #[error("it cannot be executed as told: {0}")]
    Execution(String),
    /// This host could not execute it.
    #[error("this host could not execute it: {0}")]
    Abstained(String),
    /// Two engines gave different outcomes (rule VM-3).
    #[error("two engines gave different outcomes: one of them is at fault, and nobody is judged")]
    Differed,
    /// Everything is as claimed.
    #[error("nothing false is in it")]
    Innocent,
}

/// A file that was read.
#[derive(Debug)]
pub enum Opened {
    /// Signatures alone prove it.
    Proven(Box<Proven>),
    /// The outcome of an execution decides.
    Execute {
        /// What to execute.
        request: Box<ExecutionRequest>,
        /// What the outcome is compared with.
        pending: Pending,
    },
}

/// An offence that the outcome of an execution decides.
#[derive(Debug)]
pub enum Pending {
    /// A claim.
    FalseClaim(Box<PendingFalseClaim>),
    /// A trace proof.
    FalseTrace(Box<PendingFalseTrace>),
}

impl Pending {
    /// The profiles under which the file is judged.
    pub const fn profiles(&self) -> &Profiles {
        match self {
            Pending::FalseClaim(it) => it.profiles(),
            Pending::FalseTrace(it) => it.profiles(),
        }
    }

    /// Judges by the outcome.
    ///
    /// # Errors
    /// Why it proves nothing.
    pub fn judge(self, execution: &Execution) -> Result<Proven, Refused> {
        match self {
            Pending::FalseClaim(it) => it.judge(execution),
            Pending::FalseTrace(it) => it.judge(execution),
        }
    }
}

/// Reads a file and checks everything but the execution (rules E-1, E-2).
///
/// # Errors
/// Why it proves nothing.
pub fn open(bytes: &[u8]) -> Result<Opened, Refused> {
    let evidence: Evidence = codec::decode(bytes)?;
    let id = Evidence::id_of(bytes);
    let network = evidence.network;
    match evidence.open()? {
        Offence::FalseClaim(offence) => {
            let (request, pending) = false_claim::open(id, network, *offence)?;
            Ok(Opened::Execute {
                request: Box::new(request),
                pending: Pending::FalseClaim(Box::new(pending)),
            })
        }
        Offence::FalseTrace(offence) => {
            let (request, pending) = false_trace::open(id, network, *offence)?;
            Ok(Opened::Execute {
                request: Box::new(request),
                pending: Pending::FalseTrace(Box::new(pending)),
            })
        }
        Offence::DoubleAssignment(offence) => {
            double_assignment::judge(id, network, &offence).map(|it| Opened::Proven(Box::new(it)))
        }
        Offence::ClaimEquivocation(offence) => {
            equivocation::judge(id, network, &offence).map(|it| Opened::Proven(Box::new(it)))
        }
    }
}

/// Judges a file to the end with the help of an executor.
///
/// # Errors
/// Why it proves nothing.
pub fn judge(
    bytes: &[u8],
    execute: impl FnOnce(&ExecutionRequest) -> Execution,
) -> Result<Proven, Refused> {
    match open(bytes)? {
        Opened::Proven(proven) => Ok(*proven),
        Opened::Execute { request, pending } => pending.judge(&execute(&request)),
    }
}

fn authentic(bytes: &[u8], what: &'static str) -> Result<Authentic<Item>, Refused> {
    Item::parse(bytes)
        .ok()
        .and_then(|item| item.authenticate().ok())
        .ok_or(Refused::Item(what))
}

/// The operator behind a registration item, and the keys that it registered (rule EV-2).
fn registration(network: &NetworkId, bytes: &[u8]) -> Result<(Address, Registration), Refused> {
    let item = authentic(bytes, "registration")?;
    match Action::from_item(network, &item) {
        Ok((Action::Register(registration), _)) => Ok((item.owner_address(), *registration)),
        _ => Err(Refused::Inconsistent("the registration registers nothing")),
    }
}
