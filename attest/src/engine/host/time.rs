//! The clock and the calendar as host functions (rule HO-7).

use wasmtime::{Extern, Val};

use super::calendar::{self, Fields};
use super::{Guest, low};

/// Bytes of the nine integers of C's `struct tm`; an offset and a zone name of pointer size follow.
const FIELDS_BYTES: usize = 36;
/// Bytes of a format or of a formatted time.
const TEXT_BYTES_MAX: u64 = 4096;
const ZONE: &[u8] = b"UTC\0";

/// `emscripten_date_now`, `emscripten_get_now`: ten seconds after 1970 (rule HO-7).
pub(super) const fn now() -> Val {
    Val::F64(10_000_f64.to_bits())
}

/// `clock_time_get`: nanoseconds, whatever the clock.
pub(super) fn clock_time_get(guest: &mut Guest<'_>, args: &[u64]) -> wasmtime::Result<Val> {
    let at = args.last().copied().unwrap_or(0);
    let nanoseconds = guest.caller.data().clock.saturating_mul(1_000_000);
    guest.write(at, &nanoseconds.to_le_bytes())?;
    Ok(Val::I32(0))
}

/// `_gmtime_js`, `_localtime_js`.
pub(super) fn break_down(guest: &mut Guest<'_>, args: &[u64]) -> wasmtime::Result<Val> {
    let (seconds, at) = match *args {
        [seconds, at] => (seconds, at),
        [lower, upper, at] => (upper << 32 | lower, at),
        _ => (0, 0),
    };
    write_fields(guest, at, &Fields::at(seconds.cast_signed()))?;
    // The offset from UTC; the pointer to the zone's name stays.
    guest.write_pointer(
        at.saturating_add(FIELDS_BYTES as u64)
            .next_multiple_of(guest.pointer_bytes()),
        0,
    )?;
    Ok(Val::I32(0))
}

/// `_mktime_js`: seconds since 1970; the fields are brought into their ranges.
pub(super) fn compose(guest: &mut Guest<'_>, at: u64) -> wasmtime::Result<Val> {
    let seconds = read_fields(guest, at)?.seconds();
    write_fields(guest, at, &Fields::at(seconds))?;
    if guest.wide() {
        return Ok(Val::I64(seconds));
    }
    if let Some(Extern::Func(high)) = guest.caller.get_export("_emscripten_tempret_set") {
        high.call(
            &mut guest.caller,
            &[Val::I32(low(seconds.cast_unsigned() >> 32))],
            &mut [],
        )?;
    }
    Ok(Val::I32(low(seconds.cast_unsigned())))
}

/// `strftime`: bytes written without the final zero, or 0 if they do not fit.
pub(super) fn strftime(
    guest: &mut Guest<'_>,
    [to, room, format, fields]: [u64; 4],
) -> wasmtime::Result<Val> {
    let Some(format) = guest.text(format, TEXT_BYTES_MAX)? else {
        return Ok(guest.pointer(0));
    };
    let mut text = calendar::format(&format, &read_fields(guest, fields)?);
    let written = text.len() as u64;
    text.push(0);
    if written >= room || written > TEXT_BYTES_MAX {
        return Ok(guest.pointer(0));
    }
    guest.write(to, &text)?;
    Ok(guest.pointer(written))
}

/// `_tzset_js`: no offset, no summer time, and the one name.
pub(super) fn tzset(
    guest: &mut Guest<'_>,
    [offset, summer, standard_name, summer_name]: [u64; 4],
) -> wasmtime::Result<Val> {
    guest.write_pointer(offset, 0)?;
    guest.write(summer, &[0; 4])?;
    guest.write(standard_name, ZONE)?;
    guest.write(summer_name, ZONE)?;
    Ok(Val::I32(0))
}

fn read_fields(guest: &mut Guest<'_>, at: u64) -> wasmtime::Result<Fields> {
    let bytes: [u8; FIELDS_BYTES] = guest.read(at)?;
    let mut fields = [0; 9];
    for (field, bytes) in fields.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *field = i32::from_le_bytes(*bytes);
    }
    Ok(Fields(fields))
}

fn write_fields(guest: &mut Guest<'_>, at: u64, fields: &Fields) -> wasmtime::Result<()> {
    let bytes: Vec<u8> = fields
        .0
        .iter()
        .flat_map(|field| field.to_le_bytes())
        .collect();
    guest.write(at, &bytes)
}
