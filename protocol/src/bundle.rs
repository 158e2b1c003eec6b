//! ANS-104 bundles: several data items in one byte string, which may be the data of another item.
//!
//! # Rules
//!
//! - `[BU-1]` A bundle is the number of its items, then for each its size and its id, then the items. Numbers
//!   have 32 bytes, little-endian; nothing follows the last item.
//! - `[BU-2]` Every item is well-formed and has the id that the header gives it.
//! - `[BU-3]` An item with the tags `Bundle-Format: binary` and `Bundle-Version: 2.0.0` carries a bundle; such
//!   bundles nest at most 8 deep.

use crate::item::{Item, ItemDraft, ItemError, ItemView};
use crate::limits::BUNDLE_DEPTH_MAX;

/// The tags of an item that carries a bundle.
pub const BUNDLE_TAGS: [(&str, &str); 2] =
    [("Bundle-Format", "binary"), ("Bundle-Version", "2.0.0")];

/// Bytes of the count, and of a size.
const NUMBER: usize = 32;
/// Bytes of the header for each item: size and id.
const ENTRY: usize = NUMBER + 32;

/// An item of a bundle, with how many bundles lie around it: 0 for the items of the outermost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nested<'a> {
    /// Bundles between the outermost and the item.
    pub depth: usize,
    /// The item.
    pub item: ItemView<'a>,
}

/// Reads a bundle into its items; their signatures are not checked, nor what they carry.
///
/// # Errors
/// The rule that the bytes break.
pub fn parse(bytes: &[u8]) -> Result<Vec<ItemView<'_>>, ItemError> {
    let (count, rest) = number(bytes)?;
    // The header must be there before anything is made as large as it says.
    let header = count.checked_mul(ENTRY).ok_or(ItemError::BundleTruncated)?;
    let (header, mut rest) = rest
        .split_at_checked(header)
        .ok_or(ItemError::BundleTruncated)?;
    let mut items = Vec::new();
    for (index, entry) in header.chunks_exact(ENTRY).enumerate() {
        let (size, id) = number(entry)?;
        let (bytes, after) = rest
            .split_at_checked(size)
            .ok_or(ItemError::BundleTruncated)?;
        rest = after;
        let item = ItemView::parse(bytes).map_err(|source| ItemError::BundleItem {
            index,
            source: Box::new(source),
        })?;
        let declared = id.try_into().map_err(|_| ItemError::BundleTruncated)?;
        let found = item.id();
        if found != declared {
            return Err(ItemError::BundleId {
                index,
                declared,
                found,
            });
        }
        items.push(item);
    }
    match rest.len() {
        0 => Ok(items),
        more => Err(ItemError::BundleTrailing(more)),
    }
}

/// Whether the item says that it carries a bundle (rule BU-3).
pub fn carries(item: &ItemView<'_>) -> bool {
    BUNDLE_TAGS
        .into_iter()
        .all(|(name, value)| item.tag(name) == Some(value))
}

/// Every item of a bundle, each followed by those of the bundle that it carries.
///
/// # Errors
/// The rule that any of the bundles breaks.
pub fn flatten(bytes: &[u8]) -> Result<Vec<Nested<'_>>, ItemError> {
    let mut found = Vec::new();
    let of = |bytes, depth| {
        parse(bytes).map(|items| {
            items
                .into_iter()
                .rev()
                .map(move |item| Nested { depth, item })
        })
    };
    let mut open: Vec<Nested<'_>> = of(bytes, 0)?.collect();
    while let Some(nested) = open.pop() {
        if carries(&nested.item) {
            let depth = nested.depth + 1;
            if depth >= BUNDLE_DEPTH_MAX {
                return Err(ItemError::BundleDepth);
            }
            open.extend(of(nested.item.data(), depth)?);
        }
        found.push(nested);
    }
    Ok(found)
}

/// Writes items as a bundle.
pub fn write<'a>(items: impl IntoIterator<Item = &'a Item>) -> Vec<u8> {
    let items: Vec<&Item> = items.into_iter().collect();
    let mut bytes = Vec::new();
    put_number(&mut bytes, items.len());
    for item in &items {
        put_number(&mut bytes, item.bytes().len());
        bytes.extend_from_slice(item.id().as_bytes());
    }
    for item in &items {
        bytes.extend_from_slice(item.bytes());
    }
    bytes
}

/// The draft of an item that carries these items, as a scheduler publishes an assignment and its message.
pub fn draft<'a>(items: impl IntoIterator<Item = &'a Item>) -> ItemDraft {
    BUNDLE_TAGS
        .into_iter()
        .fold(ItemDraft::default(), |draft, (name, value)| {
            draft.tag(name, value)
        })
        .carrying(write(items))
}

/// A number that fits this machine, and the bytes after it. One that does not fit is longer than any
/// bytes that could follow.
fn number(bytes: &[u8]) -> Result<(usize, &[u8]), ItemError> {
    let (digits, rest) = bytes
        .split_at_checked(NUMBER)
        .ok_or(ItemError::BundleTruncated)?;
    let (low, high) = digits
        .split_at_checked(8)
        .ok_or(ItemError::BundleTruncated)?;
    if high.iter().any(|digit| *digit != 0) {
        return Err(ItemError::BundleTruncated);
    }
    let low: [u8; 8] = low.try_into().map_err(|_| ItemError::BundleTruncated)?;
    let value = usize::try_from(u64::from_le_bytes(low)).map_err(|_| ItemError::BundleTruncated)?;
    Ok((value, rest))
}

fn put_number(bytes: &mut Vec<u8>, value: usize) {
    bytes.extend_from_slice(&(value as u64).to_le_bytes());
    bytes.extend_from_slice(&[0; NUMBER - 8]);
}

#[cfg(test)]
mod tests;
