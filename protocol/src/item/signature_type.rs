//! The signature types of ANS-104 and how long their keys and signatures are.

use crate::item::ItemError;

/// How a data item is signed, the first field of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignatureType {
    /// RSA-4096, PSS with SHA-256: an Arweave wallet.
    Arweave,
    /// Ed25519 over the deep hash.
    Ed25519,
    /// secp256k1 over the deep hash as an Ethereum personal message.
    Ethereum,
    /// Ed25519 over the hexadecimal text of the deep hash: a Solana wallet.
    Solana,
    /// An Aptos wallet in a browser; not verified here.
    InjectedAptos,
    /// Several Aptos keys; not verified here.
    MultiAptos,
    /// secp256k1 over the deep hash as Ethereum typed data; the owner is an address in text.
    TypedEthereum,
}

impl SignatureType {
    /// The number in the item's bytes.
    pub const fn code(self) -> u16 {
        match self {
            SignatureType::Arweave => 1,
            SignatureType::Ed25519 => 2,
            SignatureType::Ethereum => 3,
            SignatureType::Solana => 4,
            SignatureType::InjectedAptos => 5,
            SignatureType::MultiAptos => 6,
            SignatureType::TypedEthereum => 7,
        }
    }

    /// The number as the text that is signed with the item.
    pub(crate) const fn text(self) -> &'static [u8] {
        match self {
            SignatureType::Arweave => b"1",
            SignatureType::Ed25519 => b"2",
            SignatureType::Ethereum => b"3",
            SignatureType::Solana => b"4",
            SignatureType::InjectedAptos => b"5",
            SignatureType::MultiAptos => b"6",
            SignatureType::TypedEthereum => b"7",
        }
    }

    /// Bytes of a signature.
    pub const fn signature_bytes(self) -> usize {
        match self {
            SignatureType::Arweave => 512,
            SignatureType::Ed25519 | SignatureType::Solana | SignatureType::InjectedAptos => 64,
            SignatureType::Ethereum | SignatureType::TypedEthereum => 65,
            // 32 signatures and a bitmap of who signed.
            SignatureType::MultiAptos => 32 * 64 + 4,
        }
    }

    /// Bytes of an owner.
    pub const fn owner_bytes(self) -> usize {
        match self {
            SignatureType::Arweave => 512,
            SignatureType::Ed25519 | SignatureType::Solana | SignatureType::InjectedAptos => 32,
            SignatureType::Ethereum => 65,
            // 32 keys and the threshold.
            SignatureType::MultiAptos => 32 * 32 + 1,
            // "0x" and 40 hexadecimal digits.
            SignatureType::TypedEthereum => 42,
        }
    }
}

impl TryFrom<u16> for SignatureType {
    type Error = ItemError;

    fn try_from(code: u16) -> Result<Self, ItemError> {
        Ok(match code {
            1 => SignatureType::Arweave,
            2 => SignatureType::Ed25519,
            3 => SignatureType::Ethereum,
            4 => SignatureType::Solana,
            5 => SignatureType::InjectedAptos,
            6 => SignatureType::MultiAptos,
            7 => SignatureType::TypedEthereum,
            _ => return Err(ItemError::SignatureTypeUnknown(code)),
        })
    }
}
