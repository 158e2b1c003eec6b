//! What a secret key is called in public.

use libp2p::identity::Keypair;
use surety_protocol::bls;
use surety_protocol::id::base64url;
use surety_protocol::item::{ItemKey, RsaComponents};
use zeroize::Zeroizing;

use super::{KeyError, KeyKind, Secret};

/// The public name of a key: the address of its owner for kinds that sign data items, the public
/// key in base64url for BLS, the peer id for the network.
///
/// # Errors
/// The bytes are not a key of this kind.
pub fn public_text(kind: KeyKind, secret: &Secret) -> Result<String, KeyError> {
    match kind {
        KeyKind::Bls => Ok(base64url(&bls_public(secret)?)),
        KeyKind::Ed25519 | KeyKind::Secp256k1 | KeyKind::Rsa => {
            Ok(item_key(kind, secret)?.address().to_string())
        }
        KeyKind::Network => {
            let pair = Keypair::ed25519_from_bytes(seed(kind, secret)?.as_mut_slice())
                .map_err(|_| KeyError::Secret(kind))?;
            Ok(pair.public().to_peer_id().to_string())
        }
    }
}

/// The key with which data items are signed.
///
/// # Errors
/// The kind signs other things, or the bytes are not a key of this kind.
pub fn item_key(kind: KeyKind, secret: &Secret) -> Result<ItemKey, KeyError> {
    let wrong = |_| KeyError::Secret(kind);
    match kind {
        KeyKind::Ed25519 => Ok(ItemKey::ed25519(&*seed(kind, secret)?)),
        KeyKind::Secp256k1 => ItemKey::ethereum(&*seed(kind, secret)?).map_err(wrong),
        KeyKind::Rsa => {
            let numbers: RsaComponents =
                serde_json::from_slice(secret.expose()).map_err(|_| KeyError::Secret(kind))?;
            ItemKey::rsa(&numbers).map_err(wrong)
        }
        KeyKind::Bls | KeyKind::Network => Err(KeyError::NotForItems(kind)),
    }
}

/// What EIP-2335 calls `pubkey`, which only BLS keys have.
pub(super) fn ethereum_pubkey(kind: KeyKind, secret: &Secret) -> Result<Option<Vec<u8>>, KeyError> {
    match kind {
        KeyKind::Bls => bls_public(secret).map(Some),
        _ => Ok(None),
    }
}

fn bls_public(secret: &Secret) -> Result<Vec<u8>, KeyError> {
    let key = bls::SecretKey::from_bytes(&*seed(KeyKind::Bls, secret)?)
        .map_err(|_| KeyError::Secret(KeyKind::Bls))?;
    Ok(key.public_key().as_bytes().to_vec())
}

fn seed(kind: KeyKind, secret: &Secret) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let bytes = <[u8; 32]>::try_from(secret.expose()).map_err(|_| KeyError::Secret(kind))?;
    Ok(Zeroizing::new(bytes))
}
