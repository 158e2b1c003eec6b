//! ANS-104 data items: every message, process, module and assignment of AO is one.
//!
//! Bytes climb a ladder: [`ItemView::parse`] or [`Item::parse`] make them well-formed,
//! [`Item::authenticate`] makes them [`Authentic`]. Item and signature keep the very bytes that came.
//!
//! # Rules
//!
//! - `[IT-1]` An item is, little-endian: signature type (2 bytes), signature, owner, a presence byte (0 or 1)
//!   and 32 bytes of target, the same for the anchor, the number of tags (8), the number of tag bytes (8), the tags, and
//!   the data to the end. The types and lengths are those of [`SignatureType`].
//! - `[IT-2]` An item has at most 10 MiB and 64 KiB.
//! - `[IT-3]` The id is the SHA-256 of the signature, the owner's address the SHA-256 of the owner, whatever
//!   the type. Processes see the owners of types 3 and 7 as Ethereum addresses with their checksum.
//! - `[IT-4]` Tags are an Avro array of pairs of texts: blocks of a zigzag varint (at most 10 bytes) and as many
//!   pairs, ended by 0. A negative count is followed by the block's size in bytes, which must be
//!   right. No tags are no bytes, or the array that is only ended. Tags found and bytes read are those declared.
//! - `[IT-5]` There are at most 128 tags in at most 4096 bytes; a name has 1 to 1024 bytes, a value at least
//!   1 and no bound of its own (ANS-104's is 3072, which clients do not keep); both are UTF-8. Names may
//!   repeat and keep their order.
//! - `[IT-6]` The owner signs the deep hash (SHA-384) of `["dataitem", "1", type in decimal, owner, target, anchor,
//!   tag bytes, data]`.
//! - `[IT-7]` Type 1: RSA-PSS with SHA-256 over the deep hash, 4096 bits without a leading zero byte, exponent
//!   65537; the salt has 32 bytes, none, or as many as fit. Others are refused, so that all nodes agree.
//! - `[IT-8]` Types 2 and 4: Ed25519 without small-order points and with one spelling, over the deep hash
//!   (2) or its hexadecimal text in lower case (4).
//! - `[IT-9]` Types 3 and 7: secp256k1 with the lower `s` and a recovery byte of 27 or 28. Type 3 signs the deep hash
//!   as a personal message (EIP-191), its owner is the uncompressed key. Type 7 signs typed data (EIP-712) of domain
//!   `Bundlr`, version `1`, its owner is an address in text, of one case or with its checksum.
//! - `[IT-10]` Types 5 and 6 are well-formed but never authentic: nothing here verifies them.

pub mod deep_hash;
mod draft;
#[cfg(not(feature = "ideal-signatures"))]
mod ed25519;
#[cfg(feature = "ideal-signatures")]
#[path = "item/ideal.rs"]
mod ed25519;
mod error;
mod ethereum;
mod key;
mod rsa_key;
mod signature_type;
mod tags;
mod verify;
mod view;
mod wire;

use std::fmt;
use std::sync::Arc;

pub use draft::ItemDraft;
pub use error::ItemError;
pub use key::{ItemKey, KeyError};
pub use rsa_key::RsaComponents;
pub use signature_type::SignatureType;
pub use tags::{Tags, encode as encode_tags};
pub use view::ItemView;

use crate::id::{Address, ItemId};
use crate::verified::Authentic;
use view::Layout;

/// A well-formed data item with its original bytes; its signature has not been checked. Cheap to clone.
#[derive(Clone)]
pub struct Item {
    bytes: Arc<[u8]>,
    layout: Layout,
    id: ItemId,
}

impl Item {
    /// Reads bytes that are exactly one data item.
    ///
    /// # Errors
    /// The rule of the form that the bytes break.
    pub fn parse(bytes: impl Into<Arc<[u8]>>) -> Result<Item, ItemError> {
        let bytes = bytes.into();
        let view = ItemView::parse(&bytes)?;
        let (layout, id) = (view.layout(), view.id());
        Ok(Item { bytes, layout, id })
    }

    fn of_view(view: &ItemView<'_>) -> Item {
        Item {
            bytes: view.bytes().into(),
            layout: view.layout(),
            id: view.id(),
        }
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`ItemError::SignatureInvalid`], [`ItemError::Owner`] or [`ItemError::SignatureTypeUnsupported`].
    pub fn authenticate(self) -> Result<Authentic<Item>, ItemError> {
        self.view().verify()?;
        Ok(Authentic::new(self))
    }

    /// The item as a view of its bytes.
    pub fn view(&self) -> ItemView<'_> {
        ItemView::of_parts(&self.bytes, self.layout)
    }

    /// The bytes that came.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes that came, shared.
    pub fn shared_bytes(&self) -> Arc<[u8]> {
        Arc::clone(&self.bytes)
    }

    /// The item's id.
    pub const fn id(&self) -> ItemId {
        self.id
    }

    /// How it is signed.
    pub fn signature_type(&self) -> SignatureType {
        self.view().signature_type()
    }

    /// The signature.
    pub fn signature(&self) -> &[u8] {
        self.view().signature()
    }

    /// The public key that signed it (for type 7 an Ethereum address in text).
    pub fn owner(&self) -> &[u8] {
        self.view().owner()
    }

    /// The owner's address: SHA-256 of its key.
    pub fn owner_address(&self) -> Address {
        self.view().owner_address()
    }

    /// The owner as processes see it in `Owner` and `From`.
    pub fn ao_address(&self) -> String {
        self.view().ao_address()
    }

    /// The process or wallet that the item is addressed to.
    pub fn target(&self) -> Option<&[u8; 32]> {
        self.view().target()
    }

    /// 32 bytes of the owner's choice.
    pub fn anchor(&self) -> Option<&[u8; 32]> {
        self.view().anchor()
    }

    /// The tags in their order, as `(name, value)`.
    pub fn tags(&self) -> Tags<'_> {
        self.view().tags()
    }

    /// The value of the first tag with this name, in this case.
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.view().tag(name)
    }

    /// What the item carries.
    pub fn data(&self) -> &[u8] {
        self.view().data()
    }

    /// The deep hash that the owner signs (rule IT-6): equal for two items that say the same, though an
    /// RSA key signs it differently each time.
    pub fn signing_digest(&self) -> [u8; 48] {
        self.view().signing_digest()
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Item) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Item {}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Item({}, {} bytes)", self.id, self.bytes.len())
    }
}

#[cfg(test)]
mod tests;
