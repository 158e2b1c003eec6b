//! The least that one must keep of a history to append to it.

use std::ops::Range;

use serde::Deserialize;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use super::HistoryError;
use crate::id::Digest;
use crate::merkle::{
    MultiProof, Proof, empty, fold_peaks, prove_from, prove_many_from, push_leaf, seal,
};

/// The tops of the full subtrees of a history, largest first: at most 64 digests (rule A-2).
///
/// Every value of this type obeys the rule; decoding refuses others. It does not prove anything by
/// itself: compare its [`root`](Frontier::root) with one that is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize_tuple, Deserialize)]
#[serde(try_from = "FrontierFields")]
pub struct Frontier {
    size: u64,
    peaks: Vec<Digest>,
}

#[derive(Deserialize_tuple)]
struct FrontierFields {
    size: u64,
    peaks: Vec<Digest>,
}

impl TryFrom<FrontierFields> for Frontier {
    type Error = HistoryError;

    fn try_from(fields: FrontierFields) -> Result<Self, HistoryError> {
        Self::new(fields.size, fields.peaks)
    }
}

impl Frontier {
    /// The frontier of a history without leaves.
    pub fn empty() -> Self {
        Self::default()
    }

    /// A frontier of known peaks.
    ///
    /// # Errors
    /// [`HistoryError::Peaks`] if their number does not fit the size.
    pub fn new(size: u64, peaks: Vec<Digest>) -> Result<Self, HistoryError> {
        if u32::try_from(peaks.len()) != Ok(size.count_ones()) {
            return Err(HistoryError::Peaks {
                size,
                peaks: peaks.len(),
            });
        }
        Ok(Self { size, peaks })
    }

    /// Leaves in the history.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The tops of the full subtrees, largest first.
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    /// Adds a leaf.
    ///
    /// # Errors
    /// [`HistoryError::Full`] at `u64::MAX` leaves, which a frontier from outside may claim to
    /// have.
    pub fn append(&mut self, leaf: Digest) -> Result<(), HistoryError> {
        let size = self.size.checked_add(1).ok_or(HistoryError::Full)?;
        push_leaf(self.size, &mut self.peaks, leaf);
        self.size = size;
        Ok(())
    }

    /// The root of the history (rule A-1).
    pub fn root(&self) -> Digest {
        fold_peaks(&self.peaks).map_or_else(empty, |top| seal(self.size, &top))
    }

    /// Proves leaf `index` against the root that this history has once the `new` leaves are appended. A frontier knows
    /// enough to prove those, and no older one: `None` unless `index` is among them.
    pub fn prove_new(&self, new: &[Digest], index: u64) -> Option<Proof> {
        let size = self.size.checked_add(u64::try_from(new.len()).ok()?)?;
        if index < self.size {
            return None;
        }
        prove_from(size, index, |range| self.top_with(new, range))
    }

    /// Proves several leaves, strictly ascending, as [`prove_new`](Frontier::prove_new) proves one.
    pub fn prove_many_new(&self, new: &[Digest], indices: &[u64]) -> Option<MultiProof> {
        let size = self.size.checked_add(u64::try_from(new.len()).ok()?)?;
        if *indices.first()? < self.size {
            return None;
        }
        prove_many_from(size, indices, |range| self.top_with(new, range))
    }

    /// The top over a range beside the way to a new leaf: whole peaks, then new leaves.
    fn top_with(&self, new: &[Digest], range: Range<u64>) -> Option<Digest> {
        let mut peaks = Vec::new();
        let mut count = 0;
        let mut start = 0;
        for (leaves, peak) in powers_of_two(self.size).zip(&self.peaks) {
            if range.start <= start && start < range.end {
                peaks.push(*peak);
                count += leaves;
            }
            start += leaves;
        }
        let place = |index: u64| usize::try_from(index.saturating_sub(self.size)).ok();
        for leaf in new.get(place(range.start)?..place(range.end)?)? {
            push_leaf(count, &mut peaks, *leaf);
            count += 1;
        }
        fold_peaks(&peaks).filter(|_| count == range.end - range.start)
    }
}

/// The powers of two of which a number is the sum, largest first.
fn powers_of_two(number: u64) -> impl Iterator<Item = u64> {
    let powers = (0..u64::BITS).rev().map(|bit| 1 << bit);
    powers.filter(move |power| number & power != 0)
}
