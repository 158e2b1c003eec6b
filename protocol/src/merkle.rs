//! Binary Merkle trees over a list of digests, with proofs for one position and for several, and over a map
//! ([`keyed`]).
//!
//! The tree has the shape of RFC 9162 §2.1: any number of leaves, the left subtree of every node
//! being the largest full one. A list that only grows keeps its full subtrees, so that
//! [`crate::history`] can append to the same tree.
//!
//! # Rules
//!
//! - `[M-1]` `leaf(bytes) = digest(MERKLE_LEAF, [bytes])` and
//!   `node(l, r) = digest(MERKLE_NODE, [l, r])`. A leaf may also be a digest that was made under
//!   another domain, never bytes that a stranger chose.
//! - `[M-2]` The top of one leaf is the leaf. The top of `n > 1` leaves is `node` of the tops of
//!   the first `k` and of the others, `k` being the largest power of two below `n`.
//! - `[M-3]` The root commits to the number of leaves: `root = digest(MERKLE_NODE, [n, top])` with
//!   `n` in eight bytes, big-endian; the root of no leaves is `digest(MERKLE_NODE, [])`. Without
//!   `n` a proof of RFC 9162 verifies for several sizes, and a reader would learn a false one.
//! - `[M-4]` A proof holds the siblings on the way from the leaf to the top, lowest first; it is
//!   refused unless their number is exactly what index and size demand (at most [`DEPTH_MAX`]).
//! - `[M-5]` A multiproof holds the top of every largest subtree that contains no proved leaf, from
//!   left to right; it is refused unless all of them are used and the proved indices ascend
//!   strictly.

mod keyed;
mod multi;
mod proof;

pub use keyed::{KeyedProof, KeyedTree};
pub use multi::{MultiProof, prove_many, prove_many_from};
pub use proof::{Proof, prove, prove_from};

use std::ops::Range;

use crate::hash::{Domain, digest};
use crate::id::Digest;

/// The longest way from a leaf to the top: the size of a tree is a `u64`.
pub const DEPTH_MAX: usize = 64;

/// Why fields are not a proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MerkleError {
    /// The tree has no such leaf.
    #[error("no leaf {index} in a tree of {size}")]
    Index {
        /// The leaf that the proof is about.
        index: u64,
        /// Leaves in the tree.
        size: u64,
    },
    /// Too few or too many siblings for this index and size.
    #[error("{siblings} siblings, where {expected} are needed")]
    Path {
        /// Siblings that the proof holds.
        siblings: usize,
        /// Siblings on the way from this leaf to the top.
        expected: usize,
    },
    /// The forks of a proof in a keyed tree are not in order.
    #[error("forks that do not ascend")]
    Forks,
}

/// The digest of a leaf's bytes.
pub fn leaf(bytes: &[u8]) -> Digest {
    digest(Domain::MERKLE_LEAF, &[bytes])
}

/// The digest of an inner node.
pub fn node(left: &Digest, right: &Digest) -> Digest {
    digest(Domain::MERKLE_NODE, &[left.as_bytes(), right.as_bytes()])
}

/// The root of a tree without leaves.
pub fn empty() -> Digest {
    digest(Domain::MERKLE_NODE, &[])
}

/// The root of a tree of `size >= 1` leaves whose top is known (rule M-3), for those who keep the
/// inner nodes of a tree themselves.
pub fn seal(size: u64, top: &Digest) -> Digest {
    digest(Domain::MERKLE_NODE, &[&size.to_be_bytes(), top.as_bytes()])
}

/// The root of the tree over these leaves.
pub fn root(leaves: &[Digest]) -> Digest {
    let size = u64::try_from(leaves.len()).unwrap_or(u64::MAX);
    top(leaves).map_or_else(empty, |top| seal(size, &top))
}

/// The top of the tree over these leaves, which does not commit to their number (rule M-2); `None`
/// without leaves.
pub fn top(leaves: &[Digest]) -> Option<Digest> {
    let mut peaks: Vec<Digest> = Vec::with_capacity(DEPTH_MAX);
    for (count, leaf) in (0_u64..).zip(leaves) {
        push_leaf(count, &mut peaks, *leaf);
    }
    fold_peaks(&peaks)
}

/// Adds a leaf to the peaks (tops of the full subtrees, largest first) of `count` leaves.
pub(crate) fn push_leaf(count: u64, peaks: &mut Vec<Digest>, leaf: Digest) {
    // Adding one to a binary counter: every trailing one is a peak as large as what is added so
    // far.
    let mut top = leaf;
    for _ in 0..count.trailing_ones() {
        if let Some(left) = peaks.pop() {
            top = node(&left, &top);
        }
    }
    peaks.push(top);
}

/// The top of the tree whose full subtrees have these tops, largest first.
pub(crate) fn fold_peaks(peaks: &[Digest]) -> Option<Digest> {
    peaks
        .iter()
        .rev()
        .copied()
        .reduce(|right, left| node(&left, &right))
}

/// Leaves left of the fork of a subtree of `size` leaves, if it has a fork.
fn split(size: u64) -> Option<u64> {
    size.checked_sub(1)?.checked_ilog2().map(|bits| 1 << bits)
}

/// The way from the top to a leaf: at each fork, whether the leaf is on the right, and which leaves
/// are on the other side.
struct Descent {
    index: u64,
    within: Range<u64>,
}

impl Descent {
    /// Wants `index < size`.
    fn new(index: u64, size: u64) -> Self {
        Self {
            index,
            within: 0..size,
        }
    }
}

impl Iterator for Descent {
    type Item = (bool, Range<u64>);

    fn next(&mut self) -> Option<Self::Item> {
        let Range { start, end } = self.within;
        let middle = start + split(end - start)?;
        let right = self.index >= middle;
        let (kept, other) = if right {
            (middle..end, start..middle)
        } else {
            (start..middle, middle..end)
        };
        self.within = kept;
        Some((right, other))
    }
}

/// The top over a range of the leaves.
fn top_within(leaves: &[Digest], range: &Range<u64>) -> Option<Digest> {
    let range = usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?;
    top(leaves.get(range)?)
}

#[cfg(test)]
mod tests;
