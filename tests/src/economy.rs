//! What it pays to approve without looking, to copy, to share, and to lie together.
//!
//! The lot, keys, tickets, trace proofs and parameters are the protocol's own. The world is a model: operators of the least stake
//! draw claim after claim, each at once what it draws in tranche 0; some of them do something else than they should, and everybody
//! else executes and compares. Whoever is accused is out for the rest of its epoch. Gains are counted against an honest operator,
//! who pays for each execution.

use std::collections::BTreeSet;
use std::fmt;

use surety_protocol::bls::{SecretKey, SignedDigest};
use surety_protocol::id::{Digest, ProcessId};
use surety_protocol::params::Params;
use surety_protocol::sortition::{self, Draw};
use surety_protocol::trace;

use crate::random::Random;

/// What some operators do together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strategy {
    /// Each approves without executing, with a trace proof that it makes up.
    Lazy,
    /// Each approves without executing, with the trace proof of somebody who has.
    Copier,
    /// Of those who draw a claim one executes and tells the others what to show; seldom it tells them something false, and accuses
    /// them.
    Sharers,
    /// One of them claims what is false, for a prize, and those who draw the claim approve it.
    Liars,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Strategy; 4] = [
        Strategy::Lazy,
        Strategy::Copier,
        Strategy::Sharers,
        Strategy::Liars,
    ];
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Strategy::Lazy => "lazy approvers",
            Strategy::Copier => "trace copiers",
            Strategy::Sharers => "colluders who share traces",
            Strategy::Liars => "colluders who lie",
        })
    }
}

/// The world of the model.
#[derive(Debug, Clone)]
pub struct World {
    /// The network's parameters.
    pub params: Params,
    /// Operators that draw, each with the least bond.
    pub operators: usize,
    /// Claims in an epoch.
    pub claims: u64,
    /// Armstrongs that an execution costs.
    pub execution: i128,
    /// Of so many tellers one betrays those whom it tells.
    pub betrayal: u64,
    /// Armstrongs that a certified lie brings.
    pub prize: i128,
}

/// What came of one strategy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Armstrongs that all who followed it gained against honest operators.
    pub gain: i128,
    /// How many operators were punished.
    pub punished: u64,
    /// How many followed it.
    pub operators: u64,
}

/// A claim as its verifiers see it.
struct Claim {
    seed: Digest,
    /// Tickets that each operator has drawn in tranche 0.
    drawn: Vec<u64>,
    draw: Draw,
}

impl World {
    /// Stake of one operator, in armstrongs.
    fn bond(&self) -> i128 {
        i128::try_from(self.params.bond_min.0).unwrap_or(i128::MAX)
    }

    /// What whoever accuses somebody gets of its stake.
    fn reward(&self) -> i128 {
        let reward = self.params.bond_min.share(self.params.reward);
        reward.map_or(0, |it| i128::try_from(it.0).unwrap_or(i128::MAX))
    }

    /// Follows all strategies through one epoch, each by so many of a hundred operators; all see the same draws.
    pub fn epoch(&self, keys: &[SecretKey], shares: &[usize], random: &mut Random) -> Vec<Outcome> {
        let claims: Vec<Claim> = (0..self.claims)
            .map(|number| self.claim(keys, number, random))
            .collect();
        let mut outcomes = Vec::new();
        for strategy in Strategy::ALL {
            for share in shares {
                let count = self.operators * share / 100;
                let group = Group {
                    world: self,
                    keys,
                    strategy,
                    count,
                };
                outcomes.push(group.follow(&claims, random));
            }
        }
        outcomes
    }

    fn claim(&self, keys: &[SecretKey], number: u64, random: &mut Random) -> Claim {
        let beacon = Digest::new(random.bytes());
        let seed = sortition::seed(&beacon, &ProcessId::default(), number);
        let held = self.params.bond_min.0 / self.params.ticket.0.max(1);
        let held = u64::try_from(held).unwrap_or(u64::MAX);
        let operators = u64::try_from(self.operators).unwrap_or(u64::MAX);
        let draw = Draw::new(self.params.k, held.saturating_mul(operators));
        let drawn = keys
            .iter()
            .map(|key| draw.tickets(&sortition::prove(key, &seed), held, 0))
            .collect();
        Claim { seed, drawn, draw }
    }
}

/// A claim that a group sees.
struct Turn<'a> {
    claim: &'a Claim,
    /// Those of the group who draw it and are not out.
    ours: &'a [usize],
    /// Whether anybody else draws it, and looks.
    seen: bool,
}

/// Those who follow a strategy: the first of all operators.
struct Group<'a> {
    world: &'a World,
    keys: &'a [SecretKey],
    strategy: Strategy,
    count: usize,
}

