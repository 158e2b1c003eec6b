//! A snapshot of the validator set, and bitfields over it.
//!
//! # Rules
//!
//! - `[V-1]` Validators are sorted by address, each once; a validator's index is its place.
//! - `[V-2]` Tickets are whole: `stake / ticket`, the remainder draws nothing.
//! - `[V-3]` A bitfield has exactly as many bytes as the set needs and no bit beyond it.

use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::bls::PublicKey;
use crate::id::Address;
use crate::stake::Stake;

/// One validator of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Validator {
    /// The operator.
    pub operator: Address,
    /// Its registered hot key, whose possession was proven at registration.
    pub key: PublicKey,
    /// The address of its registered data-item key.
    pub item_key: Address,
    /// Its active stake.
    pub stake: Stake,
    /// Tickets that the stake holds.
    pub tickets: u64,
}

/// The validators at one height.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ValidatorSet {
    validators: Vec<Validator>,
}

impl ValidatorSet {
    /// Makes a snapshot, sorting the validators (rule V-1); of equal addresses the first stays.
    pub fn new(mut validators: Vec<Validator>) -> Self {
        validators.sort_by_key(|validator| validator.operator);
        validators.dedup_by_key(|validator| validator.operator);
        Self { validators }
    }

    /// The validators in order.
    pub fn iter(&self) -> impl Iterator<Item = &Validator> {
        self.validators.iter()
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.validators.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.validators.is_empty()
    }

    /// A validator's index.
    pub fn index_of(&self, operator: &Address) -> Option<usize> {
        self.validators
            .binary_search_by_key(operator, |validator| validator.operator)
            .ok()
    }

    /// A validator by its operator.
    pub fn get(&self, operator: &Address) -> Option<&Validator> {
        self.index_of(operator)
            .and_then(|index| self.validators.get(index))
    }

    /// All tickets, without those of the operators in `excluded`.
    pub fn tickets_without(&self, excluded: &[Address]) -> u64 {
        self.iter()
            .filter(|validator| !excluded.contains(&validator.operator))
            .fold(0, |sum: u64, validator| {
                sum.saturating_add(validator.tickets)
            })
    }

    /// All stake, without that of the operators in `excluded`.
    pub fn stake_without(&self, excluded: &[Address]) -> Stake {
        self.iter()
            .filter(|validator| !excluded.contains(&validator.operator))
            .fold(Stake::ZERO, |sum, validator| {
                Stake(sum.0.saturating_add(validator.stake.0))
            })
    }

    /// The bitfield of the given operators, all of whom are in the set.
    pub fn bitfield(&self, operators: &[Address]) -> Option<Vec<u8>> {
        let mut bits = vec![0_u8; self.len().div_ceil(8)];
        for operator in operators {
            let index = self.index_of(operator)?;
            *bits.get_mut(index / 8)? |= 1 << (index % 8);
        }
        Some(bits)
    }

    /// The validators of a bitfield, in order (rule V-3).
    pub fn select(&self, bits: &[u8]) -> Option<Vec<&Validator>> {
        if bits.len() != self.len().div_ceil(8) {
            return None;
        }
        let mut selected = Vec::new();
        for (byte, bits) in bits.iter().enumerate() {
            for bit in (0..8_usize).filter(|bit| bits & (1 << bit) != 0) {
                selected.push(
                    self.validators
                        .get(byte.checked_mul(8)?.checked_add(bit)?)?,
                );
            }
        }
        Some(selected)
    }
}
