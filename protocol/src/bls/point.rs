//! The points of the facade as types: keys, known to be good once they are made, and signatures, which are bytes until somebody
//! verifies them.

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

/// What comes over the wire.
trait Wired: Sized {
    fn from_wire(bytes: &[u8]) -> Result<Self, BlsError>;
}

impl<T: FromStr<Err = BlsError> + Wired> Visitor<'_> for PointVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a compressed point as bytes or base64url")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<T, E> {
        T::from_wire(bytes).map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

fn exact<const LENGTH: usize>(bytes: &[u8]) -> Result<&[u8; LENGTH], BlsError> {
    bytes.try_into().map_err(|_| BlsError::Length {
        expected: LENGTH,
        got: bytes.len(),
    })
}

/// What is compared, ordered, printed and sent as its bytes.
macro_rules! as_bytes {
    ($name:ident, $length:literal) => {
        impl $name {
            /// Bytes of the compressed point.
            pub const LENGTH: usize = $length;

            /// The compressed point.
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.bytes
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
                Self::from_bytes(exact(bytes)?)
            }
        }

        impl FromStr for $name {
            type Err = BlsError;
            fn from_str(text: &str) -> Result<Self, BlsError> {
                // Both lengths are multiples of three, so the text has no spare bits.
                if text.len() != $length / 3 * 4 {
                    return Err(BlsError::Text);
                }
                from_base64url(text)
                    .ok_or(BlsError::Text)?
                    .as_slice()
                    .try_into()
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

/// A public key: on the curve, in the subgroup, not the identity (rule B-2). Nothing yet shows
/// that anybody knows its secret: see [`super::RegisteredKey`].
///
/// In canonical CBOR a byte string, in JSON unpadded base64url. Decoding is costly (an inverse root and a
/// subgroup check), so bound how many of them a stranger may send.
#[derive(Clone, Copy)]
pub struct PublicKey {
    point: G1Affine,
    // Kept because comparing and hashing points is much dearer than comparing bytes.
    bytes: [u8; 48],
}

as_bytes!(PublicKey, 48);

impl Wired for PublicKey {
    fn from_wire(bytes: &[u8]) -> Result<Self, BlsError> {
        bytes.try_into()
    }
}

impl PublicKey {
    /// Decodes and checks a compressed point.
    ///
    /// # Errors
    /// [`BlsError::Point`] or [`BlsError::Identity`].
    pub fn from_bytes(bytes: &[u8; 48]) -> Result<Self, BlsError> {
        let point = decode_g1(bytes)?;
        Ok(Self {
            point,
            bytes: *bytes,
        })
    }

    /// A point of the subgroup, unless it is the identity.
    pub(super) fn from_point(point: G1Affine) -> Option<Self> {
        (!is_identity_g1(&point)).then(|| Self {
            bytes: encode_g1(&point),
            point,
        })
    }

    pub(super) const fn point(&self) -> &G1Affine {
        &self.point
    }
}

macro_rules! signature {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// In canonical CBOR a byte string of 96 bytes, in JSON unpadded base64url. Whether the bytes are a point is seen
        /// when they are verified (rule B-2): what travels with a message that is dropped unread costs nothing.
        #[derive(Clone, Copy)]
        pub struct $name {
            bytes: [u8; 96],
        }

        as_bytes!($name, 96);

        impl Wired for $name {
            fn from_wire(bytes: &[u8]) -> Result<Self, BlsError> {
                Ok(Self { bytes: *exact(bytes)? })
            }
        }

        impl $name {
            /// Decodes and checks a compressed point.
            ///
            /// # Errors
            /// [`BlsError::Point`] or [`BlsError::Identity`].
            pub fn from_bytes(bytes: &[u8; 96]) -> Result<Self, BlsError> {
                decode_g2(bytes)?;
                Ok(Self { bytes: *bytes })
            }

            /// A point that is in the subgroup and not the identity by its construction.
            pub(super) fn known_good(point: G2Affine) -> Self {
                Self { bytes: encode_g2(&point) }
            }

            /// The point, if the bytes are one.
            pub(super) fn point(&self) -> Option<G2Affine> {
                decode_g2(&self.bytes).ok()
            }
        }
    };
}

signature! {
    /// One signer's signature on one digest; [`super::verify`] tells whether it holds.
    Signature
}
signature! {
    /// The sum of several signers' signatures.
    AggregateSignature
}
signature! {
    /// A signature over one's own public key (rule B-3).
    ProofOfPossession
}

impl From<Signature> for AggregateSignature {
    /// One signature is the sum of itself.
    fn from(signature: Signature) -> Self {
        Self {
            bytes: signature.bytes,
        }
    }
}

impl AggregateSignature {
    /// A point of the subgroup, unless it is the identity.
    pub(super) fn from_point(point: G2Affine) -> Option<Self> {
        (!is_identity_g2(&point)).then(|| Self::known_good(point))
    }

    /// As the one signature of the sum of the keys.
    pub(super) const fn of_sum(&self) -> Signature {
        Signature { bytes: self.bytes }
    }
}
