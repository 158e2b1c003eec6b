//! Every call into a guest runs on a thread of its own with a stack that is always the same.
//!
//! Guests recurse: through the host too, with native frames between. Where a native stack ends
//! depends on the compiler; it must therefore never end before the slots that the guest may take
//! (rule GA-5; AOS needs less than 1 MiB at its deepest), and if it does, the host abstains.

use std::cell::Cell;

use super::Abstain;

/// Stack that wasm frames may use.
pub(super) const WASM_STACK_BYTES: usize = 16 << 20;
/// Slots (rule GA-5) that it holds for certain: compiled frames take about ten bytes for one.
pub(super) const STACK_SLOTS_MAX: u32 = 524_288;
/// Stack of the thread; the rest is for host functions.
const THREAD_STACK_BYTES: usize = 2 * WASM_STACK_BYTES;

thread_local! {
    /// Whether this thread has such a stack.
    static DEEP: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` on a deep stack and waits for it. Who applies many inputs spares a thread for each by being there already.
///
/// # Errors
/// Abstains if there is no thread to be had, or `work` panicked.
pub fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Abstain> {
    if DEEP.get() {
        return Ok(work());
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(THREAD_STACK_BYTES);
        let thread = thread
            .spawn_scoped(scope, || {
                DEEP.set(true);
                work()
            })
            .map_err(|_| Abstain::Memory)?;
        thread.join().map_err(|_| Abstain::Engine)
    })
}
