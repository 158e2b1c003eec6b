//! The state of a process: paged memory, its size and the mutable globals, and the root over them.
//!
//! # Rules
//!
//! - `[ST-1]` Linear memory is cut into pages of 4 KiB. A page's hash is BLAKE3 in key derivation
//!   mode under [`PAGE_CONTEXT`]; BLAKE3 because a stride of AOS changes about 220 pages, whose
//!   hashing costs as much as a message's execution.
//! - `[ST-2]` The pages are the leaves of a complete binary tree of always 2^22 leaves. Pages beyond
//!   the end of memory are zero pages. A node is BLAKE3 in key derivation mode under
//!   [`NODE_CONTEXT`] over the hashes of its two children; `pages_root` is the top.
//! - `[ST-3]` `state_root = digest(STATE, [wasm_pages, pages_root, globals])`, with the memory's
//!   size in units of 64 KiB in four bytes and each global's bits in eight, big-endian.
//! - `[ST-4]` A state is a value: two states with the same size, globals and pages are the same,
//!   however they came to be. A snapshot keeps no zero page.
//! - `[ST-5]` A state is kept and sent as a head (its size, its globals and the top of its tree), the
//!   nodes of the tree and its pages. The head is found by the state's root, a node by the top of its
//!   subtree, a page by its hash, so that states share what they have in common.
//! - `[ST-6]` A node has six levels of the tree, the topmost four: its record says the level of the
//!   node and the digests of those children that are not zero. A subtree of zeros has no record.

mod hash;
mod tree;

use std::collections::BTreeMap;
use std::sync::Arc;

use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::Digest;
use surety_protocol::witness::{PAGE_BYTES, PAGES_PER_WASM_PAGE, StateHead};

pub use hash::{NODE_CONTEXT, PAGE_CONTEXT, page_hash, page_hashes};
pub use tree::{Branch, PageTree, node_digest, page_offset, top_from_many, zero_top};

/// One page of memory.
pub type Page = [u8; PAGE_BYTES];

/// A page of zeros.
pub const ZERO_PAGE: Page = [0; PAGE_BYTES];

/// The root of a state whose pages have this root (rule ST-3).
pub fn state_root(wasm_pages: u32, pages_root: &Digest, globals: &[u64]) -> Digest {
    let globals: Vec<u8> = globals.iter().flat_map(|bits| bits.to_be_bytes()).collect();
    digest(
        Domain::STATE,
        &[&wasm_pages.to_be_bytes(), pages_root.as_bytes(), &globals],
    )
}

/// The root of a state that has this head (rule ST-5).
pub fn head_root(head: &StateHead) -> Digest {
    state_root(head.wasm_pages, &head.top, &head.globals)
}

/// A whole state (rule ST-4). Cloning it copies no page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// The size of memory, in WebAssembly pages of 64 KiB.
    pub wasm_pages: u32,
    /// The bits of the mutable globals, in the order of the module.
    pub globals: Vec<u64>,
    /// The pages that are not zero.
    pub pages: BTreeMap<u32, Arc<Page>>,
}

impl Snapshot {
    /// Pages of 4 KiB from the start to the end of memory.
    pub const fn page_count(&self) -> u32 {
        self.wasm_pages.saturating_mul(PAGES_PER_WASM_PAGE)
    }

    /// A page's bytes.
    pub fn page(&self, index: u32) -> &Page {
        self.pages.get(&index).map_or(&ZERO_PAGE, |page| page)
    }

    /// Puts a page, keeping rule ST-4; whether it differs from the one that was there.
    pub fn put(&mut self, index: u32, page: &Page) -> bool {
        if self.page(index) == page {
            return false;
        }
        if *page == ZERO_PAGE {
            self.pages.remove(&index);
            return true;
        }
        // In its place, unless a clone of the state has it too.
        match self.pages.get_mut(&index).and_then(Arc::get_mut) {
            Some(place) => *place = *page,
            None => drop(self.pages.insert(index, Arc::new(*page))),
        }
        true
    }

    /// The tree over the pages; hashes all of them.
    pub fn tree(&self) -> PageTree {
        let mut tree = PageTree::default();
        let pages = self.pages.iter().map(|(index, page)| (*index, &**page));
        tree.update(page_hashes(pages));
        tree
    }

    /// The state's root; hashes all pages.
    pub fn root(&self) -> Digest {
        state_root(self.wasm_pages, &self.tree().top(), &self.globals)
    }

    /// The state without its pages, whose tree has this top.
    pub fn head(&self, top: Digest) -> StateHead {
        StateHead {
            wasm_pages: self.wasm_pages,
            globals: self.globals.clone(),
            top,
        }
    }
}

#[cfg(test)]
mod tests;
