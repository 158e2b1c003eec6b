//! Claims: what a compute unit signs about a process.
//!
//! # Rules
//!
//! - `[CL-1]` Every evaluated input has one [`Leaf`]; leaf 0 is the process item itself. All leaves of a process
//!   form one append-only tree.
//! - `[CL-2]` A claim commits to *all* leaves from 0 by `history_root`, to the leaves before its own by `base_root`,
//!   and carries the new ones, `[first_new, size)`: 1 to [`LEAVES_MAX`] of them. Without them it is
//!   malformed, so nobody can hide where it lied.
//! - `[CL-3]` The carried frontier has `first_new` leaves and `base_root`; appending the new leaves gives
//!   `history_root`. This is checked before any signature: it costs only hashes.
//! - `[CL-4]` A claim's id is the digest of its body without signer, so equal claims of several compute units
//!   are one claim and share approvals.
//! - `[CL-5]` `head_state_root` is the state after the last leaf; where that leaf has a state root the two are equal.
//! - `[CL-6]` A claim is false if any leaf it contains, or its head state root, is false. Its signer answers
//!   for all of it; an approver only for the new leaves.

use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::bls::{PublicKey, SecretKey, Signature, SignedDigest};
use crate::codec::{self, CodecError, Wire};
use crate::hash::{Domain, digest};
use crate::hashpath::Hashpath;
use crate::history::Frontier;
use crate::id::{
    Address, AssignmentId, ClaimId, Digest, ModuleId, NetworkId, ProcessId, ProfileId,
};
use crate::merkle::Proof;
use crate::time::{Height, Slot};

/// New leaves in one claim.
pub const LEAVES_MAX: usize = 64;

/// The outcome of one evaluated input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Leaf {
    /// Which input: its slot in the process' log.
    pub slot: Slot,
    /// The assignment that was evaluated.
    pub assignment: AssignmentId,
    /// The root over the result's parts.
    pub result_root: Digest,
    /// Gas that the evaluation took.
    pub gas: u64,
    /// The state after it, at the inputs where the profile demands one.
    pub state_root: Option<Digest>,
}

impl Wire for Leaf {
    const KIND: u8 = 1;
    const BYTES_MAX: usize = 256;
}

impl Leaf {
    /// The leaf's digest in the history.
    ///
    /// # Errors
    /// Never for a leaf that fits its own limit, which every leaf does.
    pub fn digest(&self) -> Result<Digest, CodecError> {
        Ok(digest(Domain::HISTORY_LEAF, &[&codec::encode(self)?]))
    }
}

/// What is claimed about a process, whoever claims it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Claim {
    /// The network on which it can cost stake.
    pub network: NetworkId,
    /// The profile of the new leaves (rule CL-7).
    pub profile: ProfileId,
    /// The stamp that decides it: of the first input of the stride that the last leaf is in.
    pub height: Height,
    /// The program.
    pub module: ModuleId,
    /// The process.
    pub process: ProcessId,
    /// Which continuation of the log, after a scheduler was replaced.
    pub fork: u64,
    /// Leaves from 0 that `history_root` commits to.
    pub size: u64,
    /// The root of the history.
    pub history_root: Digest,
    /// The first of the new leaves.
    pub first_new: u64,
    /// The root of the history before the new leaves.
    pub base_root: Digest,
    /// The hashpath after `size` assignments.
    pub hashpath: Hashpath,
    /// The state after the last leaf.
    pub head_state_root: Digest,
}

impl Wire for Claim {
    const KIND: u8 = 2;
    const BYTES_MAX: usize = 1024;
}

impl Claim {
    /// The claim's id (rule CL-4).
    ///
    /// # Errors
    /// Never for a claim that fits its own limit, which every claim does.
    pub fn id(&self) -> Result<ClaimId, CodecError> {
        Ok(digest(Domain::CLAIM, &[&codec::encode(self)?]).into())
    }
}

/// What a compute unit signs to stand for a claim.
pub fn signing_digest(claim: &ClaimId) -> Digest {
    digest(Domain::CLAIM_SIGNATURE, &[claim.as_bytes()])
}

/// A claim as its signer stands for it, without the leaves: what evidence keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Statement {
    /// What is claimed.
    pub claim: Claim,
    /// The operator that claims it.
    pub claimant: Address,
    /// Its hot key's signature over [`signing_digest`].
    pub signature: Signature,
}

