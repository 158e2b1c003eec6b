//! The claims that this node knows, and how their histories hang together.
//!
//! # Rules
//!
//! - `[KC-1]` Only authentic, well-formed claims of active operators are here.
//! - `[KC-2]` A claim's new leaves are one segment from its base root to its history root. Leaves below a root are found by
//!   walking segments back to the empty history, so a claim that builds on a lie is not mixed up with one
//!   that does not.
//! - `[KC-3]` Bounded: the oldest claims go first. Segments stay as long as claims do; what is needed from before is asked
//!   for again.
//! - `[KC-4]` Two claims of one signer that say different things of one input are remembered together: they prove each other's
//!   signer guilty. Of each signer and process the last [`RECENT_MAX`] claims are compared with a new one.

mod contradiction;

use std::collections::{BTreeMap, VecDeque};

use surety_protocol::approval::ClaimBatch;
use surety_protocol::claim::{Leaf, SignedClaim};
use surety_protocol::history::Frontier;
use surety_protocol::id::{Address, ClaimId, Digest, ProcessId};

pub use contradiction::Contradiction;

/// Claims kept.
pub const CLAIMS_MAX: usize = 16_384;
/// Batches kept.
pub const BATCHES_MAX: usize = 4096;
/// Segments kept.
pub const SEGMENTS_MAX: usize = 65_536;

/// Claims of one signer and process that a new one is compared with.
pub const RECENT_MAX: usize = 64;

/// The leaves between two roots of a process' history.
#[derive(Debug, Clone)]
struct Segment {
    base: Digest,
    leaves: Vec<Leaf>,
}

/// The claims that this node knows.
#[derive(Debug, Default)]
pub struct Claims {
    claims: BTreeMap<ClaimId, Vec<SignedClaim>>,
    order: VecDeque<ClaimId>,
    /// The last claims of each signer, oldest first.
    recent: BTreeMap<(ProcessId, Address), VecDeque<ClaimId>>,
    batches: BTreeMap<Digest, ClaimBatch>,
    batch_order: VecDeque<Digest>,
    segments: BTreeMap<(ProcessId, Digest), Segment>,
    segment_order: VecDeque<(ProcessId, Digest)>,
}

