//! One instance of a module, alive between steps.

mod guest_memory;
mod meters;

use std::sync::Arc;

use surety_protocol::witness::PAGE_BYTES;
use wasmtime::{Global, Instance, Store, StoreLimitsBuilder, Trap, Val};

use super::compiled::Compiled;
use super::host::{Ended, Host, low};
use super::module::START;
use super::{Abstain, EngineError, ModuleRefused, WitnessFault};
use crate::memory::{Access, take_made};
use crate::state::Snapshot;

pub(super) use guest_memory::GuestMemory;
pub(super) use meters::Meters;

/// Stop watching from where it was and watch anew after so many steps. Consecutive messages write
/// nearly the same pages, so that leaving them open spares faults, at the price of comparing them.
const STEPS_PER_WATCH: u32 = 8;

/// What a guest exports that takes its texts on the stack (rule EN-2).
const STACK_EXPORTS: [&str; 4] = [
    "_emscripten_stack_alloc",
    "_emscripten_stack_restore",
    "emscripten_stack_get_current",
    "emscripten_stack_get_free",
];

/// Why a call into the guest gave no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// The guest's own doing: a result (rule EN-3). The text is part of the result.
    Failed(String),
    /// The witness' or the host's doing: no result.
    Error(EngineError),
}

impl From<Abstain> for Stop {
    fn from(abstain: Abstain) -> Self {
        Self::Error(abstain.into())
    }
}

/// What a call into the guest may use (rules EN-4 and GA-1).
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    pub(super) gas: u64,
    pub(super) stack_slots: u32,
}

/// An instance with the state of a process.
pub(super) struct Live {
    store: Store<Host>,
    instance: Instance,
    memory: GuestMemory,
    meters: Meters,
    globals: Vec<Global>,
    steps_watched: u32,
}

impl Live {
    /// Instantiates; memory is what the data segments make it, and not watched. Runs nothing of the
    /// guest.
    pub(super) fn new(compiled: &Compiled, memory_bytes_max: u64) -> Result<Self, Stop> {
        let limit = usize::try_from(memory_bytes_max).unwrap_or(usize::MAX);
        let limits = StoreLimitsBuilder::new().memory_size(limit).build();
        let host = Host {
            limits,
            clock: 0,
            memory: None,
            meters: None,
        };
        let mut store = Store::new(compiled.pre.module().engine(), host);
        store.limiter(|host| &mut host.limits);
        let instance = compiled.pre.instantiate(&mut store);
        let region = take_made();
        // A data or element segment out of bounds is the module's doing; anything else is the
        // host's.
        let instance = instance.map_err(|error| {
            let trap = error
                .downcast_ref::<Trap>()
                .and_then(|trap| trap_name(*trap));
            trap.map_or(Abstain::Memory.into(), |name| Stop::Failed(name.to_owned()))
        })?;
        let memory = instance
            .get_memory(&mut store, "memory")
            .ok_or(Abstain::Engine)?;
        let memory = GuestMemory {
            memory,
            region: region.ok_or(Abstain::Engine)?,
        };
        store.data_mut().memory = Some(memory.clone());
        let meters = Meters::of(&instance, &mut store)?;
        store.data_mut().meters = Some(meters);
        let mut globals = Vec::new();
        for name in &compiled.globals {
            globals.push(
                instance
                    .get_global(&mut store, name)
                    .ok_or(Abstain::Engine)?,
            );
        }
        Ok(Self {
            store,
            instance,
            memory,
            meters,
            globals,
            steps_watched: 0,
        })
    }

    /// Boots (rule EN-1).
    pub(super) fn boot(&mut self, clock: u64, allowance: Allowance) -> Result<(), EngineError> {
        self.prepare(clock, allowance)?;
        let region = Arc::clone(&self.memory.region);
        let _running = region.run();
        for name in [START, "emscripten_stack_init", "__wasm_call_ctors"] {
            if !self.has(name) {
                continue;
            }
            self.call(name, &[]).map_err(|stop| match stop {
                Stop::Failed(why) => ModuleRefused::Boot(why).into(),
                Stop::Error(error) => error,
            })?;
        }
        Ok(())
    }

