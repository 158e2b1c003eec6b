//! Amounts of stake and exact fractions of them.
//!
//! # Rules
//!
//! - `[S-1]` Stake is counted in armstrongs, 10^-12 AO, in 128 bits; every operation is checked.
//! - `[S-2]` In canonical CBOR an amount is a byte string of 16 bytes, big-endian; in JSON a decimal
//!   text, because JSON numbers lose digits.
//! - `[S-3]` A share of an amount is rounded down; whoever splits an amount gives the remainder to a
//!   named party, so nothing is lost.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

/// Armstrongs in one AO.
pub const AO: u128 = 1_000_000_000_000;

/// An amount of AO in armstrongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Stake(pub u128);

/// An amount for people, in AO: `12.5 AO`. Nothing is rounded.
#[derive(Debug, Clone, Copy)]
pub struct InAo(Stake);

/// The amount does not fit its type, or would be negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("amount out of range")]
pub struct AmountError;

impl Stake {
    /// Nothing.
    pub const ZERO: Stake = Stake(0);

    /// A whole number of AO.
    pub const fn from_ao(ao: u64) -> Stake {
        Stake(AO.saturating_mul(ao as u128))
    }

    /// This amount for people.
    pub const fn in_ao(self) -> InAo {
        InAo(self)
    }

    /// The sum.
    ///
    /// # Errors
    /// If it does not fit 128 bits.
    pub fn plus(self, other: Stake) -> Result<Stake, AmountError> {
        self.0.checked_add(other.0).map(Stake).ok_or(AmountError)
    }

    /// The difference.
    ///
    /// # Errors
    /// If `other` is more than this.
    pub fn minus(self, other: Stake) -> Result<Stake, AmountError> {
        self.0.checked_sub(other.0).map(Stake).ok_or(AmountError)
    }

    /// The share `fraction` of this, rounded down (rule S-3).
    ///
    /// # Errors
    /// If the product does not fit 128 bits.
    pub fn share(self, fraction: Fraction) -> Result<Stake, AmountError> {
        let product = self
            .0
            .checked_mul(u128::from(fraction.numerator))
            .ok_or(AmountError)?;
        product
            .checked_div(u128::from(fraction.denominator))
            .map(Stake)
            .ok_or(AmountError)
    }

    /// Whether this is strictly more than `fraction` of `total`.
    ///
    /// # Errors
    /// If a product does not fit 128 bits.
    pub fn exceeds(self, fraction: Fraction, total: Stake) -> Result<bool, AmountError> {
        let left = self
            .0
            .checked_mul(u128::from(fraction.denominator))
            .ok_or(AmountError)?;
        let right = total
            .0
            .checked_mul(u128::from(fraction.numerator))
            .ok_or(AmountError)?;
        Ok(left > right)
    }
}

/// An exact fraction; the denominator is never zero where this type is made by [`Fraction::new`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Fraction {
    /// Parts taken.
    pub numerator: u64,
    /// Parts in the whole.
    pub denominator: u64,
}

impl Fraction {
    /// `numerator` of `denominator` parts.
    pub const fn new(numerator: u64, denominator: u64) -> Fraction {
        Fraction {
            numerator,
            denominator,
        }
    }

    /// Two thirds, the share of stake that settles a verdict.
    pub const TWO_THIRDS: Fraction = Fraction::new(2, 3);
}

impl fmt::Display for Stake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for InAo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stake(armstrongs) = self.0;
        let (whole, part) = (armstrongs / AO, armstrongs % AO);
        if part == 0 {
            return write!(f, "{whole} AO");
        }
        let part = format!("{part:012}");
        write!(f, "{whole}.{} AO", part.trim_end_matches('0'))
    }
}

impl FromStr for Stake {
    type Err = AmountError;
    fn from_str(text: &str) -> Result<Self, AmountError> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(AmountError);
        }
        text.parse().map(Stake).map_err(|_| AmountError)
    }
}

impl Serialize for Stake {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(&self.0.to_be_bytes())
        }
    }
}

impl<'de> Deserialize<'de> for Stake {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Amount;
        impl Visitor<'_> for Amount {
            type Value = Stake;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount: 16 bytes or decimal digits")
            }
            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Stake, E> {
                let bytes = bytes.try_into().map_err(|_| E::custom(AmountError))?;
                Ok(Stake(u128::from_be_bytes(bytes)))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Stake, E> {
                text.parse().map_err(E::custom)
            }
        }
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(Amount)
        } else {
            deserializer.deserialize_bytes(Amount)
        }
    }
}
