//! Operators and their stake: register, bond, unbond, withdraw.
//!
//! # Rules
//!
//! - `[L-10]` Bonded stake counts after `activation_blocks`, and only from `bond_min` on.
//! - `[L-11]` Unbonding stake no longer counts but can still be slashed, until `unbond_blocks` have passed.
//! - `[L-12]` A tombstoned operator never counts again, nor does what it said before; what it has left it can
//!   withdraw in the ordinary way.
//! - `[L-13]` Hot keys can be replaced, never shared: a key belongs to one operator, which answers for it for good.
//!   An operator's own address is nobody else's data-item key.
//! - `[L-14]` While an open case accuses an operator, what has finished unbonding stays as long as such a case can last.
//! - `[L-15]` More tickets than can draw are not counted.

use std::sync::Arc;

use surety_protocol::bls::{PublicKey, RegisteredKey};
use surety_protocol::id::Address;
use surety_protocol::origin::Registration;
use surety_protocol::params::Params;
use surety_protocol::sortition::TICKETS_MAX;
use surety_protocol::stake::{AmountError, Stake};
use surety_protocol::time::Height;
use surety_protocol::validators::{Validator, ValidatorSet};

use super::{BlockError, Case, CaseState, ItemRefused, Ledger, LedgerEvent};

/// Pieces of stake that one operator may have unbonding at once.
const UNBONDING_MAX: usize = 16;
/// Keys of each kind that one operator may have had before the one in force.
const KEYS_MAX: usize = 64;
/// Bytes of a libp2p peer id: a multihash of a key, with room to spare.
const PEER_BYTES_MAX: usize = 128;

/// Stake on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unbonding {
    /// How much.
    pub amount: Stake,
    /// The height from which it can be withdrawn.
    pub free_from: Height,
}

/// An operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Its registered hot keys; the last is in force.
    pub registration: Registration,
    /// The hot keys that it had before, for evidence about old signatures; the one that was replaced last is the last.
    pub former_keys: Vec<PublicKey>,
    /// The data-item keys that it had before.
    pub former_item_keys: Vec<Address>,
    /// Stake that counts, or will.
    pub bonded: Stake,
    /// From when it counts.
    pub active_from: Height,
    /// Stake on its way out.
    pub unbonding: Vec<Unbonding>,
    /// Slashed stake, until its window closes.
    pub escrow: Stake,
    /// Out for good.
    pub tombstoned: bool,
}

impl Operator {
    /// Whether its stake counts.
    pub fn active(&self, params: &Params, height: Height) -> bool {
        !self.tombstoned && self.bonded >= params.bond_min && self.active_from <= height
    }

    /// Everything that it has in the ledger beside its balance.
    ///
    /// # Errors
    /// If the sum leaves its range.
    pub fn total(&self) -> Result<Stake, AmountError> {
        self.slashable()?.plus(self.escrow)
    }

    /// What can be slashed.
    ///
    /// # Errors
    /// If the sum leaves its range.
    pub fn slashable(&self) -> Result<Stake, AmountError> {
        self.unbonding
            .iter()
            .try_fold(self.bonded, |sum, it| sum.plus(it.amount))
    }

    /// Whether it has, or had, this hot key.
    pub fn had_key(&self, key: &PublicKey) -> bool {
        self.registration.key == *key || self.former_keys.contains(key)
    }

    /// The hot key with these bytes, if it has or had it.
    pub fn key_of(&self, bytes: &[u8]) -> Option<PublicKey> {
        let mut keys = self.former_keys.iter().chain([&self.registration.key]);
        keys.find(|it| it.as_bytes() == bytes).copied()
    }

    /// Whether it has, or had, this data-item key.
    pub fn had_item_key(&self, key: &Address) -> bool {
        self.registration.item_key == *key || self.former_item_keys.contains(key)
    }
}

impl Operator {
    /// Puts other hot keys in force; the former ones stay its own (rule L-13).
    fn replace(&mut self, registration: Registration) -> Result<(), ItemRefused> {
        let (key, item_key) = (self.registration.key, self.registration.item_key);
        let retires_key = key != registration.key && !self.former_keys.contains(&key);
        let retires_item_key =
            item_key != registration.item_key && !self.former_item_keys.contains(&item_key);
        if (retires_key && self.former_keys.len() >= KEYS_MAX)
            || (retires_item_key && self.former_item_keys.len() >= KEYS_MAX)
        {
            return Err(ItemRefused::TooMany);
        }
        if key != registration.key {
            self.former_keys.retain(|it| *it != key);
            self.former_keys.push(key);
        }
        if retires_item_key {
            self.former_item_keys.push(item_key);
        }
        self.registration = registration;
        Ok(())
    }
}

impl Ledger {
    pub(super) fn register(
        &mut self,
        signer: Address,
        registration: Registration,
        events: &mut Vec<LedgerEvent>,
    ) -> Result<(), ItemRefused> {
        RegisteredKey::new(registration.key, registration.possession)
            .map_err(|_| ItemRefused::Possession)?;
        // [L-13]
        let item_key = registration.item_key;
        let others = || {
            self.operators
                .iter()
                .filter(|(address, _)| **address != signer)
        };
        // Its own address an operator has proven to hold, whoever named it before.
        let taken = (item_key != signer && self.is_item_key_taken(&signer, &item_key))
            || others().any(|(_, it)| it.had_key(&registration.key));
        if taken {
            return Err(ItemRefused::KeyTaken);
        }
        if registration.peer.len() > PEER_BYTES_MAX {
            return Err(ItemRefused::TooMany);
        }
        if let Some(operator) = self.operators.get_mut(&signer) {
            operator.replace(registration)?;
        } else {
            let operator = Operator {
                registration,
                former_keys: Vec::new(),
                former_item_keys: Vec::new(),
                bonded: Stake::ZERO,
                active_from: self.height,
                unbonding: Vec::new(),
                escrow: Stake::ZERO,
                tombstoned: false,
            };
            self.operators.insert(signer, operator);
        }
        self.item_keys.insert(item_key, signer);
        events.push(LedgerEvent::Operator(signer));
        Ok(())
    }