    /// Gives the instance a state, which must fit the module, and watches it; `fresh_from` is the
    /// first page that counts as new.
    pub(super) fn load(
        &mut self,
        state: &Snapshot,
        access: &Access,
        fresh_from: u32,
    ) -> Result<(), EngineError> {
        let region = Arc::clone(&self.memory.region);
        region.clear().map_err(|_| Abstain::Memory)?;
        let memory = self.memory.memory;
        let more = u64::from(state.wasm_pages).checked_sub(memory.size(&self.store));
        memory
            .grow(&mut self.store, more.ok_or(Abstain::Engine)?)
            .map_err(|_| Abstain::Memory)?;
        let data = memory.data_mut(&mut self.store);
        for (index, page) in &state.pages {
            let at = *index as usize * PAGE_BYTES;
            let place = data.get_mut(at..at + PAGE_BYTES).ok_or(Abstain::Engine)?;
            place.copy_from_slice(page.as_slice());
        }
        for (global, bits) in self.globals.iter().zip(&state.globals) {
            let value = match global.get(&mut self.store) {
                Val::I32(_) => Val::I32(low(*bits)),
                Val::I64(_) => Val::I64(bits.cast_signed()),
                Val::F32(_) => Val::F32(low(*bits).cast_unsigned()),
                _ => Val::F64(*bits),
            };
            global
                .set(&mut self.store, value)
                .map_err(|_| Abstain::Engine)?;
        }
        self.watch(access, fresh_from)
    }

    fn watch(&mut self, access: &Access, fresh_from: u32) -> Result<(), EngineError> {
        self.steps_watched = 0;
        let bytes = fresh_from as usize * PAGE_BYTES;
        self.memory
            .region
            .watch(bytes, access)
            .map_err(|_| Abstain::Memory.into())
    }

    /// Applies an input; gives the module's reply and the gas.
    pub(super) fn step(
        &mut self,
        clock: u64,
        allowance: Allowance,
        texts: [&[u8]; 2],
        reply_bytes_max: u64,
    ) -> Result<(Vec<u8>, u64), Stop> {
        self.prepare(clock, allowance)?;
        let region = Arc::clone(&self.memory.region);
        let _running = region.run();
        let stack = self.stack_for(&texts)?;
        let allocate = stack.map_or("malloc", |_| "_emscripten_stack_alloc");
        let [message, environment] = texts;
        let message = self.give(allocate, message)?;
        let environment = self.give(allocate, environment)?;
        let reply = self.call("handle", &[message, environment])?;
        if let Some(stack) = stack {
            self.call("_emscripten_stack_restore", &[stack])?;
        }
        let text = self.memory.text(&self.store, reply, reply_bytes_max);
        let text = text.map_err(|error| self.stopped(&error))?;
        if stack.is_none() && self.has("free") {
            self.call("free", &[environment])?;
            self.call("free", &[message])?;
        }
        let left = u64::try_from(self.meters.gas(&mut self.store)).unwrap_or(0);
        let text = text.ok_or_else(|| Stop::Failed("surety: the reply is too long".to_owned()))?;
        Ok((text, allowance.gas.saturating_sub(left)))
    }

    fn prepare(&mut self, clock: u64, allowance: Allowance) -> Result<(), Abstain> {
        self.store.data_mut().clock = clock;
        let gas = i64::try_from(allowance.gas).unwrap_or(i64::MAX);
        let slots = i32::try_from(allowance.stack_slots).unwrap_or(i32::MAX);
        let set = self.meters.set_gas(&mut self.store, gas);
        set.and_then(|()| self.meters.set_stack(&mut self.store, slots))
            .map_err(|_| Abstain::Engine)
    }

    /// What the guest has run out of, if it has (rule GA-1).
    fn spent(&mut self) -> Option<Stop> {
        let what = if self.meters.stack(&mut self.store) < 0 {
            "surety: out of stack"
        } else if self.meters.gas(&mut self.store) < 0 {
            "surety: out of gas"
        } else {
            return None;
        };
        Some(Stop::Failed(what.to_owned()))
    }

    fn has(&mut self, function: &str) -> bool {
        self.instance.get_func(&mut self.store, function).is_some()
    }

    /// Where the guest's stack is, if its texts belong there (rule EN-2).
    fn stack_for(&mut self, texts: &[&[u8]]) -> Result<Option<u64>, Stop> {
        if !STACK_EXPORTS.iter().all(|name| self.has(name)) {
            return Ok(None);
        }
        let free = self.call("emscripten_stack_get_free", &[])?;
        let bytes = texts.iter().map(|text| text.len() as u64).sum::<u64>();
        if bytes > free / 2 {
            return Ok(None);
        }
        self.call("emscripten_stack_get_current", &[]).map(Some)
    }

    /// Puts a text, ended by a zero, where a function of the guest says.
    fn give(&mut self, allocate: &str, text: &[u8]) -> Result<u64, Stop> {
        let bytes = [text, &[0]].concat();
        let at = self.call(allocate, &[bytes.len() as u64])?;
        if at == 0 {
            return Err(Stop::Failed("surety: no memory for the message".to_owned()));
        }
        let memory = self.memory.clone();
        memory
            .write(&mut self.store, at, &bytes)
            .map_err(|error| self.stopped(&error))?;
        Ok(at)
    }

