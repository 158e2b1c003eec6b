//! BLS signatures over BLS12-381: many approvals of one thing become one signature.
//!
//! The variant with small public keys (48 bytes in G1, signatures of 96 bytes in G2) and Ethereum's
//! ciphersuite, so that its keys, key stores and tools serve here too. The library beneath has not
//! been audited; this module and its folder are the only place that names it.
//!
//! # Rules
//!
//! - `[B-1]` What is signed is a [`Digest`] made under the domain of its purpose, and nothing else:
//!   the ciphersuite tag is [`SIGNATURE_SUITE`] for every purpose.
//! - `[B-2]` Public keys and signatures are canonical compressed points of the prime-order subgroup
//!   and never the identity: an identity key would verify an identity signature on anything. A key is checked when it is
//!   read, a signature when it is verified: bytes that are no point are a signature that does not hold.
//! - `[B-3]` A key may be aggregated with others only after its owner proved to know the secret: a
//!   signature over the 48 bytes of the key under [`POSSESSION_SUITE`]. [`RegisteredKey`] is the
//!   type of such keys. Without that, a key made from another's key signs for both.
//! - `[B-4]` The public keys of an aggregate over one message are added and checked in one product
//!   of two pairings. An empty list of keys, and keys whose sum is the identity, are refused.
//! - `[B-5]` A batch of single signatures is checked as one sum with a 128-bit coefficient for each
//!   ([`verify_batch`] says why that is sound). Plain sums are for aggregates only: two signers may
//!   submit signatures whose errors cancel, and each of them would then be counted as valid.
//! - `[B-6]` A secret key is 32 bytes, big-endian, from 1 to the group order less one.
//! - `[B-7]` With the feature `ideal-signatures` the points are numbers of a field in which logarithms are free: the same
//!   algebra, forged by anybody. Only a simulation is built with it ([`IDEAL`]).
//! - `[B-9]` Whether many signed one digest is told by two pairings, with a coefficient for each as in a batch:
//!   `e(sum(r_i key_i), signature_1) = e(key_1, sum(r_i signature_i))`.
//! - `[B-8]` With the feature `blst` another library does the arithmetic. It judges and signs alike; which one is at work is no
//!   matter of consensus.

mod batch;
#[cfg(not(any(feature = "blst", feature = "ideal-signatures")))]
mod curve;
#[cfg(all(feature = "blst", not(feature = "ideal-signatures")))]
#[path = "bls/blst.rs"]
mod curve;
#[cfg(feature = "ideal-signatures")]
#[path = "bls/ideal.rs"]
mod curve;
mod derive;
mod key;
#[cfg(not(any(feature = "blst", feature = "ideal-signatures")))]
mod msm;
mod point;
mod possession;
#[cfg(not(feature = "ideal-signatures"))]
mod scalar;

pub use batch::{SignedDigest, find_invalid, verify_batch};
#[cfg(not(any(feature = "blst", feature = "ideal-signatures")))]
pub use curve::hash_to_g2;
pub use key::SecretKey;
pub use point::{AggregateSignature, ProofOfPossession, PublicKey, Signature};
pub use possession::RegisteredKey;

use crate::id::Digest;
use curve::{PreparedMessage, pairing_equation_holds, pairings_agree};

/// Whether anybody can forge signatures (rule B-7).
pub const IDEAL: bool = cfg!(feature = "ideal-signatures");

/// The library that does the arithmetic (rule B-8).
pub const LIBRARY: &str = if IDEAL {
    "none"
} else if cfg!(feature = "blst") {
    "blst"
} else {
    "bls12_381"
};

/// The ciphersuite tag under which digests are signed.
pub const SIGNATURE_SUITE: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";
/// The ciphersuite tag under which possession of a key is proved.
pub const POSSESSION_SUITE: &[u8] = b"BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/// Why bytes are not a key or a signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlsError {
    /// Another number of bytes.
    #[error("expected {expected} bytes, got {got}")]
    Length {
        /// Bytes of the type.
        expected: usize,
        /// Bytes that came.
        got: usize,
    },
    /// Not canonical unpadded base64url of the right length.
    #[error("not unpadded base64url of the right length")]
    Text,
    /// Not the canonical encoding of a point on the curve and in the subgroup.
    #[error("not a point of the subgroup")]
    Point,
    /// The identity, well encoded (rule B-2).
    #[error("the identity is neither a key nor a signature")]
    Identity,
    /// Zero, or not below the group order (rule B-6).
    #[error("not a secret key")]
    Scalar,
    /// A seed of fewer than 32 bytes.
    #[error("a seed needs at least 32 bytes, got {0}")]
    Seed(usize),
    /// The proof of possession does not fit the key (rule B-3).
    #[error("the proof of possession does not fit the key")]
    Possession,
}

