//! Keys whose owners proved to know the secret.

use serde::Deserialize;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use super::curve::{PreparedMessage, pairing_equation_holds};
use super::{BlsError, POSSESSION_SUITE, ProofOfPossession, PublicKey};

/// A public key with a proof of possession that was checked (rule B-3).
///
/// Decoding checks the proof again, at the cost of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize_tuple, Deserialize)]
#[serde(try_from = "RegistrationFields")]
pub struct RegisteredKey {
    key: PublicKey,
    proof: ProofOfPossession,
}

#[derive(Deserialize_tuple)]
struct RegistrationFields {
    key: PublicKey,
    proof: ProofOfPossession,
}

impl TryFrom<RegistrationFields> for RegisteredKey {
    type Error = BlsError;

    fn try_from(fields: RegistrationFields) -> Result<Self, BlsError> {
        Self::new(fields.key, fields.proof)
    }
}

impl RegisteredKey {
    /// Checks the proof of possession.
    ///
    /// # Errors
    /// [`BlsError::Possession`] if it does not hold.
    pub fn new(key: PublicKey, proof: ProofOfPossession) -> Result<Self, BlsError> {
        let message = PreparedMessage::of_bytes(key.as_bytes(), POSSESSION_SUITE);
        let holds = |it| pairing_equation_holds(&[(*key.point(), &message)], &it);
        if !proof.point().is_some_and(holds) {
            return Err(BlsError::Possession);
        }
        Ok(Self { key, proof })
    }

    /// The key, which may now be aggregated with others.
    pub const fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// The proof.
    pub const fn proof(&self) -> &ProofOfPossession {
        &self.proof
    }
}
