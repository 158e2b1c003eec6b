//! Batches of claims, which nobody signs: what makes one authentic is a digest on the ledger (rule CO-16).
//!
//! # Rules
//!
//! - `[CO-16]` A batch is kept and passed on once the ledger here has its digest from its claimant, of the last [`CLAIM_BLOCKS`].
//!   Until then it waits, for [`EARLY_BLOCKS`], [`EARLY_MAX`] of them at most and of one peer [`EARLY_SHARE`]: anybody can make one
//!   up.

use std::collections::VecDeque;

use surety_protocol::approval::ClaimBatch;
use surety_protocol::codec;
use surety_protocol::machine::Outbox;
use surety_protocol::time::{Height, Tick};

use super::catch_up::CLAIM_BLOCKS;
use super::{Core, Effect, Signal, Teller};
use crate::net::Acceptance;

/// Blocks for which a batch waits for its digest: whoever sends it has applied the block already.
const EARLY_BLOCKS: u64 = 8;
/// Batches that wait: with 32 kB each, 32 MB.
const EARLY_MAX: usize = 1024;
/// Of these, the most that one peer brought.
const EARLY_SHARE: usize = 32;

/// A batch whose digest is not on the ledger here.
#[derive(Debug)]
pub(super) struct Early {
    batch: ClaimBatch,
    teller: Teller,
    since: Height,
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
        if self.has_committed(&batch) {
            return Some(self.batch(now, batch, out));
        }
        let brought = self.early.iter().filter(|it| it.teller.peer == teller.peer);
        let room = self.early.len() < EARLY_MAX && brought.count() < EARLY_SHARE;
        if !room || !self.ledger.answers(&batch.claimant) {
            return Some(Acceptance::Ignore);
        }
        let since = self.ledger.height();
        self.early.push_back(Early {
            batch,
            teller,
            since,
        });
        None
    }

    /// Whether the ledger here has the digest of a batch from its claimant.
    fn has_committed(&self, batch: &ClaimBatch) -> bool {
        let (height, root) = (self.ledger.height(), batch.root());
        let committed = |ago| self.ledger.digest_root(height.minus(ago), batch.claimant);
        (0..CLAIM_BLOCKS).any(|ago| committed(ago) == Some(&root))
    }

    /// Takes a batch whose digest is on the ledger, or which was asked for because it is.
    pub(super) fn batch(
        &mut self,
        now: Tick,
        batch: ClaimBatch,
        out: &mut Outbox<Effect>,
    ) -> Acceptance {
        if !self.shared.claims.insert_batch(batch) {
            return Acceptance::Ignore;
        }
        self.signal(now, &Signal::Material, out);
        Acceptance::Accept
    }

    /// A block was applied: what has waited for it goes on.
    pub(super) fn early_batches(&mut self, now: Tick, out: &mut Outbox<Effect>) {
        let height = self.ledger.height();
        for it in std::mem::take(&mut self.early) {
            let acceptance = if self.has_committed(&it.batch) {
                self.batch(now, it.batch, out)
            } else if height.since(it.since) >= EARLY_BLOCKS {
                Acceptance::Ignore
            } else {
                self.early.push_back(it);
                continue;
            };
            let token = it.teller.token;
            out.push(Effect::Report { token, acceptance });
        }
    }
}

/// The batches that wait.
pub(super) type EarlyBatches = VecDeque<Early>;
