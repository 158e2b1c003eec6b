//! Identities: 32-byte names, one type per kind, so that no two kinds can be swapped.
//!
//! # Rules
//!
//! - `[I-1]` An AO id is 32 bytes, written as 43 characters of unpadded base64url whose unused low
//!   bits are zero. Any other text is refused, so one id has one spelling.
//! - `[I-2]` The id of a data item is the SHA-256 of its signature; the address of an owner is the
//!   SHA-256 of its public key bytes (AO's rule for every key type).
//! - `[I-3]` In canonical CBOR an id is a byte string of 32 bytes; in JSON it is its text.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text or a byte string is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is not 43 characters of unpadded base64url.
    #[error("not an id: expected 43 characters of unpadded base64url")]
    Text,
    /// Its last character stands for more than what is left of 32 bytes (rule I-1).
    #[error("not an id: no id ends with this character: something is mistyped")]
    Spare,
    /// The byte string does not have 32 bytes.
    #[error("not an id: expected 32 bytes, got {0}")]
    Length(usize),
}

/// Encodes bytes as unpadded base64url, the text form that AO uses everywhere.
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes unpadded base64url strictly: no padding, no spare bits, no foreign character.
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Serde for 32 bytes: text where a person reads it, a byte string elsewhere.
struct Bytes32;

impl<'de> Visitor<'de> for Bytes32 {
    type Value = [u8; 32];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("32 bytes or 43 characters of base64url")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<[u8; 32], E> {
        bytes
            .try_into()
            .map_err(|_| E::custom(IdError::Length(bytes.len())))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<[u8; 32], E> {
        decode32(text).map_err(E::custom)
    }
}

fn decode32(text: &str) -> Result<[u8; 32], IdError> {
    if text.len() != 43 {
        return Err(IdError::Text);
    }
    match URL_SAFE_NO_PAD.decode(text) {
        Ok(bytes) => bytes.try_into().map_err(|_| IdError::Text),
        Err(base64::DecodeError::InvalidLastSymbol(..)) => Err(IdError::Spare),
        Err(_) => Err(IdError::Text),
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Names the thing whose 32 bytes these are.
            pub const fn new(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = IdError;
            fn try_from(bytes: &[u8]) -> Result<Self, IdError> {
                bytes.try_into().map(Self).map_err(|_| IdError::Length(bytes.len()))
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                decode32(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&base64url(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_bytes(&self.0)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    deserializer.deserialize_str(Bytes32).map(Self)
                } else {
                    deserializer.deserialize_bytes(Bytes32).map(Self)
                }
            }
        }
    };
}

id! {
    /// The id of any ANS-104 data item, whatever it carries: SHA-256 of its signature.
    ItemId
}
id! {
    /// A process: the id of the data item that spawned it.
    ProcessId
}
id! {
    /// A message of a process' log: the id of its data item.
    MessageId
}
id! {
    /// A scheduler's assignment of a slot: the id of its data item.
    AssignmentId
}
id! {
    /// A WebAssembly module: the id of the data item that carries it.
    ModuleId
}
id! {
    /// The address of a wallet: SHA-256 of its public key.
    Address
}
id! {
    /// A domain-separated SHA3-256 digest.
    Digest
}
id! {
    /// A claim: the digest of its canonical bytes.
    ClaimId
}
id! {
    /// An evidence file: the digest of its canonical bytes.
    EvidenceId
}
id! {
    /// A case: the digest of what its challenge says.
    CaseId
}
id! {
    /// A block of the ledger: the digest of its header.
    BlockId
}
id! {
    /// A Surety network: the digest of its genesis.
    NetworkId
}
id! {
    /// An execution profile: the digest of everything that gives execution its meaning.
    ProfileId
}

macro_rules! names_an_item {
    ($($name:ident),*) => {$(
        impl From<ItemId> for $name {
            fn from(id: ItemId) -> Self {
                Self(id.0)
            }
        }
        impl From<$name> for ItemId {
            fn from(id: $name) -> Self {
                Self(id.0)
            }
        }
    )*};
}
names_an_item!(ProcessId, MessageId, AssignmentId, ModuleId);

macro_rules! is_a_digest {
    ($($name:ident),*) => {$(
        impl From<Digest> for $name {
            fn from(digest: Digest) -> Self {
                Self(digest.0)
            }
        }
    )*};
}
is_a_digest!(ClaimId, EvidenceId, CaseId, BlockId, NetworkId, ProfileId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_one_spelling() {
        let id = ProcessId::new([7; 32]);
        let text = id.to_string();
        assert_eq!(text.parse::<ProcessId>().unwrap(), id);
        // The last character carries two unused bits: setting one must not name the same id.
        let mut other = text.clone();
        other.pop();
        other.push('d');
        assert_eq!(text.chars().last(), Some('c'));
        assert_eq!(other.parse::<ProcessId>(), Err(IdError::Spare));
        assert_eq!(format!("{text}=").parse::<ProcessId>(), Err(IdError::Text));
    }
}
