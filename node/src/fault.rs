//! Faults that a node commits on purpose, so that anybody can watch them being caught.
//!
//! # Rules
//!
//! - `[FA-1]` A fault is committed once, on the first process that the node follows (a scheduler's on the first that it
//!   schedules), at the slot that it names; otherwise the node behaves. It is never on unless it was asked for by name.
//! - `[FA-2]` A fault acts where the signature is made, after the guard: the guard keeps believing that the honest thing was
//!   signed, as it would in a node whose operator tampers with it.
//! - `[FA-3]` A node that is to crash ends as if it were killed, just before or just after the batch of that number, of those with
//!   which a scheduler, a messenger or the guard remembers something. It signs nothing false by that.
//! - `[FA-4]` A verifier's fault concerns every claim that says what the slot gave, of any process: it finds it true without executing
//!   it, or false without executing it. One that is to be a no-show finds nothing of any claim from that slot on.
//! - `[FA-5]` A verifier that accuses wrong has the right file, and says that the offence is at the next slot: it loses its bond, and
//!   whoever says it right of the same file is heard.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use surety_protocol::claim::{Claim, Leaf};
use surety_protocol::hash::{Domain, digest};
use surety_protocol::history::Frontier;
use surety_protocol::id::Digest;
use surety_protocol::origin::Challenge;
use surety_protocol::time::Slot;

/// A fault and its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Sign a false head state after the slot.
    WrongState(Slot),
    /// Sign a false result of the slot.
    WrongResult(Slot),
    /// Sign a false result of the slot beside the true one.
    Equivocate(Slot),
    /// Sign two assignments for the slot.
    DoubleAssign(Slot),
    /// Approve whatever is claimed of the slot (rule FA-4).
    BlindApproval(Slot),
    /// Accuse whoever claims anything of the slot (rule FA-4).
    FalseAccusation(Slot),
    /// Accuse whoever lies at the slot with the file that proves it, and say that it is about the next (rule FA-5).
    WrongAccusation(Slot),
    /// Draw claims from the slot on and do nothing (rule FA-4).
    NoShow(Slot),
    /// Crash at this batch (rule FA-3).
    Crash {
        /// Its number from the start of the program.
        batch: u64,
        /// Whether it is durable by then.
        after: bool,
    },
}

/// A text that names no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a fault: use compute:wrong-state@SLOT, compute:wrong-result@SLOT, compute:equivocate@SLOT, \
     scheduler:double-assign@SLOT, verifier:blind-approval@SLOT, verifier:false-accusation@SLOT, \
     verifier:wrong-accusation@SLOT, verifier:no-show@SLOT, store:crash-before@BATCH or store:crash-after@BATCH"
)]
pub struct NotAFault;

/// Traces of a step under these keys, of somebody who has not executed it.
pub fn made_up(keys: &[Digest]) -> BTreeMap<Digest, Digest> {
    keys.iter().map(|key| (*key, *key)).collect()
}

impl FromStr for Fault {
    type Err = NotAFault;

