//! Secret keys.

use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

use super::curve::{self, Scalar};
use super::{BlsError, POSSESSION_SUITE, ProofOfPossession, PublicKey, SIGNATURE_SUITE, Signature};
use crate::id::Digest;

/// A secret key (rule B-6). It cannot be copied or printed, and is wiped when dropped; what the
/// curve library leaves on the stack while it computes is beyond reach.
#[derive(ZeroizeOnDrop)]
pub struct SecretKey {
    scalar: Scalar,
    #[zeroize(skip)]
    public: PublicKey,
}

impl SecretKey {
    /// The key that these 32 big-endian bytes encode, as in Ethereum's key stores.
    ///
    /// # Errors
    /// [`BlsError::Scalar`] if they are zero or not below the group order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, BlsError> {
        let scalar = curve::decode_scalar(bytes);
        scalar.and_then(Self::from_scalar).ok_or(BlsError::Scalar)
    }

    /// The key of a scalar; zero has none.
    pub(super) fn from_scalar(mut scalar: Scalar) -> Option<Self> {
        // The generator times a scalar is the identity only for zero.
        let public = PublicKey::from_point(curve::public(&scalar));
        let key = public.map(|public| Self { scalar, public });
        scalar.zeroize();
        key
    }

    /// The 32 big-endian bytes, for a key store.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        curve::encode_scalar(&self.scalar)
    }

    /// The public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a digest made under the domain of its purpose (rule B-1).
    pub fn sign(&self, message: &Digest) -> Signature {
        let message = message.as_bytes();
        Signature::known_good(curve::multiply(&self.scalar, message, SIGNATURE_SUITE))
    }

    /// Proves to know the secret of [`Self::public_key`] (rule B-3).
    pub fn prove_possession(&self) -> ProofOfPossession {
        let key = self.public.as_bytes();
        ProofOfPossession::known_good(curve::multiply(&self.scalar, key, POSSESSION_SUITE))
    }
}
