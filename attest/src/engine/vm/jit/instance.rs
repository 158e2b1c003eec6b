//! An instance in a store of wasmtime, its memory a watched region.

use std::sync::Arc;

use surety_protocol::witness::PAGE_BYTES;
use wasmtime::{AsContextMut, Global, Instance, Memory, Store, StoreLimits, StoreLimitsBuilder};

use super::{JitCode, JitGuest, halted, number, value};
use crate::engine::Abstain;
use crate::engine::meter::{GAS, STACK};
use crate::engine::vm::{self, Halt, Moment};
use crate::memory::{Access, Region, take_made};

/// What a store knows of its one instance.
pub(super) struct State {
    limits: StoreLimits,
    pub(super) moment: Moment,
    pub(super) wide: bool,
    /// The parts of the instance, once it exists.
    pub(super) parts: Option<Parts>,
}

/// What calls and host functions use of an instance.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) instance: Instance,
    pub(super) memory: Memory,
    pub(super) region: Arc<Region>,
    /// The two globals that the rewritten module counts with (rule GA-1).
    pub(super) gas: Global,
    pub(super) stack: Global,
}

/// An instance of a compiled module.
pub(in crate::engine) struct JitInstance {
    store: Store<State>,
    parts: Parts,
    globals: Vec<Global>,
}

impl JitInstance {
    pub(super) fn new(code: &JitCode, memory_bytes_max: u64) -> Result<Self, Halt> {
        let limit = usize::try_from(memory_bytes_max).unwrap_or(usize::MAX);
        let state = State {
            limits: StoreLimitsBuilder::new().memory_size(limit).build(),
            moment: Moment::new(0, &[]),
            wide: code.wide,
            parts: None,
        };
        let mut store = Store::new(code.pre.module().engine(), state);
        store.limiter(|state| &mut state.limits);
        let instance = code.pre.instantiate(&mut store);
        let region = take_made();
        // A data or element segment out of bounds is the module's doing; anything else is the host's.
        let instance = instance.map_err(|error| match halted(error) {
            Halt::Trap(trap) => trap.into(),
            _ => Halt::from(Abstain::Memory),
        })?;
        let mut global = |name: &str| {
            let found = instance.get_global(&mut store, name);
            found.ok_or(Abstain::Engine)
        };
        let (gas, stack) = (global(GAS)?, global(STACK)?);
        let globals = code.globals.iter().map(|name| global(name));
        let globals = globals.collect::<Result<Vec<Global>, Abstain>>()?;
        let memory = instance.get_memory(&mut store, "memory");
        let parts = Parts {
            instance,
            memory: memory.ok_or(Abstain::Engine)?,
            region: region.ok_or(Abstain::Engine)?,
            gas,
            stack,
        };
        store.data_mut().parts = Some(parts.clone());
        Ok(Self {
            store,
            parts,
            globals,
        })
    }
}

impl vm::Instance for JitInstance {
    type Guest<'a> = JitGuest<'a>;

    fn enter(&mut self, moment: Moment) -> JitGuest<'_> {
        self.store.data_mut().moment = moment;
        JitGuest::new(self.store.as_context_mut(), self.parts.clone())
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
            .map(|global| number(&global.get(&mut self.store)).bits())
            .collect()
    }

    fn set_globals(&mut self, bits: &[u64]) -> Result<(), Abstain> {
        for (global, bits) in self.globals.iter().zip(bits) {
            let ty = global.ty(&self.store);
            global
                .set(&mut self.store, value(ty.content(), *bits))
                .map_err(|_| Abstain::Engine)?;
        }
        Ok(())
    }

    fn clear(&mut self, wasm_pages: u32) -> Result<(), Abstain> {
        self.parts.region.clear().map_err(|_| Abstain::Memory)?;
        let size = self.parts.memory.size(&self.store);
        let more = u64::from(wasm_pages).checked_sub(size);
        self.parts
            .memory
            .grow(&mut self.store, more.ok_or(Abstain::Engine)?)
            .map_err(|_| Abstain::Memory)?;
        Ok(())
    }

    fn watch(&mut self, pages: u32, access: &Access) -> Result<(), Abstain> {
        let bytes = pages as usize * PAGE_BYTES;
        self.parts
            .region
            .watch(bytes, access)
            .map_err(|_| Abstain::Memory)
    }

    fn open_pages(&self) -> Vec<u32> {
        self.parts.region.open_pages()
    }
}
