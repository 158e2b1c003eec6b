//! The append-only history of a process: the tree of [`crate::merkle`] while it grows.
//!
//! Whoever only follows keeps a [`Frontier`] (the tops of the full subtrees, a mountain range);
//! whoever answers questions about the past keeps a [`History`] with every node.
//!
//! # Rules
//!
//! - `[A-1]` The root of a history of `n` leaves is `merkle::root` of these leaves.
//! - `[A-2]` A frontier of size `n` holds one peak for every one-bit of `n`, the largest subtree
//!   (the oldest leaves) first. Any other number of peaks is refused.
//! - `[A-3]` Two parties with the same root of size `n` that append the same leaves have the same
//!   root again, whether from a frontier or from all leaves.

mod frontier;

pub use frontier::Frontier;

use std::ops::Range;

use crate::id::Digest;
use crate::merkle::{
    MultiProof, Proof, empty, fold_peaks, node, prove_from, prove_many_from, seal,
};

/// Why fields are not a frontier, or why a frontier does not grow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// Another number of peaks than the size has one-bits.
    #[error("{peaks} peaks do not fit {size} leaves")]
    Peaks {
        /// Leaves in the history.
        size: u64,
        /// Peaks that came.
        peaks: usize,
    },
    /// A history holds at most `u64::MAX` leaves.
    #[error("the history is full")]
    Full,
}

/// A history with every node of its tree: twice as many digests as leaves.
///
/// Roots, frontiers and proofs at any earlier size take `O(log n)`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// At `levels[k][i]` stands the top of the full subtree over leaves `i * 2^k .. (i + 1) * 2^k`.
    levels: Vec<Vec<Digest>>,
}

impl History {
    /// A history without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves in the history.
    pub fn size(&self) -> u64 {
        u64::try_from(self.leaves().len()).unwrap_or(u64::MAX)
    }

    /// All leaves, oldest first.
    pub fn leaves(&self) -> &[Digest] {
        self.levels.first().map_or(&[], Vec::as_slice)
    }

    /// Adds a leaf and returns its index.
    pub fn append(&mut self, leaf: Digest) -> u64 {
        let index = self.size();
        let mut top = leaf;
        for level in 0.. {
            let Some(row) = self.levels.get_mut(level) else {
                self.levels.push(vec![top]);
                break;
            };
            row.push(top);
            // The second of a pair completes the subtree above it.
            top = match row.as_slice() {
                [.., left, right] if row.len().is_multiple_of(2) => node(left, right),
                _ => break,
            };
        }
        index
    }

    /// Takes back all leaves but the first `size`; none if there are no more. Nothing is hashed.
    pub fn truncate(&mut self, size: u64) {
        let mut keep = usize::try_from(size).unwrap_or(usize::MAX);
        for row in &mut self.levels {
            row.truncate(keep);
            keep /= 2;
        }
        // A row begins with its first full subtree, so one without any is none.
        self.levels.retain(|row| !row.is_empty());
    }

    /// The root over all leaves.
    pub fn root(&self) -> Digest {
        self.root_at(self.size()).unwrap_or_else(empty)
    }

    /// The root when the history had `size` leaves; `None` if it has fewer.
    pub fn root_at(&self, size: u64) -> Option<Digest> {
        if size == 0 {
            return Some(empty());
        }
        self.top_within(0..size).map(|top| seal(size, &top))
    }

    /// The frontier when the history had `size` leaves; `None` if it has fewer.
    pub fn frontier_at(&self, size: u64) -> Option<Frontier> {
        Frontier::new(size, self.peaks(0..size)?).ok()
    }

    /// Proves leaf `index` against the root of the first `size` leaves; `None` unless
    /// `index < size <= self.size()`.
    pub fn prove(&self, index: u64, size: u64) -> Option<Proof> {
        if size > self.size() {
            return None;
        }
        prove_from(size, index, |range| self.top_within(range))
    }

    /// Proves several leaves, strictly ascending, against the root of the first `size` leaves.
    pub fn prove_many(&self, indices: &[u64], size: u64) -> Option<MultiProof> {
        if size > self.size() {
            return None;
        }
        prove_many_from(size, indices, |range| self.top_within(range))
    }

    /// The top over a subtree's leaves.
    fn top_within(&self, range: Range<u64>) -> Option<Digest> {
        fold_peaks(&self.peaks(range)?)
    }

    /// The tops of the full subtrees in a range that starts where a subtree of its size may start.
    fn peaks(&self, range: Range<u64>) -> Option<Vec<Digest>> {
        let mut start = range.start;
        let mut peaks = Vec::new();
        while let Some(level) = range.end.checked_sub(start)?.checked_ilog2() {
            let row = self.levels.get(usize::try_from(level).ok()?)?;
            peaks.push(*row.get(usize::try_from(start >> level).ok()?)?);
            start += 1 << level;
        }
        Some(peaks)
    }
}

impl Extend<Digest> for History {
    fn extend<T: IntoIterator<Item = Digest>>(&mut self, leaves: T) {
        for leaf in leaves {
            self.append(leaf);
        }
    }
}

impl FromIterator<Digest> for History {
    fn from_iter<T: IntoIterator<Item = Digest>>(leaves: T) -> Self {
        let mut history = Self::new();
        history.extend(leaves);
        history
    }
}

#[cfg(test)]
mod tests;
