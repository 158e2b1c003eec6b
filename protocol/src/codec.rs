//! Strict canonical CBOR: the one door for our own objects, in and out.
//!
//! `serde_cbor` alone accepts many spellings of one value. Here every object has exactly one, so that an
//! id can be the hash of bytes and a signature cannot be moved to another spelling.
//!
//! # Rules
//!
//! - `[C-1]` An object is the array `[kind, version, fields]`; `fields` is an array in declaration order.
//!   Only unsigned and negative integers, byte strings, texts, arrays, booleans and null occur: no map, tag, float,
//!   `undefined` or indefinite length.
//! - `[C-2]` Integers and lengths are minimal. Nothing follows the value.
//! - `[C-3]` Bytes are at most the type's limit, nesting at most [`DEPTH_MAX`], items at most [`ITEMS_MAX`]; a
//!   declared length is checked against the bytes that remain before anything is allocated.
//! - `[C-4]` What was decoded is encoded again and must be the bytes that came in.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Nesting of arrays in one object.
pub const DEPTH_MAX: usize = 16;
/// Values in one object, arrays included.
pub const ITEMS_MAX: usize = 100_000;

/// An object with a canonical encoding.
pub trait Wire: Serialize + DeserializeOwned {
    /// What kind of object this is; no two types share one.
    const KIND: u8;
    /// The version of its fields.
    const VERSION: u8 = 1;
    /// The most bytes that an encoding may have.
    const BYTES_MAX: usize;
}

/// Why bytes are not the canonical encoding of an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// More bytes than the type allows.
    #[error("{bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Bytes that came.
        bytes: usize,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// The bytes end before the value does, or a length points past them.
    #[error("the bytes end before the object does, at byte {0}")]
    Truncated(usize),
    /// Bytes follow the value.
    #[error("{0} bytes after the value")]
    Trailing(usize),
    /// A map, tag, float, indefinite length, reserved value or non-minimal integer.
    #[error("byte {0} starts something that canonical objects do not contain")]
    Forbidden(usize),
    /// Too deep or too many values.
    #[error("too deep or too many values")]
    TooComplex,
    /// Another kind or version of object.
    #[error("expected {}, got {}", named(*.expected_kind, *.expected_version), named(*.kind, *.version))]
    Kind {
        /// The kind asked for.
        expected_kind: u8,
        /// The version asked for.
        expected_version: u8,
        /// The kind that came.
        kind: u8,
        /// The version that came.
        version: u8,
    },
    /// The fields are not those of the type.
    #[error("fields do not fit the type")]
    Fields,
    /// The bytes mean the value but are not its encoding.
    #[error("not the canonical encoding")]
    NotCanonical,
}

/// An object for people: those that come in files by their names.
fn named(kind: u8, version: u8) -> String {
    let name = match kind {
        3 => "a claim",
        4 => "an approval",
        6 => "a certificate",
        9 => "evidence",
        30 => "a genesis",
        32 => "a commit",
        33 => "a block",
        34 => "a checkpoint",
        42 => "an attested result",
        _ => "an object",
    };
    format!("{name} (kind {kind}, version {version})")
}

/// Encodes an object canonically.
///
/// # Errors
/// [`CodecError::TooLarge`] if it exceeds its own limit: such an object must not be made.
pub fn encode<T: Wire>(value: &T) -> Result<Vec<u8>, CodecError> {
    let bytes =
        serde_cbor::to_vec(&(T::KIND, T::VERSION, value)).map_err(|_| CodecError::Fields)?;
    if bytes.len() > T::BYTES_MAX {
        return Err(CodecError::TooLarge {
            bytes: bytes.len(),
            limit: T::BYTES_MAX,
        });
    }
    Ok(bytes)
}

