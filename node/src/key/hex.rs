//! Hexadecimal, as keystore files have it.

use super::KeyError;
use super::derive::member;

/// Two digits for every byte.
pub(super) fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a text in the member `name`, or an error about that member.
pub(super) fn decode(text: &str, name: &'static str) -> Result<Vec<u8>, KeyError> {
    let wrong = || member(name, "not hexadecimal");
    let digit = |character: &u8| char::from(*character).to_digit(16);
    if !text.len().is_multiple_of(2) {
        return Err(wrong());
    }
    let pairs = text.as_bytes().chunks_exact(2).map(|pair| match pair {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    });
    pairs.collect::<Option<Vec<u8>>>().ok_or_else(wrong)
}
