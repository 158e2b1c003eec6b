//! The engine on a virtual machine.

use surety_protocol::id::Digest;
use surety_protocol::profile::Profile;
use surety_protocol::witness::Witness;

use super::code::Library;
use super::execution::Execution;
use super::stack::STACK_SLOTS_MAX;
use super::vm::{Interpreter, Jit, Vm};
use super::{
    Abstain, Engine, EngineError, Host, Judged, Message, Program, Reexecution, Resident, Start,
    StepOutcome, WitnessFault, replay,
};
use crate::memory::{Access, Watching};
use crate::state::{PageTree, Snapshot, page_hashes, state_root};

/// Executes WebAssembly. Modules that it made ready are kept, so one engine serves a whole node.
pub struct WasmEngine {
    machine: Box<dyn Engine>,
    /// Whose opinion is asked for before anybody is judged (rule VM-3).
    second: Option<Box<dyn Engine>>,
}

impl WasmEngine {
    /// The engine that nodes evaluate and check with, which compiles; it judges together with the interpreting one.
    ///
    /// # Errors
    /// Abstains if this host cannot watch memory pages, or has not the native stack that the profile's slots may take.
    pub fn new(profile: Profile) -> Result<Self, EngineError> {
        Self::on_host(profile, Host::default())
    }

    /// The same, with what this host has for it.
    ///
    /// # Errors
    /// As [`WasmEngine::new`].
    pub fn on_host(profile: Profile, host: Host) -> Result<Self, EngineError> {
        let second = Self::on(Interpreter::new(host.memory_bytes_max), profile.clone())?;
        Ok(Self::on(Jit::new(Watching::Kernel, host)?, profile)?.judging_with(second))
    }

    /// An engine that compiles, finds written pages in one way, and judges alone.
    ///
    /// # Errors
    /// As [`WasmEngine::new`].
    pub fn watching(profile: Profile, watching: Watching) -> Result<Self, EngineError> {
        Self::on(Jit::new(watching, Host::default())?, profile)
    }

    /// An engine of another code base, twelve times slower: a second opinion. Its memory cannot be watched, so what
    /// changed is found by comparison, it makes no witness, and pages that a witness lacks are zero in it (that they are
    /// not touched, rule EN-8, is for the other to see).
    ///
    /// # Errors
    /// Abstains if this host has not the native stack that the profile's slots may take.
    pub fn interpreting(profile: Profile) -> Result<Self, EngineError> {
        Self::on(Interpreter::new(Host::default().memory_bytes_max), profile)
    }

    /// The same, judging together with another.
    #[must_use]
    pub fn judging_with(self, second: impl Engine + 'static) -> Self {
        Self {
            second: Some(Box::new(second)),
            ..self
        }
    }

    fn on<V: Vm>(vm: V, profile: Profile) -> Result<Self, EngineError> {
        if profile.stack_slots_max > STACK_SLOTS_MAX {
            return Err(Abstain::Stack.into());
        }
        let library = Library::new(vm);
        Ok(Self {
            machine: Box::new(VmEngine { profile, library }),
            second: None,
        })
    }
}

impl std::fmt::Debug for WasmEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WasmEngine")
            .field("profile", self.profile())
            .finish_non_exhaustive()
    }
}

impl Engine for WasmEngine {
    fn profile(&self) -> &Profile {
        self.machine.profile()
    }

    fn check(&self, module: &[u8]) -> Result<(), EngineError> {
        self.machine.check(module)
    }

    fn boot(&self, program: &Program, clock: u64) -> Result<Box<dyn Resident>, EngineError> {
        self.machine.boot(program, clock)
    }

    fn restore(
        &self,
        program: &Program,
        snapshot: &Snapshot,
    ) -> Result<Box<dyn Resident>, EngineError> {
        self.machine.restore(program, snapshot)
    }

    fn witness(
        &self,
        program: &Program,
        start: &Snapshot,
        inputs: &[Message],
    ) -> Result<Witness, EngineError> {
        self.machine.witness(program, start, inputs)
    }

    fn reexecute(
        &self,
        program: &Program,
        start: Start<'_>,
        inputs: &[Message],
        traced: &[Digest],
    ) -> Result<Reexecution, EngineError> {
        self.machine.reexecute(program, start, inputs, traced)
    }

