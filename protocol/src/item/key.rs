//! Keys that sign data items.

use k256::ecdsa::SigningKey as EthereumSecret;
use zeroize::Zeroizing;

use crate::id::Address;
use crate::item::rsa_key::RsaKey;
use crate::item::view::ao_address;
use crate::item::{Item, ItemDraft, ItemError, RsaComponents, SignatureType, ed25519, ethereum};
use crate::verified::Authentic;

/// Why a secret is not a key that signs items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The RSA modulus does not have 4096 bits.
    #[error("RSA modulus of {0} bytes: data items need 512")]
    RsaSize(usize),
    /// The RSA public exponent is not 65537.
    #[error("RSA public exponent is not 65537")]
    RsaExponent,
    /// The RSA numbers do not belong together.
    #[error("RSA key is inconsistent")]
    RsaInconsistent,
    /// The bytes are not an RSA private key in DER.
    #[error("not an RSA private key in PKCS#8 or PKCS#1")]
    RsaEncoding,
    /// The bytes are not a secp256k1 secret.
    #[error("not a secp256k1 secret key")]
    Secp256k1,
}

/// A key that signs data items. It is wiped when it is dropped, and nothing prints it.
pub struct ItemKey {
    secret: Secret,
    owner: Vec<u8>,
}

enum Secret {
    Rsa(RsaKey),
    Ed25519(ed25519_dalek::SigningKey),
    Ethereum(EthereumSecret),
}

impl ItemKey {
    /// An Arweave wallet: RSA with 4096 bits. Its signatures carry a random salt of 32 bytes: that, and a new key's numbers, are
    /// the only things in this crate that the operating system's randomness enters.
    ///
    /// # Errors
    /// If the numbers are not such a key.
    pub fn rsa(components: &RsaComponents) -> Result<ItemKey, KeyError> {
        let key = RsaKey::new(components)?;
        Ok(ItemKey {
            owner: components.n.clone(),
            secret: Secret::Rsa(key),
        })
    }

    /// An Ed25519 key from its seed.
    pub fn ed25519(seed: &[u8; 32]) -> ItemKey {
        let key = ed25519_dalek::SigningKey::from_bytes(seed);
        ItemKey {
            owner: key.verifying_key().to_bytes().to_vec(),
            secret: Secret::Ed25519(key),
        }
    }

    /// An Ethereum wallet: a secp256k1 key that signs personal messages.
    ///
    /// # Errors
    /// If the bytes are zero or not below the order of the curve.
    pub fn ethereum(secret: &[u8; 32]) -> Result<ItemKey, KeyError> {
        let key = EthereumSecret::from_slice(secret).map_err(|_| KeyError::Secp256k1)?;
        let owner = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
        Ok(ItemKey {
            owner,
            secret: Secret::Ethereum(key),
        })
    }

    /// How it signs.
    pub const fn signature_type(&self) -> SignatureType {
        match self.secret {
            Secret::Rsa(_) => SignatureType::Arweave,
            Secret::Ed25519(_) => SignatureType::Ed25519,
            Secret::Ethereum(_) => SignatureType::Ethereum,
        }
    }

    /// The public key, as items carry it.
    pub fn owner(&self) -> &[u8] {
        &self.owner
    }

    /// The address: SHA-256 of the public key.
    pub fn address(&self) -> Address {
        Address::new(crate::hash::sha256(&[&self.owner]))
    }

    /// The address as processes see it.
    pub fn ao_address(&self) -> String {
        ao_address(self.signature_type(), &self.owner)
    }

    /// Signs an item.
    ///
    /// # Errors
    /// If the draft exceeds the limits of an item, or the key cannot sign.
    pub fn sign_item(&self, draft: &ItemDraft) -> Result<Authentic<Item>, ItemError> {
        let sign = |hash: &[u8; 48]| match &self.secret {
            Secret::Rsa(key) => key.sign(hash).ok_or(ItemError::Signing),
            Secret::Ed25519(key) => Ok(ed25519::sign(key, hash).to_vec()),
            Secret::Ethereum(key) => {
                ethereum::sign(key, &ethereum::personal_digest(hash)).ok_or(ItemError::Signing)
            }
        };
        let bytes = draft.assemble(self.signature_type(), &self.owner, sign)?;
        Ok(Authentic::new(Item::parse(bytes)?))
    }

    /// The 32 secret bytes of an Ed25519 or Ethereum key, to store them encrypted.
    pub fn secret_bytes(&self) -> Option<Zeroizing<[u8; 32]>> {
        match &self.secret {
            Secret::Rsa(_) => None,
            Secret::Ed25519(key) => Some(Zeroizing::new(key.to_bytes())),
            Secret::Ethereum(key) => Some(Zeroizing::new(key.to_bytes().into())),
        }
    }
}
