//! The engine on wasmtime.

use surety_protocol::id::Digest;
use surety_protocol::profile::Profile;
use surety_protocol::witness::Witness;

use super::compiled::Compiler;
use super::execution::Execution;
use super::stack::STACK_SLOTS_MAX;
use super::{
    Abstain, Engine, EngineError, Message, Program, Reexecution, Resident, Start, StepOutcome,
    replay,
};
use crate::memory::{Access, Watching};
use crate::state::{PageTree, Snapshot, page_hash, state_root};

/// Executes with wasmtime's Cranelift. Compiled modules are kept, so one engine serves a whole
/// node.
pub struct WasmEngine {
    profile: Profile,
    compiler: Compiler,
}

impl WasmEngine {
    /// An engine for one profile.
    ///
    /// # Errors
    /// Abstains if this host cannot watch memory pages, or has not the native stack that the profile's slots may take.
    pub fn new(profile: Profile) -> Result<Self, EngineError> {
        Self::watching(profile, Watching::Kernel)
    }

    /// An engine that finds written pages in one way.
    ///
    /// # Errors
    /// As [`WasmEngine::new`].
    pub fn watching(profile: Profile, watching: Watching) -> Result<Self, EngineError> {
        if profile.stack_slots_max > STACK_SLOTS_MAX {
            return Err(Abstain::Stack.into());
        }
        Ok(Self {
            profile,
            compiler: Compiler::new(watching)?,
        })
    }
}

impl std::fmt::Debug for WasmEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WasmEngine")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

impl Engine for WasmEngine {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn check(&self, module: &[u8]) -> Result<(), EngineError> {
        self.compiler.compile(module, &self.profile).map(drop)
    }

    fn boot(&self, program: &Program, clock: u64) -> Result<Box<dyn Resident>, EngineError> {
        let compiled = self.compiler.compile(&program.bytes, &self.profile)?;
        let execution = Execution::boot(compiled, program, &self.profile, clock)?;
        Ok(Box::new(Process::new(execution)))
    }

    fn restore(
        &self,
        program: &Program,
        snapshot: &Snapshot,
    ) -> Result<Box<dyn Resident>, EngineError> {
        let compiled = self.compiler.compile(&program.bytes, &self.profile)?;
        let state = snapshot.clone();
        let execution = Execution::resume(compiled, program, &self.profile, state, Access::Writes)?;
        Ok(Box::new(Process::new(execution.ok_or(Abstain::Snapshot)?)))
    }

    fn witness(
        &self,
        program: &Program,
        start: &Snapshot,
        inputs: &[Message],
    ) -> Result<Witness, EngineError> {
        let compiled = self.compiler.compile(&program.bytes, &self.profile)?;
        replay::witness(compiled, program, &self.profile, start, inputs)
    }

    fn reexecute(
        &self,
        program: &Program,
        start: Start<'_>,
        inputs: &[Message],
    ) -> Result<Reexecution, EngineError> {
        let compiled = self.compiler.compile(&program.bytes, &self.profile)?;
        match start {
            Start::Genesis { clock } => {
                let mut execution = Execution::boot(compiled, program, &self.profile, clock)?;
                let steps = replay::run(&mut execution, inputs)?;
                Ok(Reexecution {
                    steps,
                    state_root: execution.state().root(),
                })
            }
            Start::Witness { root, witness } => {
                replay::reexecute(compiled, program, &self.profile, root, witness, inputs)
            }
        }
    }
}

/// A resident process: its state and the tree over its pages, which follows when asked.
struct Process {
    execution: Execution,
    tree: PageTree,
}

impl Process {
    fn new(execution: Execution) -> Self {
        let tree = execution.state().tree();
        Self { execution, tree }
    }
}

impl Resident for Process {
    fn step(&mut self, message: &Message) -> Result<StepOutcome, EngineError> {
        self.execution.step(message, true)
    }

    fn dry_run(&mut self, message: &Message) -> Result<StepOutcome, EngineError> {
        self.execution.step(message, false)
    }

    fn state_root(&mut self) -> Digest {
        let changed = std::mem::take(&mut self.execution.changed);
        let state = self.execution.state();
        self.tree.update(
            changed
                .iter()
                .map(|index| (*index, page_hash(state.page(*index)))),
        );
        state_root(state.wasm_pages, &self.tree.root(), &state.globals)
    }

    fn snapshot(&self) -> Snapshot {
        self.execution.state().clone()
    }

    fn page_tree(&mut self) -> PageTree {
        self.state_root();
        self.tree.clone()
    }
}