    fn judge(
        &self,
        program: &Program,
        start: Start<'_>,
        inputs: &[Message],
        traced: &[Digest],
    ) -> Result<Judged, EngineError> {
        let given = self.machine.reexecute(program, start, inputs, traced);
        let Some(second) = &self.second else {
            return given.map(Judged::from);
        };
        // What a witness lacks the second cannot see.
        if let Err(EngineError::Abstain(_) | EngineError::Witness(WitnessFault::MissingPage)) =
            given
        {
            return given.map(Judged::from);
        }
        match second.reexecute(program, start, inputs, traced) {
            Err(EngineError::Abstain(why)) => Err(why.into()),
            other if other == given => given.map(Judged::from),
            _ => Err(Abstain::Differ.into()),
        }
    }
}

/// The engine on one machine.
struct VmEngine<V: Vm> {
    profile: Profile,
    library: Library<V>,
}

impl<V: Vm> Engine for VmEngine<V> {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn check(&self, module: &[u8]) -> Result<(), EngineError> {
        self.library.get(module, &self.profile).map(drop)
    }

    fn boot(&self, program: &Program, clock: u64) -> Result<Box<dyn Resident>, EngineError> {
        let code = self.library.get(&program.bytes, &self.profile)?;
        let execution = Execution::boot(code, program, &self.profile, clock)?;
        Ok(Box::new(Process::new(execution)))
    }

    fn restore(
        &self,
        program: &Program,
        snapshot: &Snapshot,
    ) -> Result<Box<dyn Resident>, EngineError> {
        let code = self.library.get(&program.bytes, &self.profile)?;
        let state = snapshot.clone();
        let execution = Execution::resume(code, program, &self.profile, state, Access::Writes)?;
        Ok(Box::new(Process::new(execution.ok_or(Abstain::Snapshot)?)))
    }

    fn witness(
        &self,
        program: &Program,
        start: &Snapshot,
        inputs: &[Message],
    ) -> Result<Witness, EngineError> {
        if !V::WATCHES {
            return Err(Abstain::Unsupported.into());
        }
        let code = self.library.get(&program.bytes, &self.profile)?;
        replay::witness(code, program, &self.profile, start, inputs)
    }

    fn reexecute(
        &self,
        program: &Program,
        start: Start<'_>,
        inputs: &[Message],
        traced: &[Digest],
    ) -> Result<Reexecution, EngineError> {
        let code = self.library.get(&program.bytes, &self.profile)?;
        match start {
            Start::Genesis { clock } => {
                let mut execution = Execution::boot(code, program, &self.profile, clock)?;
                let (steps, traces) = replay::run(&mut execution, inputs, traced)?;
                Ok(Reexecution {
                    steps,
                    state_root: execution.state()?.root(),
                    traces,
                })
            }
            Start::Witness { root, witness } => {
                let from = (root, witness);
                replay::reexecute(code, program, &self.profile, from, inputs, traced)
            }
        }
    }
}

/// A resident process: its state and, from when it is first asked for, the tree over its pages.
struct Process<V: Vm> {
    execution: Execution<V>,
    tree: Option<PageTree>,
}

impl<V: Vm> Process<V> {
    const fn new(execution: Execution<V>) -> Self {
        Self {
            execution,
            tree: None,
        }
    }

    /// The tree over the pages as they are now.
    fn tree(&mut self) -> Result<(&Snapshot, &PageTree), EngineError> {
        let (state, changed) = self.execution.changes()?;
        let changed = std::mem::take(changed);
        if let Some(tree) = &mut self.tree {
            let page = |index: &u32| (*index, state.page(*index));
            tree.update(page_hashes(changed.iter().map(page)));
        }
        Ok((state, self.tree.get_or_insert_with(|| state.tree())))
    }
}

impl<V: Vm> Resident for Process<V> {
    fn step(&mut self, message: &Message) -> Result<StepOutcome, EngineError> {
        self.execution.step(message, None)
    }

    fn traced_step(
        &mut self,
        message: &Message,
        traced: &[Digest],
    ) -> Result<(StepOutcome, Vec<Digest>), EngineError> {
        self.execution.traced_step(message, traced)
    }

    fn dry_run(&mut self, message: &Message, gas_max: u64) -> Result<StepOutcome, EngineError> {
        self.execution.step(message, Some(gas_max))
    }

    fn state_root(&mut self) -> Result<Digest, EngineError> {
        let (state, tree) = self.tree()?;
        Ok(state_root(state.wasm_pages, &tree.top(), &state.globals))
    }

    fn snapshot(&mut self) -> Result<Snapshot, EngineError> {
        let (state, changed) = self.execution.changes()?;
        if self.tree.is_none() {
            // Nobody will ask.
            changed.clear();
        }
        Ok(state.clone())
    }

    fn page_tree(&mut self) -> Result<PageTree, EngineError> {
        Ok(self.tree()?.1.clone())
    }
}
