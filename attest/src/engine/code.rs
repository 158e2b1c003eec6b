//! Modules that are ready to be instantiated, each made ready once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use surety_protocol::profile::Profile;

use super::vm::{Vm, WASM_PAGE_BYTES};
use super::{EngineError, ModuleRefused, Program, module};
use crate::memory::RESERVED;
use crate::state::Snapshot;

/// Modules kept; one of AOS has 2 MB of code.
const KEPT_MAX: usize = 64;
/// Bytes of the rewritten modules kept, which have about twice as much of code; one of AOS has 1 MB.
const KEPT_BYTES_MAX: usize = 128 << 20;

/// A module that passed the check, ready in one machine.
pub(super) struct Code<V: Vm> {
    pub(super) code: V::Code,
    /// Bytes of the rewritten module.
    bytes: usize,
    /// Mutable globals.
    globals: usize,
    /// WebAssembly pages that memory starts with.
    wasm_pages_min: u64,
    /// The module's own bound on memory.
    memory_bytes_max: u64,
}

impl<V: Vm> Code<V> {
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
        let bytes = self.wasm_pages_min.saturating_mul(WASM_PAGE_BYTES);
        if bytes > limit {
            return Err(ModuleRefused::Memory { bytes, limit });
        }
        Ok(limit.min(self.memory_bytes_max))
    }

    /// Whether a state can be one of this module.
    pub(super) fn fits(&self, state: &Snapshot, memory_bytes_max: u64) -> bool {
        let wasm_pages = u64::from(state.wasm_pages);
        let last = state.pages.last_key_value().map(|(index, _)| *index);
        state.globals.len() == self.globals
            && (self.wasm_pages_min..=memory_bytes_max / WASM_PAGE_BYTES).contains(&wasm_pages)
            && last.is_none_or(|index| index < state.page_count())
    }
}

/// Makes modules ready, and keeps them.
pub(super) struct Library<V: Vm> {
    vm: V,
    kept: Mutex<Kept<V>>,
    preparing: Mutex<()>,
}

/// Modules by the hashes of their bytes, of which those longest unused go.
struct Kept<V: Vm> {
    used: u64,
    codes: BTreeMap<[u8; 32], (u64, Arc<Code<V>>)>,
}

impl<V: Vm> Kept<V> {
    fn get(&mut self, key: &[u8; 32]) -> Option<Arc<Code<V>>> {
        self.used = self.used.wrapping_add(1);
        let (used, code) = self.codes.get_mut(key)?;
        *used = self.used;
        Some(Arc::clone(code))
    }

    fn put(&mut self, key: [u8; 32], code: &Arc<Code<V>>) {
        let bytes = |codes: &BTreeMap<_, (u64, Arc<Code<V>>)>| {
            codes.values().map(|(_, code)| code.bytes).sum::<usize>()
        };
        while self.codes.len() >= KEPT_MAX
            || bytes(&self.codes).saturating_add(code.bytes) > KEPT_BYTES_MAX
        {
            let oldest = self.codes.iter().min_by_key(|(_, (used, _))| *used);
            let Some(oldest) = oldest.map(|(key, _)| *key) else {
                break;
            };
            self.codes.remove(&oldest);
        }
        self.codes.insert(key, (self.used, Arc::clone(code)));
    }
}

impl<V: Vm> Library<V> {
    pub(super) fn new(vm: V) -> Self {
        Self {
            vm,
            kept: Mutex::new(Kept {
                used: 0,
                codes: BTreeMap::new(),
            }),
            preparing: Mutex::new(()),
        }
    }

    /// The module, from the kept ones if it is there.
    pub(super) fn get(&self, bytes: &[u8], profile: &Profile) -> Result<Arc<Code<V>>, EngineError> {
        // Under its hash: the id of a module says nothing about its bytes to whoever did not check it.
        let key = *blake3::hash(bytes).as_bytes();
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = kept().get(&key) {
            return Ok(code);
        }
        // One at a time: whoever waited finds it made.
        let _turn = self
            .preparing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = kept().get(&key) {
            return Ok(code);
        }
        let checked = module::check(bytes, profile.module_bytes_max)?;
        let wasm_pages_max = checked.wasm_pages_max.unwrap_or(u64::MAX);
        let code = Arc::new(Code {
            code: self.vm.prepare(&checked)?,
            bytes: checked.bytes.len(),
            globals: checked.globals.len(),
            wasm_pages_min: checked.wasm_pages_min,
            memory_bytes_max: wasm_pages_max.saturating_mul(WASM_PAGE_BYTES),
        });
        kept().put(key, &code);
        Ok(code)
    }
}
