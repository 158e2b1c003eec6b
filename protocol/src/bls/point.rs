//! The points of the facade as types: checked when they are made, then known to be good.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::BlsError;
use super::curve::{
    G1Affine, G2Affine, decode_g1, decode_g2, encode_g1, encode_g2, is_identity_g1, is_identity_g2,
};
use crate::id::{base64url, from_base64url};

/// Serde for a point: text where a person reads it, a byte string elsewhere.
struct PointVisitor<T>(std::marker::PhantomData<T>);

impl<T: FromStr<Err = BlsError> + for<'a> TryFrom<&'a [u8], Error = BlsError>> Visitor<'_>
    for PointVisitor<T>
{
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a compressed point as bytes or base64url")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<T, E> {
        bytes.try_into().map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

macro_rules! point {
    ($(#[$doc:meta])* $name:ident, $affine:ident, $decode:ident, $encode:ident, $length:literal) => {
        $(#[$doc])*
        ///
        /// In canonical CBOR a byte string, in JSON unpadded base64url. Decoding is costly (an
        /// inverse root and a subgroup check), so bound how many of them a stranger may send.
        #[derive(Clone, Copy)]
        pub struct $name {
            point: $affine,
            // Kept because comparing and hashing points is much dearer than comparing bytes.
            bytes: [u8; $length],
        }

        impl $name {
            /// Bytes of the compressed point.
            pub const LENGTH: usize = $length;

            /// Decodes and checks a compressed point.
            ///
            /// # Errors
            /// [`BlsError::Point`] or [`BlsError::Identity`].
            pub fn from_bytes(bytes: &[u8; $length]) -> Result<Self, BlsError> {
                Ok(Self { point: $decode(bytes)?, bytes: *bytes })
            }

            /// The compressed point.
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.bytes
            }

            /// A point that is in the subgroup and not the identity by its construction.
            pub(super) fn known_good(point: $affine) -> Self {
                Self { point, bytes: $encode(&point) }
            }

            pub(super) const fn point(&self) -> &$affine {
                &self.point
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.bytes == other.bytes
            }
        }

        impl Eq for $name {}

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.bytes.cmp(&other.bytes)
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = BlsError;
            fn try_from(bytes: &[u8]) -> Result<Self, BlsError> {
                let got = bytes.len();
                let bytes = bytes.try_into();
                let bytes = bytes.map_err(|_| BlsError::Length { expected: $length, got })?;
                Self::from_bytes(bytes)
            }
        }

        impl FromStr for $name {
            type Err = BlsError;
            fn from_str(text: &str) -> Result<Self, BlsError> {
                // Both lengths are multiples of three, so the text has no spare bits.
                if text.len() != $length / 3 * 4 {
                    return Err(BlsError::Text);
                }
                from_base64url(text).ok_or(BlsError::Text)?.as_slice().try_into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&base64url(&self.bytes))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_bytes(&self.bytes)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let visitor = PointVisitor(std::marker::PhantomData);
                if deserializer.is_human_readable() {
                    deserializer.deserialize_str(visitor)
                } else {
                    deserializer.deserialize_bytes(visitor)
                }
            }
        }
    };
}

point! {
    /// A public key: on the curve, in the subgroup, not the identity (rule B-2). Nothing yet shows
    /// that anybody knows its secret: see [`super::RegisteredKey`].
    PublicKey, G1Affine, decode_g1, encode_g1, 48
}
point! {
    /// One signer's signature on one digest, of the right form; [`super::verify`] tells whether it
    /// holds.
    Signature, G2Affine, decode_g2, encode_g2, 96
}
point! {
    /// The sum of several signers' signatures, of the right form.
    AggregateSignature, G2Affine, decode_g2, encode_g2, 96
}
point! {
    /// A signature over one's own public key, of the right form (rule B-3).
    ProofOfPossession, G2Affine, decode_g2, encode_g2, 96
}

impl From<Signature> for AggregateSignature {
    /// One signature is the sum of itself.
    fn from(signature: Signature) -> Self {
        Self {
            point: signature.point,
            bytes: signature.bytes,
        }
    }
}

impl PublicKey {
    /// A point of the subgroup, unless it is the identity.
    pub(super) fn from_point(point: G1Affine) -> Option<Self> {
        (!is_identity_g1(&point)).then(|| Self::known_good(point))
    }
}

impl AggregateSignature {
    /// A point of the subgroup, unless it is the identity.
    pub(super) fn from_point(point: G2Affine) -> Option<Self> {
        (!is_identity_g2(&point)).then(|| Self::known_good(point))
    }

    /// As the one signature of the sum of the keys.
    pub(super) const fn of_sum(&self) -> Signature {
        Signature {
            point: self.point,
            bytes: self.bytes,
        }
    }
}
