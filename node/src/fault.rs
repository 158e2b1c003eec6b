//! Faults that a node commits on purpose, so that anybody can watch them being caught.
//!
//! # Rules
//!
//! - `[FA-1]` A fault is committed once, on the first process that the node follows (a scheduler's on the first that it
//!   schedules), at the slot that it names; otherwise the node behaves. It is never on unless it was asked for by name.
//! - `[FA-2]` A fault acts where the signature is made, after the guard: the guard keeps believing that the honest thing was
//!   signed, as it would in a node whose operator tampers with it.

use std::fmt;
use std::str::FromStr;

use surety_protocol::claim::{Claim, Leaf};
use surety_protocol::hash::{Domain, digest};
use surety_protocol::history::Frontier;
use surety_protocol::id::Digest;
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
}

/// A text that names no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a fault: use compute:wrong-state@SLOT, compute:wrong-result@SLOT, compute:equivocate@SLOT or \
     scheduler:double-assign@SLOT"
)]
pub struct NotAFault;

impl FromStr for Fault {
    type Err = NotAFault;

    fn from_str(text: &str) -> Result<Fault, NotAFault> {
        let (kind, slot) = text.split_once('@').ok_or(NotAFault)?;
        let slot = Slot(slot.parse().map_err(|_| NotAFault)?);
        match kind {
            "compute:wrong-state" => Ok(Fault::WrongState(slot)),
            "compute:wrong-result" => Ok(Fault::WrongResult(slot)),
            "compute:equivocate" => Ok(Fault::Equivocate(slot)),
            "scheduler:double-assign" if slot > Slot(0) => Ok(Fault::DoubleAssign(slot)),
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
            Fault::DoubleAssign(_) => None,
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
            Fault::DoubleAssign(_) => return None,
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
