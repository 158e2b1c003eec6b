//! Secret keys from seeds: the master key of EIP-2333.

use zeroize::{Zeroize as _, Zeroizing};

use super::{BlsError, SecretKey, curve};
use crate::hash::sha256;

/// Bytes that are reduced to a scalar: enough for the bias to be negligible.
const WIDE: usize = 48;

impl SecretKey {
    /// Derives the master key of a seed of at least 32 secret bytes, as EIP-2333 does.
    ///
    /// # Errors
    /// [`BlsError::Seed`] if the seed is too short.
    pub fn derive_from_seed(seed: &[u8]) -> Result<Self, BlsError> {
        if seed.len() < 32 {
            return Err(BlsError::Seed(seed.len()));
        }
        let mut salt = sha256(&[b"BLS-SIG-KEYGEN-SALT-"]);
        loop {
            // HKDF extract, then expand to 48 bytes with the length as info.
            let extracted = hmac(&salt, &[seed, &[0]]);
            let first = hmac(&extracted, &[&[0, 48, 1]]);
            let second = hmac(&extracted, &[first.as_slice(), &[0, 48, 2]]);
            let mut wide = Zeroizing::new([0_u8; WIDE]);
            let bytes = first.iter().chain(second.iter());
            for (place, byte) in wide.iter_mut().zip(bytes) {
                *place = *byte;
            }
            let mut scalar = curve::reduce_scalar(&wide);
            let key = Self::from_scalar(scalar);
            scalar.zeroize();
            if let Some(key) = key {
                return Ok(key);
            }
            // Zero, which nobody will ever see.
            salt = sha256(&[&salt]);
        }
    }
}

/// HMAC-SHA-256 over the concatenated parts.
fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let pad = |with: u8| {
        let mut block = Zeroizing::new([with; 64]);
        block
            .iter_mut()
            .zip(key)
            .for_each(|(byte, key)| *byte ^= key);
        block
    };
    let (inside, outside) = (pad(0x36), pad(0x5c));
    let mut all: Vec<&[u8]> = vec![inside.as_slice()];
    all.extend(parts);
    let inner = Zeroizing::new(sha256(&all));
    Zeroizing::new(sha256(&[outside.as_slice(), inner.as_slice()]))
}
