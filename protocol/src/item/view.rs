//! A data item inside bytes that somebody else holds.

use crate::hash::sha256;
use crate::id::{Address, ItemId, base64url};
use crate::item::{Item, ItemError, SignatureType, Tags, deep_hash, ethereum, tags, verify};
use crate::limits::{ITEM_BYTES_MAX, TAG_BYTES_MAX, TAGS_MAX};

/// Where the fields of an item lie in its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    kind: SignatureType,
    target_at: Option<usize>,
    anchor_at: Option<usize>,
    tag_count: u64,
    tags_at: usize,
    data_at: usize,
}

impl Layout {
    /// Reads the form of an item (rules IT-1 to IT-5).
    pub(crate) fn of(bytes: &[u8]) -> Result<Layout, ItemError> {
        if bytes.len() > ITEM_BYTES_MAX {
            return Err(ItemError::TooLarge {
                bytes: bytes.len(),
                limit: ITEM_BYTES_MAX,
            });
        }
        let mut fields = Fields { bytes, at: 0 };
        let kind = u16::from_le_bytes(fields.array("signature type")?).try_into()?;
        let kind: SignatureType = kind;
        fields.take(kind.signature_bytes(), "signature")?;
        fields.take(kind.owner_bytes(), "owner")?;
        let target_at = fields.optional("target")?;
        let anchor_at = fields.optional("anchor")?;
        let tag_count = u64::from_le_bytes(fields.array("tag count")?);
        let tag_bytes = u64::from_le_bytes(fields.array("tag bytes")?);
        if tag_count > TAGS_MAX as u64 {
            return Err(ItemError::TooManyTags(tag_count));
        }
        let length = usize::try_from(tag_bytes)
            .ok()
            .filter(|length| *length <= TAG_BYTES_MAX)
            .ok_or(ItemError::TagsTooLarge(tag_bytes))?;
        let tags_at = fields.at;
        tags::check(fields.take(length, "tags")?, tag_count)?;
        Ok(Layout {
            kind,
            target_at,
            anchor_at,
            tag_count,
            tags_at,
            data_at: fields.at,
        })
    }
}

/// A well-formed data item that borrows its bytes; its signature has not been checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ItemView<'a> {
    bytes: &'a [u8],
    layout: Layout,
}

impl<'a> ItemView<'a> {
    /// Reads bytes that are exactly one data item.
    ///
    /// # Errors
    /// The rule of the form that the bytes break.
    pub fn parse(bytes: &'a [u8]) -> Result<ItemView<'a>, ItemError> {
        Ok(ItemView {
            bytes,
            layout: Layout::of(bytes)?,
        })
    }

    pub(crate) const fn of_parts(bytes: &'a [u8], layout: Layout) -> ItemView<'a> {
        ItemView { bytes, layout }
    }

    pub(crate) const fn layout(&self) -> Layout {
        self.layout
    }

    /// The item's bytes.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// How it is signed.
    pub const fn signature_type(&self) -> SignatureType {
        self.layout.kind
    }

    /// The signature.
    pub fn signature(&self) -> &'a [u8] {
        self.part(2, self.layout.kind.signature_bytes())
    }

    /// The item's id: SHA-256 of its signature.
    pub fn id(&self) -> ItemId {
        ItemId::new(sha256(&[self.signature()]))
    }

    /// The public key that signed it (for type 7 an Ethereum address in text).
    pub fn owner(&self) -> &'a [u8] {
        self.part(
            2 + self.layout.kind.signature_bytes(),
            self.layout.kind.owner_bytes(),
        )
    }

    /// The owner's address: SHA-256 of its key, for every signature type.
    pub fn owner_address(&self) -> Address {
        Address::new(sha256(&[self.owner()]))
    }

    /// The owner as processes see it in `Owner` and `From`: an Ethereum address for the types 3 and 7,
    /// otherwise the text of [`ItemView::owner_address`].
    pub fn ao_address(&self) -> String {
        ao_address(self.layout.kind, self.owner())
    }

    /// The process or wallet that the item is addressed to.
    pub fn target(&self) -> Option<&'a [u8; 32]> {
        self.part(self.layout.target_at?, 32).try_into().ok()
    }

    /// 32 bytes of the owner's choice.
    pub fn anchor(&self) -> Option<&'a [u8; 32]> {
        self.part(self.layout.anchor_at?, 32).try_into().ok()
    }

    /// The tags as they were signed.
    pub fn tag_bytes(&self) -> &'a [u8] {
        self.bytes
            .get(self.layout.tags_at..self.layout.data_at)
            .unwrap_or_default()
    }

    /// How many tags there are, at most 128.
    pub const fn tag_count(&self) -> u64 {
        self.layout.tag_count
    }

    /// The tags in their order, as `(name, value)`.
    pub fn tags(&self) -> Tags<'a> {
        Tags::of_checked(self.tag_bytes())
    }

    /// The value of the first tag with this name, in this case.
    pub fn tag(&self, name: &str) -> Option<&'a str> {
        self.tags()
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }

    /// What the item carries.
    pub fn data(&self) -> &'a [u8] {
        self.bytes.get(self.layout.data_at..).unwrap_or_default()
    }

    /// The deep hash that the owner signs (rule IT-6).
    pub fn signing_digest(&self) -> [u8; 48] {
        deep_hash::of_list(&[
            b"dataitem",
            b"1",
            self.layout.kind.text(),
            self.owner(),
            self.target().map_or(&[], |target| &target[..]),
            self.anchor().map_or(&[], |anchor| &anchor[..]),
            self.tag_bytes(),
            self.data(),
        ])
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`ItemError::SignatureInvalid`], [`ItemError::Owner`] or [`ItemError::SignatureTypeUnsupported`].
    pub fn verify(&self) -> Result<(), ItemError> {
        verify::verify(self)
    }

    /// A copy that owns its bytes.
    pub fn to_item(&self) -> Item {
        Item::of_view(self)
    }

    fn part(&self, at: usize, length: usize) -> &'a [u8] {
        self.bytes
            .get(at..at.saturating_add(length))
            .unwrap_or_default()
    }
}

impl std::fmt::Debug for ItemView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ItemView({}, {} bytes)", self.id(), self.bytes.len())
    }
}

/// The owner's address as AO shows it to processes.
pub(crate) fn ao_address(kind: SignatureType, owner: &[u8]) -> String {
    let account = match kind {
        SignatureType::Ethereum => ethereum::account_of(owner),
        SignatureType::TypedEthereum => ethereum::parse_account(owner),
        _ => None,
    };
    account.map_or_else(
        || base64url(&sha256(&[owner])),
        |account| ethereum::checksummed(&account),
    )
}

/// A cursor over the fixed fields.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize, field: &'static str) -> Result<&'a [u8], ItemError> {
        let end = self
            .at
            .checked_add(length)
            .ok_or(ItemError::Truncated(field))?;
        let part = self
            .bytes
            .get(self.at..end)
            .ok_or(ItemError::Truncated(field))?;
        self.at = end;
        Ok(part)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], ItemError> {
        self.take(N, field)?
            .try_into()
            .map_err(|_| ItemError::Truncated(field))
    }

    /// A presence byte and, if it is 1, where the 32 bytes after it start.
    fn optional(&mut self, field: &'static str) -> Result<Option<usize>, ItemError> {
        match self.array(field)? {
            [0] => Ok(None),
            [1] => {
                let at = self.at;
                self.take(32, field)?;
                Ok(Some(at))
            }
            [byte] => Err(ItemError::Presence { field, byte }),
        }
    }
}
