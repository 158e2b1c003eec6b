//! Ed25519 for items, strictly.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use super::ItemError;

/// The key's signature.
pub(super) fn sign(key: &SigningKey, message: &[u8]) -> [u8; 64] {
    key.sign(message).to_bytes()
}

/// Whether an owner signed a message; an error if the owner is no key or the signature has another length.
pub(super) fn verify(owner: &[u8], message: &[u8], signature: &[u8]) -> Result<bool, ItemError> {
    let owner: &[u8; 32] = owner.try_into().map_err(|_| ItemError::Owner)?;
    let key = VerifyingKey::from_bytes(owner).map_err(|_| ItemError::Owner)?;
    let signature = Signature::from_slice(signature).map_err(|_| ItemError::SignatureInvalid)?;
    Ok(key.verify_strict(message, &signature).is_ok())
}
