//! The instance while something of it runs.

use std::ops::Range;

use wasmi::{StoreContextMut, Val};

use super::instance::{Parts, State};
use super::{halted, number, value};
use crate::engine::Abstain;
use crate::engine::vm::{Guest, Halt, Meters, Moment, Number, Trap};

/// An interpreted instance that runs.
pub(in crate::engine) struct InterpreterGuest<'a> {
    store: StoreContextMut<'a, State>,
    parts: Parts,
}

impl<'a> InterpreterGuest<'a> {
    pub(super) const fn new(store: StoreContextMut<'a, State>, parts: Parts) -> Self {
        Self { store, parts }
    }

    /// A range within memory.
    fn range(&self, at: u64, bytes: u64) -> Result<Range<usize>, Halt> {
        let end = at.checked_add(bytes);
        let end = end.filter(|end| *end <= self.memory_bytes());
        let range = usize::try_from(at)
            .ok()
            .zip(end.and_then(|end| usize::try_from(end).ok()));
        let (start, end) = range.ok_or(Trap::MemoryOutOfBounds)?;
        Ok(start..end)
    }

    fn bytes(&mut self, at: u64, bytes: u64) -> Result<&mut [u8], Halt> {
        let range = self.range(at, bytes)?;
        let data = self.parts.memory.data_mut(&mut self.store).get_mut(range);
        Ok(data.ok_or(Trap::MemoryOutOfBounds)?)
    }
}

impl Guest for InterpreterGuest<'_> {
    fn wide(&self) -> bool {
        self.store.data().wide
    }

    fn moment(&mut self) -> &mut Moment {
        &mut self.store.data_mut().moment
    }

    fn has(&mut self, export: &str) -> bool {
        self.parts.instance.get_func(&self.store, export).is_some()
    }

    fn call(&mut self, export: &str, args: &[Number]) -> Result<Option<Number>, Halt> {
        let function = self.parts.instance.get_func(&self.store, export);
        let function = function.ok_or(Abstain::Engine)?;
        let ty = function.ty(&self.store);
        let args = args
            .iter()
            .map(|arg| arg.bits())
            .chain(std::iter::repeat(0));
        let params = ty.params().iter().zip(args);
        let args: Vec<Val> = params.map(|(ty, arg)| value(*ty, arg)).collect();
        let mut results: Vec<Val> = ty.results().iter().map(|ty| value(*ty, 0)).collect();
        let called = function.call(&mut self.store, &args, &mut results);
        // The guest was told that memory may not grow, when it was the host that could not (rule VM-2).
        if self.store.data().limits.exhausted {
            return Err(Abstain::Memory.into());
        }
        called.map_err(|error| halted(&error))?;
        Ok(results.first().map(number))
    }

    fn meters(&mut self) -> Meters {
        Meters {
            gas: self.parts.gas.get(&self.store).i64().unwrap_or(-1),
            stack: self.parts.stack.get(&self.store).i32().unwrap_or(-1),
        }
    }

    fn set_meters(&mut self, meters: Meters) -> Result<(), Halt> {
        let (gas, stack) = (self.parts.gas, self.parts.stack);
        let set = gas.set(&mut self.store, Val::I64(meters.gas));
        set.and_then(|()| stack.set(&mut self.store, Val::I32(meters.stack)))
            .map_err(|_| Abstain::Engine.into())
    }

    fn memory_bytes(&self) -> u64 {
        self.parts.memory.data(&self.store).len() as u64
    }

    fn wasm_pages_max(&self) -> Option<u64> {
        self.parts.memory.ty(&self.store).maximum()
    }

    fn grow(&mut self, wasm_pages: u64) -> bool {
        let memory = self.parts.memory;
        memory.grow(&mut self.store, wasm_pages).is_ok()
    }

    fn read(&mut self, at: u64, bytes: u64) -> Result<Vec<u8>, Halt> {
        self.bytes(at, bytes).map(|bytes| bytes.to_vec())
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Halt> {
        self.bytes(at, bytes.len() as u64)?.copy_from_slice(bytes);
        Ok(())
    }

    fn copy(&mut self, from: u64, to: u64, bytes: u64) -> Result<(), Halt> {
        let (from, to) = (self.range(from, bytes)?, self.range(to, bytes)?);
        let memory = self.parts.memory.data_mut(&mut self.store);
        memory.copy_within(from, to.start);
        Ok(())
    }
}
