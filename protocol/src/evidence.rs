//! Evidence: one self-contained file that proves to anybody that an operator signed something false.
//!
//! # Rules
//!
//! - `[EV-1]` An evidence file holds all that its check needs: signatures, leaves, witness, module, process item and
//!   messages. Its check asks no network, no clock and no ledger.
//! - `[EV-2]` The offender's hot key is bound to its address by the registration that the operator itself signed.
//! - `[EV-3]` Every part is authentic by itself (signatures, ids) or bound by a root that the offender signed; no field
//!   is believed.
//! - `[EV-4]` The id is the digest of the canonical bytes.
//! - `[EV-5]` The approval of a false claim has no file of its own: it is proven by the file that refutes the claim and by the
//!   approver's signature for it, which a block of the ledger carries ([`crate::origin::FalseApprovals`]).

use serde_bytes::ByteBuf;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::claim::{Claim, Leaf, Statement};
use crate::codec::{self, CodecError, Wire};
use crate::hash::{Domain, digest};
use crate::id::{Digest, EvidenceId, NetworkId};
use crate::merkle::{MultiProof, Proof};
use crate::profiles::Profiles;
use crate::trace::TraceProof;
use crate::witness::PackedWitness;

/// Bytes of an evidence file: whatever a stride can be made of, be it incompressible (rule PR-7).
pub const EVIDENCE_BYTES_MAX: usize = 352 << 20;

/// What an operator can be proven to have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum OffenceKind {
    /// Signed a claim that a re-execution refutes.
    FalseClaim = 1,
    /// Signed two assignments for one slot.
    DoubleAssignment = 2,
    /// Signed two different leaves for one input.
    ClaimEquivocation = 3,
    /// Approved a claim that a re-execution refutes (rule EV-5).
    FalseApproval = 4,
    /// Approved a claim with a trace proof that a re-execution refutes.
    FalseTrace = 5,
}

impl OffenceKind {
    /// The kind with this number.
    pub const fn from_number(number: u8) -> Option<OffenceKind> {
        match number {
            1 => Some(OffenceKind::FalseClaim),
            2 => Some(OffenceKind::DoubleAssignment),
            3 => Some(OffenceKind::ClaimEquivocation),
            4 => Some(OffenceKind::FalseApproval),
            5 => Some(OffenceKind::FalseTrace),
            _ => None,
        }
    }

    /// Its number on the wire.
    pub const fn number(self) -> u8 {
        match self {
            OffenceKind::FalseClaim => 1,
            OffenceKind::DoubleAssignment => 2,
            OffenceKind::ClaimEquivocation => 3,
            OffenceKind::FalseApproval => 4,
            OffenceKind::FalseTrace => 5,
        }
    }

    /// Whether a file proves it by what an execution gives, and not by signatures alone.
    pub const fn executes(self) -> bool {
        matches!(self, OffenceKind::FalseClaim | OffenceKind::FalseTrace)
    }

    /// Its name for people and programs.
    pub const fn name(self) -> &'static str {
        match self {
            OffenceKind::FalseClaim => "false-claim",
            OffenceKind::DoubleAssignment => "double-assignment",
            OffenceKind::ClaimEquivocation => "claim-equivocation",
            OffenceKind::FalseApproval => "false-approval",
            OffenceKind::FalseTrace => "false-trace",
        }
    }
}

/// One input as an evidence file holds it: the bytes of its data items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct InputBytes {
    /// The assignment.
    pub assignment: ByteBuf,
    /// The message, if the assignment names one.
    pub message: Option<ByteBuf>,
}

/// A stretch of a process, to be executed again by anybody: from a state root in a history up to one of its leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Stretch {
    /// The network's profiles, up to the one that the claim names.
    pub profiles: Profiles,
    /// The item of the module that the process names.
    pub module: ByteBuf,
    /// The process item.
    pub process: ByteBuf,
    /// The pages touched, of the state in the first leaf; none if the stretch starts at slot 0.
    pub witness: Option<PackedWitness>,
    /// The leaves of the stretch as claimed: the one with the state before (absent at slot 0), then one for each input.
    pub leaves: Vec<Leaf>,
    /// Their path to the claimed history root.
    pub path: MultiProof,
    /// The inputs of the stretch; the evidence is about the last of them.
    pub inputs: Vec<InputBytes>,
}

/// A claim that a re-execution refutes: the last leaf of the stretch, or the head after it, is false.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct FalseClaim {
    /// The claim and its signature.
    pub statement: Statement,
    /// The registration item that binds the signing key to the offender.
    pub registration: ByteBuf,
    /// What to execute.
    pub stretch: Stretch,
}

impl Wire for FalseClaim {
    const KIND: u8 = 10;
    const VERSION: u8 = 3;
    const BYTES_MAX: usize = EVIDENCE_BYTES_MAX;
}