impl Statement {
    /// Signs a claim. Only the signing guard's clearance leads here.
    ///
    /// # Errors
    /// As [`Claim::id`].
    pub fn sign(claim: Claim, claimant: Address, key: &SecretKey) -> Result<Self, CodecError> {
        let signature = key.sign(&signing_digest(&claim.id()?));
        Ok(Self {
            claim,
            claimant,
            signature,
        })
    }

    /// What `key` is said to have signed.
    ///
    /// # Errors
    /// As [`Claim::id`].
    pub fn signed(&self, key: &PublicKey) -> Result<SignedDigest, CodecError> {
        Ok(SignedDigest {
            key: *key,
            digest: signing_digest(&self.claim.id()?),
            signature: self.signature,
        })
    }

    /// Whether `key` signed this.
    pub fn signed_by(&self, key: &PublicKey) -> bool {
        self.signed(key).is_ok_and(|it| it.holds())
    }
}

/// A claim as it is gossiped: with its new leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct SignedClaim {
    /// The claim and who stands for it.
    pub statement: Statement,
    /// The mountain range of the leaves before the new ones.
    pub frontier: Frontier,
    /// The new leaves.
    pub leaves: Vec<Leaf>,
}

impl Wire for SignedClaim {
    const KIND: u8 = 3;
    const BYTES_MAX: usize = 16 * 1024;
}

/// Why a claim is malformed, whoever signed it. The fault is the sender's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// Not canonical.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Another network.
    #[error("claim of another network")]
    Network,
    /// The numbers of leaves do not fit one another.
    #[error("claim of leaves {first_new}..{size} carries {leaves}")]
    Leaves {
        /// The first new leaf.
        first_new: u64,
        /// The end of the new leaves.
        size: u64,
        /// How many came.
        leaves: usize,
    },
    /// A leaf is not at its place.
    #[error("leaf of slot {0} is out of place")]
    Slot(Slot),
    /// The first leaf has no state root, or the head is not the last leaf's.
    #[error("state root missing or contradicted")]
    StateRoot,
    /// The frontier or the leaves do not give the claimed roots.
    #[error("leaves do not give the claimed history")]
    History,
}

impl SignedClaim {
    /// Checks everything that needs no signature and no ledger (rules CL-2, CL-3, CL-5).
    ///
    /// # Errors
    /// The rule that the claim breaks.
    pub fn check(&self, network: NetworkId) -> Result<(), ClaimError> {
        let claim = &self.statement.claim;
        if claim.network != network {
            return Err(ClaimError::Network);
        }
        let count = u64::try_from(self.leaves.len()).unwrap_or(u64::MAX);
        if self.leaves.is_empty()
            || self.leaves.len() > LEAVES_MAX
            || claim.first_new.checked_add(count) != Some(claim.size)
        {
            return Err(ClaimError::Leaves {
                first_new: claim.first_new,
                size: claim.size,
                leaves: self.leaves.len(),
            });
        }
        if self.frontier.size() != claim.first_new || self.frontier.root() != claim.base_root {
            return Err(ClaimError::History);
        }
        let mut frontier = self.frontier.clone();
        for (slot, leaf) in (claim.first_new..).zip(&self.leaves) {
            if leaf.slot != Slot(slot) {
                return Err(ClaimError::Slot(leaf.slot));
            }
            if slot == 0 && leaf.state_root.is_none() {
                return Err(ClaimError::StateRoot);
            }
            frontier
                .append(leaf.digest()?)
                .map_err(|_| ClaimError::History)?;
        }
        if frontier.root() != claim.history_root {
            return Err(ClaimError::History);
        }
        // [CL-5]
        let head = self.leaves.last().and_then(|leaf| leaf.state_root);
        if head.is_some_and(|root| root != claim.head_state_root) {
            return Err(ClaimError::StateRoot);
        }
        Ok(())
    }

    /// One of the new leaves and its path to the claimed history root; `None` if the slot is not among them.
    pub fn prove(&self, slot: Slot) -> Option<(Leaf, Proof)> {
        let digests: Result<Vec<Digest>, _> = self.leaves.iter().map(Leaf::digest).collect();
        let path = self.frontier.prove_new(&digests.ok()?, slot.0)?;
        let leaf = self.leaves.iter().find(|leaf| leaf.slot == slot)?;
        Some((leaf.clone(), path))
    }
}
