//! The Merkle tree over the pages of one state, of which only what differs from zero memory is
//! kept.
//!
//! The binary tree of rule ST-2 is cut into nodes of six levels each (the topmost has four). A node
//! holds all digests of its part, so that a stride that changes neighbouring pages touches few
//! nodes, each of them once. Clones share their nodes until one of them changes.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use surety_protocol::id::Digest;
use surety_protocol::merkle::{MultiProof, prove_many_from};
use surety_protocol::witness::{
    PAGE_NODE_BITS, PAGE_NODE_TOP, PAGE_NODE_WIDTH, PAGE_TREE_DEPTH, PAGES, PageNode,
};

use super::hash::{node_hash, node_hashes, pair};
use super::{ZERO_PAGE, page_hash};

/// The top of an all-zero subtree at each height; height 0 is a page.
static ZERO: LazyLock<Vec<Digest>> = LazyLock::new(|| {
    let next = |below: &Digest| Some(node_hash(below, below));
    let heights = std::iter::successors(Some(page_hash(&ZERO_PAGE)), next);
    heights.take(PAGE_TREE_DEPTH as usize + 1).collect()
});

fn zero(height: u32) -> Digest {
    ZERO.get(height as usize).copied().unwrap_or_default()
}

/// The height of the children of a node.
const fn foot(level: u32) -> u32 {
    level * PAGE_NODE_BITS
}

/// The height of the top of a node.
const fn head(level: u32) -> u32 {
    let head = foot(level + 1);
    if head < PAGE_TREE_DEPTH {
        head
    } else {
        PAGE_TREE_DEPTH
    }
}

/// The top of the subtree of a node in which nothing differs from zero.
pub fn zero_top(level: u32) -> Digest {
    zero(head(level))
}

/// The digest of what a node's record says (rule ST-6); `None` if the record is malformed.
pub fn node_digest(record: &PageNode) -> Option<Digest> {
    record.check().ok()?;
    let level = u32::from(record.level);
    let mut node = Node::empty(level);
    let mut changed = 0;
    for (at, child) in record.children() {
        // What is zero is left out, so one node has one record.
        if *child == zero(foot(level)) {
            return None;
        }
        node.put(at, *child);
        changed |= 1 << at;
    }
    node.rise(level, changed);
    Some(node.top(level))
}

/// Up to 64 neighbouring subtrees and what is hashed over them.
#[derive(Debug, Clone)]
struct Node {
    /// A complete binary tree: the children of `i` are `2 * i` and `2 * i + 1`, the node's own
    /// children the second half. The topmost node is used from 4 on.
    digests: [Digest; 2 * PAGE_NODE_WIDTH],
    /// The nodes of the children that are not zero, ascending; none above pages.
    below: Vec<(usize, Arc<Self>)>,
}

impl Node {
    fn empty(level: u32) -> Self {
        let row = |at: usize| at.checked_ilog2().unwrap_or(0);
        let height = |at| (foot(level) + PAGE_NODE_BITS).saturating_sub(row(at));
        Self {
            digests: std::array::from_fn(|at| zero(height(at))),
            below: Vec::new(),
        }
    }

    fn get(&self, at: usize) -> Digest {
        self.digests.get(at).copied().unwrap_or_default()
    }

    fn child(&self, at: usize) -> Digest {
        self.get(PAGE_NODE_WIDTH + at)
    }

    fn top(&self, level: u32) -> Digest {
        self.get(1 << (foot(level + 1) - head(level)))
    }

    fn set(&mut self, at: usize, digest: Digest) {
        if let Some(place) = self.digests.get_mut(at) {
            *place = digest;
        }
    }

    /// Puts a child's digest; whether it was another.
    fn put(&mut self, at: usize, digest: Digest) -> bool {
        let Some(child) = self.digests.get_mut(PAGE_NODE_WIDTH + at) else {
            return false;
        };
        std::mem::replace(child, digest) != digest
    }

    /// Hashes what is above the changed children, each of them once.
    fn rise(&mut self, level: u32, changed: u64) {
        let mut below = changed;
        let mut row = PAGE_NODE_WIDTH;
        let mut hashes = [[0; 32]; PAGE_NODE_WIDTH / 2];
        let mut pairs = Vec::with_capacity(PAGE_NODE_WIDTH / 2);
        for height in foot(level)..head(level) {
            row /= 2;
            let blank = zero(height);
            let mut above = 0_u64;
            let mut hashed = 0_u64;
            pairs.clear();
            while below != 0 {
                let at = below.trailing_zeros() / 2;
                below &= !(3 << (2 * at));
                above |= 1 << at;
                let place = row + at as usize;
                let (left, right) = (self.get(2 * place), self.get(2 * place + 1));
                if left == blank && right == blank {
                    self.set(place, zero(height + 1));
                } else {
                    hashed |= 1 << at;
                    pairs.push(pair(&left, &right));
                }
            }
            node_hashes(&pairs, &mut hashes);
            for hash in hashes.iter().take(pairs.len()) {
                self.set(row + hashed.trailing_zeros() as usize, Digest::new(*hash));
                hashed &= hashed - 1;
            }
            below = above;
        }
    }
}

