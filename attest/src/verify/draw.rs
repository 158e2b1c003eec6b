//! Which claims a verifier has drawn (rules VE-1, VE-6 and VE-7).
//!
//! Each claim is drawn when the last of what it takes comes: the block with the seed, the batch or the claim itself, and then that
//! claim alone, however many others are waited for. With a block only those are tried again for which there was no room.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use surety_protocol::claim::SignedClaim;
use surety_protocol::facts::BlockFacts;
use surety_protocol::id::{Address, ClaimId, Digest};
use surety_protocol::sortition::{self, Draw};
use surety_protocol::time::Height;

use super::places::Tickets;
use super::traces::Plan;
use super::{Duty, Stage, Verifier};
use crate::claims::Claims;

/// Claims that one verifier has in hand.
pub const DUTIES_MAX: usize = 16_384;

/// Blocks for which a batch that has not come holds up those after it in the same block.
const BATCH_BLOCKS: u64 = 2;

/// Blocks after which a claim that is committed again is drawn again.
pub(super) const AGAIN_BLOCKS: u64 = 16;

/// A digest on the ledger.
#[derive(Debug)]
pub(super) struct Committed {
    pub(super) claimant: Address,
    pub(super) root: Digest,
    /// Which of its claims are still to be drawn, once they are known.
    pub(super) left: Option<BTreeSet<ClaimId>>,
    /// Whether some of them are here, and had no room.
    pub(super) again: bool,
}

/// What became of a draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drew {
    /// It is drawn, or not to be.
    Settled,
    /// The claim is not here: it is drawn when it comes.
    Missing,
    /// There is no room for it now.
    Full,
}

impl Committed {
    fn is_drawn(&self) -> bool {
        self.left.as_ref().is_some_and(BTreeSet::is_empty)
    }
}

impl Verifier {
    /// A claim came.
    pub fn claim(&mut self, claim: &SignedClaim, claims: &Claims) {
        let Ok(id) = claim.statement.claim.id() else {
            return;
        };
        let claimant = claim.statement.claimant;
        for seeded in self.ready() {
            let waits = |it: &Committed| it.left.as_ref().is_some_and(|it| it.contains(&id));
            if !self.of(seeded, &claimant).is_some_and(|it| waits(it)) {
                continue;
            }
            let Some(facts) = self.beacons.get(&seeded).map(Arc::clone) else {
                continue;
            };
            let tickets = Tickets::of(&facts.validators);
            let drew = self.draw_one(&facts, &tickets, claimant, id, claims);
            if let Some(it) = self.of(seeded, &claimant) {
                it.again |= drew == Drew::Full;
                if let (Drew::Settled, Some(left)) = (drew, &mut it.left) {
                    left.remove(&id);
                }
            }
        }
    }

    /// A batch came.
    pub fn batch(&mut self, root: &Digest, claims: &Claims) {
        for seeded in self.ready() {
            let mut committed = self.committed.get(&seeded).into_iter().flatten();
            if committed.any(|it| it.left.is_none() && it.root == *root) {
                self.draw(seeded, claims);
            }
        }
    }

    /// What the fallen have committed is no duty any more; if others have claimed it too, it is drawn from them (rule VE-6).
    pub(super) fn bury(&mut self, fallen: &[Address], claims: &Claims) {
        let mut freed = BTreeSet::new();
        self.duties.retain(|id, duty| {
            let stands = !fallen.contains(&duty.claimant);
            if !stands {
                freed.insert(*id);
            }
            stands
        });
        for (seeded, committed) in &mut self.committed {
            committed.retain(|it| !fallen.contains(&it.claimant));
            for it in committed {
                let Some(left) = &mut it.left else {
                    continue;
                };
                let batch = claims.batch(&it.root).into_iter();
                let its = batch.flat_map(|it| &it.claims);
                let before = left.len();
                left.extend(its.filter(|id| freed.contains(*id)));
                it.again |= left.len() > before;
            }
            self.undrawn.insert(*seeded);
        }
    }

