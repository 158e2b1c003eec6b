//! `surety util cbor`: canonical CBOR in diagnostic notation (RFC 8949, section 8).

use std::fmt::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::json;
use surety_protocol::codec::{self, CodecError, Wire};

use super::{FILE_BYTES_MAX, hex};
use crate::cli::{Context, file};
use crate::shell::{CliError, Exit};

/// Any object: its form is checked, its fields are not.
#[derive(Serialize, Deserialize)]
struct Anything(());

impl Wire for Anything {
    // No object has this kind.
    const KIND: u8 = u8::MAX;
    const BYTES_MAX: usize = FILE_BYTES_MAX;
}

/// Bytes of a string that are shown unless there are few more.
const SHOWN: usize = 64;

pub(super) fn run(context: &Context, path: &Path) -> Result<(), CliError> {
    let bytes = file::read(path, FILE_BYTES_MAX)?;
    let wrong = |why: &dyn std::fmt::Display| {
        CliError::new(Exit::VerificationFailed, "cbor-not-canonical", format!("not canonical CBOR: {why}"))
            .with_help("Surety's objects hold integers, strings, arrays, booleans and null, in their shortest form only")
    };
    match codec::decode::<Anything>(&bytes) {
        // The form is good; what it means is not asked.
        Ok(_) | Err(CodecError::Kind { .. } | CodecError::Fields | CodecError::NotCanonical) => {}
        Err(error) => return Err(wrong(&error)),
    }
    let text = diagnostic(&bytes).ok_or_else(|| wrong(&"a text is not UTF-8"))?;
    let kind = codec::kind_of(&bytes);
    let told = json!({
        "kind": kind.map(|(kind, _)| kind),
        "version": kind.map(|(_, version)| version),
        "bytes": bytes.len(),
        "diagnostic": text,
    });
    context.shell.data(&text, &told)
}

/// Writes the one value in bytes of canonical form; `None` if a text is not UTF-8.
fn diagnostic(bytes: &[u8]) -> Option<String> {
    let mut text = String::new();
    // Values that are left in every open array.
    let mut open: Vec<u64> = Vec::new();
    let mut rest = bytes;
    loop {
        let (major, argument, after) = head(rest)?;
        rest = after;
        match major {
            0 => write!(text, "{argument}").ok()?,
            1 => write!(text, "-{}", u128::from(argument) + 1).ok()?,
            2 | 3 => {
                let (content, after) = rest.split_at_checked(usize::try_from(argument).ok()?)?;
                rest = after;
                match major {
                    2 => text.push_str(&byte_string(content)),
                    _ => text
                        .push_str(&serde_json::to_string(std::str::from_utf8(content).ok()?).ok()?),
                }
            }
            4 if argument > 0 => {
                text.push('[');
                open.push(argument);
                continue;
            }
            4 => text.push_str("[]"),
            _ => text.push_str(match argument {
                20 => "false",
                21 => "true",
                _ => "null",
            }),
        }
        // A value ended: close every array that it completes.
        loop {
            let Some(left) = open.last_mut() else {
                return Some(text);
            };
            *left = left.checked_sub(1)?;
            if *left > 0 {
                text.push_str(", ");
                break;
            }
            open.pop();
            text.push(']');
        }
    }
}

/// Long byte strings are cut: their hashes say more than their digits.
fn byte_string(bytes: &[u8]) -> String {
    match bytes.get(..SHOWN) {
        Some(start) if bytes.len() > SHOWN * 2 => {
            format!("h'{}...' /{} bytes/", hex(start), bytes.len())
        }
        _ => format!("h'{}'", hex(bytes)),
    }
}

/// The major type and argument of a value, and what follows them.
fn head(bytes: &[u8]) -> Option<(u8, u64, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (major, low) = (first >> 5, first & 31);
    let width = match low {
        0..=23 => return Some((major, u64::from(low), rest)),
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => return None,
    };
    let (digits, rest) = rest.split_at_checked(width)?;
    let value = digits
        .iter()
        .fold(0_u64, |value, digit| (value << 8) | u64::from(*digit));
    Some((major, value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_the_standard_says() {
        let shown = |bytes: &[u8]| diagnostic(bytes).unwrap();
        assert_eq!(shown(&[0x00]), "0");
        assert_eq!(shown(&[0x19, 0x03, 0xe8]), "1000");
        assert_eq!(
            shown(&[0x3b, 255, 255, 255, 255, 255, 255, 255, 255]),
            "-18446744073709551616"
        );
        assert_eq!(
            shown(&[0x83, 0x09, 0x01, 0x82, 0x43, 1, 2, 255, 0x80]),
            "[9, 1, [h'0102ff', []]]"
        );
        assert_eq!(shown(&[0x83, 0xf4, 0xf5, 0xf6]), "[false, true, null]");
        assert_eq!(shown(&[0x63, b'a', b'"', b'\n']), r#""a\"\n""#);
        assert_eq!(diagnostic(&[0x61, 0xff]), None);
        let long = [&[0x58, 129][..], &[7; 129]].concat();
        assert!(shown(&long).ends_with("07...' /129 bytes/"));
    }
}