/// The node of a subtree after its pages got these hashes; `None` if all of it is zero.
fn updated(node: Option<Arc<Node>>, level: u32, pages: &[(u32, Digest)]) -> Option<Arc<Node>> {
    let mut node = node.unwrap_or_else(|| Arc::new(Node::empty(level)));
    let it = Arc::make_mut(&mut node);
    let mut changed = 0;
    for group in pages.chunk_by(|a, b| place(level, a.0) == place(level, b.0)) {
        let Some((index, last)) = group.last() else {
            continue;
        };
        let at = place(level, *index);
        let digest = match level.checked_sub(1) {
            None => *last,
            Some(lower) => {
                let found = it.below.binary_search_by_key(&at, |(at, _)| *at);
                let child = found.ok().map(|found| it.below.remove(found).1);
                let child = updated(child, lower, group);
                let digest = child.as_ref().map_or(zero_top(lower), |it| it.top(lower));
                if let (Some(child), Ok(hole) | Err(hole)) = (child, found) {
                    it.below.insert(hole, (at, child));
                }
                digest
            }
        };
        if it.put(at, digest) {
            changed |= 1 << at;
        }
    }
    it.rise(level, changed);
    (it.top(level) != zero_top(level)).then_some(node)
}

/// The top of the tree in which these pages have these hashes, from a proof of their places; `None` if it is malformed.
pub fn top_from_many(proof: &MultiProof, hashes: &[(u64, Digest)]) -> Option<Digest> {
    proof.top_from_many(hashes, &node_hash)
}

/// Which child of a node of a level a page is under.
const fn place(level: u32, index: u32) -> usize {
    (index >> foot(level)) as usize % PAGE_NODE_WIDTH
}

/// The tree of rule ST-2. Updating costs one path for each changed page, less what paths share.
#[derive(Debug, Clone, Default)]
pub struct PageTree {
    top: Option<Arc<Node>>,
}

impl PageTree {
    /// Puts page hashes at their indices; an index beyond the tree is ignored.
    pub fn update(&mut self, pages: impl IntoIterator<Item = (u32, Digest)>) {
        let within = pages.into_iter().filter(|(index, _)| *index < PAGES);
        let mut pages: Vec<(u32, Digest)> = within.collect();
        // Stable, so that of several hashes of one page the last counts.
        pages.sort_by_key(|(index, _)| *index);
        if !pages.is_empty() {
            self.top = updated(self.top.take(), PAGE_NODE_TOP, &pages);
        }
    }

    /// The top of the tree, which is the root over all pages.
    pub fn top(&self) -> Digest {
        let top = self.top.as_ref();
        top.map_or(zero_top(PAGE_NODE_TOP), |node| node.top(PAGE_NODE_TOP))
    }

    /// The topmost node; `None` if all pages are zero.
    pub fn branch(&self) -> Option<Branch<'_>> {
        let (level, first) = (PAGE_NODE_TOP, 0);
        let node = self.top.as_deref()?;
        Some(Branch { node, level, first })
    }

    /// The siblings that prove the pages at these indices; `None` if one is beyond the tree.
    pub fn prove(&self, indices: &BTreeSet<u32>) -> Option<MultiProof> {
        let indices: Vec<u64> = indices.iter().copied().map(u64::from).collect();
        prove_many_from(u64::from(PAGES), &indices, |range| self.subtree(range))
    }

    /// The tree has a power of two of leaves, so every subtree is full and aligned.
    fn subtree(&self, range: Range<u64>) -> Option<Digest> {
        let height = (range.end - range.start).checked_ilog2()?;
        let index = u32::try_from(range.start).ok()?;
        let mut level = PAGE_NODE_TOP;
        let mut node = self.top.as_deref();
        while let Some(it) = node {
            if height >= foot(level) {
                let row = foot(level + 1) - height;
                let at = (index >> height) as usize % (1 << row);
                return Some(it.get((1 << row) + at));
            }
            let at = place(level, index);
            let found = it.below.binary_search_by_key(&at, |(at, _)| *at).ok();
            node = found
                .and_then(|found| it.below.get(found))
                .map(|(_, it)| &**it);
            level = level.checked_sub(1)?;
        }
        Some(zero(height))
    }
}

/// A node of a tree, for whoever keeps its record.
#[derive(Debug, Clone, Copy)]
pub struct Branch<'a> {
    node: &'a Node,
    level: u32,
    first: u32,
}

impl<'a> Branch<'a> {
    /// The top of the node's subtree.
    pub fn digest(&self) -> Digest {
        self.node.top(self.level)
    }

    /// The node's record.
    pub fn record(&self) -> PageNode {
        let mut record = PageNode {
            level: u8::try_from(self.level).unwrap_or(u8::MAX),
            present: 0,
            digests: Vec::new(),
        };
        for at in 0..PAGE_NODE_WIDTH {
            let child = self.node.child(at);
            if child != zero(foot(self.level)) {
                record.present |= 1 << at;
                record.digests.push(child);
            }
        }
        record
    }

    /// The nodes below, ascending; none if pages are.
    pub fn below(&self) -> impl Iterator<Item = Branch<'a>> {
        let Self { node, level, first } = *self;
        node.below.iter().map(move |(at, node)| Branch {
            node,
            level: level.saturating_sub(1),
            first: first + page_offset(level, *at),
        })
    }

    /// The indices and hashes of the pages right below that are not zero, ascending.
    pub fn pages(&self) -> impl Iterator<Item = (u32, Digest)> {
        let Self { node, level, first } = *self;
        let children = if level == 0 { PAGE_NODE_WIDTH } else { 0 };
        (0..children)
            .map(move |at| (first + page_offset(0, at), node.child(at)))
            .filter(|(_, hash)| *hash != zero(0))
    }
}

/// How many pages lie before a child of a node.
pub fn page_offset(level: u32, at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX) << foot(level)
}
