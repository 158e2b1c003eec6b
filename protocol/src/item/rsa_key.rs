//! RSA keys of Arweave wallets: their eight numbers, as JWK and as DER.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeyPairComponents, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::RSA_PSS_SHA256;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::item::KeyError;
use crate::item::verify::RSA_EXPONENT;

/// Bytes of a 4096-bit modulus.
const MODULUS_BYTES: usize = 512;

/// The numbers of an RSA private key, big-endian. With serde they are the fields of an Arweave wallet
/// file (a JWK); fields that it does not know are left out.
#[derive(Zeroize, ZeroizeOnDrop, Serialize, Deserialize)]
#[serde(tag = "kty", rename = "RSA")]
pub struct RsaComponents {
    /// The modulus.
    #[serde(with = "base64url_number")]
    pub n: Vec<u8>,
    /// The public exponent.
    #[serde(with = "base64url_number")]
    pub e: Vec<u8>,
    /// The private exponent.
    #[serde(with = "base64url_number")]
    pub d: Vec<u8>,
    /// The first prime.
    #[serde(with = "base64url_number")]
    pub p: Vec<u8>,
    /// The second prime.
    #[serde(with = "base64url_number")]
    pub q: Vec<u8>,
    /// `d mod (p - 1)`.
    #[serde(with = "base64url_number")]
    pub dp: Vec<u8>,
    /// `d mod (q - 1)`.
    #[serde(with = "base64url_number")]
    pub dq: Vec<u8>,
    /// The inverse of `q` modulo `p`.
    #[serde(with = "base64url_number")]
    pub qi: Vec<u8>,
}

impl RsaComponents {
    /// A new key of 4096 bits, from the operating system's randomness.
    ///
    /// # Errors
    /// [`KeyError::RsaInconsistent`] if the library makes none.
    pub fn generate() -> Result<RsaComponents, KeyError> {
        let pair = KeyPair::generate(KeySize::Rsa4096).map_err(|_| KeyError::RsaInconsistent)?;
        let der = pair.as_der().map_err(|_| KeyError::RsaInconsistent)?;
        RsaComponents::from_der(der.as_ref())
    }

    /// Reads a private key in DER: PKCS#8, or the PKCS#1 inside it.
    ///
    /// # Errors
    /// [`KeyError::RsaEncoding`] if it is neither. Whether the numbers fit is checked by
    /// [`crate::item::ItemKey::rsa`].
    pub fn from_der(der: &[u8]) -> Result<RsaComponents, KeyError> {
        read_private_key(der).ok_or(KeyError::RsaEncoding)
    }
}

/// A key ready to sign; the library wipes its memory.
pub(super) struct RsaKey(KeyPair);

impl RsaKey {
    pub(super) fn new(numbers: &RsaComponents) -> Result<RsaKey, KeyError> {
        if numbers.n.len() != MODULUS_BYTES || numbers.n.first() == Some(&0) {
            return Err(KeyError::RsaSize(numbers.n.len()));
        }
        if numbers.e != RSA_EXPONENT {
            return Err(KeyError::RsaExponent);
        }
        let pair = KeyPair::from_components(&KeyPairComponents {
            public_key: PublicKeyComponents {
                n: &numbers.n[..],
                e: &numbers.e[..],
            },
            d: &numbers.d[..],
            p: &numbers.p[..],
            q: &numbers.q[..],
            dP: &numbers.dp[..],
            dQ: &numbers.dq[..],
            qInv: &numbers.qi[..],
        });
        pair.map(RsaKey).map_err(|_| KeyError::RsaInconsistent)
    }

    /// PSS with SHA-256 and a salt of 32 bytes.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; MODULUS_BYTES];
        self.0
            .sign(
                &RSA_PSS_SHA256,
                &SystemRandom::new(),
                message,
                &mut signature,
            )
            .ok()?;
        Some(signature)
    }
}

/// One DER value: its tag, its content and what follows it.
fn der_value(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        // At most 64 KiB: two digits are enough for any key that is accepted.
        0x81 | 0x82 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x0f))?;
            (
                digits
                    .iter()
                    .fold(0, |length, digit| length << 8 | usize::from(*digit)),
                rest,
            )
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// A DER value with this tag.
fn der_expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = der_value(bytes)?;
    (found == tag).then_some((content, rest))
}

const DER_INTEGER: u8 = 0x02;
const DER_OCTETS: u8 = 0x04;
const DER_SEQUENCE: u8 = 0x30;

fn read_private_key(der: &[u8]) -> Option<RsaComponents> {
    let (outer, []) = der_expect(der, DER_SEQUENCE)? else {
        return None;
    };
    let (_version, rest) = der_expect(outer, DER_INTEGER)?;
    if let Some((_algorithm, rest)) = der_expect(rest, DER_SEQUENCE) {
        let (inner, _) = der_expect(rest, DER_OCTETS)?;
        let (pkcs1, []) = der_expect(inner, DER_SEQUENCE)? else {
            return None;
        };
        let (_version, numbers) = der_expect(pkcs1, DER_INTEGER)?;
        return read_numbers(numbers);
    }
    read_numbers(rest)
}

fn read_numbers(mut rest: &[u8]) -> Option<RsaComponents> {
    let mut number = || {
        let (digits, after) = der_expect(rest, DER_INTEGER)?;
        rest = after;
        // DER writes a zero byte before a number whose first bit is set.
        Some(digits.strip_prefix(&[0]).unwrap_or(digits).to_vec())
    };
    Some(RsaComponents {
        n: number()?,
        e: number()?,
        d: number()?,
        p: number()?,
        q: number()?,
        dp: number()?,
        dq: number()?,
        qi: number()?,
    })
}

/// A number as base64url text, wiped after use.
mod base64url_number {
    use serde::{Deserialize as _, Deserializer, Serializer, de};
    use zeroize::Zeroizing;

    use crate::id::{base64url, from_base64url};

    pub(super) fn serialize<S: Serializer>(number: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&Zeroizing::new(base64url(number)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = Zeroizing::new(String::deserialize(from)?);
        from_base64url(&text).ok_or_else(|| de::Error::custom("not unpadded base64url"))
    }
}
