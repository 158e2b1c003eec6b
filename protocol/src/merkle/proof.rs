//! The proof that one leaf stands at one position of a tree.

use std::ops::Range;

use serde::Deserialize;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use super::{Descent, MerkleError, node, seal, top_within};
use crate::id::Digest;

/// The way from one leaf to the root (rule M-4).
///
/// Decoding refuses a wrong number of siblings, and so does [`Proof::root_from`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize)]
#[serde(try_from = "ProofFields")]
pub struct Proof {
    /// The position of the leaf, from 0.
    pub index: u64,
    /// Leaves in the tree.
    pub size: u64,
    /// Siblings on the way up, lowest first.
    pub path: Vec<Digest>,
}

#[derive(Deserialize_tuple)]
struct ProofFields {
    index: u64,
    size: u64,
    path: Vec<Digest>,
}

impl TryFrom<ProofFields> for Proof {
    type Error = MerkleError;

    fn try_from(fields: ProofFields) -> Result<Self, MerkleError> {
        let proof = Self {
            index: fields.index,
            size: fields.size,
            path: fields.path,
        };
        proof.turns()?;
        Ok(proof)
    }
}

impl Proof {
    /// The root of the tree in which `leaf` stands at this position, or `None` if the proof is
    /// malformed.
    pub fn root_from(&self, leaf: &Digest) -> Option<Digest> {
        let turns = self.turns().ok()?;
        let upwards = turns.iter().rev().zip(&self.path);
        let top = upwards.fold(*leaf, |below, (right, sibling)| match right {
            true => node(sibling, &below),
            false => node(&below, sibling),
        });
        Some(seal(self.size, &top))
    }

    /// Whether `leaf` stands at this position of the tree with this root.
    pub fn verify(&self, leaf: &Digest, root: &Digest) -> bool {
        self.root_from(leaf).is_some_and(|found| found == *root)
    }

    /// At each fork from the top down, whether the leaf is on the right.
    fn turns(&self) -> Result<Vec<bool>, MerkleError> {
        let Self { index, size, .. } = *self;
        if index >= size {
            return Err(MerkleError::Index { index, size });
        }
        let turns: Vec<bool> = Descent::new(index, size).map(|(right, _)| right).collect();
        if turns.len() != self.path.len() {
            return Err(MerkleError::Path {
                siblings: self.path.len(),
                expected: turns.len(),
            });
        }
        Ok(turns)
    }
}

/// Proves the leaf at `index`; `None` if there is none. Hashes all leaves.
pub fn prove(leaves: &[Digest], index: u64) -> Option<Proof> {
    prove_from(u64::try_from(leaves.len()).ok()?, index, |range| {
        top_within(leaves, &range)
    })
}

/// Proves the leaf at `index` of a tree whose inner nodes somebody keeps: `subtree` gives the top
/// over a range of leaves. Every range is a full, aligned subtree, but for those that end with the
/// tree.
pub fn prove_from(
    size: u64,
    index: u64,
    mut subtree: impl FnMut(Range<u64>) -> Option<Digest>,
) -> Option<Proof> {
    if index >= size {
        return None;
    }
    let downwards = Descent::new(index, size).map(|(_, sibling)| subtree(sibling));
    let mut path = downwards.collect::<Option<Vec<Digest>>>()?;
    path.reverse();
    Some(Proof { index, size, path })
}
