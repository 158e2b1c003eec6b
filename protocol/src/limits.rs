//! How large things from outside may be: one named bound each, with its reason.
//!
//! # Rules
//!
//! - `[LI-1]` A bound is checked before anything is allocated or looped over on the word of a stranger.

/// Bytes of one data item: AO's units take 10 MiB in a request, and a scheduler wraps such a message
/// and its assignment in one more item, for which 64 KiB leave room.
pub const ITEM_BYTES_MAX: usize = 10 * 1024 * 1024 + 64 * 1024;

/// Tags of one data item, as ANS-104 says.
pub const TAGS_MAX: usize = 128;

/// Bytes of one item's encoded tags: what the common libraries write and read.
pub const TAG_BYTES_MAX: usize = 4096;

/// Bytes of a tag's name, as ANS-104 says.
pub const TAG_NAME_BYTES_MAX: usize = 1024;

/// Bytes of a tag's value. ANS-104 says 3072, but the libraries that sign AO's messages bound only all
/// tags together, and a message that AO takes must not stop here.
pub const TAG_VALUE_BYTES_MAX: usize = TAG_BYTES_MAX;

/// Bundles inside bundles: every level is hashed again with the item that holds it, so the work for
/// one file is at most this many times its size.
pub const BUNDLE_DEPTH_MAX: usize = 8;
