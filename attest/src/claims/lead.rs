//! The end of a history: as many leaves as it takes to go on from a state root, and no more.

use surety_protocol::claim::{Leaf, SignedClaim};
use surety_protocol::history::Frontier;
use surety_protocol::id::Digest;
use surety_protocol::merkle::MultiProof;

/// Leaves that end a history, and what is known of all before them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lead {
    /// The history before the leaves.
    pub frontier: Frontier,
    /// The leaves, each at its place.
    pub leaves: Vec<Leaf>,
}

impl Lead {
    /// What a claim carries: its new leaves, and the frontier before them.
    pub fn carried(claim: &SignedClaim) -> Lead {
        Lead {
            frontier: claim.frontier.clone(),
            leaves: claim.leaves.clone(),
        }
    }

    /// The root of the history that ends with these leaves; `None` if one of them is not at its place.
    pub fn root(&self) -> Option<Digest> {
        let mut frontier = self.frontier.clone();
        for leaf in &self.leaves {
            append(&mut frontier, leaf)?;
        }
        Some(frontier.root())
    }

    /// The same history by fewer leaves: those from the last one with a state root on; `None` if none has one.
    pub(super) fn since_root(&self) -> Option<Lead> {
        let start = self.leaves.iter().rposition(has_root)?;
        let (before, leaves) = self.leaves.split_at_checked(start)?;
        let mut frontier = self.frontier.clone();
        for leaf in before {
            append(&mut frontier, leaf)?;
        }
        Some(Lead {
            frontier,
            leaves: leaves.to_vec(),
        })
    }

    /// Proves leaves, by strictly ascending slots, against the root of the history that goes on with `new`; `None` if one of
    /// them lies before.
    pub fn prove(&self, new: &[Leaf], slots: &[u64]) -> Option<MultiProof> {
        let leaves = self.leaves.iter().chain(new);
        let digests: Result<Vec<Digest>, _> = leaves.map(Leaf::digest).collect();
        self.frontier.prove_many_new(&digests.ok()?, slots)
    }
}

pub(super) const fn has_root(leaf: &Leaf) -> bool {
    leaf.state_root.is_some()
}

fn append(frontier: &mut Frontier, leaf: &Leaf) -> Option<()> {
    let placed = leaf.slot.0 == frontier.size();
    frontier
        .append(leaf.digest().ok()?)
        .ok()
        .filter(|()| placed)
}
