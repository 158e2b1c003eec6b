//! Every call into a guest runs on a thread of its own with a stack that is always the same.
//!
//! Guests recurse: through the host too, with native frames between. Where a native stack ends
//! depends on the compiler; it must therefore never end before the slots that the guest may take
//! (rule GA-5; AOS needs less than 1 MiB at its deepest), and if it does, the host abstains.

use super::{Abstain, EngineError};

/// Stack that wasm frames may use.
pub(super) const WASM_STACK_BYTES: usize = 16 << 20;
/// Slots (rule GA-5) that it holds for certain: compiled frames take about ten bytes for one.
pub(super) const STACK_SLOTS_MAX: u32 = 524_288;
/// Stack of the thread; the rest is for host functions.
const THREAD_STACK_BYTES: usize = 2 * WASM_STACK_BYTES;

/// Runs `work` on a deep stack and waits for it.
pub(super) fn on_deep_stack<T: Send>(
    work: impl FnOnce() -> Result<T, EngineError> + Send,
) -> Result<T, EngineError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(THREAD_STACK_BYTES);
        let thread = thread
            .spawn_scoped(scope, work)
            .map_err(|_| Abstain::Memory)?;
        thread.join().unwrap_or(Err(Abstain::Engine.into()))
    })
}
