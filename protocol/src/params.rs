//! Every parameter of a network in one place, each with its reason; the genesis may set them.
//!
//! # Rules
//!
//! - `[P-1]` The parameters are part of the genesis, and so of the network's id: two nodes with other
//!   parameters are in other networks.
//! - `[P-2]` `evidence_age_blocks < unbond_blocks`: stake cannot leave while evidence against its owner is
//!   still admissible.
//! - `[P-3]` The challenger's share and the burned share of a penalty are complementary, and at least half
//!   burns, so that nobody gains by being caught by a friend.

use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::stake::{Fraction, Stake};

/// The parameters of one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Params {
    /// Milliseconds between blocks: how long the proposer waits, never a rule of validity.
    pub block_interval_ms: u64,
    /// Blocks between a claim's digest and the beacon that seeds its sortition. Two, because the
    /// proposer of the digest's block must not know the seed when it orders the digest.
    pub seed_delay_blocks: u64,
    /// Stake of one ticket; a remainder draws nothing.
    pub ticket: Stake,
    /// Tickets that must approve a claim. About `1.5 k` draw; colluders with a third of the stake draw `k / 2` of them on
    /// average, and `k` with a probability that falls exponentially in `k`.
    pub k: u64,
    /// Blocks between one tranche and the next; long enough for an approval to arrive.
    pub tranche_blocks: u64,
    /// Stake below which an operator is not active.
    pub bond_min: Stake,
    /// Blocks from a bond to its activity.
    pub activation_blocks: u64,
    /// Blocks from unbonding to withdrawal.
    pub unbond_blocks: u64,
    /// Blocks for which a signature can be proven false.
    pub evidence_age_blocks: u64,
    /// Blocks from a certificate until it is settled.
    pub challenge_window_blocks: u64,
    /// What a challenger locks, forfeited if the verdict is against it; pays for everybody's execution.
    pub challenge_bond: Stake,
    /// Blocks after which a case without a verdict closes and the bond returns.
    pub verdict_blocks: u64,
    /// Blocks for which slashed stake stays in escrow.
    pub escrow_blocks: u64,
    /// The share of the offender's stake that each offence costs.
    pub penalty: Fraction,
    /// The challenger's share of a penalty; the rest burns.
    pub reward: Fraction,
    /// Blocks for which a ledger item may wait; also how long its id is remembered.
    pub item_life_blocks: u64,
    /// Items in one block.
    pub block_items_max: u64,
    /// Blocks from the vote that adds a profile until it may hold: for whoever has to install a program that knows it.
    /// No input counts that is stamped further ahead.
    pub profile_notice_blocks: u64,
}

impl Params {
    /// The defaults, at half a second a block.
    pub const fn standard() -> Params {
        Params {
            block_interval_ms: 500,
            seed_delay_blocks: 2,
            ticket: Stake::from_ao(10),
            // A third of the stake draws this many of its own with a probability below 10^-6.
            k: 64,
            tranche_blocks: 4,
            bond_min: Stake::from_ao(100),
            activation_blocks: 2,
            // 28 days, as Polkadot; evidence for 27.
            unbond_blocks: 28 * 24 * 3600 * 2,
            evidence_age_blocks: 27 * 24 * 3600 * 2,
            // An hour, for auditors outside the validator set.
            challenge_window_blocks: 3600 * 2,
            challenge_bond: Stake::from_ao(5),
            verdict_blocks: 600,
            // A week for the correlation of offences.
            escrow_blocks: 7 * 24 * 3600 * 2,
            penalty: Fraction::new(1, 1),
            reward: Fraction::new(1, 10),
            item_life_blocks: 1200,
            block_items_max: 4096,
            // Two days.
            profile_notice_blocks: 2 * 24 * 3600 * 2,
        }
    }

    /// The same with windows short enough to watch: for a network on one machine.
    pub const fn devnet() -> Params {
        Params {
            // A handful of operators: with 64, all would have to check everything.
            k: 10,
            tranche_blocks: 2,
            challenge_window_blocks: 20,
            escrow_blocks: 10,
            unbond_blocks: 240,
            evidence_age_blocks: 200,
            verdict_blocks: 120,
            profile_notice_blocks: 10,
            ..Params::standard()
        }
    }

    /// Whether the parameters keep rules P-2 and P-3 and divide by nothing.
    pub fn sound(&self) -> bool {
        self.evidence_age_blocks < self.unbond_blocks
            && self.ticket > Stake::ZERO
            && self.k > 0
            && self.tranche_blocks > 0
            && self.penalty.denominator > 0
            && self.penalty.numerator <= self.penalty.denominator
            && self.reward.denominator > 0
            && self.reward.numerator.saturating_mul(2) <= self.reward.denominator
            && self.block_interval_ms > 0
            && self.profile_notice_blocks > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sets_are_sound() {
        assert!(Params::standard().sound());
        assert!(Params::devnet().sound());
        let hole = Params {
            unbond_blocks: 200,
            ..Params::devnet()
        };
        assert!(!hole.sound());
    }
}
