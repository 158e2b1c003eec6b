//! Deterministic execution of AO modules, resident or from a witness.
//!
//! A step applies one input to one state. What it gives is a function of module, environment,
//! state, input and profile, and of nothing else: not of the host, of its time, or of whether the
//! state was carried along, restored from a snapshot or pieced together from a witness.
//!
//! # Rules
//!
//! - `[EN-1]` Boot, once before input 0: instantiate; run the start function; call
//!   `emscripten_stack_init`, then `_initialize` or else `__wasm_call_ctors`, each if exported.
//!   Anything that ends this early (a trap, an exit, more than the profile's gas) refuses the module for this
//!   process. `main` is not called, as AO's loader does not: it would leave the stack elsewhere.
//! - `[EN-2]` A step: put the message and then the environment, both as JSON texts ended by a zero
//!   byte, on the guest's stack; call `handle`; put the stack back; read its reply up to a zero
//!   byte. The stack is the one behind `_emscripten_stack_alloc`, `_emscripten_stack_restore`,
//!   `emscripten_stack_get_current` and `emscripten_stack_get_free`; where one of these is missing,
//!   or half of what is free does not hold the texts, `malloc` gives the places, and `free`, if
//!   exported, takes them back, the environment's first.
//! - `[EN-3]` A step that traps, runs out of gas, exits, aborts, gives a malformed or too long
//!   reply, or whose reply has an `Error`, leaves memory, its size and all globals as they were
//!   before. Its result says why.
//! - `[EN-4]` Gas is what the blocks entered in the step cost (rule GA-2), plus what host functions
//!   add. A step that gives no reply costs its whole limit: the smaller of the process' compute
//!   limit and the profile's.
//! - `[EN-5]` Memory grows up to the smallest of the module's own maximum, the process' memory
//!   limit and the profile's; beyond, growing fails inside the guest and the guest decides.
//! - `[EN-6]` The clock of a step is its message's timestamp; during boot it is the process' own.
//!   It stands still.
//! - `[EN-7]` A failure of this host (native stack, memory, mappings) is an [`Abstain`] and never a
//!   result.
//! - `[EN-8]` A witness is invalid if its root differs, or if executing touches a page that it
//!   lacks; both are deterministic, and neither is confused with a guest's own access out of
//!   bounds, which is a result.
//! - `[EN-9]` Whatever becomes of a step, each byte of its input's items costs gas on top, which is part of no limit of
//!   the step: it is what everybody keeps, passes on, and puts into evidence.
//!
//! Gas and stack are counted by the module's own rewritten code (rules GA-1 to GA-5), so that engines
//! and engine versions agree.

mod code;
mod execution;
mod format;
mod host;
mod input;
mod machine_host;
mod meter;
mod module;
mod replay;
mod stack;
mod step;
mod trace;
mod vm;
mod wasm;
mod working_copy;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use surety_protocol::execution::Step;
use surety_protocol::id::{Digest, ModuleId};
use surety_protocol::profile::Profile;
use surety_protocol::witness::{PagesFault, Witness};

use crate::result::ProcessResult;
use crate::state::{PageTree, Snapshot};

pub use crate::memory::Watching;
pub use format::format;
pub use input::{Environment, Message, Subject};
pub use machine_host::{Artefacts, Host};
pub use module::ModuleRefused;
pub use stack::on_deep_stack;
pub use trace::{StepTrace, traces};
pub use wasm::WasmEngine;

/// What a process runs, and within which limits.
#[derive(Debug, Clone)]
pub struct Program {
    /// The module's id.
    pub module_id: ModuleId,
    /// The module's bytes, as its data item carries them; clones share them.
    pub bytes: Bytes,
    /// What the module is told of its process at every input.
    pub environment: Environment,
    /// Bytes of memory that the process may use.
    pub memory_limit: u64,
    /// Gas that one input may take.
    pub compute_limit: u64,
}

/// What one step gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepOutcome {
    /// The result, or why there is none (rule EN-3).
    pub result: ProcessResult,
    /// Gas of the step; the result says the same.
    pub gas: u64,
}

/// Where a re-execution starts.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a> {
    /// Before input 0.
    Genesis {
        /// The process' own timestamp, in milliseconds.
        clock: u64,
    },
    /// From the touched pages of a state.
    Witness {
        /// The state's root.
        root: &'a Digest,
        /// The pages and their proof.
        witness: &'a Witness,
    },
}

/// What a re-execution gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reexecution {
    /// One outcome for each input.
    pub steps: Vec<StepOutcome>,
    /// The root of the state after the last.
    pub state_root: Digest,
    /// The trace of the last step under each key that was asked for (rule TR-1).
    pub traces: Vec<Digest>,
}

/// What a re-execution gave, as far as a verdict is about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The root of each result, and its gas.
    pub steps: Vec<Step>,
    /// The root of the state after the last.
    pub state_root: Digest,
    /// The trace of the last step under each key that was asked for.
    pub traces: Vec<Digest>,
}

impl From<Reexecution> for Judged {
    fn from(given: Reexecution) -> Self {
        let step = |step: &StepOutcome| Step {
            result_root: step.result.root(),
            gas: step.gas,
        };
        Self {
            steps: given.steps.iter().map(step).collect(),
            state_root: given.state_root,
            traces: given.traces,
        }
    }
}

/// Why a witness does not allow to execute (rule EN-8). Deterministic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum WitnessFault {
    /// The fields are malformed.
    #[error(transparent)]
    Shape(#[from] PagesFault),
    /// The pages, siblings, size and globals do not have the state's root.
    #[error("the witness is not of the state with this root")]
    Root,
    /// The state does not fit the module or its limits.
    #[error("the state does not fit the module")]
    Unfit,
    /// A page was touched, or changed, that the witness lacks.
    #[error("a page that the witness lacks was touched")]
    MissingPage,
}

