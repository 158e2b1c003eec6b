//! The instance while something of it runs.

use std::ops::Range;

use wasmi::{AsContext, AsContextMut, Caller, StoreContext, StoreContextMut, Val};

use super::instance::{Parts, State};
use super::{halted, number, value};
use crate::engine::Abstain;
use crate::engine::vm::{Guest, Halt, Meters, Moment, Number, Trap};

/// The store, or what a host function was given of it.
enum Entry<'a> {
    Outside(StoreContextMut<'a, State>),
    Inside(Caller<'a, State>),
}

/// An interpreted instance that runs.
pub(in crate::engine) struct InterpreterGuest<'a> {
    entry: Entry<'a>,
    parts: Parts,
}

impl<'a> InterpreterGuest<'a> {
    pub(super) const fn new(store: StoreContextMut<'a, State>, parts: Parts) -> Self {
        Self {
            entry: Entry::Outside(store),
            parts,
        }
    }

    pub(super) fn of_caller(caller: Caller<'a, State>) -> Result<Self, Halt> {
        // Nothing of the guest runs before its parts are known: a start function is an export.
        let parts = caller.data().parts.clone();
        Ok(Self {
            parts: parts.ok_or(Abstain::Engine)?,
            entry: Entry::Inside(caller),
        })
    }

    fn view(&self) -> StoreContext<'_, State> {
        match &self.entry {
            Entry::Outside(store) => store.as_context(),
            Entry::Inside(caller) => caller.as_context(),
        }
    }

    fn store(&mut self) -> StoreContextMut<'_, State> {
        match &mut self.entry {
            Entry::Outside(store) => store.as_context_mut(),
            Entry::Inside(caller) => caller.as_context_mut(),
        }
    }

    fn range(at: u64, bytes: u64) -> Option<Range<usize>> {
        let end = usize::try_from(at.checked_add(bytes)?).ok()?;
        Some(usize::try_from(at).ok()?..end)
    }

    fn bytes(&mut self, at: u64, bytes: u64) -> Result<&mut [u8], Halt> {
        let memory = self.parts.memory;
        let range = Self::range(at, bytes).ok_or(Trap::MemoryOutOfBounds)?;
        let data = memory.data_mut(self.store()).get_mut(range);
        Ok(data.ok_or(Trap::MemoryOutOfBounds)?)
    }
}

impl Guest for InterpreterGuest<'_> {
    fn wide(&self) -> bool {
        self.view().data().wide
    }

    fn moment(&mut self) -> &mut Moment {
        match &mut self.entry {
            Entry::Outside(store) => &mut store.data_mut().moment,
            Entry::Inside(caller) => &mut caller.data_mut().moment,
        }
    }

    fn has(&mut self, export: &str) -> bool {
        self.parts.instance.get_func(self.view(), export).is_some()
    }

    fn call(&mut self, export: &str, args: &[Number]) -> Result<Option<Number>, Halt> {
        let function = self.parts.instance.get_func(self.view(), export);
        let function = function.ok_or(Abstain::Engine)?;
        let ty = function.ty(self.view());
        let args = args
            .iter()
            .copied()
            .map(Some)
            .chain(std::iter::repeat(None));
        let params = ty.params().iter().zip(args);
        let args: Vec<Val> = params.map(|(ty, arg)| value(*ty, arg)).collect();
        let mut results: Vec<Val> = ty.results().iter().map(|ty| value(*ty, None)).collect();
        function
            .call(self.store(), &args, &mut results)
            .map_err(|error| halted(&error))?;
        Ok(results.first().map(number))
    }

    fn meters(&mut self) -> Meters {
        Meters {
            gas: self.parts.gas.get(self.view()).i64().unwrap_or(-1),
            stack: self.parts.stack.get(self.view()).i32().unwrap_or(-1),
        }
    }

    fn set_meters(&mut self, meters: Meters) -> Result<(), Halt> {
        let (gas, stack) = (self.parts.gas, self.parts.stack);
        let set = gas.set(self.store(), Val::I64(meters.gas));
        set.and_then(|()| stack.set(self.store(), Val::I32(meters.stack)))
            .map_err(|_| Abstain::Engine.into())
    }

    fn memory_bytes(&self) -> u64 {
        self.parts.memory.data(self.view()).len() as u64
    }

    fn wasm_pages_max(&self) -> Option<u64> {
        self.parts.memory.ty(self.view()).maximum()
    }

    fn grow(&mut self, wasm_pages: u64) -> bool {
        let memory = self.parts.memory;
        memory.grow(self.store(), wasm_pages).is_ok()
    }

    fn read(&mut self, at: u64, bytes: u64) -> Result<Vec<u8>, Halt> {
        self.bytes(at, bytes).map(|bytes| bytes.to_vec())
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Halt> {
        self.bytes(at, bytes.len() as u64)?.copy_from_slice(bytes);
        Ok(())
    }

    fn copy(&mut self, from: u64, to: u64, bytes: u64) -> Result<(), Halt> {
        let moved = self.read(from, bytes)?;
        self.write(to, &moved)
    }
}