    /// The heights whose seeds are there, and with which not all is drawn.
    pub(super) fn ready(&self) -> Vec<Height> {
        self.undrawn.range(..=self.height).copied().collect()
    }

    /// What a claimant has committed for a seed.
    fn of(&mut self, seeded: Height, claimant: &Address) -> Option<&mut Committed> {
        let mut committed = self.committed.get_mut(&seeded)?.iter_mut();
        committed.find(|it| it.claimant == *claimant)
    }

    /// Draws for all claims with a seed (rule VE-1).
    pub(super) fn draw(&mut self, seeded: Height, claims: &Claims) {
        let Some(facts) = self.beacons.get(&seeded).map(Arc::clone) else {
            return;
        };
        let tickets = Tickets::of(&facts.validators);
        let mut committed = self.committed.remove(&seeded).unwrap_or_default();
        let due = |it: &&mut Committed| it.left.is_none() || it.again;
        for it in committed.iter_mut().filter(due) {
            let batch = || Some(claims.batch(&it.root)?.claims.iter().copied().collect());
            let Some(mut left) = it.left.take().or_else(batch) else {
                // Of equal claims in one block the first counts, so its batch is waited for a little.
                if self.height.since(seeded) < BATCH_BLOCKS {
                    break;
                }
                continue;
            };
            it.again = false;
            left.retain(|id| {
                let drew = self.draw_one(&facts, &tickets, it.claimant, *id, claims);
                it.again |= drew == Drew::Full;
                drew != Drew::Settled
            });
            it.left = Some(left);
        }
        if committed.iter().all(Committed::is_drawn) {
            self.undrawn.remove(&seeded);
        }
        self.committed.insert(seeded, committed);
    }

    /// Draws for a claim.
    fn draw_one(
        &mut self,
        facts: &BlockFacts,
        tickets: &Tickets<'_>,
        claimant: Address,
        id: ClaimId,
        claims: &Claims,
    ) -> Drew {
        let seeded = facts.height;
        let committed = seeded.minus(self.params.seed_delay_blocks);
        if claimant == self.operator {
            return Drew::Settled;
        }
        let Some(held) = facts.validators.get(&self.operator).map(|it| it.tickets) else {
            return Drew::Settled;
        };
        // [VE-7]
        let again = |duty: &Duty| duty.committed.plus(AGAIN_BLOCKS) <= committed;
        let known = self.duties.get(&id);
        if known.is_some_and(|duty| !again(duty)) {
            return Drew::Settled;
        }
        let replaces = known.is_some();
        let Some(claim) = claims.signed_by(&id, &claimant) else {
            return Drew::Missing;
        };
        let body = &claim.statement.claim;
        // [VE-13]
        let room = self.places.has(DUTIES_MAX, &claimant, tickets)
            && self.waiting.has_room(&body.process, &claimant);
        if !replaces && !room {
            return Drew::Full;
        }
        let seed = sortition::seed(&facts.beacon, &body.process, body.first_new);
        let proof = sortition::prove(&self.lottery.0, &seed);
        let eligible = facts.validators.tickets_without(&[claimant]);
        let draw = Draw::new(self.params.k, eligible);
        let Some(tranche) = draw.first_tranche(&proof, held) else {
            return Drew::Settled;
        };
        let wait = tranche.saturating_mul(self.params.tranche_blocks);
        let plan = Plan::new(
            seed,
            &facts.validators,
            self.operator,
            &claimant,
            &self.lottery,
        );
        let duty = Duty {
            process: body.process,
            size: body.size,
            whole: false,
            claimant,
            committed,
            from: seeded.plus(wait),
            sortition: proof,
            plan,
            stage: Stage::Drawn,
            want: None,
            looked: false,
            tries: 0,
            next: Height(0),
            heard: BTreeMap::new(),
        };
        self.waiting.insert(duty.process, claimant, committed, id);
        self.stirred.insert(duty.process);
        self.places.take(claimant);
        let replaced = self.duties.insert(id, duty);
        // One that is done had none.
        if let Some(replaced) = replaced.filter(|it| it.stage != Stage::Done) {
            self.places.leave(&replaced.claimant);
        }
        Drew::Settled
    }
}