/// Why this host cannot tell (rule EN-7). Local.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Abstain {
    /// The native stack ended before the guest's own limits.
    #[error("the native stack is exhausted")]
    Stack,
    /// No memory, mapping or thread.
    #[error("the host is out of memory, mappings or threads")]
    Memory,
    /// This host cannot watch memory pages.
    #[error("the host has no pages of 4096 bytes, or refuses a signal handler")]
    Unsupported,
    /// This program does not know the profile's rules.
    #[error("this program does not execute that profile")]
    Profile,
    /// A snapshot from the host's own store does not fit the module.
    #[error("the snapshot does not fit the module")]
    Snapshot,
    /// The stretch touches more pages than a witness may hold.
    #[error("the stretch touches more pages than a witness can hold")]
    WitnessTooLarge,
    /// Two engines do not agree: one of them has a fault, and people should look at it.
    #[error("two engines gave different outcomes: one of them is at fault")]
    Differ,
    /// More than can be said to a worker at once.
    #[error("more than a worker takes at once")]
    TooLarge,
    /// The process that executes for this one ended, or took too long.
    #[error("the worker ended or took too long")]
    Worker,
    /// The engine failed in a way that no rule foresees.
    #[error("the engine failed")]
    Engine,
}

/// Why there is no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum EngineError {
    /// The module is not one that the profile executes. Deterministic.
    #[error("module refused: {0}")]
    Refused(#[from] ModuleRefused),
    /// The witness is at fault. Deterministic.
    #[error("witness invalid: {0}")]
    Witness(#[from] WitnessFault),
    /// This host cannot tell.
    #[error("abstained: {0}")]
    Abstain(#[from] Abstain),
}

/// Executes modules under one profile.
pub trait Engine: Send + Sync {
    /// The profile.
    fn profile(&self) -> &Profile;

    /// Whether the profile executes a module: valid, within limits, known imports, and it compiles.
    ///
    /// # Errors
    /// [`EngineError::Refused`] with the first rule that is broken; abstains like every method.
    fn check(&self, module: &[u8]) -> Result<(), EngineError>;

    /// A fresh process, before input 0; `clock` is its own timestamp in milliseconds (rules EN-1,
    /// EN-6).
    ///
    /// # Errors
    /// The module is refused, or this host abstains.
    fn boot(&self, program: &Program, clock: u64) -> Result<Box<dyn Resident>, EngineError>;

    /// A process in the state of a snapshot.
    ///
    /// # Errors
    /// As [`Engine::boot`]; abstains if the snapshot does not fit the module.
    fn restore(
        &self,
        program: &Program,
        snapshot: &Snapshot,
    ) -> Result<Box<dyn Resident>, EngineError>;

    /// Replays inputs from a state and collects what re-executing them needs.
    ///
    /// # Errors
    /// As [`Engine::restore`].
    fn witness(
        &self,
        program: &Program,
        start: &Snapshot,
        inputs: &[Message],
    ) -> Result<Witness, EngineError>;

    /// Executes inputs from nothing but what `start` holds, and traces the last step under these keys (rule TR-1).
    ///
    /// # Errors
    /// The module or the witness is at fault, or this host abstains.
    fn reexecute(
        &self,
        program: &Program,
        start: Start<'_>,
        inputs: &[Message],
        traced: &[Digest],
    ) -> Result<Reexecution, EngineError>;

    /// The same for a verdict: on engines of different code bases, if there are several (rule VM-3).
    ///
    /// # Errors
    /// As [`Engine::reexecute`]; abstains if the engines differ.
    fn judge(
        &self,
        program: &Program,
        start: Start<'_>,
        inputs: &[Message],
        traced: &[Digest],
    ) -> Result<Judged, EngineError> {
        self.reexecute(program, start, inputs, traced)
            .map(Judged::from)
    }
}

/// A process whose state is kept in memory from input to input.
pub trait Resident: Send {
    /// Applies an input.
    ///
    /// # Errors
    /// Abstains; the state is then that of before.
    fn step(&mut self, message: &Message) -> Result<StepOutcome, EngineError>;

    /// Like [`Resident::step`], and traces the step under these keys (rule TR-1).
    ///
    /// # Errors
    /// As [`Resident::step`].
    fn traced_step(
        &mut self,
        message: &Message,
        traced: &[Digest],
    ) -> Result<(StepOutcome, Vec<Digest>), EngineError>;

    /// Like [`Resident::step`], leaving the state as it is and with so much gas at most.
    ///
    /// # Errors
    /// Abstains.
    fn dry_run(&mut self, message: &Message, gas_max: u64) -> Result<StepOutcome, EngineError>;

    /// Whether the process is gone, so that everything asked of it abstains.
    fn is_lost(&self) -> bool {
        false
    }

    /// The root of the state; costs what changed since it was asked for last.
    ///
    /// # Errors
    /// Abstains.
    fn state_root(&mut self) -> Result<Digest, EngineError>;

    /// The state; copies those pages that changed since it was asked for last.
    ///
    /// # Errors
    /// Abstains.
    fn snapshot(&mut self) -> Result<Snapshot, EngineError>;

    /// The tree over the state's pages; costs what changed since the root was asked for last.
    ///
    /// # Errors
    /// Abstains.
    fn page_tree(&mut self) -> Result<PageTree, EngineError> {
        Ok(self.snapshot()?.tree())
    }
}