/// Whether `signature` is the key's signature on this digest.
///
/// There is exactly one such signature for a key and a digest, so it also serves as a verifiable
/// random value.
pub fn verify(key: &PublicKey, message: &Digest, signature: &Signature) -> bool {
    let Some(signature) = signature.point() else {
        return false;
    };
    let message = PreparedMessage::of(message);
    pairing_equation_holds(&[(*key.point(), &message)], &signature)
}

/// Adds up signatures. `None` if there is none, if one is no point, or if their sum is the identity, which only happens
/// when signers conspire to cancel each other.
///
/// The sum says nothing about its parts (rule B-5): two bad ones may cancel. Check what goes in
/// alone or in a batch if it matters who signed, and not only that all of them together did.
pub fn aggregate(signatures: &[Signature]) -> Option<AggregateSignature> {
    let points: Option<Vec<_>> = signatures.iter().map(Signature::point).collect();
    AggregateSignature::from_point(curve::sum_g2(points?.iter()))
}

/// An aggregate over one digest as one signature: that the sum of the keys signed. `None` if there is
/// no key, or if their sum is the identity.
///
/// Every key must be one that was registered with proof of possession (rule B-3), and counts as
/// often as it stands in the list: the caller makes sure that no signer stands in it twice.
pub fn signed_together(
    keys: &[PublicKey],
    message: &Digest,
    signature: &AggregateSignature,
) -> Option<SignedDigest> {
    Some(SignedDigest {
        key: PublicKey::from_point(curve::sum_g1(keys.iter().map(PublicKey::point)))?,
        digest: *message,
        signature: signature.of_sum(),
    })
}

/// Whether each key signed the digest beside it, judged by the sum of the signatures; `n + 1`
/// pairings and about 20 KB of memory for each, so the caller bounds `n`.
///
/// Every key must be one that was registered with proof of possession (rule B-3). An empty list
/// is refused.
pub fn aggregate_verify(signed: &[(PublicKey, Digest)], signature: &AggregateSignature) -> bool {
    let messages: Vec<PreparedMessage> = signed
        .iter()
        .map(|(_, message)| PreparedMessage::of(message))
        .collect();
    let terms: Vec<_> = signed
        .iter()
        .zip(&messages)
        .map(|((key, _), message)| (*key.point(), message))
        .collect();
    let signature = signature.point();
    !terms.is_empty() && signature.is_some_and(|it| pairing_equation_holds(&terms, &it))
}

/// Whether two signers signed the same digest, without knowing it (Flow's SPoCK comparison).
///
/// Both keys must be registered (rule B-3), and it must be known by other means that one of the two
/// signatures is on the digest in question. Who does not know the digest cannot make his part from
/// the other's signature.
pub fn same_message(one: &(PublicKey, Signature), other: &(PublicKey, Signature)) -> bool {
    let (Some(first), Some(second)) = (one.1.point(), other.1.point()) else {
        return false;
    };
    pairings_agree(one.0.point(), &second, other.0.point(), &first)
}

/// Whether all signers signed one digest, without knowing it: [`same_message`] of the first with each of the others, by one product of
/// two pairings (rule B-9). Fewer than two agree.
pub fn same_message_all(said: &[(PublicKey, Signature)], seed: &Digest) -> bool {
    let Some(((key, first), _)) = said.split_first() else {
        return true;
    };
    let points = said.iter().map(|(_, signature)| signature.point());
    let Some(signatures) = points.collect::<Option<Vec<_>>>() else {
        return false;
    };
    let inputs = said
        .iter()
        .flat_map(|(key, signature)| [&key.as_bytes()[..], &signature.as_bytes()[..]]);
    let inputs: Vec<u8> = inputs.flatten().copied().collect();
    let coefficients = batch::coefficients(&inputs, seed);
    let keys = said.iter().map(|(key, _)| *key.point());
    let keys: Vec<_> = keys.zip(coefficients.clone()).collect();
    let signatures: Vec<_> = signatures.into_iter().zip(coefficients).collect();
    let Some(first) = first.point() else {
        return false;
    };
    let (keys, signatures) = (curve::weighted_sum(&keys), curve::weighted_sum(&signatures));
    pairings_agree(&keys, &first, key.point(), &signatures)
}

#[cfg(test)]
#[cfg(not(any(feature = "blst", feature = "ideal-signatures")))]
mod tests;