/// A trace proof that a re-execution refutes: the last step of the stretch is the one that was drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct FalseTrace {
    /// The claim that was approved.
    pub claim: Claim,
    /// The seed that drew.
    pub seed: Digest,
    /// What the approval showed, bound to the offender, the claim and the seed.
    pub proof: TraceProof,
    /// The registration item that binds its keys to the offender.
    pub registration: ByteBuf,
    /// What to execute.
    pub stretch: Stretch,
}

impl Wire for FalseTrace {
    const KIND: u8 = 13;
    const VERSION: u8 = 2;
    const BYTES_MAX: usize = EVIDENCE_BYTES_MAX;
}

/// Two assignments of one slot by the scheduler of the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct DoubleAssignment {
    /// The registration item that binds the scheduling key to the offender.
    pub registration: ByteBuf,
    /// The process item, which names its scheduler.
    pub process: ByteBuf,
    /// One assignment.
    pub first: ByteBuf,
    /// The other.
    pub second: ByteBuf,
}

impl Wire for DoubleAssignment {
    const KIND: u8 = 11;
    const BYTES_MAX: usize = 1 << 20;
}

/// Two leaves for one assignment, in two claims of one signer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ClaimEquivocation {
    /// The registration item that binds the signing key to the offender.
    pub registration: ByteBuf,
    /// One claim.
    pub first: Statement,
    /// Its leaf, and the path to its history root.
    pub first_leaf: (Leaf, Proof),
    /// The other claim.
    pub second: Statement,
    /// Its leaf, and the path to its history root.
    pub second_leaf: (Leaf, Proof),
}

impl Wire for ClaimEquivocation {
    const KIND: u8 = 12;
    const BYTES_MAX: usize = 64 * 1024;
}

/// An evidence file: the network it concerns and one offence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Evidence {
    /// The network whose stake answers for it.
    pub network: NetworkId,
    /// The number of the [`OffenceKind`].
    pub kind: u8,
    /// The canonical bytes of the offence.
    pub offence: ByteBuf,
}

impl Wire for Evidence {
    const KIND: u8 = 9;
    const BYTES_MAX: usize = EVIDENCE_BYTES_MAX + 1024;
}

/// An offence, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offence {
    /// See [`FalseClaim`].
    FalseClaim(Box<FalseClaim>),
    /// See [`DoubleAssignment`].
    DoubleAssignment(Box<DoubleAssignment>),
    /// See [`ClaimEquivocation`].
    ClaimEquivocation(Box<ClaimEquivocation>),
    /// See [`FalseTrace`].
    FalseTrace(Box<FalseTrace>),
}

impl Evidence {
    /// Wraps an offence.
    ///
    /// # Errors
    /// If it is larger than its limit.
    pub fn new(network: NetworkId, offence: &Offence) -> Result<Evidence, CodecError> {
        let (kind, bytes) = match offence {
            Offence::FalseClaim(it) => (OffenceKind::FalseClaim, codec::encode(it.as_ref())?),
            Offence::DoubleAssignment(it) => {
                (OffenceKind::DoubleAssignment, codec::encode(it.as_ref())?)
            }
            Offence::ClaimEquivocation(it) => {
                (OffenceKind::ClaimEquivocation, codec::encode(it.as_ref())?)
            }
            Offence::FalseTrace(it) => (OffenceKind::FalseTrace, codec::encode(it.as_ref())?),
        };
        Ok(Evidence {
            network,
            kind: kind.number(),
            offence: ByteBuf::from(bytes),
        })
    }

    /// Decodes the offence.
    ///
    /// # Errors
    /// If the kind is unknown or the bytes are not canonical.
    pub fn open(&self) -> Result<Offence, CodecError> {
        Ok(
            match OffenceKind::from_number(self.kind).ok_or(CodecError::Fields)? {
                OffenceKind::FalseClaim => {
                    Offence::FalseClaim(Box::new(codec::decode(&self.offence)?))
                }
                OffenceKind::DoubleAssignment => {
                    Offence::DoubleAssignment(Box::new(codec::decode(&self.offence)?))
                }
                OffenceKind::ClaimEquivocation => {
                    Offence::ClaimEquivocation(Box::new(codec::decode(&self.offence)?))
                }
                OffenceKind::FalseTrace => {
                    Offence::FalseTrace(Box::new(codec::decode(&self.offence)?))
                }
                // [EV-5]
                OffenceKind::FalseApproval => return Err(CodecError::Fields),
            },
        )
    }

    /// The id of evidence with these canonical bytes (rule EV-4).
    pub fn id_of(bytes: &[u8]) -> EvidenceId {
        digest(Domain::EVIDENCE, &[bytes]).into()
    }
}
