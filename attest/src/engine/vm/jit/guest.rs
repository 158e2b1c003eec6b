//! The instance while something of it runs: every touch of memory asks its region first (rule LM-4).

use std::ops::Range;

use wasmtime::{StoreContextMut, Val};

use super::instance::{Parts, State};
use super::{halted, number, value};
use crate::engine::vm::{Guest, Halt, Meters, Moment, Number, Trap};
use crate::engine::{Abstain, WitnessFault};
use crate::memory::Withheld;

/// A compiled instance that runs.
pub(in crate::engine) struct JitGuest<'a> {
    store: StoreContextMut<'a, State>,
    parts: Parts,
}

impl From<Withheld> for Halt {
    fn from(withheld: Withheld) -> Self {
        match withheld {
            Withheld::Missing => WitnessFault::MissingPage.into(),
            Withheld::Exhausted => Abstain::Memory.into(),
        }
    }
}

impl<'a> JitGuest<'a> {
    pub(super) const fn new(store: StoreContextMut<'a, State>, parts: Parts) -> Self {
        Self { store, parts }
    }

    /// A range within memory that may be touched from now on.
    fn open(&self, at: u64, bytes: u64, write: bool) -> Result<Range<usize>, Halt> {
        let end = at
            .checked_add(bytes)
            .filter(|end| *end <= self.memory_bytes());
        let range = usize::try_from(at)
            .ok()
            .zip(end.and_then(|end| usize::try_from(end).ok()));
        let (start, end) = range.ok_or(Trap::MemoryOutOfBounds)?;
        self.parts.region.admit(start..end, write)?;
        Ok(start..end)
    }

    /// Some guests survive what the host could not do, or a page that was withheld; what they give must not be believed.
    fn believable(&self) -> Result<(), Halt> {
        if self.parts.region.exhausted() {
            return Err(Withheld::Exhausted.into());
        }
        if self.parts.region.missing() {
            return Err(Withheld::Missing.into());
        }
        Ok(())
    }
}

impl Guest for JitGuest<'_> {
    fn wide(&self) -> bool {
        self.store.data().wide
    }

    fn moment(&mut self) -> &mut Moment {
        &mut self.store.data_mut().moment
    }

    fn has(&mut self, export: &str) -> bool {
        let instance = self.parts.instance;
        instance.get_func(&mut self.store, export).is_some()
    }

    fn call(&mut self, export: &str, args: &[Number]) -> Result<Option<Number>, Halt> {
        let instance = self.parts.instance;
        let function = instance.get_func(&mut self.store, export);
        let function = function.ok_or(Abstain::Engine)?;
        let ty = function.ty(&mut self.store);
        let args = args
            .iter()
            .map(|arg| arg.bits())
            .chain(std::iter::repeat(0));
        let args: Vec<Val> = ty
            .params()
            .zip(args)
            .map(|(ty, arg)| value(&ty, arg))
            .collect();
        let mut results: Vec<Val> = ty.results().map(|ty| value(&ty, 0)).collect();
        let region = self.parts.region.clone();
        let _running = region.run();
        let called = function.call(&mut self.store, &args, &mut results);
        self.believable()?;
        called.map_err(halted)?;
        Ok(results.first().map(number))
    }

    fn meters(&mut self) -> Meters {
        let (gas, stack) = (self.parts.gas, self.parts.stack);
        Meters {
            gas: gas.get(&mut self.store).i64().unwrap_or(-1),
            stack: stack.get(&mut self.store).i32().unwrap_or(-1),
        }
    }

    fn set_meters(&mut self, meters: Meters) -> Result<(), Halt> {
        let (gas, stack) = (self.parts.gas, self.parts.stack);
        let set = gas.set(&mut self.store, Val::I64(meters.gas));
        set.and_then(|()| stack.set(&mut self.store, Val::I32(meters.stack)))
            .map_err(|_| Abstain::Engine.into())
    }

    fn memory_bytes(&self) -> u64 {
        self.parts.memory.data_size(&self.store) as u64
    }

    fn wasm_pages_max(&self) -> Option<u64> {
        self.parts.memory.ty(&self.store).maximum()
    }

    fn grow(&mut self, wasm_pages: u64) -> bool {
        // If the kernel is what refused, the region knows, and the step is not believed.
        let memory = self.parts.memory;
        memory.grow(&mut self.store, wasm_pages).is_ok()
    }

    fn read(&mut self, at: u64, bytes: u64) -> Result<Vec<u8>, Halt> {
        let range = self.open(at, bytes, false)?;
        let memory = self.parts.memory;
        let data = memory.data(&mut self.store).get(range);
        Ok(data.ok_or(Trap::MemoryOutOfBounds)?.to_vec())
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Halt> {
        let range = self.open(at, bytes.len() as u64, true)?;
        let memory = self.parts.memory;
        let data = memory.data_mut(&mut self.store).get_mut(range);
        data.ok_or(Trap::MemoryOutOfBounds)?.copy_from_slice(bytes);
        Ok(())
    }

    fn copy(&mut self, from: u64, to: u64, bytes: u64) -> Result<(), Halt> {
        let from = self.open(from, bytes, false)?;
        let to = self.open(to, bytes, true)?;
        let memory = self.parts.memory;
        memory.data_mut(&mut self.store).copy_within(from, to.start);
        Ok(())
    }
}