    fn is_item_key_taken(&self, signer: &Address, item_key: &Address) -> bool {
        self.operators.contains_key(item_key)
            || self
                .item_keys
                .get(item_key)
                .is_some_and(|owner| owner != signer)
    }

    pub(super) fn bond(
        &mut self,
        signer: Address,
        quantity: Stake,
        events: &mut Vec<LedgerEvent>,
    ) -> Result<(), ItemRefused> {
        let left = self
            .balance(&signer)
            .minus(quantity)
            .map_err(|_| ItemRefused::Balance)?;
        let active_from = self.height.plus(self.params.activation_blocks);
        let operator = self
            .operators
            .get_mut(&signer)
            .ok_or(ItemRefused::NotRegistered)?;
        if operator.tombstoned {
            return Err(ItemRefused::Tombstoned);
        }
        if quantity == Stake::ZERO {
            return Err(ItemRefused::Amount);
        }
        operator.bonded = operator
            .bonded
            .plus(quantity)
            .map_err(|_| ItemRefused::Amount)?;
        operator.active_from = operator.active_from.max(active_from);
        self.accounts.insert(signer, left);
        events.push(LedgerEvent::Operator(signer));
        Ok(())
    }

    pub(super) fn unbond(
        &mut self,
        signer: Address,
        quantity: Stake,
        events: &mut Vec<LedgerEvent>,
    ) -> Result<(), ItemRefused> {
        let free_from = self.height.plus(self.params.unbond_blocks);
        let operator = self
            .operators
            .get_mut(&signer)
            .ok_or(ItemRefused::NotRegistered)?;
        if operator.unbonding.len() >= UNBONDING_MAX {
            return Err(ItemRefused::TooMany);
        }
        if quantity == Stake::ZERO {
            return Err(ItemRefused::Amount);
        }
        operator.bonded = operator
            .bonded
            .minus(quantity)
            .map_err(|_| ItemRefused::Balance)?;
        operator.unbonding.push(Unbonding {
            amount: quantity,
            free_from,
        });
        events.push(LedgerEvent::Operator(signer));
        Ok(())
    }

    pub(super) fn withdraw(&mut self, signer: Address) -> Result<(), ItemRefused> {
        // [L-14] A case that was opened before the stake was free is closed by then.
        let accused =
            |case: &&Case| case.state == CaseState::Open && case.challenge.offender == signer;
        let cases = self.cases.values().filter(accused);
        let longest = cases
            .map(|case| case.lasts(self.params.verdict_blocks))
            .max();
        let hold = longest.unwrap_or(0);
        let height = self.height;
        let mut balance = self.balance(&signer);
        let operator = self
            .operators
            .get_mut(&signer)
            .ok_or(ItemRefused::NotRegistered)?;
        let (free, held): (Vec<_>, Vec<_>) = operator
            .unbonding
            .drain(..)
            .partition(|it| it.free_from.plus(hold) <= height);
        operator.unbonding = held;
        for it in free {
            // A sum of parts of the supply cannot leave its range.
            balance = Stake(balance.0.saturating_add(it.amount.0));
        }
        self.accounts.insert(signer, balance);
        Ok(())
    }

    /// Remembers the validators of this height if they are not those of the height before.
    pub(super) fn snapshot_validators(&mut self) {
        let validators: Vec<Validator> = self
            .operators
            .iter()
            .filter(|(_, it)| it.active(&self.params, self.height))
            .map(|(address, it)| Validator {
                operator: *address,
                key: it.registration.key,
                item_key: it.registration.item_key,
                stake: it.bonded,
                tickets: it
                    .bonded
                    .0
                    .checked_div(self.params.ticket.0)
                    // [L-15]
                    .map_or(0, |tickets| u64::try_from(tickets).unwrap_or(u64::MAX))
                    .min(TICKETS_MAX),
            })
            .collect();
        let set = ValidatorSet::new(validators);
        if self
            .validators
            .get_max()
            .is_none_or(|(_, last)| **last != set)
        {
            self.validators.insert(self.height, Arc::new(set));
        }
    }

    /// Burns and pays out escrow whose window has closed.
    pub(super) fn release_escrow(&mut self) -> Result<(), BlockError> {
        let height = self.height;
        let reward_share = self.params.reward;
        while let Some((until, number)) = self.releasing.get_min().copied()
            && until <= height
        {
            self.releasing.remove(&(until, number));
            let Some(slashing) = self.slashings.get_mut(&number) else {
                continue;
            };
            slashing.released = true;
            let slashing = slashing.clone();
            let reward = slashing.amount.share(reward_share)?;
            let burn = slashing.amount.minus(reward)?;
            if let Some(operator) = self.operators.get_mut(&slashing.offender) {
                operator.escrow = operator.escrow.minus(slashing.amount)?;
            }
            let challenger = slashing.challenger;
            let balance = self.accounts.get(&challenger).copied().unwrap_or_default();
            self.accounts.insert(challenger, balance.plus(reward)?);
            self.burned = self.burned.plus(burn)?;
        }
        Ok(())
    }
}
