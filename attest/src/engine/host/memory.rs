//! Moving and growing memory (rules HO-5 and HO-6).

use super::Guest;

const WASM_PAGE_BYTES: u64 = 65_536;

/// `_emscripten_memcpy_js`.
pub(super) fn copy_clamped(
    guest: &mut Guest<'_>,
    to: u64,
    from: u64,
    bytes: u64,
) -> wasmtime::Result<()> {
    let end = if guest.wide() {
        from.saturating_add(bytes)
    } else {
        (from + bytes) & u64::from(u32::MAX)
    };
    let memory = guest.memory();
    let size = memory.data_size(&guest.caller);
    let clamp = |at: u64| usize::try_from(at).map_or(size, |at| at.min(size));
    let (to, from, end) = (clamp(to), clamp(from), clamp(end));
    let count = end.saturating_sub(from).min(size - to);
    guest.charge_bytes(count as u64)?;
    if count > 0 {
        guest.admit(from, count, false)?;
        guest.admit(to, count, true)?;
        memory
            .data_mut(&mut guest.caller)
            .copy_within(from..from + count, to);
    }
    Ok(())
}

/// `emscripten_resize_heap`; whether memory is now as large as asked for.
pub(super) fn resize(guest: &mut Guest<'_>, bytes: u64) -> wasmtime::Result<bool> {
    let memory = guest.memory();
    let wanted = bytes.div_ceil(WASM_PAGE_BYTES);
    match wanted.checked_sub(memory.size(&guest.caller)) {
        None | Some(0) => Ok(true),
        // If the kernel is what refused, the region knows, and the step is not believed.
        Some(more) => Ok(memory.grow(&mut guest.caller, more).is_ok()),
    }
}

/// `emscripten_get_heap_max`: the module's own maximum, or all that it can address up to 2^32.
pub(super) fn most(guest: &Guest<'_>) -> u64 {
    let pages = guest
        .memory()
        .ty(&guest.caller)
        .maximum()
        .unwrap_or(u64::MAX);
    // The answer must fit a 32-bit pointer.
    pages
        .saturating_mul(WASM_PAGE_BYTES)
        .min(u64::from(u32::MAX) - (WASM_PAGE_BYTES - 1))
}
