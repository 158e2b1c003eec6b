//! Moving and growing memory (rules HO-5 and HO-6).

use super::price::GROW_GAS;
use super::{Guest, GuestExt, Halt};
use crate::engine::vm::WASM_PAGE_BYTES;

/// `_emscripten_memcpy_js`.
pub(super) fn copy_clamped(
    guest: &mut dyn Guest,
    to: u64,
    from: u64,
    bytes: u64,
) -> Result<(), Halt> {
    let end = if guest.wide() {
        from.saturating_add(bytes)
    } else {
        (from + bytes) & u64::from(u32::MAX)
    };
    let size = guest.memory_bytes();
    let (to, from, end) = (to.min(size), from.min(size), end.min(size));
    let count = end.saturating_sub(from).min(size - to);
    guest.charge_piece(count)?;
    if count > 0 {
        guest.copy(from, to, count)?;
    }
    Ok(())
}

/// `emscripten_resize_heap`; whether memory is now as large as asked for.
pub(super) fn resize(guest: &mut dyn Guest, bytes: u64) -> Result<bool, Halt> {
    let wanted = bytes.div_ceil(WASM_PAGE_BYTES);
    guest.charge(GROW_GAS)?;
    Ok(
        match wanted.checked_sub(guest.memory_bytes() / WASM_PAGE_BYTES) {
            None | Some(0) => true,
            Some(more) => guest.grow(more),
        },
    )
}

/// `emscripten_get_heap_max`: the module's own maximum, or all that it can address up to 2^32.
pub(super) fn most(guest: &dyn Guest) -> u64 {
    let pages = guest.wasm_pages_max().unwrap_or(u64::MAX);
    // The answer must fit a 32-bit pointer.
    pages
        .saturating_mul(WASM_PAGE_BYTES)
        .min(u64::from(u32::MAX) - (WASM_PAGE_BYTES - 1))
}
