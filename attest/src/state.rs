//! The state of a process: paged memory, its size and the mutable globals, and the root over them.
//!
//! # Rules
//!
//! - `[ST-1]` Linear memory is cut into pages of 4 KiB. A page's hash is BLAKE3 in key derivation
//!   mode under [`PAGE_CONTEXT`]; BLAKE3 because a stride of AOS changes about 220 pages, whose
//!   hashing costs as much as a message's execution.
//! - `[ST-2]` The pages are the leaves of a Merkle tree (rules M-1 to M-3 of the Merkle module) of
//!   always 2^22 leaves. Pages beyond the end of memory are zero pages.
//! - `[ST-3]` `state_root = digest(STATE, [wasm_pages, pages_root, globals])`, with the memory's
//!   size in units of 64 KiB in four bytes and each global's bits in eight, big-endian.
//! - `[ST-4]` A state is a value: two states with the same size, globals and pages are the same,
//!   however they came to be. A snapshot keeps no zero page.

mod tree;

use std::collections::BTreeMap;
use std::sync::Arc;

use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::Digest;
use surety_protocol::witness::{Manifest, PAGE_BYTES, PAGES_PER_WASM_PAGE, PagesFault};

pub use tree::PageTree;

/// The context of page hashes (rule ST-1).
pub const PAGE_CONTEXT: &str = "SURETY/v1/memory-page";

/// One page of memory.
pub type Page = [u8; PAGE_BYTES];

/// A page of zeros.
pub const ZERO_PAGE: Page = [0; PAGE_BYTES];

/// The hash of one page (rule ST-1).
pub fn page_hash(page: &Page) -> Digest {
    Digest::new(blake3::derive_key(PAGE_CONTEXT, page))
}

/// The root of a state whose pages have this root (rule ST-3).
pub fn state_root(wasm_pages: u32, pages_root: &Digest, globals: &[u64]) -> Digest {
    let globals: Vec<u8> = globals.iter().flat_map(|bits| bits.to_be_bytes()).collect();
    digest(
        Domain::STATE,
        &[&wasm_pages.to_be_bytes(), pages_root.as_bytes(), &globals],
    )
}

/// The root of the state that a manifest lists.
pub fn manifest_root(manifest: &Manifest) -> Digest {
    let mut tree = PageTree::default();
    tree.update(manifest.pages.iter().copied());
    state_root(manifest.wasm_pages, &tree.root(), &manifest.globals)
}

/// Why a manifest does not become a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotFault {
    /// The manifest is not well-formed.
    #[error(transparent)]
    Shape(#[from] PagesFault),
    /// Nobody has the page with this hash.
    #[error("page {0} is missing")]
    Missing(Digest),
    /// The page that came has another hash.
    #[error("page {0} has another hash")]
    Differs(Digest),
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
        tree.update(
            self.pages
                .iter()
                .map(|(index, page)| (*index, page_hash(page))),
        );
        tree
    }

    /// The state's root; hashes all pages.
    pub fn root(&self) -> Digest {
        state_root(self.wasm_pages, &self.tree().root(), &self.globals)
    }

    /// The list of the pages by their hashes.
    pub fn manifest(&self) -> Manifest {
        Manifest {
            wasm_pages: self.wasm_pages,
            globals: self.globals.clone(),
            pages: self
                .pages
                .iter()
                .map(|(index, page)| (*index, page_hash(page)))
                .collect(),
        }
    }

    /// Collects the pages that a manifest lists, checking each.
    ///
    /// # Errors
    /// A malformed manifest; a page that `lookup` lacks or that has another hash.
    pub fn from_manifest(
        manifest: &Manifest,
        mut lookup: impl FnMut(&Digest) -> Option<Arc<Page>>,
    ) -> Result<Self, SnapshotFault> {
        manifest.check()?;
        let mut pages = BTreeMap::new();
        for (index, hash) in &manifest.pages {
            let page = lookup(hash).ok_or(SnapshotFault::Missing(*hash))?;
            if page_hash(&page) != *hash {
                return Err(SnapshotFault::Differs(*hash));
            }
            if *page == ZERO_PAGE {
                return Err(PagesFault::Bytes(*index).into());
            }
            pages.insert(*index, page);
        }
        Ok(Self {
            wasm_pages: manifest.wasm_pages,
            globals: manifest.globals.clone(),
            pages,
        })
    }
}

#[cfg(test)]
mod tests;
