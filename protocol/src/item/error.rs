//! What can be wrong with a data item or a bundle, each with a code that never changes.

use crate::id::ItemId;
use crate::item::SignatureType;

/// Why bytes are not a data item or a bundle, or why an item is not authentic.
///
/// ## Penalty
/// The sender's fault in every case: nobody honest passes on bytes that do not parse or verify. The
/// owner that the bytes name is never to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ItemError {
    /// More bytes than an item may have.
    #[error("item of {bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Bytes that came.
        bytes: usize,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// The bytes end inside a field.
    #[error("item ends inside its {0}")]
    Truncated(&'static str),
    /// The signature type is not one of ANS-104's.
    #[error("unknown signature type {0}")]
    SignatureTypeUnknown(u16),
    /// A presence byte is neither 0 nor 1.
    #[error("presence byte of the {field} is {byte}, not 0 or 1")]
    Presence {
        /// The optional field.
        field: &'static str,
        /// The byte.
        byte: u8,
    },
    /// More tags than allowed.
    #[error("{0} tags, more than the limit")]
    TooManyTags(u64),
    /// More tag bytes than allowed.
    #[error("{0} bytes of tags, more than the limit")]
    TagsTooLarge(u64),
    /// The header and the tag bytes disagree on how many tags there are.
    #[error("{declared} tags declared, {found} found")]
    TagCount {
        /// Tags in the header.
        declared: u64,
        /// Tags in the bytes.
        found: u64,
    },
    /// The tag bytes are not an Avro array of pairs.
    #[error("tags are not encoded as Avro at byte {0} of them")]
    TagEncoding(usize),
    /// Bytes follow the end of the tags.
    #[error("{0} bytes after the last tag")]
    TagsTrailing(usize),
    /// A tag's name is empty or too long.
    #[error("tag name of {0} bytes")]
    TagName(u64),
    /// A tag's value is empty or too long.
    #[error("tag value of {0} bytes")]
    TagValue(u64),
    /// A tag is not UTF-8.
    #[error("tag at byte {0} of the tags is not UTF-8")]
    TagText(usize),
    /// A known signature type that is not verified here.
    #[error("Unsupported signature type {}", .0.code())]
    SignatureTypeUnsupported(SignatureType),
    /// The owner is not a public key or address of its type.
    #[error("owner is not a key of its signature type")]
    Owner,
    /// The signature is not the owner's over these fields.
    #[error("signature does not verify")]
    SignatureInvalid,
    /// The key could not sign.
    #[error("the key could not sign")]
    Signing,
    /// The bundle ends inside its header or an item.
    #[error("bundle is truncated")]
    BundleTruncated,
    /// Bytes follow the bundle's last item.
    #[error("{0} bytes after the bundle's last item")]
    BundleTrailing(usize),
    /// An item of the bundle is not well-formed.
    #[error("item {index} of the bundle: {source}")]
    BundleItem {
        /// Its position, from 0.
        index: usize,
        /// What is wrong with it.
        source: Box<ItemError>,
    },
    /// The bundle's header names another item than follows.
    #[error("item {index} of the bundle is {found}, not {declared}")]
    BundleId {
        /// Its position, from 0.
        index: usize,
        /// The id in the header.
        declared: ItemId,
        /// The id of the item.
        found: ItemId,
    },
    /// Bundles inside bundles beyond the limit.
    #[error("bundles are nested too deeply")]
    BundleDepth,
}

impl ItemError {
    /// The stable name of the fault, for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            ItemError::TooLarge { .. } => "item-too-large",
            ItemError::Truncated(_) => "item-truncated",
            ItemError::SignatureTypeUnknown(_) => "item-signature-type-unknown",
            ItemError::Presence { .. } => "item-presence",
            ItemError::TooManyTags(_) => "item-too-many-tags",
            ItemError::TagsTooLarge(_) => "item-tags-too-large",
            ItemError::TagCount { .. } => "item-tag-count",
            ItemError::TagEncoding(_) => "item-tag-encoding",
            ItemError::TagsTrailing(_) => "item-tags-trailing",
            ItemError::TagName(_) => "item-tag-name",
            ItemError::TagValue(_) => "item-tag-value",
            ItemError::TagText(_) => "item-tag-text",
            ItemError::SignatureTypeUnsupported(_) => "item-signature-type-unsupported",
            ItemError::Owner => "item-owner",
            ItemError::SignatureInvalid => "item-signature-invalid",
            ItemError::Signing => "item-signing",
            ItemError::BundleTruncated => "bundle-truncated",
            ItemError::BundleTrailing(_) => "bundle-trailing",
            ItemError::BundleItem { .. } => "bundle-item",
            ItemError::BundleId { .. } => "bundle-id",
            ItemError::BundleDepth => "bundle-depth",
        }
    }
}
