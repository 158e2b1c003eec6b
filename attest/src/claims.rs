//! The claims that this node knows, and how their histories hang together.
//!
//! # Rules
//!
//! - `[KC-1]` Only authentic, well-formed claims of active operators are here.
//! - `[KC-2]` A claim's new leaves are one segment from its base root to its history root. What a claim builds on is found by
//!   walking segments back to a leaf with a state root, so a claim that builds on a lie is not mixed up with one
//!   that does not; and it costs no more in a long history than in a short one.
//! - `[KC-3]` Bounded: at most [`CLAIMS_MAX`] copies, of a claim one for each who has signed it. Of more the oldest goes of whoever
//!   has the most, so that nobody's push out those of others who have fewer. Segments stay as long as claims do; what is
//!   needed from before is asked for again.
//! - `[KC-4]` Two claims of one signer that say different things of one input are remembered together: they prove each other's
//!   signer guilty. Of each signer and process the last [`RECENT_MAX`] claims are compared with a new one.

mod contradiction;
mod lead;
mod order;

use std::collections::{BTreeMap, VecDeque};

use surety_protocol::approval::ClaimBatch;
use surety_protocol::claim::SignedClaim;
use surety_protocol::id::{Address, ClaimId, Digest, ProcessId};

use crate::effect::Want;
use lead::has_root;
use order::Order;

pub use contradiction::Contradiction;
pub use lead::Lead;

/// Copies of claims kept: of each claim one for each who has signed it.
pub const CLAIMS_MAX: usize = 65_536;
/// Batches kept.
pub const BATCHES_MAX: usize = 4096;
/// Segments kept.
pub const SEGMENTS_MAX: usize = 65_536;

/// Claims of one signer and process that a new one is compared with.
pub const RECENT_MAX: usize = 64;
/// Leaves without a state root that are looked through for one: more than any profile lets follow one another.
pub const LEAD_MAX: usize = 1024;

/// The claims that this node knows.
#[derive(Debug, Default)]
pub struct Claims {
    /// Each claim as its signers have signed it, of whom the first came first.
    claims: BTreeMap<ClaimId, Vec<SignedClaim>>,
    order: Order,
    /// The last claims of each signer, oldest first.
    recent: BTreeMap<(ProcessId, Address), VecDeque<ClaimId>>,
    batches: BTreeMap<Digest, ClaimBatch>,
    batch_order: VecDeque<Digest>,
    /// Segments by the root that they end with.
    segments: BTreeMap<(ProcessId, Digest), Lead>,
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
        self.segment(body.process, body.history_root, Lead::carried(&claim));
        self.order.push(id, claim.statement.claimant);
        let recent = self.recent.entry(signer(&claim)).or_default();
        recent.push_back(id);
        while recent.len() > RECENT_MAX {
            recent.pop_front();
        }
        self.claims.entry(id).or_default().push(claim);
        // [KC-3]
        while self.order.len() > CLAIMS_MAX
            && let Some((id, claimant)) = self.order.pop()
        {
            self.forget(&id, &claimant);
        }
        true
    }

    /// Forgets a claim as one operator signed it.
    fn forget(&mut self, id: &ClaimId, claimant: &Address) {
        let Some(signers) = self.claims.get_mut(id) else {
            return;
        };
        let of = |it: &SignedClaim| it.statement.claimant == *claimant;
        let Some(place) = signers.iter().position(of) else {
            return;
        };
        let key = signer(&signers.remove(place));
        if signers.is_empty() {
            self.claims.remove(id);
        }
        if let Some(recent) = self.recent.get_mut(&key) {
            recent.retain(|it| it != id);
            if recent.is_empty() {
                self.recent.remove(&key);
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

    /// Adds leaves that somebody sent on request; false if they do not give the root, or nothing to start from.
    pub fn insert_leaves(&mut self, process: ProcessId, root: Digest, lead: Lead) -> bool {
        let bounded = lead.leaves.len() <= LEAD_MAX;
        let starts = lead.leaves.first().is_some_and(has_root);
        if !bounded || !starts || lead.root() != Some(root) {
            return false;
        }
        if let Some(lead) = lead.since_root() {
            self.segment(process, root, lead);
        }
        true
    }

    fn segment(&mut self, process: ProcessId, root: Digest, lead: Lead) {
        let key = (process, root);
        // A root commits to all leaves below it, so of two segments with one root the longer says more: the shorter may
        // build on a root that nobody can resolve.
        let known = self.segments.get(&key).map(|it| it.leaves.len());
        if known.is_some_and(|known| known >= lead.leaves.len()) {
            return;
        }
        self.segments.insert(key, lead);
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

    /// A claim as the first signed it whose copy is kept.
    pub fn any(&self, claim: &ClaimId) -> Option<&SignedClaim> {
        self.claims.get(claim)?.first()
    }

    /// All claims as somebody signed them, the oldest first.
    pub fn all(&self) -> impl Iterator<Item = &SignedClaim> {
        let copies = self.order.oldest_first();
        copies.filter_map(move |(id, claimant)| self.signed_by(id, claimant))
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

    /// A claim as one operator signed it, or, if that copy is not kept, as another did, but for one of them.
    pub fn copy(&self, claim: &ClaimId, claimant: &Address, but: &Address) -> Option<&SignedClaim> {
        let signed = self.claims.get(claim)?.iter();
        let mut others = signed.filter(|it| it.statement.claimant != *but);
        self.signed_by(claim, claimant).or_else(|| others.next())
    }

    /// The leaves before a claim's new ones, from the last one with a state root on; none at the start (rule KC-2).
    ///
    /// # Errors
    /// What is to be asked for if it is not here.
    pub fn lead(&self, claim: &SignedClaim) -> Result<Lead, Want> {
        let body = &claim.statement.claim;
        let (mut root, mut size) = (body.base_root, body.first_new);
        // Nothing is copied before it is known that all of it is here.
        let mut after: Vec<&Lead> = Vec::new();
        let mut leaves = 0_usize;
        while size > 0 {
            let lacking = Want::Leaves {
                process: body.process,
                root,
                size,
                claimant: claim.statement.claimant,
            };
            let segment = self.segments.get(&(body.process, root));
            let Some(segment) = segment.filter(|_| leaves < LEAD_MAX) else {
                return Err(lacking);
            };
            if let Some(mut lead) = segment.since_root() {
                let after = after.iter().rev().flat_map(|it| &it.leaves);
                lead.leaves.extend(after.cloned());
                return Ok(lead);
            }
            // A segment has at least one leaf, so its base is a shorter history and the walk ends.
            leaves = leaves.saturating_add(segment.leaves.len());
            after.push(segment);
            (root, size) = (segment.frontier.root(), segment.frontier.size());
        }
        Ok(Lead::default())
    }

    /// Whether leaves that were lacking are here; of other things it is not known here.
    pub fn has(&self, want: &Want) -> bool {
        match want {
            Want::Leaves { process, root, .. } => self.segments.contains_key(&(*process, *root)),
            _ => true,
        }
    }
}

fn signer(claim: &SignedClaim) -> (ProcessId, Address) {
    (claim.statement.claim.process, claim.statement.claimant)
}

#[cfg(test)]
mod tests;
