//! Which tickets of stake check which claim.
//!
//! # Rules
//!
//! - `[SO-1]` The seed binds the beacon of a block after the claim's digest with process and `first_new`; nothing that
//!   the claimant or one proposer can shape after seeing it.
//! - `[SO-2]` A verifier's BLS signature over the seed is unique, hence a verifiable random function. Ticket `i`
//!   draws `digest(signature, i)`: tickets draw, not identities, so splitting stake gains nothing.
//! - `[SO-3]` A draw is the first 8 bytes of the digest, big-endian. Tranche 0 takes draws below
//!   `1.5 k / tickets` of the range, each later tranche the next `0.5 k / tickets`. Integers only.
//! - `[SO-4]` `k` is at most half of the eligible tickets, rounded up, and at least 1: a small network
//!   checks with what it has, and says so.
//! - `[SO-5]` The claimant never checks itself; its tickets are not eligible.
//! - `[SO-6]` With every tranche that has come, a third of `k` more tickets must approve, up to two thirds of the
//!   eligible: the tickets that may speak grow with time, so whoever waits must convince in proportion, and
//!   nobody certifies alone by waiting.

use crate::bls::{SecretKey, Signature};
use crate::hash::{Domain, digest};
use crate::id::{Digest, ProcessId};

/// Draws that one verifier makes for one claim; more tickets than this draw nothing.
pub const TICKETS_MAX: u64 = 4096;

/// The seed for the new leaves of a claim (rule SO-1).
pub fn seed(beacon: &Digest, process: &ProcessId, first_new: u64) -> Digest {
    digest(
        Domain::SORTITION_SEED,
        &[
            beacon.as_bytes(),
            process.as_bytes(),
            &first_new.to_be_bytes(),
        ],
    )
}

/// The thresholds of one claim's sortition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// Tickets that must approve in tranche 0, clamped (rule SO-4).
    pub needed: u64,
    most: u64,
    first: u128,
    later: u128,
}

impl Draw {
    /// The sortition that asks for `k` of `tickets` eligible ones.
    pub fn new(k: u64, tickets: u64) -> Draw {
        let needed = k.min(tickets.div_ceil(2)).max(1);
        let range = 1_u128 << 64;
        let share = |halves: u128| {
            let tickets = u128::from(tickets.max(1)).saturating_mul(2);
            (range
                .saturating_mul(halves)
                .saturating_mul(u128::from(needed)))
            .checked_div(tickets)
            .unwrap_or(range)
            .max(1)
        };
        let most = tickets.saturating_mul(2).div_ceil(3).max(needed);
        Draw {
            needed,
            most,
            first: share(3),
            later: share(1),
        }
    }

    /// Tickets that must approve when this tranche has come (rule SO-6).
    pub fn needed_at(&self, tranche: u64) -> u64 {
        let more = tranche.saturating_mul(self.needed).div_ceil(3);
        self.needed.saturating_add(more).min(self.most).max(1)
    }

    /// Whether `k` had to be clamped.
    pub const fn clamped(&self, k: u64) -> bool {
        self.needed < k
    }

    /// The tranche of a draw (rule SO-3).
    fn tranche(&self, draw: u64) -> u64 {
        let draw = u128::from(draw);
        match draw.checked_sub(self.first) {
            None => 0,
            Some(beyond) => beyond
                .checked_div(self.later)
                .and_then(|tranche| u64::try_from(tranche).ok())
                .map_or(u64::MAX, |tranche| tranche.saturating_add(1)),
        }
    }

    /// How many of a verifier's tickets have a say by the given tranche (rule SO-2).
    pub fn tickets(&self, proof: &Signature, held: u64, tranche: u64) -> u64 {
        let mut count = 0;
        for ticket in 0..held.min(TICKETS_MAX) {
            if self.tranche(draw(proof, ticket)) <= tranche {
                count += 1;
            }
        }
        count
    }

    /// The first tranche in which a verifier has a say.
    pub fn first_tranche(&self, proof: &Signature, held: u64) -> Option<u64> {
        (0..held.min(TICKETS_MAX))
            .map(|ticket| self.tranche(draw(proof, ticket)))
            .min()
    }
}

fn draw(proof: &Signature, ticket: u64) -> u64 {
    let draw = digest(
        Domain::SORTITION_TICKET,
        &[proof.as_bytes(), &ticket.to_be_bytes()],
    );
    draw.as_bytes()
        .iter()
        .take(8)
        .fold(0, |value, byte| (value << 8) | u64::from(*byte))
}

/// A verifier's proof for a seed.
pub fn prove(key: &SecretKey, seed: &Digest) -> Signature {
    key.sign(seed)
}