    /// Calls an export with these integers, and zeros for what its type has besides; gives its
    /// integer.
    fn call(&mut self, name: &str, args: &[u64]) -> Result<u64, Stop> {
        let function = self
            .instance
            .get_func(&mut self.store, name)
            .ok_or(Abstain::Engine)?;
        let ty = function.ty(&self.store);
        let zero = |ty| Val::default_for_ty(&ty).ok_or(Abstain::Engine);
        let mut params = ty.params().map(zero).collect::<Result<Vec<Val>, _>>()?;
        let mut results = ty.results().map(zero).collect::<Result<Vec<Val>, _>>()?;
        for (param, arg) in params.iter_mut().zip(args) {
            *param = match param {
                Val::I32(_) => Val::I32(low(*arg)),
                _ => Val::I64(arg.cast_signed()),
            };
        }
        let called = function.call(&mut self.store, &params, &mut results);
        // Some guests survive what the host could not do; their result must not be believed.
        if let Err(error) = called {
            return Err(self.stopped(&error));
        }
        self.believable()?;
        if let Some(spent) = self.spent() {
            return Err(spent);
        }
        Ok(match results.first() {
            Some(Val::I32(value)) => u64::from(value.cast_unsigned()),
            Some(Val::I64(value)) => value.cast_unsigned(),
            _ => 0,
        })
    }

    fn believable(&self) -> Result<(), Stop> {
        if self.memory.region.exhausted() {
            return Err(Abstain::Memory.into());
        }
        if self.memory.region.missing() {
            return Err(Stop::Error(WitnessFault::MissingPage.into()));
        }
        Ok(())
    }

    /// What an error out of the guest means (rules EN-3, EN-7 and EN-8).
    fn stopped(&mut self, error: &wasmtime::Error) -> Stop {
        if let Err(stop) = self.believable() {
            return stop;
        }
        let (ended, trap) = (error.downcast_ref::<Ended>(), error.downcast_ref::<Trap>());
        match (ended, trap) {
            (Some(Ended::Withheld(_)), _) => return Abstain::Engine.into(),
            (_, Some(Trap::StackOverflow)) => return Abstain::Stack.into(),
            _ => {}
        }
        if let Some(spent) = self.spent() {
            return spent;
        }
        match ended {
            Some(guest) => Stop::Failed(format!("surety: {guest}")),
            None => trap.and_then(|trap| trap_name(*trap)).map_or_else(
                || Abstain::Engine.into(),
                |name| Stop::Failed(name.to_owned()),
            ),
        }
    }

    /// Brings what changed into the state; gives the indices of the changed pages, ascending.
    pub(super) fn absorb(&mut self, state: &mut Snapshot) -> Result<Vec<u32>, EngineError> {
        let memory = self.memory.memory;
        let wasm_pages = u32::try_from(memory.size(&self.store)).map_err(|_| Abstain::Engine)?;
        let data = memory.data(&self.store);
        let (pages, _) = data.as_chunks::<PAGE_BYTES>();
        let mut changed = self.memory.region.open_pages();
        changed.retain(|index| {
            pages
                .get(*index as usize)
                .is_some_and(|page| state.put(*index, page))
        });
        state.wasm_pages = wasm_pages;
        state.globals = self
            .globals
            .iter()
            .map(|global| bits(&global.get(&mut self.store)))
            .collect();
        Ok(changed)
    }

    /// The pages that were touched, or may have been written, since watching began.
    pub(super) fn open_pages(&self) -> Vec<u32> {
        self.memory.region.open_pages()
    }

    /// Begins to watch writes anew now and then.
    pub(super) fn rewatch(&mut self, page_count: u32) -> Result<(), EngineError> {
        self.steps_watched += 1;
        if self.steps_watched < STEPS_PER_WATCH {
            return Ok(());
        }
        self.watch(&Access::Writes, page_count)
    }
}

const fn bits(value: &Val) -> u64 {
    match value {
        Val::I32(value) => value.cast_unsigned() as u64,
        Val::I64(value) => value.cast_unsigned(),
        Val::F32(bits) => *bits as u64,
        Val::F64(bits) => *bits,
        _ => 0,
    }
}

/// The traps that WebAssembly itself defines, by names that are part of results.
const fn trap_name(trap: Trap) -> Option<&'static str> {
    Some(match trap {
        Trap::UnreachableCodeReached => "surety: trap: unreachable",
        Trap::MemoryOutOfBounds => "surety: trap: memory access out of bounds",
        Trap::TableOutOfBounds => "surety: trap: table access out of bounds",
        Trap::IndirectCallToNull => "surety: trap: call of an empty table entry",
        Trap::BadSignature => "surety: trap: call with another signature",
        Trap::IntegerOverflow => "surety: trap: integer overflow",
        Trap::IntegerDivisionByZero => "surety: trap: integer division by zero",
        Trap::BadConversionToInteger => "surety: trap: conversion to integer",
        _ => return None,
    })
}
