//! Tags as Avro bytes: an array of pairs of texts, read without trusting any number in it.

use crate::item::ItemError;
use crate::limits::{TAG_BYTES_MAX, TAG_NAME_BYTES_MAX, TAG_VALUE_BYTES_MAX, TAGS_MAX};

/// The tags of an item in their order, as `(name, value)`; names may repeat.
#[derive(Debug, Clone)]
pub struct Tags<'a> {
    reader: Reader<'a>,
    /// Tags left in the block that is being read.
    left: u64,
}

impl<'a> Tags<'a> {
    /// The tags in bytes that [`check`] accepted; other bytes give some tags or none.
    pub(crate) const fn of_checked(bytes: &'a [u8]) -> Self {
        Self {
            reader: Reader { bytes, at: 0 },
            left: 0,
        }
    }
}

impl<'a> Iterator for Tags<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            self.left = self.reader.block().ok()?.0;
        }
        self.left = self.left.checked_sub(1)?;
        let name = self
            .reader
            .text(TAG_NAME_BYTES_MAX, ItemError::TagName)
            .ok()?;
        let value = self
            .reader
            .text(TAG_VALUE_BYTES_MAX, ItemError::TagValue)
            .ok()?;
        Some((name, value))
    }
}

/// Checks that the bytes are exactly `declared` tags within the limits (rules IT-4 and IT-5).
pub(crate) fn check(bytes: &[u8], declared: u64) -> Result<(), ItemError> {
    let mut reader = Reader { bytes, at: 0 };
    let mut found = 0_u64;
    // No bytes at all is how no tags are written.
    while !bytes.is_empty() {
        let (count, end) = reader.block()?;
        if count == 0 {
            break;
        }
        found = found.saturating_add(count);
        // Before the loop below, so that a count can never be larger than the limit.
        if found > TAGS_MAX as u64 {
            return Err(ItemError::TooManyTags(found));
        }
        for _ in 0..count {
            reader.text(TAG_NAME_BYTES_MAX, ItemError::TagName)?;
            reader.text(TAG_VALUE_BYTES_MAX, ItemError::TagValue)?;
        }
        if end.is_some_and(|end| end != reader.at) {
            return Err(ItemError::TagEncoding(reader.at));
        }
    }
    match bytes.len().saturating_sub(reader.at) {
        0 if found == declared => Ok(()),
        0 => Err(ItemError::TagCount { declared, found }),
        more => Err(ItemError::TagsTrailing(more)),
    }
}

/// Encodes tags in one block; no tags give no bytes.
///
/// # Errors
/// If a tag or all of them exceed the limits.
pub fn encode(tags: &[(String, String)]) -> Result<Vec<u8>, ItemError> {
    let mut bytes = Vec::new();
    if tags.is_empty() {
        return Ok(bytes);
    }
    if tags.len() > TAGS_MAX {
        return Err(ItemError::TooManyTags(tags.len() as u64));
    }
    put_length(&mut bytes, tags.len());
    for (name, value) in tags {
        if !(1..=TAG_NAME_BYTES_MAX).contains(&name.len()) {
            return Err(ItemError::TagName(name.len() as u64));
        }
        if !(1..=TAG_VALUE_BYTES_MAX).contains(&value.len()) {
            return Err(ItemError::TagValue(value.len() as u64));
        }
        for text in [name, value] {
            put_length(&mut bytes, text.len());
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    bytes.push(0);
    if bytes.len() > TAG_BYTES_MAX {
        return Err(ItemError::TagsTooLarge(bytes.len() as u64));
    }
    Ok(bytes)
}

/// Appends a length that is not negative: zigzag doubles it.
fn put_length(bytes: &mut Vec<u8>, length: usize) {
    let mut rest = (length as u64) << 1;
    while rest >= 0x80 {
        bytes.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    bytes.push(rest.to_le_bytes()[0]);
}

/// A cursor that only moves forwards.
#[derive(Debug, Clone)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// The head of a block: how many tags it has (0 ends the array), and where it must end if it says so.
    fn block(&mut self) -> Result<(u64, Option<usize>), ItemError> {
        let start = self.at;
        let count = self.varint()?;
        if count >= 0 {
            return Ok((count.unsigned_abs(), None));
        }
        let size = usize::try_from(self.varint()?).map_err(|_| ItemError::TagEncoding(start))?;
        let end = self
            .at
            .checked_add(size)
            .filter(|end| *end <= self.bytes.len());
        Ok((
            count.unsigned_abs(),
            Some(end.ok_or(ItemError::TagEncoding(start))?),
        ))
    }

    /// A zigzag varint of at most ten bytes.
    fn varint(&mut self) -> Result<i64, ItemError> {
        let start = self.at;
        let mut raw = 0_u64;
        for index in 0..10_u32 {
            let byte = *self
                .bytes
                .get(self.at)
                .ok_or(ItemError::TagEncoding(start))?;
            self.at += 1;
            // The tenth byte has room for the 64th bit alone.
            if index == 9 && byte > 1 {
                break;
            }
            raw |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                let half = (raw >> 1).cast_signed();
                return Ok(if raw & 1 == 0 { half } else { !half });
            }
        }
        Err(ItemError::TagEncoding(start))
    }

    /// A text of 1 to `limit` bytes.
    fn text(
        &mut self,
        limit: usize,
        wrong: impl FnOnce(u64) -> ItemError,
    ) -> Result<&'a str, ItemError> {
        let start = self.at;
        let length = self.varint()?;
        let length = usize::try_from(length).map_err(|_| ItemError::TagEncoding(start))?;
        if !(1..=limit).contains(&length) {
            return Err(wrong(length as u64));
        }
        let end = self
            .at
            .checked_add(length)
            .ok_or(ItemError::TagEncoding(start))?;
        let bytes = self
            .bytes
            .get(self.at..end)
            .ok_or(ItemError::TagEncoding(start))?;
        self.at = end;
        std::str::from_utf8(bytes).map_err(|_| ItemError::TagText(start))
    }
}

#[cfg(test)]
mod tests;
