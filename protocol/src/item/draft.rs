//! An item before it is signed.

use crate::item::{ItemError, SignatureType, deep_hash, encode_tags};
use crate::limits::ITEM_BYTES_MAX;

/// Bytes of everything but tags and data: with the longest signature and owner that are made here.
const HEAD_BYTES_MAX: usize = 2048;

/// What an owner signs as a data item.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ItemDraft {
    /// The process or wallet that it is addressed to.
    pub target: Option<[u8; 32]>,
    /// 32 bytes of the owner's choice. Ed25519 and secp256k1 sign the same item with the same bytes, so two
    /// equal messages need different anchors to have different ids.
    pub anchor: Option<[u8; 32]>,
    /// Names and values, in order.
    pub tags: Vec<(String, String)>,
    /// What it carries.
    pub data: Vec<u8>,
}

impl ItemDraft {
    /// Addresses it.
    #[must_use]
    pub fn to(mut self, target: impl Into<[u8; 32]>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Sets the anchor.
    #[must_use]
    pub fn anchored(mut self, anchor: [u8; 32]) -> Self {
        self.anchor = Some(anchor);
        self
    }

    /// Appends a tag.
    #[must_use]
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push((name.into(), value.into()));
        self
    }

    /// Sets the data.
    #[must_use]
    pub fn carrying(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// Whether an item can be made of it.
    ///
    /// # Errors
    /// The limit that it exceeds (rules IT-2 and IT-5).
    pub fn check(&self) -> Result<(), ItemError> {
        let tags = encode_tags(&self.tags)?;
        let bytes = self
            .data
            .len()
            .saturating_add(tags.len())
            .saturating_add(HEAD_BYTES_MAX);
        if bytes > ITEM_BYTES_MAX {
            return Err(ItemError::TooLarge {
                bytes,
                limit: ITEM_BYTES_MAX,
            });
        }
        Ok(())
    }

    /// The bytes of the item: `sign` gets the deep hash and gives the signature.
    pub(crate) fn assemble(
        &self,
        kind: SignatureType,
        owner: &[u8],
        sign: impl FnOnce(&[u8; 48]) -> Result<Vec<u8>, ItemError>,
    ) -> Result<Vec<u8>, ItemError> {
        let tags = encode_tags(&self.tags)?;
        let target = self.target.as_ref().map_or(&[][..], |target| target);
        let anchor = self.anchor.as_ref().map_or(&[][..], |anchor| anchor);
        let signature = sign(&deep_hash::of_list(&[
            b"dataitem",
            b"1",
            kind.text(),
            owner,
            target,
            anchor,
            &tags,
            &self.data,
        ]))?;
        let mut bytes = Vec::with_capacity(
            signature.len() + owner.len() + target.len() + tags.len() + self.data.len() + 64,
        );
        bytes.extend_from_slice(&kind.code().to_le_bytes());
        bytes.extend_from_slice(&signature);
        bytes.extend_from_slice(owner);
        for field in [target, anchor] {
            bytes.push(u8::from(!field.is_empty()));
            bytes.extend_from_slice(field);
        }
        bytes.extend_from_slice(&(self.tags.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&(tags.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&tags);
        bytes.extend_from_slice(&self.data);
        Ok(bytes)
    }
}
