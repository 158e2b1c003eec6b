//! The proof that several leaves stand at their positions of one tree, sharing what their ways
//! share.

use std::ops::Range;

use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use super::{empty, node, seal, split, top_within};
use crate::id::Digest;

/// What the root needs besides the proved leaves (rule M-5).
///
/// Whoever decodes one bounds its siblings by the byte limit of the object around it; checking
/// costs at most 64 hashes per proved leaf, whatever `size` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct MultiProof {
    /// Leaves in the tree.
    pub size: u64,
    /// The tops of the largest subtrees without a proved leaf, from left to right.
    pub siblings: Vec<Digest>,
}

impl MultiProof {
    /// The root of the tree in which these leaves stand at these indices. `None` if the indices do
    /// not ascend strictly or lie outside the tree, or the siblings are too few or too many.
    ///
    /// The leaves may be other ones than those proved: then it is the root after they were
    /// replaced. With no leaf at all the single sibling is the top of the tree.
    pub fn root_from_many(&self, leaves: &[(u64, Digest)]) -> Option<Digest> {
        if self.size == 0 {
            return (leaves.is_empty() && self.siblings.is_empty()).then(empty);
        }
        let top = self.top_from_many(leaves, &node)?;
        Some(seal(self.size, &top))
    }

    /// The top of a tree whose nodes are hashed by `node`, which does not commit to the number of its leaves; `None` as above,
    /// and for a tree without leaves.
    pub fn top_from_many(
        &self,
        leaves: &[(u64, Digest)],
        node: &impl Fn(&Digest, &Digest) -> Digest,
    ) -> Option<Digest> {
        if self.size == 0 || !ascends(leaves.iter().map(|(index, _)| *index), self.size) {
            return None;
        }
        let mut siblings = self.siblings.iter();
        let top = join(0..self.size, leaves, &mut siblings, node)?;
        siblings.next().is_none().then_some(top)
    }

    /// Whether these leaves stand at these indices of the tree with this root.
    pub fn verify(&self, leaves: &[(u64, Digest)], root: &Digest) -> bool {
        self.root_from_many(leaves)
            .is_some_and(|found| found == *root)
    }
}

/// Proves the leaves at these strictly ascending indices; `None` if they are not, or one does not
/// exist. Hashes all leaves that are not proved.
pub fn prove_many(leaves: &[Digest], indices: &[u64]) -> Option<MultiProof> {
    let size = u64::try_from(leaves.len()).ok()?;
    prove_many_from(size, indices, |range| top_within(leaves, &range))
}

/// Like [`prove_many`] for a tree whose inner nodes somebody keeps; see [`super::prove_from`].
pub fn prove_many_from(
    size: u64,
    indices: &[u64],
    mut subtree: impl FnMut(Range<u64>) -> Option<Digest>,
) -> Option<MultiProof> {
    if !ascends(indices.iter().copied(), size) {
        return None;
    }
    let mut siblings = Vec::new();
    if size > 0 {
        collect(0..size, indices, &mut |range| {
            siblings.push(subtree(range)?);
            Some(())
        })?;
    }
    Some(MultiProof { size, siblings })
}

fn ascends(indices: impl Iterator<Item = u64>, size: u64) -> bool {
    let mut least = Some(0);
    for index in indices {
        if index >= size || least.is_none_or(|least| index < least) {
            return false;
        }
        least = index.checked_add(1);
    }
    true
}

/// The top over a range with its known leaves. Recurses at most as deep as the tree, 64 calls.
fn join(
    range: Range<u64>,
    known: &[(u64, Digest)],
    siblings: &mut std::slice::Iter<'_, Digest>,
    node: &impl Fn(&Digest, &Digest) -> Digest,
) -> Option<Digest> {
    let Some((_, first)) = known.first() else {
        return siblings.next().copied();
    };
    let Some(left) = split(range.end - range.start) else {
        // One leaf, and indices ascend strictly, so it is the only known one here.
        return Some(*first);
    };
    let middle = range.start + left;
    let (below, above) = known.split_at(known.partition_point(|(index, _)| *index < middle));
    let left = join(range.start..middle, below, siblings, node)?;
    let right = join(middle..range.end, above, siblings, node)?;
    Some(node(&left, &right))
}

/// Visits the siblings in the order in which [`join`] consumes them.
fn collect(
    range: Range<u64>,
    proved: &[u64],
    sibling: &mut impl FnMut(Range<u64>) -> Option<()>,
) -> Option<()> {
    if proved.is_empty() {
        return sibling(range);
    }
    let Some(left) = split(range.end - range.start) else {
        return Some(());
    };
    let middle = range.start + left;
    let (below, above) = proved.split_at(proved.partition_point(|index| *index < middle));
    collect(range.start..middle, below, sibling)?;
    collect(middle..range.end, above, sibling)
}
