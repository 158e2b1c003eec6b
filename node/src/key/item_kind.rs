//! Which kind of key a node signs its data items with.

use std::fmt;
use std::str::FromStr;

use super::{KeyError, KeyKind};

/// A kind of key that signs data items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ItemKeyKind {
    /// [`KeyKind::Ed25519`]: small and quick, the choice unless something else is said.
    #[default]
    Ed25519,
    /// [`KeyKind::Secp256k1`]
    Secp256k1,
    /// [`KeyKind::Rsa`]: what the network of Arweave signs with.
    Rsa,
}

impl From<ItemKeyKind> for KeyKind {
    fn from(kind: ItemKeyKind) -> KeyKind {
        match kind {
            ItemKeyKind::Ed25519 => KeyKind::Ed25519,
            ItemKeyKind::Secp256k1 => KeyKind::Secp256k1,
            ItemKeyKind::Rsa => KeyKind::Rsa,
        }
    }
}

impl fmt::Display for ItemKeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        KeyKind::from(*self).fmt(f)
    }
}

impl FromStr for ItemKeyKind {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        match text.parse() {
            Ok(KeyKind::Ed25519) => Ok(Self::Ed25519),
            Ok(KeyKind::Secp256k1) => Ok(Self::Secp256k1),
            Ok(KeyKind::Rsa) => Ok(Self::Rsa),
            Ok(kind @ (KeyKind::Bls | KeyKind::Network)) => Err(KeyError::NotForItems(kind)),
            Err(_) => Err(KeyError::ItemKind(text.to_owned())),
        }
    }
}
