//! What the lot gives liars, drawn many times and computed.
//!
//! Liars hold a share of the eligible tickets and approve a false claim; everybody else who draws it looks, and accuses. A claim
//! is certified if enough of the liars' tickets have a say by some tranche, as the ledger would count them (rules SO-3, SO-6). It
//! stays unseen if besides no ticket of anybody else has drawn it by then.

#![allow(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "odds are numbers for people"
)]

use surety_protocol::bls::SecretKey;
use surety_protocol::id::{Digest, ProcessId};
use surety_protocol::sortition::{self, Draw, TICKETS_MAX};

use crate::random::Random;

/// Tranches that a claim waits for: it is drawn anew after them.
pub const TRANCHES: u64 = 8;

/// A question about the lot.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Tickets that may draw.
    pub tickets: u64,
    /// Of a hundred of them so many are the liars'.
    pub share: u64,
    /// Tickets that must approve.
    pub k: u64,
}

/// What was drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sampled {
    /// Of all claims the share that the liars certify in tranche 0.
    pub at_once: f64,
    /// The share that they certify in any tranche.
    pub ever: f64,
    /// The share that they certify before anybody else has drawn the claim.
    pub unseen: f64,
    /// Tickets of the others that have drawn a claim in tranche 0, on average: so many look.
    pub lookers: f64,
}

impl Case {
    /// The liars' tickets.
    const fn theirs(&self) -> u64 {
        self.tickets * self.share / 100
    }

    /// Draws so many claims with the ledger's own lot.
    ///
    /// # Errors
    /// If more tickets are to draw than one verifier may have.
    pub fn sample(&self, claims: u64, random: &mut Random) -> Result<Sampled, String> {
        let others = self.tickets - self.theirs();
        if others > TICKETS_MAX {
            return Err(format!("at most {TICKETS_MAX} tickets of one holder draw"));
        }
        let mut key = || SecretKey::derive_from_seed(&random.bytes()).map_err(|it| it.to_string());
        let (liar, honest) = (key()?, key()?);
        let draw = Draw::new(self.k, self.tickets);
        let mut found = Sampled::default();
        for claim in 0..claims {
            let seed = sortition::seed(&Digest::new(random.bytes()), &ProcessId::default(), claim);
            let lies = sortition::prove(&liar, &seed);
            let looks = sortition::prove(&honest, &seed);
            let certified = (0..=TRANCHES)
                .find(|it| draw.tickets(&lies, self.theirs(), *it) >= draw.needed_at(*it));
            found.lookers += draw.tickets(&looks, others, 0) as f64;
            if let Some(tranche) = certified {
                found.ever += 1.0;
                found.at_once += f64::from(u8::from(tranche == 0));
                let alone = draw.tickets(&looks, others, tranche) == 0;
                found.unseen += f64::from(u8::from(alone));
            }
        }
        let all = claims.max(1) as f64;
        Ok(Sampled {
            at_once: found.at_once / all,
            ever: found.ever / all,
            unseen: found.unseen / all,
            lookers: found.lookers / all,
        })
    }

    /// The chance that a ticket has a say by a tranche.
    fn chance(&self, draw: &Draw, tranche: u64) -> f64 {
        let halves = (3 + tranche) as f64;
        (halves / 2.0 * draw.needed as f64 / self.tickets as f64).min(1.0)
    }

    /// The chance that liars certify a claim in tranche 0.
    pub fn at_once(&self) -> f64 {
        let draw = Draw::new(self.k, self.tickets);
        tail(self.theirs(), self.chance(&draw, 0), draw.needed_at(0))
    }

    /// What the chance that liars certify a claim in any tranche does not exceed: the sum over all of them.
    pub fn ever(&self) -> f64 {
        let draw = Draw::new(self.k, self.tickets);
        let by = |it| tail(self.theirs(), self.chance(&draw, it), draw.needed_at(it));
        (0..=TRANCHES).map(by).sum::<f64>().min(1.0)
    }

    /// What the chance of a certificate that nobody else has drawn does not exceed.
    pub fn unseen(&self) -> f64 {
        let draw = Draw::new(self.k, self.tickets);
        let others = (self.tickets - self.theirs()) as f64;
        let by = |it| {
            let chance = self.chance(&draw, it);
            let alone = (1.0 - chance).powf(others);
            tail(self.theirs(), chance, draw.needed_at(it)) * alone
        };
        (0..=TRANCHES).map(by).sum::<f64>().min(1.0)
    }
}

/// The chance that at least so many of `number` independent draws succeed.
fn tail(number: u64, chance: f64, least: u64) -> f64 {
    if chance >= 1.0 {
        return f64::from(u8::from(number >= least));
    }
    // From none upwards: each probability from the one before.
    let odds = chance / (1.0 - chance);
    let mut exactly = (1.0 - chance).powf(number as f64);
    let mut sum = 0.0;
    for successes in 0..=number {
        if successes >= least {
            sum += exactly;
        }
        exactly *= odds * (number - successes) as f64 / (successes + 1) as f64;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_as_the_binomial_distribution_says() {
        let mut random = Random::new(11);
        for (share, k) in [(20, 2), (33, 2), (33, 4)] {
            let case = Case {
                tickets: 300,
                share,
                k,
            };
            let claims = 300;
            let found = case.sample(claims, &mut random).unwrap();
            // Four standard deviations: one such test in thirty thousand fails, and this one has its seed.
            let expected = case.at_once();
            let deviation = (expected * (1.0 - expected) / claims as f64).sqrt();
            let far = (found.at_once - expected).abs();
            assert!(far < 4.0 * deviation, "{found:?} {expected}");
            assert!(found.ever <= case.ever() + 4.0 * deviation, "{found:?}");
            assert!(found.unseen <= found.ever);
        }
    }

    #[test]
    fn more_tickets_make_a_lie_less_likely() {
        let of = |k| Case {
            tickets: 10_000,
            share: 33,
            k,
        };
        let chances: Vec<f64> = [4, 16, 64].map(|k| of(k).at_once()).to_vec();
        assert!(
            chances.windows(2).all(|it| it[1] < it[0] / 10.0),
            "{chances:?}"
        );
        assert!(of(64).at_once() < 1e-6);
        assert!(of(64).unseen() < 1e-30);
    }
}
