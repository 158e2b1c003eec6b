//! The clock and the calendar as host functions (rule HO-7).

use super::calendar::{self, Fields};
use super::price::FORMAT_GAS;
use super::{Guest, GuestExt, Halt, Number, low};

/// Bytes of the nine integers of C's `struct tm`; an offset and a zone name of pointer size follow.
const FIELDS_BYTES: usize = 36;
/// Bytes of a format or of a formatted time.
const TEXT_BYTES_MAX: u64 = 4096;
const ZONE: &[u8] = b"UTC\0";

/// `emscripten_date_now`, `emscripten_get_now`: ten seconds after 1970 (rule HO-7).
pub(super) const fn now() -> Number {
    Number::F64(10_000_f64.to_bits())
}

/// `clock_time_get`: nanoseconds, whatever the clock.
pub(super) fn clock_time_get(guest: &mut dyn Guest, args: &[u64]) -> Result<i32, Halt> {
    let at = args.last().copied().unwrap_or(0);
    let nanoseconds = guest.moment().clock.saturating_mul(1_000_000);
    guest.put(at, &nanoseconds.to_le_bytes())?;
    Ok(0)
}

/// `clock_res_get`: a millisecond.
pub(super) fn clock_res_get(guest: &mut dyn Guest, at: u64) -> Result<i32, Halt> {
    guest.put(at, &1_000_000_u64.to_le_bytes())?;
    Ok(0)
}

/// `_gmtime_js`, `_localtime_js`.
pub(super) fn break_down(guest: &mut dyn Guest, args: &[u64]) -> Result<i32, Halt> {
    let (seconds, at) = match *args {
        [seconds, at] => (seconds, at),
        [lower, upper, at] => (upper << 32 | lower, at),
        _ => (0, 0),
    };
    write_fields(guest, at, &Fields::at(seconds.cast_signed()))?;
    // The offset from UTC; the pointer to the zone's name stays.
    guest.put_pointer(
        at.saturating_add(FIELDS_BYTES as u64)
            .next_multiple_of(guest.pointer_bytes()),
        0,
    )?;
    Ok(0)
}

/// `_mktime_js`: seconds since 1970; the fields are brought into their ranges.
pub(super) fn compose(guest: &mut dyn Guest, at: u64) -> Result<Number, Halt> {
    let seconds = read_fields(guest, at)?.seconds();
    write_fields(guest, at, &Fields::at(seconds))?;
    if guest.wide() {
        return Ok(Number::I64(seconds));
    }
    let bits = seconds.cast_unsigned();
    if guest.has("_emscripten_tempret_set") {
        guest.enter("_emscripten_tempret_set", &[Number::I32(low(bits >> 32))])?;
    }
    Ok(Number::I32(low(bits)))
}

/// `strftime`: bytes written without the final zero, or 0 if they do not fit.
pub(super) fn strftime(
    guest: &mut dyn Guest,
    [to, room, format, fields]: [u64; 4],
) -> Result<u64, Halt> {
    let Some(format) = guest.take_text(format, TEXT_BYTES_MAX)? else {
        return Ok(0);
    };
    guest.charge(FORMAT_GAS * format.len() as u64)?;
    let mut text = calendar::format(&format, &read_fields(guest, fields)?);
    let written = text.len() as u64;
    text.push(0);
    if written >= room || written > TEXT_BYTES_MAX {
        return Ok(0);
    }
    guest.put(to, &text)?;
    Ok(written)
}

/// `_tzset_js`: no offset, no summer time, and the one name.
pub(super) fn tzset(
    guest: &mut dyn Guest,
    [offset, summer, standard_name, summer_name]: [u64; 4],
) -> Result<i32, Halt> {
    guest.put_pointer(offset, 0)?;
    guest.put(summer, &[0; 4])?;
    guest.put(standard_name, ZONE)?;
    guest.put(summer_name, ZONE)?;
    Ok(0)
}

fn read_fields(guest: &mut dyn Guest, at: u64) -> Result<Fields, Halt> {
    let bytes: [u8; FIELDS_BYTES] = guest.take(at)?;
    let mut fields = [0; 9];
    for (field, bytes) in fields.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *field = i32::from_le_bytes(*bytes);
    }
    Ok(Fields(fields))
}

fn write_fields(guest: &mut dyn Guest, at: u64, fields: &Fields) -> Result<(), Halt> {
    let bytes: Vec<u8> = fields
        .0
        .iter()
        .flat_map(|field| field.to_le_bytes())
        .collect();
    guest.put(at, &bytes)
}
