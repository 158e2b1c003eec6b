//! Batches of claims, which nobody signs: what makes one authentic is a digest on the ledger (rule CO-16).
//!
//! # Rules
//!
//! - `[CO-16]` A batch is kept and passed on once the ledger here has its digest from its claimant, of the last [`CLAIM_BLOCKS`].
//!   Until then it waits, for [`EARLY_BLOCKS`] and [`EARLY_MS`] at most, [`EARLY_MAX`] of them and of one peer [`EARLY_SHARE`]. Of
//!   too many the oldest goes of the peer that has brought the most, or the new one if its peer would have as many. Between two
//!   blocks batches of one peer are looked at as long as they have [`CLAIMS_SHARE`] claims together: anybody can make one up.

use std::collections::{BTreeMap, VecDeque};

use surety_attest::shares::Shares;
use surety_protocol::approval::ClaimBatch;
use surety_protocol::codec;
use surety_protocol::id::{Address, Digest};
use surety_protocol::machine::Outbox;
use surety_protocol::time::{Height, Tick};

use super::catch_up::CLAIM_BLOCKS;
use super::{Core, Effect, Signal, Teller};
use crate::net::Acceptance;

/// Blocks for which a batch waits for its digest: whoever sends it has applied the block already.
const EARLY_BLOCKS: u64 = 8;
/// Milliseconds for which it does: what is judged later cannot be passed on.
const EARLY_MS: u64 = 7_000;
/// Batches that wait: with 32 kB each, 32 MB.
const EARLY_MAX: usize = 1024;
/// Of these, the most that one peer brought.
const EARLY_SHARE: usize = 32;
/// Claims whose digest one peer has us compute between two blocks: some milliseconds.
const CLAIMS_SHARE: usize = 8_192;

/// A batch whose digest is not on the ledger here.
#[derive(Debug)]
struct Early {
    batch: ClaimBatch,
    root: Digest,
    teller: Teller,
    since: (Height, Tick),
}

/// Batches that nothing makes authentic yet.
#[derive(Debug, Default)]
pub(super) struct Unproven {
    /// The oldest first.
    early: VecDeque<Early>,
    /// How many of them each peer brought.
    waiting: Shares<Digest>,
    /// Claims that each peer has brought since the last block.
    brought: BTreeMap<Digest, usize>,
}

impl Unproven {
    /// Whether a peer may bring so many claims now.
    fn hears(&mut self, peer: Digest, claims: usize) -> bool {
        let brought = self.brought.entry(peer).or_default();
        *brought = brought.saturating_add(claims);
        *brought <= CLAIMS_SHARE
    }

    /// Lets a batch wait; gives back what does not. Many who bring few do not lose to few who bring many.
    fn wait(&mut self, batch: Early) -> Option<Early> {
        let peer = batch.teller.peer;
        let has = self.waiting.of(&peer).saturating_add(1);
        let full = self.early.len() >= EARLY_MAX;
        let most = full.then(|| self.waiting.most()).flatten();
        let most = most.filter(|(_, most)| *most > has);
        if has > EARLY_SHARE || (full && most.is_none()) {
            return Some(batch);
        }
        self.waiting.take(peer);
        self.early.push_back(batch);
        let (most, _) = most?;
        let oldest = self.early.iter().position(|it| it.teller.peer == most)?;
        self.waiting.leave(&most);
        self.early.remove(oldest)
    }
}

impl Core {
    /// Takes a batch that was gossiped; what it is worth, if that can be said.
    pub(super) fn batch_gossip(
        &mut self,
        now: Tick,
        teller: Teller,
        data: &[u8],
        out: &mut Outbox<Effect>,
    ) -> Option<Acceptance> {
        let batch = match codec::decode::<ClaimBatch>(data) {
            Ok(batch) if batch.well_formed() => batch,
            _ => return Some(Acceptance::Reject),
        };
        let heard = self.unproven.hears(teller.peer, batch.claims.len());
        if !heard || !self.ledger.answers(&batch.claimant) {
            return Some(Acceptance::Ignore);
        }
        let root = batch.root();
        if self.has_committed(batch.claimant, &root) {
            return Some(self.batch(now, batch, out));
        }
        let early = Early {
            batch,
            root,
            teller,
            since: (self.ledger.height(), now),
        };
        if let Some(left) = self.unproven.wait(early) {
            out.push(Effect::Report {
                token: left.teller.token,
                acceptance: Acceptance::Ignore,
            });
        }
        None
    }

