//! The shape of a request to execute a stretch of a process, and of its answer.
//!
//! Whoever judges (`slashing`) and whoever executes (`attest`) know each other only through these types.
//!
//! # Rules
//!
//! - `[EX-1]` A request names everything that execution depends on: profile, module item, process item, the state
//!   before (nothing for the genesis, else a root and its witness), the inputs in order and the keys of the traces that are
//!   wanted.
//! - `[EX-2]` The answer is a function of the request. Whoever cannot give it for local reasons abstains; an
//!   abstention is never a verdict.

use std::sync::Arc;

use crate::id::Digest;
use crate::item::Item;
use crate::profile::Profile;
use crate::verified::Authentic;
use crate::witness::PackedWitness;

/// One input of a process' log.
#[derive(Debug, Clone)]
pub struct Input {
    /// The scheduler's assignment of the slot.
    pub assignment: Authentic<Item>,
    /// The assigned message; none at slot 0, where the process item itself is the input.
    pub message: Option<Authentic<Item>>,
}

impl Input {
    /// Bytes of its items (rule EN-9).
    pub fn item_bytes(&self) -> u64 {
        let message = self.message.as_ref().map_or(0, |it| it.bytes().len());
        (self.assignment.bytes().len() as u64).saturating_add(message as u64)
    }
}

/// The state before the first input.
#[derive(Debug, Clone)]
pub enum Start {
    /// Nothing: the first input is slot 0.
    Genesis,
    /// The pages that the execution touches, of the state with this root.
    Witness {
        /// The state's root.
        root: Digest,
        /// The touched pages and the path to the root.
        witness: Box<PackedWitness>,
    },
}

/// A stretch to execute (rule EX-1).
#[derive(Debug, Clone)]
pub struct ExecutionRequest {
    /// The meaning of execution.
    pub profile: Profile,
    /// The data item that carries the module.
    pub module: Arc<Authentic<Item>>,
    /// The data item that spawned the process.
    pub process: Arc<Authentic<Item>>,
    /// The state before.
    pub start: Start,
    /// The inputs, in order.
    pub inputs: Vec<Input>,
    /// The keys under which the last step is traced (rule TR-1).
    pub traced: Vec<Digest>,
}

/// What one input gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The root over the result's parts.
    pub result_root: Digest,
    /// Gas that it took.
    pub gas: u64,
}

/// The answer to an [`ExecutionRequest`] (rule EX-2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Execution {
    /// Executed to the end.
    Done {
        /// One step for each input.
        steps: Vec<Step>,
        /// The root of the state after the last.
        state_root: Digest,
        /// The trace of the last step under each key that was asked for.
        traces: Vec<Digest>,
    },
    /// The request itself is at fault: a bad witness, a module that the profile refuses.
    Invalid(String),
    /// This host cannot tell.
    Abstained(String),
    /// Nobody can: two engines gave different outcomes, so one of them is at fault (rule VM-3).
    Differed,
}
