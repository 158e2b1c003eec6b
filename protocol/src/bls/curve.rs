//! What the facade needs of the curve library, stated in its own terms.

use bls12_381::hash_to_curve::{ExpandMsgXmd, HashToCurve};
use bls12_381::{G1Projective, G2Prepared, G2Projective, Gt, multi_miller_loop};
use sha2_bls::Sha256;

use super::{BlsError, SIGNATURE_SUITE};
use crate::id::Digest;

pub(super) use super::msm::weighted_sum;
pub(super) use super::scalar::{Scalar, decode_scalar, encode_scalar, reduce_scalar};
/// The point of a public key.
pub(super) use bls12_381::G1Affine;
/// The point of a signature.
pub(super) use bls12_381::G2Affine;

/// The generator times a secret.
pub(super) fn public(secret: &Scalar) -> G1Affine {
    G1Affine::from(G1Affine::generator() * secret)
}

/// A secret times a hashed message. Neither is zero, nor can anyone find a message that hashes to the identity.
pub(super) fn multiply(secret: &Scalar, message: &[u8], suite: &'static [u8]) -> G2Affine {
    G2Affine::from(hash_to_curve(message, suite) * secret)
}

/// Whether a sum is one that no key and no signature is.
pub(super) fn is_identity_g1(point: &G1Affine) -> bool {
    point.is_identity().into()
}

/// Whether a sum is one that no key and no signature is.
pub(super) fn is_identity_g2(point: &G2Affine) -> bool {
    point.is_identity().into()
}

pub(super) fn encode_g1(point: &G1Affine) -> [u8; 48] {
    point.to_compressed()
}

pub(super) fn encode_g2(point: &G2Affine) -> [u8; 96] {
    point.to_compressed()
}

/// A digest hashed to the curve and prepared for pairings, which costs a fifth of a verification.
pub(super) struct PreparedMessage(G2Prepared);

impl PreparedMessage {
    pub(super) fn of(message: &Digest) -> Self {
        Self::of_bytes(message.as_bytes(), SIGNATURE_SUITE)
    }

    pub(super) fn of_bytes(message: &[u8], suite: &'static [u8]) -> Self {
        Self(G2Prepared::from(G2Affine::from(hash_to_curve(
            message, suite,
        ))))
    }
}

pub(super) fn hash_to_curve(message: &[u8], suite: &[u8]) -> G2Projective {
    // The library concatenates a list of parts without separators: always give it exactly one.
    <G2Projective as HashToCurve<ExpandMsgXmd<Sha256>>>::hash_to_curve([message], suite)
}

/// Hashes bytes to G2 under a ciphersuite tag (RFC 9380 `hash_to_curve` with SHA-256 and SSWU): the
/// point in 192 bytes, `x` before `y`, of each the imaginary part first, big-endian.
///
/// For conformance tests; nothing in the protocol hashes to the curve outside this module.
pub fn hash_to_g2(message: &[u8], suite: &[u8]) -> [u8; 192] {
    G2Affine::from(hash_to_curve(message, suite)).to_uncompressed()
}

/// Decodes a public key's point (rule B-2).
pub(super) fn decode_g1(bytes: &[u8; 48]) -> Result<G1Affine, BlsError> {
    // `from_compressed` checks encoding, curve and subgroup, but accepts the identity.
    let point =
        Option::<G1Affine>::from(G1Affine::from_compressed(bytes)).ok_or(BlsError::Point)?;
    if bool::from(point.is_identity()) {
        return Err(BlsError::Identity);
    }
    Ok(point)
}

/// Decodes a signature's point (rule B-2).
pub(super) fn decode_g2(bytes: &[u8; 96]) -> Result<G2Affine, BlsError> {
    let point =
        Option::<G2Affine>::from(G2Affine::from_compressed(bytes)).ok_or(BlsError::Point)?;
    if bool::from(point.is_identity()) {
        return Err(BlsError::Identity);
    }
    Ok(point)
}

pub(super) fn sum_g1<'a>(points: impl Iterator<Item = &'a G1Affine>) -> G1Affine {
    G1Affine::from(points.fold(G1Projective::identity(), |sum, point| sum.add_mixed(point)))
}

pub(super) fn sum_g2<'a>(points: impl Iterator<Item = &'a G2Affine>) -> G2Affine {
    G2Affine::from(points.fold(G2Projective::identity(), |sum, point| sum.add_mixed(point)))
}

/// Whether the product of `e(key, message)` over all terms is `e(generator, signature)`, with one
/// final exponentiation.
///
/// The library skips terms that hold the identity; the types of the facade keep it out.
pub(super) fn pairing_equation_holds(
    terms: &[(G1Affine, &PreparedMessage)],
    signature: &G2Affine,
) -> bool {
    let minus_generator = -G1Affine::generator();
    let signature = G2Prepared::from(*signature);
    let mut all: Vec<(&G1Affine, &G2Prepared)> = terms
        .iter()
        .map(|(key, message)| (key, &message.0))
        .collect();
    all.push((&minus_generator, &signature));
    multi_miller_loop(&all).final_exponentiation() == Gt::identity()
}

/// Whether `e(a, b) = e(c, d)`.
pub(super) fn pairings_agree(a: &G1Affine, b: &G2Affine, c: &G1Affine, d: &G2Affine) -> bool {
    let (b, d) = (G2Prepared::from(*b), G2Prepared::from(*d));
    multi_miller_loop(&[(a, &b), (&-c, &d)]).final_exponentiation() == Gt::identity()
}
