//! The Merkle tree over the pages of one state, of which only what differs from zero memory is
//! kept.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::LazyLock;

use surety_protocol::id::Digest;
use surety_protocol::merkle::{MultiProof, node, prove_many_from, seal};
use surety_protocol::witness::{PAGE_TREE_DEPTH, PAGES};

use super::{ZERO_PAGE, page_hash};

/// The top of an all-zero subtree at each level; level 0 is a page.
static ZERO: LazyLock<Vec<Digest>> = LazyLock::new(|| {
    let next = |below: &Digest| Some(node(below, below));
    let levels = std::iter::successors(Some(page_hash(&ZERO_PAGE)), next);
    levels.take(PAGE_TREE_DEPTH as usize + 1).collect()
});

fn zero(level: usize) -> Digest {
    ZERO.get(level).copied().unwrap_or_default()
}

/// The tree of rule ST-2. Updating costs one path for each changed page, less what paths share.
#[derive(Debug, Clone)]
pub struct PageTree {
    /// The nodes of each level that are not the top of an all-zero subtree.
    levels: Vec<BTreeMap<u32, Digest>>,
}

impl Default for PageTree {
    fn default() -> Self {
        Self {
            levels: vec![BTreeMap::new(); PAGE_TREE_DEPTH as usize + 1],
        }
    }
}

impl PageTree {
    /// Puts page hashes at their indices; an index beyond the tree is ignored.
    pub fn update(&mut self, pages: impl IntoIterator<Item = (u32, Digest)>) {
        let mut changed = BTreeSet::new();
        for (index, hash) in pages.into_iter().filter(|(index, _)| *index < PAGES) {
            self.set(0, index, hash);
            changed.insert(index >> 1);
        }
        for level in 1..self.levels.len() {
            let mut above = BTreeSet::new();
            for index in changed {
                let (left, right) = (2 * index, 2 * index + 1);
                let hash = node(&self.get(level - 1, left), &self.get(level - 1, right));
                self.set(level, index, hash);
                above.insert(index >> 1);
            }
            changed = above;
        }
    }

    /// The root over all pages.
    pub fn root(&self) -> Digest {
        seal(u64::from(PAGES), &self.get(PAGE_TREE_DEPTH as usize, 0))
    }

    /// The siblings that prove the pages at these indices; `None` if one is beyond the tree.
    pub fn prove(&self, indices: &BTreeSet<u32>) -> Option<MultiProof> {
        let indices: Vec<u64> = indices.iter().copied().map(u64::from).collect();
        prove_many_from(u64::from(PAGES), &indices, |range| self.subtree(range))
    }

    /// The tree has a power of two of leaves, so every subtree is full and aligned.
    fn subtree(&self, range: Range<u64>) -> Option<Digest> {
        let level = (range.end - range.start).checked_ilog2()?;
        Some(self.get(level as usize, u32::try_from(range.start >> level).ok()?))
    }

    fn get(&self, level: usize, index: u32) -> Digest {
        let kept = self.levels.get(level).and_then(|nodes| nodes.get(&index));
        kept.copied().unwrap_or_else(|| zero(level))
    }

    fn set(&mut self, level: usize, index: u32, hash: Digest) {
        let Some(nodes) = self.levels.get_mut(level) else {
            return;
        };
        if hash == zero(level) {
            nodes.remove(&index);
        } else {
            nodes.insert(index, hash);
        }
    }
}
