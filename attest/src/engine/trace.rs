//! What a step left behind, hashed under keys that are drawn later than any claim about it.
//!
//! # Rules
//!
//! - `[TR-1]` The trace of a step under a key is keyed BLAKE3 over: the size of memory after it in units of 64 KiB, in four bytes;
//!   the number of mutable globals in four bytes and the bits of each in eight; [`StepTrace::calls`]; the number of pages
//!   that the step changed in four bytes, then the index of each, ascending, in four bytes and what it holds. Numbers are big-endian.
//! - `[TR-2]` A page is changed if it holds something else than before the step; a step that is taken back has changed none.
//! - `[TR-3]` `calls` is BLAKE3 in key derivation mode under `SURETY/v1/trace-calls` over the gas that was left, in eight bytes,
//!   big-endian, each time the guest called a function of the host and had paid for the call: what happened within the step, and
//!   stands in no leaf.

use surety_protocol::id::Digest;

use crate::state::Snapshot;

/// The context under which calls are hashed (rule TR-3).
const CALLS_CONTEXT: &str = "SURETY/v1/trace-calls";

/// The gas at each call of the host so far (rule TR-3).
#[derive(Debug, Clone)]
pub(super) struct Calls(blake3::Hasher);

impl Calls {
    /// None yet.
    pub(super) fn new() -> Calls {
        Calls(blake3::Hasher::new_derive_key(CALLS_CONTEXT))
    }

    /// The guest called with so much gas left.
    pub(super) fn add(&mut self, gas: i64) {
        self.0.update(&gas.to_be_bytes());
    }

    /// What stands for all of them.
    pub(super) fn digest(&self) -> Digest {
        Digest::new(*self.0.finalize().as_bytes())
    }
}

/// What the trace of a step is made of.
#[derive(Debug, Clone, Copy)]
pub struct StepTrace<'a> {
    /// The state after the step.
    pub state: &'a Snapshot,
    /// The pages that it changed, ascending (rule TR-2).
    pub changed: &'a [u32],
    /// What stands for its calls of the host (rule TR-3).
    pub calls: Digest,
}

/// The trace of a step under each key (rule TR-1).
pub fn traces(step: StepTrace<'_>, keys: &[Digest]) -> Vec<Digest> {
    let count = |items: usize| u32::try_from(items).unwrap_or(u32::MAX).to_be_bytes();
    let mut hashers: Vec<blake3::Hasher> = keys
        .iter()
        .map(|key| blake3::Hasher::new_keyed(key.as_bytes()))
        .collect();
    let mut update = |bytes: &[u8]| {
        for hasher in &mut hashers {
            hasher.update(bytes);
        }
    };
    update(&step.state.wasm_pages.to_be_bytes());
    update(&count(step.state.globals.len()));
    for global in &step.state.globals {
        update(&global.to_be_bytes());
    }
    update(step.calls.as_bytes());
    update(&count(step.changed.len()));
    for index in step.changed {
        update(&index.to_be_bytes());
        update(step.state.page(*index));
    }
    hashers
        .iter()
        .map(|it| Digest::new(*it.finalize().as_bytes()))
        .collect()
}
