//! An instance in a store of wasmi.

use surety_protocol::witness::PAGE_BYTES;
use wasmi::errors::MemoryError;
use wasmi::{AsContextMut, Global, Instance, Memory, ResourceLimiter, Store};
use wasmi_core::LimiterError;

use super::{InterpreterCode, InterpreterGuest, halted, number, value};
use crate::engine::Abstain;
use crate::engine::meter::{GAS, STACK};
use crate::engine::vm::{self, Halt, Moment};
use crate::memory::Access;

/// What a store knows of its one instance.
pub(super) struct State {
    pub(super) limits: Limits,
    pub(super) moment: Moment,
    pub(super) wide: bool,
    /// The parts of the instance, once it exists.
    pub(super) parts: Option<Parts>,
}

/// How far memory may grow, and whether the host could not let it.
pub(super) struct Limits {
    memory_bytes: usize,
    host_bytes: usize,
    pub(super) exhausted: bool,
}

impl ResourceLimiter for Limits {
    fn memory_growing(
        &mut self,
        _: usize,
        desired: usize,
        _: Option<usize>,
    ) -> Result<bool, LimiterError> {
        let allowed = desired <= self.memory_bytes;
        self.exhausted |= allowed && desired > self.host_bytes;
        Ok(allowed && desired <= self.host_bytes)
    }

    fn memory_grow_failed(&mut self, error: &MemoryError) -> Result<(), LimiterError> {
        self.exhausted |= matches!(error, MemoryError::OutOfSystemMemory);
        Ok(())
    }

    // The module's own table is all that there is, and it does not grow (rules MO-1 and MO-6).
    fn table_growing(
        &mut self,
        _: usize,
        _: usize,
        _: Option<usize>,
    ) -> Result<bool, LimiterError> {
        Ok(true)
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        1
    }

    fn memories(&self) -> usize {
        1
    }
}

/// What calls and host functions use of an instance.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) instance: Instance,
    pub(super) memory: Memory,
    /// The two globals that the rewritten module counts with (rule GA-1).
    pub(super) gas: Global,
    pub(super) stack: Global,
}

/// An instance of an interpreted module.
pub(in crate::engine) struct InterpreterInstance {
    store: Store<State>,
    parts: Parts,
    globals: Vec<Global>,
}

impl InterpreterInstance {
    pub(super) fn new(code: &InterpreterCode, memory_bytes_max: u64) -> Result<Self, Halt> {
        let limit = usize::try_from(memory_bytes_max).unwrap_or(usize::MAX);
        let state = State {
            limits: Limits {
                memory_bytes: limit,
                host_bytes: usize::try_from(code.host_bytes).unwrap_or(usize::MAX),
                exhausted: false,
            },
            moment: Moment::new(0, &[]),
            wide: code.wide,
            parts: None,
        };
        let mut store = Store::new(code.module.engine(), state);
        store.limiter(|state| &mut state.limits);
        // There is no start function to run: it is an export.
        let instance = code
            .linker
            .instantiate_and_start(&mut store, &code.module)
            .map_err(|error| match halted(&error) {
                Halt::Trap(trap) => trap.into(),
                _ => Halt::from(Abstain::Memory),
            })?;
        let global = |name: &str| {
            let found = instance.get_global(&store, name);
            found.ok_or(Abstain::Engine)
        };
        let globals = code.globals.iter().map(|name| global(name));
        let globals = globals.collect::<Result<Vec<Global>, Abstain>>()?;
        let memory = instance.get_memory(&store, "memory");
        let parts = Parts {
            instance,
            memory: memory.ok_or(Abstain::Engine)?,
            gas: global(GAS)?,
            stack: global(STACK)?,
        };
        store.data_mut().parts = Some(parts.clone());
        Ok(Self {
            store,
            parts,
            globals,
        })
    }
}

impl vm::Instance for InterpreterInstance {
    type Guest<'a> = InterpreterGuest<'a>;

    fn enter(&mut self, moment: Moment) -> InterpreterGuest<'_> {
        self.store.data_mut().moment = moment;
        InterpreterGuest::new(self.store.as_context_mut(), self.parts.clone())
    }

    fn memory(&self) -> &[u8] {
        self.parts.memory.data(&self.store)
    }

    fn memory_mut(&mut self) -> &mut [u8] {
        self.parts.memory.data_mut(&mut self.store)
    }

    fn globals(&mut self) -> Vec<u64> {
        let globals = self.globals.iter();
        globals
            .map(|global| number(&global.get(&self.store)).bits())
            .collect()
    }

    fn set_globals(&mut self, bits: &[u64]) -> Result<(), Abstain> {
        for (global, bits) in self.globals.iter().zip(bits) {
            let ty = global.ty(&self.store).content();
            global
                .set(&mut self.store, value(ty, *bits))
                .map_err(|_| Abstain::Engine)?;
        }
        Ok(())
    }

    fn clear(&mut self, wasm_pages: u32) -> Result<(), Abstain> {
        self.memory_mut().fill(0);
        let size = self.parts.memory.size(&self.store);
        let more = u64::from(wasm_pages).checked_sub(size);
        self.parts
            .memory
            .grow(&mut self.store, more.ok_or(Abstain::Engine)?)
            .map_err(|_| Abstain::Memory)?;
        Ok(())
    }

    fn watch(&mut self, _: u32, _: &Access) -> Result<(), Abstain> {
        Ok(())
    }

    /// All of them: nobody watches.
    fn open_pages(&self) -> Vec<u32> {
        let pages = self.memory().len() / PAGE_BYTES;
        (0..u32::try_from(pages).unwrap_or(u32::MAX)).collect()
    }
}