impl Group<'_> {
    fn follow(&self, claims: &[Claim], random: &mut Random) -> Outcome {
        let mut punished = BTreeSet::new();
        let mut gain = 0;
        for (number, claim) in claims.iter().enumerate() {
            if punished.len() == self.count {
                break;
            }
            let drew = |it: &usize| claim.drawn.get(*it).is_some_and(|it| *it > 0);
            let ours: Vec<usize> = (0..self.count)
                .filter(|it| drew(it) && !punished.contains(it))
                .collect();
            // Who is out does not look either.
            let seen = (self.count..self.keys.len()).any(|it| drew(&it));
            let ours = &ours;
            let turn = Turn { claim, ours, seen };
            gain += match self.strategy {
                Strategy::Lazy | Strategy::Copier => self.unseen(&turn, &mut punished),
                Strategy::Sharers => self.told(ours, random, &mut punished),
                Strategy::Liars if number == 0 => self.lie(&turn, &mut punished),
                Strategy::Liars => 0,
            };
        }
        Outcome {
            gain,
            punished: u64::try_from(punished.len()).unwrap_or(u64::MAX),
            operators: u64::try_from(self.count).unwrap_or(u64::MAX),
        }
    }

    /// They approve what they have not executed; somebody else may compare.
    fn unseen(&self, turn: &Turn<'_>, punished: &mut BTreeSet<usize>) -> i128 {
        let Turn { claim, ours, seen } = *turn;
        let world = self.world;
        let mut gain = 0;
        let common = trace::signing_digest(&trace::common_key(&claim.seed));
        let honest = self.keys.last().map(|it| it.sign(&common));
        for it in ours {
            gain += world.execution;
            let Some(key) = self.keys.get(*it) else {
                continue;
            };
            let made_up = || key.sign(&trace::signing_digest(&claim.seed));
            let signature = match self.strategy {
                Strategy::Copier => honest.unwrap_or_else(made_up),
                _ => made_up(),
            };
            let shown = SignedDigest {
                key: *key.public_key(),
                digest: common,
                signature,
            };
            // [VE-9]
            if seen && !shown.holds() {
                punished.insert(*it);
                gain -= world.bond();
            }
        }
        gain
    }

    /// One of them executes and tells the others.
    fn told(&self, ours: &[usize], random: &mut Random, punished: &mut BTreeSet<usize>) -> i128 {
        let world = self.world;
        let Some((_, told)) = ours.split_first() else {
            return 0;
        };
        let others = i128::try_from(told.len()).unwrap_or(i128::MAX);
        let mut gain = others.saturating_mul(world.execution);
        if !told.is_empty() && random.below(world.betrayal) == 0 {
            punished.extend(told);
            gain -= others.saturating_mul(world.bond().saturating_sub(world.reward()));
        }
        gain
    }

    /// The first of them claims what is false.
    fn lie(&self, turn: &Turn<'_>, punished: &mut BTreeSet<usize>) -> i128 {
        let Turn { claim, ours, seen } = *turn;
        let world = self.world;
        if self.count == 0 {
            return 0;
        }
        if seen {
            // [L-31], [L-36]
            punished.insert(0);
            punished.extend(ours);
            let lost = i128::try_from(punished.len()).unwrap_or(i128::MAX);
            return lost.saturating_mul(world.bond()).saturating_neg();
        }
        // Its claimant does not check it.
        let approving = ours.iter().filter(|it| **it > 0);
        let tickets: u64 = approving
            .filter_map(|it| claim.drawn.get(*it))
            .fold(0, |sum, it| sum.saturating_add(*it));
        match tickets >= claim.draw.needed_at(0) {
            true => world.prize,
            false => 0,
        }
    }
}

/// The keys of so many operators.
///
/// # Errors
/// If one cannot be made.
pub fn keys(operators: usize, random: &mut Random) -> Result<Vec<SecretKey>, String> {
    let key = |_| SecretKey::derive_from_seed(&random.bytes()).map_err(|it| it.to_string());
    (0..operators).map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one epoch gives to strategies by a tenth of twenty operators.
    fn outcomes(betrayal: u64) -> Vec<Outcome> {
        let mut random = Random::new(5);
        let world = World {
            params: Params::devnet(),
            operators: 20,
            claims: 4,
            execution: 1_000,
            betrayal,
            prize: 1 << 60,
        };
        let keys = keys(world.operators, &mut random).unwrap();
        world.epoch(&keys, &[20], &mut random)
    }

    #[test]
    fn who_does_not_look_copies_or_lies_loses_its_bond() {
        let [lazy, copiers, _, liars] = outcomes(2)[..] else {
            panic!("four strategies");
        };
        for it in [lazy, copiers, liars] {
            assert_eq!(it.operators, 4);
            assert!(it.punished > 0, "{it:?}");
            let bonds = i128::from(it.punished) * 100 * 1_000_000_000_000;
            // What was saved is nothing beside what is lost.
            assert!(it.gain < -bonds / 2, "{it:?}");
            assert!(it.gain >= -bonds, "{it:?}");
        }
    }

    #[test]
    fn who_shares_saves_executions_until_somebody_betrays() {
        let shares = |betrayal| outcomes(betrayal)[2];
        let trusted = shares(u64::MAX);
        assert_eq!(trusted.punished, 0);
        assert!(trusted.gain > 0, "{trusted:?}");
        let betrayed = shares(1);
        assert!(betrayed.punished > 0 && betrayed.gain < 0, "{betrayed:?}");
    }
}