/// Decodes an object, refusing every spelling but the canonical one.
///
/// # Errors
/// Any rule above that the bytes break.
pub fn decode<T: Wire>(bytes: &[u8]) -> Result<T, CodecError> {
    if bytes.len() > T::BYTES_MAX {
        return Err(CodecError::TooLarge {
            bytes: bytes.len(),
            limit: T::BYTES_MAX,
        });
    }
    walk(bytes)?;
    let (kind, version) = kind_of(bytes).ok_or(CodecError::Fields)?;
    if (kind, version) != (T::KIND, T::VERSION) {
        return Err(CodecError::Kind {
            expected_kind: T::KIND,
            expected_version: T::VERSION,
            kind,
            version,
        });
    }
    let (_, _, value): (u8, u8, T) =
        serde_cbor::from_slice(bytes).map_err(|_| CodecError::Fields)?;
    if encode(&value)? != bytes {
        return Err(CodecError::NotCanonical);
    }
    Ok(value)
}

/// The kind and version that canonical bytes announce, without decoding them.
pub fn kind_of(bytes: &[u8]) -> Option<(u8, u8)> {
    let mut at = 1;
    if bytes.first() != Some(&0x83) {
        return None;
    }
    let mut small = || {
        let first = *bytes.get(at)?;
        at += 1;
        match first {
            0..=23 => Some(first),
            24 => {
                let value = *bytes.get(at)?;
                at += 1;
                Some(value)
            }
            _ => None,
        }
    };
    Some((small()?, small()?))
}

/// Checks the form of the bytes without allocating or recursing.
fn walk(bytes: &[u8]) -> Result<(), CodecError> {
    let mut open = [0_u64; DEPTH_MAX];
    let mut depth = 0_usize;
    let mut items = 0_usize;
    let mut at = 0_usize;
    loop {
        items += 1;
        if items > ITEMS_MAX {
            return Err(CodecError::TooComplex);
        }
        let (major, argument, next) = head(bytes, at)?;
        let start = at;
        at = next;
        match major {
            // Integers carry nothing more.
            0 | 1 => {}
            // Byte strings and texts; serde_cbor checks the UTF-8.
            2 | 3 => {
                let length = usize::try_from(argument).map_err(|_| CodecError::Truncated(start))?;
                at = at.checked_add(length).ok_or(CodecError::Truncated(start))?;
                if at > bytes.len() {
                    return Err(CodecError::Truncated(start));
                }
            }
            4 => {
                // Every item takes at least one byte.
                if argument > u64::try_from(bytes.len() - at).unwrap_or(u64::MAX) {
                    return Err(CodecError::Truncated(start));
                }
                if argument > 0 {
                    *open.get_mut(depth).ok_or(CodecError::TooComplex)? = argument;
                    depth += 1;
                    continue;
                }
            }
            // false, true and null
            7 if (20..=22).contains(&argument) => {}
            _ => return Err(CodecError::Forbidden(start)),
        }
        // A value ended: close every array that it completes.
        loop {
            let Some(top) = depth.checked_sub(1).and_then(|i| open.get_mut(i)) else {
                return match bytes.len() - at {
                    0 => Ok(()),
                    more => Err(CodecError::Trailing(more)),
                };
            };
            *top -= 1;
            if *top > 0 {
                break;
            }
            depth -= 1;
        }
    }
}

/// Reads one head: major type, argument and where the content starts.
fn head(bytes: &[u8], at: usize) -> Result<(u8, u64, usize), CodecError> {
    let first = *bytes.get(at).ok_or(CodecError::Truncated(at))?;
    let (major, low) = (first >> 5, first & 31);
    let width = match low {
        0..=23 => return Ok((major, u64::from(low), at + 1)),
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => return Err(CodecError::Forbidden(at)),
    };
    if major == 7 {
        return Err(CodecError::Forbidden(at));
    }
    let end = at + 1 + width;
    let digits = bytes.get(at + 1..end).ok_or(CodecError::Truncated(at))?;
    let value = digits
        .iter()
        .fold(0_u64, |value, digit| (value << 8) | u64::from(*digit));
    let least = match width {
        1 => 24,
        2 => 1 << 8,
        4 => 1 << 16,
        _ => 1 << 32,
    };
    if value < least {
        return Err(CodecError::Forbidden(at));
    }
    Ok((major, value, end))
}

#[cfg(test)]
mod tests;
