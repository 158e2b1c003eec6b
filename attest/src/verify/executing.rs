//! Which claims are being executed, until their answers come (rule VE-13).

use std::collections::BTreeMap;

use surety_protocol::id::{Address, ClaimId};
use surety_protocol::time::Height;

use super::places::{Places, Tickets};

/// Claims that are executed at once.
const EXECUTING_MAX: usize = 128;
/// Blocks after which an execution without an answer has no place any more: its worker has died long before.
const LOST_BLOCKS: u64 = 600;

/// The places of claims that are being executed.
#[derive(Debug, Default)]
pub(super) struct Executing {
    /// Whose claims they are, and since when, by the claim and the block that committed it.
    since: BTreeMap<(ClaimId, Height), (Address, Height)>,
    places: Places,
    /// Whether one was given back that nobody has taken.
    pub(super) freed: bool,
}

impl Executing {
    pub(super) const fn new() -> Executing {
        Executing {
            since: BTreeMap::new(),
            places: Places::new(),
            freed: false,
        }
    }

    /// Whether one more of somebody's claims may be executed now.
    pub(super) fn has_place(&self, claimant: &Address, tickets: &Tickets<'_>) -> bool {
        self.places.has(EXECUTING_MAX, claimant, tickets)
    }

    /// One is begun.
    pub(super) fn begin(
        &mut self,
        (claim, committed): (ClaimId, Height),
        claimant: Address,
        now: Height,
    ) {
        if self
            .since
            .insert((claim, committed), (claimant, now))
            .is_none()
        {
            self.places.take(claimant);
        }
    }

    /// Its answer came, whatever has become of the duty.
    pub(super) fn end(&mut self, claim: ClaimId, committed: Height) {
        if let Some((claimant, _)) = self.since.remove(&(claim, committed)) {
            self.places.leave(&claimant);
            self.freed = true;
        }
    }

    /// Leaves those of which no answer will come.
    pub(super) fn forget(&mut self, now: Height) {
        let lost = |since: Height| now.since(since) > LOST_BLOCKS;
        let gone = self.since.iter().filter(|(_, (_, since))| lost(*since));
        let gone: Vec<(ClaimId, Height)> = gone.map(|(it, _)| *it).collect();
        for (claim, committed) in gone {
            self.end(claim, committed);
        }
    }
}
