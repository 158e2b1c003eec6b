//! Approvals: a verifier's word that it executed a claim's new leaves and found them true.
//!
//! # Rules
//!
//! - `[AP-1]` An approval signs the claim's id and nothing else, so that any number of approvals of one claim
//!   aggregate into one signature.
//! - `[AP-2]` It carries the verifier's sortition proof; who drew no ticket has no say.
//! - `[AP-3]` It carries a proof that the verifier has executed the claim ([`crate::trace`]).

use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::bls::Signature;
use crate::codec::Wire;
use crate::hash::{Domain, digest};
use crate::id::{Address, ClaimId, Digest};
use crate::merkle::Proof;
use crate::time::Height;
use crate::trace::{BINDING_BYTES_MAX, TraceProof};

/// What a verifier signs to approve a claim (rule AP-1).
pub fn signing_digest(claim: &ClaimId) -> Digest {
    digest(Domain::APPROVAL_SIGNATURE, &[claim.as_bytes()])
}

/// One verifier's approval of one claim.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize_tuple, Deserialize_tuple)]
pub struct Approval {
    /// The approved claim.
    pub claim: ClaimId,
    /// The claimant whose committed digest made the claim due.
    pub claimant: Address,
    /// The block that committed that digest.
    pub committed: Height,
    /// The verifier.
    pub verifier: Address,
    /// Its unique signature over the sortition seed.
    pub sortition: Signature,
    /// Its signature over [`signing_digest`].
    pub signature: Signature,
    /// That it has executed the claim (rule AP-3).
    pub trace: TraceProof,
}

impl Wire for Approval {
    const KIND: u8 = 4;
    const VERSION: u8 = 2;
    const BYTES_MAX: usize = 512 + BINDING_BYTES_MAX;
}

/// The claims that one claimant committed with one digest root.
///
/// Only the root is on the ledger, so that its load does not grow with the number of processes; the list
/// follows it by gossip and is authentic because it gives the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ClaimBatch {
    /// The claimant.
    pub claimant: Address,
    /// The claims, ascending, each once.
    pub claims: Vec<ClaimId>,
}

/// Claims in one batch.
pub const BATCH_MAX: usize = 1024;

impl Wire for ClaimBatch {
    const KIND: u8 = 5;
    const BYTES_MAX: usize = 64 * 1024;
}

impl ClaimBatch {
    /// Whether the list is bounded, sorted and without repetition.
    pub fn well_formed(&self) -> bool {
        !self.claims.is_empty()
            && self.claims.len() <= BATCH_MAX
            && self
                .claims
                .windows(2)
                .all(|pair| pair.first() < pair.last())
    }

    fn leaves(&self) -> Vec<Digest> {
        self.claims
            .iter()
            .map(|claim| crate::merkle::leaf(claim.as_bytes()))
            .collect()
    }

    /// Whether a claim is among them.
    pub fn holds(&self, claim: &ClaimId) -> bool {
        self.claims.binary_search(claim).is_ok()
    }

    /// The digest root that stands for this batch on the ledger.
    pub fn root(&self) -> Digest {
        crate::merkle::root(&self.leaves())
    }

    /// The path from a claim to the root.
    pub fn prove(&self, claim: &ClaimId) -> Option<Proof> {
        let index = self.claims.binary_search(claim).ok()?;
        crate::merkle::prove(&self.leaves(), u64::try_from(index).ok()?)
    }
}
