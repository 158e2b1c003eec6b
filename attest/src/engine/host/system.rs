//! What a module finds instead of an operating system (rule HO-3).

use super::{BADF, Guest, GuestExt, Halt};

/// `fd_read`: standard input is at its end.
pub(super) fn read(guest: &mut dyn Guest, descriptor: u64, count_at: u64) -> Result<i32, Halt> {
    if descriptor != 0 {
        return Ok(BADF);
    }
    guest.put_pointer(count_at, 0)?;
    Ok(0)
}

/// `fd_write`: counts the bytes and drops them.
pub(super) fn write(
    guest: &mut dyn Guest,
    [descriptor, list, length, count_at]: [u64; 4],
) -> Result<i32, Halt> {
    if !matches!(descriptor, 1 | 2) {
        return Ok(BADF);
    }
    let mut count = 0_u64;
    let entry = 2 * guest.pointer_bytes();
    // Ends at the latest with the memory or the gas.
    for i in 0..length {
        let at = list
            .saturating_add(i.saturating_mul(entry))
            .saturating_add(entry / 2);
        count = count.wrapping_add(guest.take_pointer(at)?);
    }
    guest.put_pointer(count_at, count)?;
    Ok(0)
}

/// `environ_sizes_get`: no variable, no bytes.
pub(super) fn environ_sizes(
    guest: &mut dyn Guest,
    count_at: u64,
    bytes_at: u64,
) -> Result<i32, Halt> {
    guest.put_pointer(count_at, 0)?;
    guest.put_pointer(bytes_at, 0)?;
    Ok(0)
}
