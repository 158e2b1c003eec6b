//! What a module finds instead of an operating system (rule HO-3).

use super::price::DRAW_GAS;
use super::{BADF, Guest, GuestExt, Halt};

/// Bytes that are drawn at a time.
const PIECE_BYTES: usize = 1024;

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

/// `environ_sizes_get`, `args_sizes_get`: none, no bytes.
pub(super) fn none(guest: &mut dyn Guest, count_at: u64, bytes_at: u64) -> Result<i32, Halt> {
    guest.put_pointer(count_at, 0)?;
    guest.put_pointer(bytes_at, 0)?;
    Ok(0)
}

/// `random_get`: the step's next bytes (rule HO-9).
pub(super) fn random_get(guest: &mut dyn Guest, mut at: u64, bytes: u64) -> Result<i32, Halt> {
    let mut left = bytes;
    while left > 0 {
        let mut piece = [0; PIECE_BYTES];
        let count = left.min(PIECE_BYTES as u64);
        let (drawn, _) = piece.split_at_mut(usize::try_from(count).unwrap_or(PIECE_BYTES));
        guest.charge(DRAW_GAS * count)?;
        guest.moment().draw(drawn);
        guest.put(at, drawn)?;
        at = at.saturating_add(count);
        left -= count;
    }
    Ok(0)
}
