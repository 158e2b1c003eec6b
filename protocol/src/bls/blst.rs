//! The curve by `blst`, which is faster, and written in assembly and C: for whoever prefers that (feature `blst`).
//!
//! It says the same of every signature as the other library does, and makes the same ones.

use blst::min_pk::{AggregatePublicKey, AggregateSignature, PublicKey, SecretKey, Signature};
use blst::{BLST_ERROR, MultiPoint as _, blst_fp12, blst_p2_affine};

pub(super) use super::scalar::{Scalar, decode_scalar, encode_scalar, reduce_scalar};
use super::{BlsError, SIGNATURE_SUITE};
use crate::id::Digest;

/// The point of a public key.
pub(super) type G1Affine = PublicKey;
/// The point of a signature.
pub(super) type G2Affine = Signature;

/// The first byte of a compressed identity.
const IDENTITY: u8 = 0xc0;
/// Bits of a coefficient.
const BITS: usize = 128;

/// What is signed, which is hashed to the curve when it is needed.
pub(super) struct PreparedMessage {
    message: Vec<u8>,
    suite: &'static [u8],
}

impl PreparedMessage {
    pub(super) fn of(message: &Digest) -> Self {
        Self::of_bytes(message.as_bytes(), SIGNATURE_SUITE)
    }

    pub(super) fn of_bytes(message: &[u8], suite: &'static [u8]) -> Self {
        let message = message.to_vec();
        Self { message, suite }
    }
}

/// Zero has no key here.
fn key(secret: &Scalar) -> Option<SecretKey> {
    SecretKey::from_bytes(encode_scalar(secret).as_slice()).ok()
}

pub(super) fn public(secret: &Scalar) -> G1Affine {
    key(secret).map(|it| it.sk_to_pk()).unwrap_or_default()
}

pub(super) fn multiply(secret: &Scalar, message: &[u8], suite: &'static [u8]) -> G2Affine {
    let signed = key(secret).map(|it| it.sign(message, suite, &[]));
    signed.unwrap_or_else(identity_g2)
}

fn identity_g2() -> G2Affine {
    blst_p2_affine::default().into()
}

pub(super) fn is_identity_g1(point: &G1Affine) -> bool {
    point.to_bytes().first() == Some(&IDENTITY)
}

pub(super) fn is_identity_g2(point: &G2Affine) -> bool {
    point.to_bytes().first() == Some(&IDENTITY)
}

pub(super) fn encode_g1(point: &G1Affine) -> [u8; 48] {
    point.to_bytes()
}

pub(super) fn encode_g2(point: &G2Affine) -> [u8; 96] {
    point.to_bytes()
}

pub(super) fn decode_g1(bytes: &[u8; 48]) -> Result<G1Affine, BlsError> {
    PublicKey::key_validate(bytes).map_err(refused)
}

pub(super) fn decode_g2(bytes: &[u8; 96]) -> Result<G2Affine, BlsError> {
    Signature::sig_validate(bytes, true).map_err(refused)
}

const fn refused(error: BLST_ERROR) -> BlsError {
    match error {
        BLST_ERROR::BLST_PK_IS_INFINITY => BlsError::Identity,
        _ => BlsError::Point,
    }
}

pub(super) fn sum_g1<'a>(points: impl Iterator<Item = &'a G1Affine>) -> G1Affine {
    let points: Vec<G1Affine> = points.copied().collect();
    match points.as_slice() {
        [] => G1Affine::default(),
        points => points.add().to_public_key(),
    }
}

pub(super) fn sum_g2<'a>(points: impl Iterator<Item = &'a G2Affine>) -> G2Affine {
    let points: Vec<G2Affine> = points.copied().collect();
    match points.as_slice() {
        [] => identity_g2(),
        points => points.add().to_signature(),
    }
}

/// A point of which sums with coefficients are made.
pub(super) trait Summand: Copy {
    fn weighted(points: &[Self], scalars: &[u8]) -> Self;
}

impl Summand for G1Affine {
    fn weighted(points: &[Self], scalars: &[u8]) -> Self {
        let sum: AggregatePublicKey = points.mult(scalars, BITS);
        sum.to_public_key()
    }
}

impl Summand for G2Affine {
    fn weighted(points: &[Self], scalars: &[u8]) -> Self {
        let sum: AggregateSignature = points.mult(scalars, BITS);
        sum.to_signature()
    }
}

/// `sum(coefficient * point)` of at least one term.
pub(super) fn weighted_sum<P: Summand>(terms: &[(P, u128)]) -> P {
    let (points, coefficients): (Vec<P>, Vec<u128>) = terms.iter().copied().unzip();
    let scalars: Vec<u8> = coefficients
        .iter()
        .flat_map(|it| it.to_le_bytes())
        .collect();
    P::weighted(&points, &scalars)
}

pub(super) fn pairing_equation_holds(
    terms: &[(G1Affine, &PreparedMessage)],
    signature: &G2Affine,
) -> bool {
    let keys: Vec<&PublicKey> = terms.iter().map(|(key, _)| key).collect();
    let messages: Vec<&[u8]> = terms.iter().map(|(_, it)| it.message.as_slice()).collect();
    // All messages of one equation are of one suite.
    let Some((_, first)) = terms.first() else {
        return is_identity_g2(signature);
    };
    let found = signature.aggregate_verify(false, &messages, first.suite, &keys, false);
    found == BLST_ERROR::BLST_SUCCESS
}

pub(super) fn pairings_agree(a: &G1Affine, b: &G2Affine, c: &G1Affine, d: &G2Affine) -> bool {
    let one = blst_fp12::miller_loop(&(*b).into(), &(*a).into());
    let other = blst_fp12::miller_loop(&(*d).into(), &(*c).into());
    blst_fp12::finalverify(&one, &other)
}
