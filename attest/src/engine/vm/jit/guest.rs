//! The instance while something of it runs: every touch of memory asks its region first (rule LM-4).

use std::ops::Range;

use wasmtime::{AsContextMut, Caller, StoreContextMut, Val};

use super::instance::{Parts, State};
use super::{halted, number, value};
use crate::engine::vm::{Guest, Halt, Meters, Moment, Number, Trap};
use crate::engine::{Abstain, WitnessFault};
use crate::memory::Withheld;

/// The store, or what a host function was given of it.
enum Entry<'a> {
    Outside(StoreContextMut<'a, State>),
    Inside(Caller<'a, State>),
}

/// A compiled instance that runs.
pub(in crate::engine) struct JitGuest<'a> {
    entry: Entry<'a>,
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
        Self {
            entry: Entry::Outside(store),
            parts,
        }
    }

    pub(super) fn of_caller(caller: Caller<'a, State>) -> wasmtime::Result<Self> {
        // Nothing of the guest runs before its parts are known: a start function is an export.
        let parts = caller.data().parts.clone();
        Ok(Self {
            parts: parts.ok_or_else(|| wasmtime::Error::new(Halt::from(Abstain::Engine)))?,
            entry: Entry::Inside(caller),
        })
    }

    fn store(&mut self) -> StoreContextMut<'_, State> {
        match &mut self.entry {
            Entry::Outside(store) => store.as_context_mut(),
            Entry::Inside(caller) => caller.as_context_mut(),
        }
    }

    fn state(&self) -> &State {
        match &self.entry {
            Entry::Outside(store) => store.data(),
            Entry::Inside(caller) => caller.data(),
        }
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
        self.state().wide
    }

    fn moment(&mut self) -> &mut Moment {
        match &mut self.entry {
            Entry::Outside(store) => &mut store.data_mut().moment,
            Entry::Inside(caller) => &mut caller.data_mut().moment,
        }
    }

    fn has(&mut self, export: &str) -> bool {
        let instance = self.parts.instance;
        instance.get_func(self.store(), export).is_some()
    }

    fn call(&mut self, export: &str, args: &[Number]) -> Result<Option<Number>, Halt> {
        let instance = self.parts.instance;
        let function = instance.get_func(self.store(), export);
        let function = function.ok_or(Abstain::Engine)?;
        let ty = function.ty(self.store());
        let args = args
            .iter()
            .copied()
            .map(Some)
            .chain(std::iter::repeat(None));
        let args: Vec<Val> = ty
            .params()
            .zip(args)
            .map(|(ty, arg)| value(&ty, arg))
            .collect();
        let mut results: Vec<Val> = ty.results().map(|ty| value(&ty, None)).collect();
        let region = self.parts.region.clone();
        let _running = region.run();
        let called = function.call(self.store(), &args, &mut results);
        self.believable()?;
        called.map_err(halted)?;
        Ok(results.first().map(number))
    }

    fn meters(&mut self) -> Meters {
        let (gas, stack) = (self.parts.gas, self.parts.stack);
        Meters {
            gas: gas.get(self.store()).i64().unwrap_or(-1),
            stack: stack.get(self.store()).i32().unwrap_or(-1),
        }
    }

    fn set_meters(&mut self, meters: Meters) -> Result<(), Halt> {
        let (gas, stack) = (self.parts.gas, self.parts.stack);
        let set = gas.set(self.store(), Val::I64(meters.gas));
        set.and_then(|()| stack.set(self.store(), Val::I32(meters.stack)))
            .map_err(|_| Abstain::Engine.into())
    }

    fn memory_bytes(&self) -> u64 {
        let memory = self.parts.memory;
        let bytes = match &self.entry {
            Entry::Outside(store) => memory.data_size(store),
            Entry::Inside(caller) => memory.data_size(caller),
        };
        bytes as u64
    }

    fn wasm_pages_max(&self) -> Option<u64> {
        let memory = self.parts.memory;
        match &self.entry {
            Entry::Outside(store) => memory.ty(store).maximum(),
            Entry::Inside(caller) => memory.ty(caller).maximum(),
        }
    }

    fn grow(&mut self, wasm_pages: u64) -> bool {
        // If the kernel is what refused, the region knows, and the step is not believed.
        let memory = self.parts.memory;
        memory.grow(self.store(), wasm_pages).is_ok()
    }

    fn read(&mut self, at: u64, bytes: u64) -> Result<Vec<u8>, Halt> {
        let range = self.open(at, bytes, false)?;
        let memory = self.parts.memory;
        let data = memory.data(self.store()).get(range);
        Ok(data.ok_or(Trap::MemoryOutOfBounds)?.to_vec())
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Halt> {
        let range = self.open(at, bytes.len() as u64, true)?;
        let memory = self.parts.memory;
        let data = memory.data_mut(self.store()).get_mut(range);
        data.ok_or(Trap::MemoryOutOfBounds)?.copy_from_slice(bytes);
        Ok(())
    }

    fn copy(&mut self, from: u64, to: u64, bytes: u64) -> Result<(), Halt> {
        let from = self.open(from, bytes, false)?;
        let to = self.open(to, bytes, true)?;
        let memory = self.parts.memory;
        memory.data_mut(self.store()).copy_within(from, to.start);
        Ok(())
    }
}
