//! Ideal signatures, for simulations: the algebra of the curve over a field in which logarithms are free.
//!
//! A key is its own secret, a message hashes to a number, a signature is their product. So everything that holds of sums,
//! products and uniqueness on the curve holds here, at a millionth of the price. Whoever sees a key can sign with it; the villains
//! of the simulation do not.

use zeroize::{Zeroize, Zeroizing};

use super::{BlsError, SIGNATURE_SUITE};
use crate::hash::sha256;
use crate::id::Digest;

/// The field's order, a Mersenne prime.
const ORDER: u64 = (1 << 61) - 1;

/// A number of the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Zeroize)]
pub(super) struct Number(u64);

/// The point of a public key.
pub(super) type G1Affine = Number;
/// The point of a signature.
pub(super) type G2Affine = Number;
/// A secret.
pub(super) type Scalar = Number;

impl Number {
    fn reduce(wide: u128) -> Number {
        // What is below the order fits.
        Number(u64::try_from(wide % u128::from(ORDER)).unwrap_or_default())
    }

    /// A big-endian number of any length.
    fn of_bytes(bytes: &[u8]) -> Number {
        bytes.iter().fold(Number(0), |sum, byte| {
            Number::reduce(u128::from(sum.0) * 256 + u128::from(*byte))
        })
    }

    fn plus(self, other: Number) -> Number {
        Number::reduce(u128::from(self.0) + u128::from(other.0))
    }

    fn times(self, other: Number) -> Number {
        Number::reduce(u128::from(self.0) * u128::from(other.0))
    }

    fn decode(bytes: &[u8]) -> Result<Number, BlsError> {
        let (zeros, number) = bytes.split_last_chunk::<8>().ok_or(BlsError::Point)?;
        let number = u64::from_be_bytes(*number);
        if zeros.iter().any(|it| *it != 0) || number >= ORDER {
            return Err(BlsError::Point);
        }
        if number == 0 {
            return Err(BlsError::Identity);
        }
        Ok(Number(number))
    }

    fn encode<const BYTES: usize>(self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        let number = self.0.to_be_bytes();
        for (place, byte) in bytes.iter_mut().rev().zip(number.iter().rev()) {
            *place = *byte;
        }
        bytes
    }
}

/// A hashed message.
pub(super) struct PreparedMessage(Number);

impl PreparedMessage {
    pub(super) fn of(message: &Digest) -> Self {
        Self::of_bytes(message.as_bytes(), SIGNATURE_SUITE)
    }

    pub(super) fn of_bytes(message: &[u8], suite: &'static [u8]) -> Self {
        Self(Number::of_bytes(&sha256(&[suite, message])))
    }
}

pub(super) fn decode_scalar(bytes: &[u8; 32]) -> Option<Scalar> {
    Number::decode(bytes).ok()
}

pub(super) fn encode_scalar(scalar: &Scalar) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(scalar.encode())
}

pub(super) fn reduce_scalar(bytes: &[u8; 48]) -> Scalar {
    Number::of_bytes(bytes)
}

pub(super) const fn public(secret: &Scalar) -> G1Affine {
    *secret
}

pub(super) fn multiply(secret: &Scalar, message: &[u8], suite: &'static [u8]) -> G2Affine {
    PreparedMessage::of_bytes(message, suite).0.times(*secret)
}

pub(super) const fn is_identity_g1(point: &G1Affine) -> bool {
    point.0 == 0
}

pub(super) const fn is_identity_g2(point: &G2Affine) -> bool {
    point.0 == 0
}

pub(super) fn encode_g1(point: &G1Affine) -> [u8; 48] {
    point.encode()
}

pub(super) fn encode_g2(point: &G2Affine) -> [u8; 96] {
    point.encode()
}

pub(super) fn decode_g1(bytes: &[u8; 48]) -> Result<G1Affine, BlsError> {
    Number::decode(bytes)
}

pub(super) fn decode_g2(bytes: &[u8; 96]) -> Result<G2Affine, BlsError> {
    Number::decode(bytes)
}

pub(super) fn sum_g1<'a>(points: impl Iterator<Item = &'a G1Affine>) -> G1Affine {
    points.fold(Number(0), |sum, point| sum.plus(*point))
}

pub(super) fn sum_g2<'a>(points: impl Iterator<Item = &'a G2Affine>) -> G2Affine {
    sum_g1(points)
}

pub(super) fn weighted_sum(terms: &[(Number, u128)]) -> Number {
    terms.iter().fold(Number(0), |sum, (point, coefficient)| {
        sum.plus(point.times(Number::reduce(*coefficient)))
    })
}

pub(super) fn pairing_equation_holds(
    terms: &[(G1Affine, &PreparedMessage)],
    signature: &G2Affine,
) -> bool {
    let products = terms.iter().map(|(key, message)| key.times(message.0));
    products.fold(Number(0), Number::plus) == *signature
}

pub(super) fn pairings_agree(a: &G1Affine, b: &G2Affine, c: &G1Affine, d: &G2Affine) -> bool {
    a.times(*b) == c.times(*d)
}