    /// Whether the ledger here has a digest from a claimant.
    fn has_committed(&self, claimant: Address, root: &Digest) -> bool {
        let height = self.ledger.height();
        let committed = |ago| self.ledger.digest_root(height.minus(ago), claimant);
        (0..CLAIM_BLOCKS).any(|ago| committed(ago) == Some(root))
    }

    /// Takes a batch whose digest is on the ledger, or which was asked for because it is.
    pub(super) fn batch(
        &mut self,
        now: Tick,
        batch: ClaimBatch,
        out: &mut Outbox<Effect>,
    ) -> Acceptance {
        let root = batch.root();
        if !self.shared.claims.insert_batch(batch) {
            return Acceptance::Ignore;
        }
        self.signal(now, &Signal::Batch(&root), out);
        Acceptance::Accept
    }

    /// A block was applied: what has waited for it goes on.
    pub(super) fn early_batches(&mut self, now: Tick, out: &mut Outbox<Effect>) {
        self.unproven.brought.clear();
        let height = self.ledger.height();
        for it in std::mem::take(&mut self.unproven.early) {
            let acceptance = if self.has_committed(it.batch.claimant, &it.root) {
                self.batch(now, it.batch, out)
            } else if height.since(it.since.0) >= EARLY_BLOCKS {
                Acceptance::Ignore
            } else {
                self.unproven.early.push_back(it);
                continue;
            };
            let Teller { token, peer } = it.teller;
            self.unproven.waiting.leave(&peer);
            out.push(Effect::Report { token, acceptance });
        }
    }

    /// Time passed, maybe without a block.
    pub(super) fn late_batches(&mut self, now: Tick, out: &mut Outbox<Effect>) {
        // The oldest first.
        while let Some(it) =
            (self.unproven.early).pop_front_if(|it| now.since(it.since.1) >= EARLY_MS)
        {
            self.unproven.waiting.leave(&it.teller.peer);
            out.push(Effect::Report {
                token: it.teller.token,
                acceptance: Acceptance::Ignore,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: usize) -> Digest {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Digest::new(bytes)
    }

    /// Each message has a number of its own.
    fn brings(unproven: &mut Unproven, token: u64, by: usize) -> Option<u64> {
        let peer = peer(by);
        let left = unproven.wait(Early {
            batch: ClaimBatch {
                claimant: Address::default(),
                claims: Vec::new(),
            },
            root: Digest::default(),
            teller: Teller { token, peer },
            since: (Height(0), Tick(0)),
        });
        left.map(|it| it.teller.token)
    }

    #[test]
    fn many_who_bring_few_do_not_lose_to_few_who_bring_many() {
        let mut unproven = Unproven::default();
        let mut tokens = 0..;
        for by in 0..EARLY_MAX / EARLY_SHARE {
            for _ in 0..EARLY_SHARE {
                assert_eq!(brings(&mut unproven, tokens.next().unwrap(), by), None);
            }
            // One more is beyond the share.
            let token = tokens.next().unwrap();
            assert_eq!(brings(&mut unproven, token, by), Some(token));
        }
        // Others come in for the oldest of those who have the most.
        for by in 100..200 {
            let token = tokens.next().unwrap();
            let left = brings(&mut unproven, token, by).unwrap();
            assert!(left < token && unproven.waiting.of(&peer(by)) == 1, "{by}");
        }
        assert_eq!(unproven.early.len(), EARLY_MAX);
        let most = unproven.waiting.most().map(|(_, most)| most);
        assert_eq!(most, Some(29));
        // And they keep what they have.
        for by in (0..32).cycle().take(1_000) {
            let token = tokens.next().unwrap();
            let left = brings(&mut unproven, token, by).unwrap();
            let kept = (100..200).all(|it| unproven.waiting.of(&peer(it)) == 1);
            assert!(kept, "{left}");
        }
        assert_eq!(unproven.early.len(), unproven.waiting.all());
    }
}
