//! Modules as the compiler leaves them, ready to instantiate.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use surety_protocol::profile::Profile;
use wasmtime::{Config, Engine, InstancePre, Linker, Module, OptLevel, WasmFeatures};

use super::host::{self, Host};
use super::module::{self, Checked};
use super::stack::WASM_STACK_BYTES;
use super::{Abstain, EngineError, ModuleRefused, Program};
use crate::memory::{Creator, RESERVED, Watching, install};
use crate::state::Snapshot;

/// Compiled modules kept; one of AOS has 2 MB of code.
const KEPT_MAX: usize = 64;

/// A module that passed the check, compiled.
pub(super) struct Compiled {
    pub(super) pre: InstancePre<Host>,
    /// The export names of the mutable globals, in order.
    pub(super) globals: Vec<String>,
    /// WebAssembly pages that memory starts with.
    wasm_pages_min: u64,
    /// The module's own bound on memory.
    memory_bytes_max: u64,
}

impl Compiled {
    /// Bytes that the memory of a process may have (rule EN-5).
    pub(super) fn memory_bytes_max(
        &self,
        program: &Program,
        profile: &Profile,
    ) -> Result<u64, ModuleRefused> {
        let limit = program
            .memory_limit
            .min(profile.memory_bytes_max)
            .min(RESERVED);
        let bytes = self.wasm_pages_min.saturating_mul(65_536);
        if bytes > limit {
            return Err(ModuleRefused::Memory { bytes, limit });
        }
        Ok(limit.min(self.memory_bytes_max))
    }

    /// Whether a state can be one of this module.
    pub(super) fn fits(&self, state: &Snapshot, memory_bytes_max: u64) -> bool {
        let wasm_pages = u64::from(state.wasm_pages);
        let last = state.pages.last_key_value().map(|(index, _)| *index);
        state.globals.len() == self.globals.len()
            && (self.wasm_pages_min..=memory_bytes_max / 65_536).contains(&wasm_pages)
            && last.is_none_or(|index| index < state.page_count())
    }
}

/// Compiles, and keeps what it compiled.
pub(super) struct Compiler {
    engine: Engine,
    kept: Mutex<BTreeMap<[u8; 32], Arc<Compiled>>>,
    compiling: Mutex<()>,
}

impl Compiler {
    pub(super) fn new(watching: Watching) -> Result<Self, EngineError> {
        let engine = Engine::new(&config(watching)).map_err(|_| Abstain::Unsupported)?;
        if !install() {
            return Err(Abstain::Unsupported.into());
        }
        Ok(Self {
            engine,
            kept: Mutex::default(),
            compiling: Mutex::new(()),
        })
    }

    /// The compiled module, from the kept ones if it is there.
    pub(super) fn compile(
        &self,
        bytes: &[u8],
        profile: &Profile,
    ) -> Result<Arc<Compiled>, EngineError> {
        // Under its hash: the id of a module says nothing about its bytes to whoever did not check
        // it.
        let key = *blake3::hash(bytes).as_bytes();
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(compiled) = kept().get(&key) {
            return Ok(Arc::clone(compiled));
        }
        // One at a time: whoever waited finds it made.
        let _turn = self
            .compiling
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(compiled) = kept().get(&key) {
            return Ok(Arc::clone(compiled));
        }
        let checked = module::check(bytes, profile.module_bytes_max)?;
        let compiled = Arc::new(self.compile_checked(checked)?);
        let mut kept = kept();
        if kept.len() >= KEPT_MAX {
            kept.pop_first();
        }
        kept.insert(key, Arc::clone(&compiled));
        Ok(compiled)
    }

    fn compile_checked(&self, checked: Checked) -> Result<Compiled, EngineError> {
        let module =
            Module::new(&self.engine, &checked.bytes).map_err(|_| ModuleRefused::Compile)?;
        let mut linker = Linker::new(&self.engine);
        host::link(&mut linker, &module, checked.wide).map_err(|_| Abstain::Engine)?;
        let pre = linker
            .instantiate_pre(&module)
            .map_err(|_| Abstain::Engine)?;
        let wasm_pages_max = checked.wasm_pages_max.unwrap_or(u64::MAX);
        Ok(Compiled {
            pre,
            globals: checked.globals,
            wasm_pages_min: checked.wasm_pages_min,
            memory_bytes_max: wasm_pages_max.saturating_mul(65_536),
        })
    }
}

/// Everything that could differ between hosts is fixed or off.
fn config(watching: Watching) -> Config {
    let mut config = Config::new();
    // What the check lets through, and nothing else.
    let allowed = module::features();
    config
        .wasm_features(
            WasmFeatures::all() & !WasmFeatures::from_bits_retain(allowed.bits()),
            false,
        )
        .wasm_memory64(true)
        .wasm_multi_value(true)
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        // Not used, but wasmtime wants it not to be smaller.
        .async_stack_size(2 * WASM_STACK_BYTES)
        // A long jump is an error that passes through every frame: no time for back traces.
        .wasm_backtrace_max_frames(None)
        .memory_reservation(RESERVED)
        // Its image would have to be mapped over memory that is ours.
        .memory_init_cow(false)
        .with_host_memory(Arc::new(Creator::new(watching)));
    config
}