    fn from_str(text: &str) -> Result<Fault, NotAFault> {
        let (kind, slot) = text.split_once('@').ok_or(NotAFault)?;
        let number = slot.parse().map_err(|_| NotAFault)?;
        let slot = Slot(number);
        match kind {
            "compute:wrong-state" => Ok(Fault::WrongState(slot)),
            "compute:wrong-result" => Ok(Fault::WrongResult(slot)),
            "compute:equivocate" => Ok(Fault::Equivocate(slot)),
            "scheduler:double-assign" if slot > Slot(0) => Ok(Fault::DoubleAssign(slot)),
            "verifier:blind-approval" => Ok(Fault::BlindApproval(slot)),
            "verifier:false-accusation" => Ok(Fault::FalseAccusation(slot)),
            "verifier:wrong-accusation" => Ok(Fault::WrongAccusation(slot)),
            "verifier:no-show" => Ok(Fault::NoShow(slot)),
            "store:crash-before" | "store:crash-after" => Ok(Fault::Crash {
                batch: number,
                after: kind == "store:crash-after",
            }),
            _ => Err(NotAFault),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::WrongState(slot) => write!(f, "compute:wrong-state@{slot}"),
            Fault::WrongResult(slot) => write!(f, "compute:wrong-result@{slot}"),
            Fault::Equivocate(slot) => write!(f, "compute:equivocate@{slot}"),
            Fault::DoubleAssign(slot) => write!(f, "scheduler:double-assign@{slot}"),
            Fault::BlindApproval(slot) => write!(f, "verifier:blind-approval@{slot}"),
            Fault::FalseAccusation(slot) => write!(f, "verifier:false-accusation@{slot}"),
            Fault::WrongAccusation(slot) => write!(f, "verifier:wrong-accusation@{slot}"),
            Fault::NoShow(slot) => write!(f, "verifier:no-show@{slot}"),
            Fault::Crash { batch, after } => {
                let when = if *after { "after" } else { "before" };
                write!(f, "store:crash-{when}@{batch}")
            }
        }
    }
}

impl Fault {
    /// The slot whose claim this fault falsifies.
    pub const fn claim_slot(&self) -> Option<Slot> {
        match self {
            Fault::WrongState(slot) | Fault::WrongResult(slot) | Fault::Equivocate(slot) => {
                Some(*slot)
            }
            _ => None,
        }
    }

    /// The slot whose claims a verifier judges without looking (rule FA-4).
    pub const fn judged_slot(&self) -> Option<Slot> {
        match self {
            Fault::BlindApproval(slot) | Fault::FalseAccusation(slot) | Fault::NoShow(slot) => {
                Some(*slot)
            }
            _ => None,
        }
    }

    /// Whether it is a verifier that commits it.
    pub const fn is_a_verifiers(&self) -> bool {
        self.judged_slot().is_some() || matches!(self, Fault::WrongAccusation(_))
    }

    /// The slot whose claims a verifier finds true without looking (rule FA-4).
    pub const fn blind_slot(&self) -> Option<Slot> {
        match self {
            Fault::BlindApproval(slot) => Some(*slot),
            _ => None,
        }
    }

    /// What is said in place of a challenge (rule FA-5).
    pub fn misled(&self, challenge: &Challenge) -> Option<Challenge> {
        match self {
            Fault::WrongAccusation(slot) if challenge.slot == *slot => Some(Challenge {
                slot: slot.next(),
                ..challenge.clone()
            }),
            _ => None,
        }
    }

    /// The batch at which the node crashes, and whether after it.
    pub const fn crash(&self) -> Option<(u64, bool)> {
        match self {
            Fault::Crash { batch, after } => Some((*batch, *after)),
            _ => None,
        }
    }

    /// The false claim in place of, or beside, one that ends with the fault's slot.
    pub fn falsified(
        &self,
        claim: &Claim,
        frontier: &Frontier,
        leaves: &[Leaf],
    ) -> Option<(Claim, Vec<Leaf>)> {
        let slot = self.claim_slot()?;
        let (mut claim, mut leaves) = (claim.clone(), leaves.to_vec());
        let last = leaves.last_mut().filter(|leaf| leaf.slot == slot)?;
        match self {
            Fault::WrongState(_) => {
                claim.head_state_root = other(&claim.head_state_root);
                if last.state_root.is_some() {
                    last.state_root = Some(claim.head_state_root);
                }
            }
            Fault::WrongResult(_) | Fault::Equivocate(_) => {
                last.result_root = other(&last.result_root);
            }
            _ => return None,
        }
        let mut history = frontier.clone();
        for leaf in &leaves {
            history.append(leaf.digest().ok()?).ok()?;
        }
        claim.history_root = history.root();
        Some((claim, leaves))
    }
}

/// Another digest than the true one.
fn other(digest_: &Digest) -> Digest {
    digest(Domain::OBJECT, &[b"not", digest_.as_bytes()])
}