impl Claims {
    /// Adds a claim; false if it was known.
    pub fn insert(&mut self, claim: SignedClaim) -> bool {
        let body = &claim.statement.claim;
        let Ok(id) = body.id() else { return false };
        let signers = self.claims.entry(id).or_default();
        if signers
            .iter()
            .any(|it| it.statement.claimant == claim.statement.claimant)
        {
            return false;
        }
        self.segment(
            body.process,
            body.history_root,
            body.base_root,
            claim.leaves.clone(),
        );
        let signers = self.claims.entry(id).or_default();
        if signers.is_empty() {
            self.order.push_back(id);
        }
        let recent = self.recent.entry(signer(&claim)).or_default();
        recent.push_back(id);
        while recent.len() > RECENT_MAX {
            recent.pop_front();
        }
        signers.push(claim);
        while self.order.len() > CLAIMS_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.forget(&oldest);
            }
        }
        true
    }

    fn forget(&mut self, claim: &ClaimId) {
        for signed in self.claims.remove(claim).unwrap_or_default() {
            let key = signer(&signed);
            if let Some(recent) = self.recent.get_mut(&key) {
                recent.retain(|it| it != claim);
                if recent.is_empty() {
                    self.recent.remove(&key);
                }
            }
        }
    }

    /// What a claim and another of its signer say differently of one input, if there is anything (rule KC-4).
    pub fn contradiction(&self, claim: &SignedClaim) -> Option<Contradiction> {
        let recent = self.recent.get(&signer(claim))?;
        recent.iter().find_map(|id| {
            let other = self.signed_by(id, &claim.statement.claimant)?;
            Contradiction::between(other, claim)
        })
    }

    /// Adds a batch; false if it was known.
    pub fn insert_batch(&mut self, batch: ClaimBatch) -> bool {
        let root = batch.root();
        // Claimants who committed the same claims committed one root: the list is the same, whoever sent it.
        if self.batches.contains_key(&root) {
            return false;
        }
        self.batches.insert(root, batch);
        self.batch_order.push_back(root);
        while self.batch_order.len() > BATCHES_MAX {
            if let Some(oldest) = self.batch_order.pop_front() {
                self.batches.remove(&oldest);
            }
        }
        true
    }

    /// Adds leaves that somebody sent on request; false if they do not give the root.
    pub fn insert_leaves(&mut self, process: ProcessId, root: Digest, leaves: Vec<Leaf>) -> bool {
        let mut frontier = Frontier::empty();
        for leaf in &leaves {
            let Ok(digest) = leaf.digest() else {
                return false;
            };
            if frontier.append(digest).is_err() {
                return false;
            }
        }
        if frontier.root() != root || leaves.is_empty() {
            return false;
        }
        self.segment(process, root, Frontier::empty().root(), leaves);
        true
    }

    fn segment(&mut self, process: ProcessId, root: Digest, base: Digest, leaves: Vec<Leaf>) {
        let key = (process, root);
        // A root commits to all leaves below it, so of two segments with one root the longer says more: the shorter may
        // build on a root that nobody can resolve.
        let known = self.segments.get(&key).map(|it| it.leaves.len());
        if known.is_some_and(|known| known >= leaves.len()) {
            return;
        }
        self.segments.insert(key, Segment { base, leaves });
        if known.is_none() {
            self.segment_order.push_back(key);
        }
        while self.segment_order.len() > SEGMENTS_MAX {
            if let Some(oldest) = self.segment_order.pop_front() {
                self.segments.remove(&oldest);
            }
        }
    }

    /// The batch with this root.
    pub fn batch(&self, root: &Digest) -> Option<&ClaimBatch> {
        self.batches.get(root)
    }

    /// Whether the batch behind a digest, or a claim of it as this claimant signed it, is not here.
    pub fn lacks(&self, root: &Digest, claimant: &Address) -> bool {
        self.batches.get(root).is_none_or(|batch| {
            let here = |id| self.signed_by(id, claimant).is_some();
            !batch.claims.iter().all(here)
        })
    }

    /// Whether a claim is known, whoever signed it.
    pub fn any(&self, claim: &ClaimId) -> Option<&SignedClaim> {
        self.claims.get(claim)?.first()
    }

    /// All claims as somebody signed them, the oldest first.
    pub fn all(&self) -> impl Iterator<Item = &SignedClaim> {
        self.order
            .iter()
            .filter_map(|id| self.claims.get(id))
            .flatten()
    }

    /// Who has signed a claim.
    pub fn signers(&self, claim: &ClaimId) -> impl Iterator<Item = Address> {
        let signed = self.claims.get(claim).into_iter().flatten();
        signed.map(|it| it.statement.claimant)
    }

    /// A claim as one operator signed it.
    pub fn signed_by(&self, claim: &ClaimId, claimant: &Address) -> Option<&SignedClaim> {
        self.claims
            .get(claim)?
            .iter()
            .find(|it| it.statement.claimant == *claimant)
    }

    /// All claims of a process, oldest first.
    pub fn of_process<'a>(
        &'a self,
        process: &'a ProcessId,
    ) -> impl Iterator<Item = (&'a ClaimId, &'a SignedClaim)> {
        self.order
            .iter()
            .filter_map(|id| {
                self.claims
                    .get(id)
                    .and_then(|it| it.first())
                    .map(|it| (id, it))
            })
            .filter(move |(_, it)| it.statement.claim.process == *process)
    }

    /// The leaves below a root, from slot 0.
    pub fn leaves_below(&self, process: &ProcessId, root: &Digest) -> Option<Vec<Leaf>> {
        let empty = Frontier::empty().root();
        let mut segments = Vec::new();
        let mut at = *root;
        while at != empty {
            let segment = self.segments.get(&(*process, at))?;
            segments.push(segment);
            // A segment has at least one leaf, so its base is another root and the walk ends.
            at = segment.base;
        }
        Some(
            segments
                .iter()
                .rev()
                .flat_map(|it| it.leaves.iter().cloned())
                .collect(),
        )
    }

    /// All leaves that a claim commits to.
    pub fn history(&self, claim: &SignedClaim) -> Option<Vec<Leaf>> {
        let body = &claim.statement.claim;
        let mut leaves = self.leaves_below(&body.process, &body.base_root)?;
        leaves.extend(claim.leaves.iter().cloned());
        Some(leaves)
    }

    /// The leaves before a claim's new ones, from the last one with a state root on; none at the start.
    pub fn lead(&self, claim: &SignedClaim) -> Option<Vec<Leaf>> {
        let body = &claim.statement.claim;
        if body.first_new == 0 {
            return Some(Vec::new());
        }
        let below = self.leaves_below(&body.process, &body.base_root)?;
        let start = below.iter().rposition(|leaf| leaf.state_root.is_some())?;
        Some(below.into_iter().skip(start).collect())
    }
}

fn signer(claim: &SignedClaim) -> (ProcessId, Address) {
    (claim.statement.claim.process, claim.statement.claimant)
}

#[cfg(test)]
mod tests;
