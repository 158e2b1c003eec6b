//! Parts of a state: the pages that a stretch of inputs touches, and the nodes of the tree over all pages.
//!
//! A state is linear memory in pages of [`PAGE_BYTES`], its size, and the mutable globals. How
//! pages and state are hashed is the engine's matter; here is only what is well-formed.
//!
//! # Rules
//!
//! - `[W-1]` Pages stand in strictly ascending order of their index, which is below [`PAGES`]; there
//!   are at most [`WITNESS_PAGES_MAX`].
//! - `[W-2]` A page has [`PAGE_BYTES`] bytes, or none if all of them are zero; the zero page is not
//!   spelled out, so one set of pages has one spelling.
//! - `[W-3]` Globals are given as the bits of their values, in the order of the module; there are at
//!   most [`GLOBALS_MAX`].

mod packed;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::codec::Wire;
use crate::id::Digest;

pub use packed::{PackedWitness, packed_bytes_max};

/// Bytes of one page of a state.
pub const PAGE_BYTES: usize = 4096;
/// Levels of the tree over the pages.
pub const PAGE_TREE_DEPTH: u32 = 22;
/// Pages that a state can have: 16 GiB.
pub const PAGES: u32 = 1 << PAGE_TREE_DEPTH;
/// Levels of that tree in one node, as it is kept and sent.
pub const PAGE_NODE_BITS: u32 = 6;
/// Children of one node.
pub const PAGE_NODE_WIDTH: usize = 1 << PAGE_NODE_BITS;
/// The level of the topmost node, which has the rest of the levels; the lowest is 0.
pub const PAGE_NODE_TOP: u32 = (PAGE_TREE_DEPTH - 1) / PAGE_NODE_BITS;
/// Pages of 4 KiB in one WebAssembly page.
pub const PAGES_PER_WASM_PAGE: u32 = 16;
/// Pages that one witness can hold: 256 MiB. A process has no more memory (rule PR-7), so every stride has a witness.
pub const WITNESS_PAGES_MAX: usize = 65_536;
/// Mutable globals that a module may have. Emscripten makes less than ten.
pub const GLOBALS_MAX: usize = 1_000;

/// One page of a witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct WitnessPage {
    /// The position of the page in memory.
    pub index: u32,
    /// Its bytes (rule W-2).
    pub bytes: ByteBuf,
}

/// The part of a state that a stretch of inputs reads or writes, with what its root needs besides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Witness {
    /// The size of memory, in WebAssembly pages of 64 KiB.
    pub wasm_pages: u32,
    /// The mutable globals (rule W-3).
    pub globals: Vec<u64>,
    /// The touched pages.
    pub pages: Vec<WitnessPage>,
    /// The siblings of a multiproof over the tree of pages.
    pub siblings: Vec<Digest>,
}

/// A state without its pages: what its root is made of (rules ST-3 and ST-5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct StateHead {
    /// The size of memory, in WebAssembly pages of 64 KiB.
    pub wasm_pages: u32,
    /// The mutable globals (rule W-3).
    pub globals: Vec<u64>,
    /// The top of the tree over the pages.
    pub top: Digest,
}

impl Wire for StateHead {
    const KIND: u8 = 51;
    const BYTES_MAX: usize = 16 * 1024;
}

/// A node of the tree over the pages: what lies below it that is not zero (rule ST-6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct PageNode {
    /// How many nodes are between it and a page.
    pub level: u8,
    /// The children that are not zero, by the bits of their places.
    pub present: u64,
    /// The digests of those children, in the order of their places: hashes of pages at level 0, else
    /// the tops of nodes.
    pub digests: Vec<Digest>,
}

impl Wire for PageNode {
    const KIND: u8 = 54;
    const BYTES_MAX: usize = 4 * 1024;
}

/// Why a part of a state is not well-formed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum PagesFault {
    /// Page indices do not ascend strictly, or exceed the tree (rule W-1).
    #[error("page {0} is out of order or out of range")]
    Index(u32),
    /// A page has another length, or spells out zeros (rule W-2).
    #[error("page {0} is not in its one spelling")]
    Bytes(u32),
    /// A node's level, places and digests do not fit together.
    #[error("a node of the tree over the pages is malformed")]
    Node,
    /// More pages or globals than allowed.
    #[error("too many pages or globals")]
    TooMany,
    /// Pages are not packed as they should be (rule W-4).
    #[error("the pages of a witness are not packed as its map says")]
    Packed,
}

impl Witness {
    /// Checks the rules W-1 and W-2 and the bounds.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), PagesFault> {
        if self.pages.len() > WITNESS_PAGES_MAX {
            return Err(PagesFault::TooMany);
        }
        check_shape(&self.globals, self.pages.iter().map(|page| page.index))?;
        for page in &self.pages {
            let zero = page.bytes.iter().all(|byte| *byte == 0);
            if !matches!((page.bytes.len(), zero), (0, _) | (PAGE_BYTES, false)) {
                return Err(PagesFault::Bytes(page.index));
            }
        }
        Ok(())
    }
}

impl StateHead {
    /// Checks the bounds.
    ///
    /// # Errors
    /// More globals than allowed.
    pub fn check(&self) -> Result<(), PagesFault> {
        check_shape(&self.globals, std::iter::empty())
    }
}

impl PageNode {
    /// Checks that there is such a node and that each child present has its digest.
    ///
    /// # Errors
    /// If it is not so.
    pub fn check(&self) -> Result<(), PagesFault> {
        let children = match u32::from(self.level) {
            PAGE_NODE_TOP => 1 << (PAGE_TREE_DEPTH - PAGE_NODE_TOP * PAGE_NODE_BITS),
            level if level < PAGE_NODE_TOP => PAGE_NODE_WIDTH,
            _ => 0,
        };
        let places = u64::BITS as usize - self.present.leading_zeros() as usize;
        if places == 0
            || places > children
            || self.present.count_ones() as usize != self.digests.len()
        {
            return Err(PagesFault::Node);
        }
        Ok(())
    }

    /// The children that are not zero, by their places.
    pub fn children(&self) -> impl Iterator<Item = (usize, &Digest)> {
        let present = |at: &usize| self.present >> at & 1 == 1;
        (0..PAGE_NODE_WIDTH).filter(present).zip(&self.digests)
    }
}

fn check_shape(globals: &[u64], pages: impl Iterator<Item = u32>) -> Result<(), PagesFault> {
    if globals.len() > GLOBALS_MAX {
        return Err(PagesFault::TooMany);
    }
    let mut least = 0;
    for index in pages {
        if index < least || index >= PAGES {
            return Err(PagesFault::Index(index));
        }
        least = index + 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn witness(pages: &[(u32, Vec<u8>)]) -> Witness {
        let pages = pages.iter().map(|(index, bytes)| WitnessPage {
            index: *index,
            bytes: ByteBuf::from(bytes.clone()),
        });
        Witness {
            wasm_pages: 2,
            globals: vec![u64::MAX, 0],
            pages: pages.collect(),
            siblings: vec![Digest::new([7; 32])],
        }
    }

    #[test]
    fn a_set_of_pages_has_one_spelling() {
        let one = vec![1; PAGE_BYTES];
        assert_eq!(witness(&[(0, vec![]), (3, one.clone())]).check(), Ok(()));
        assert_eq!(
            witness(&[(0, vec![0; PAGE_BYTES])]).check(),
            Err(PagesFault::Bytes(0))
        );
        assert_eq!(
            witness(&[(0, vec![1; PAGE_BYTES - 1])]).check(),
            Err(PagesFault::Bytes(0))
        );
        assert_eq!(
            witness(&[(3, one.clone()), (3, one.clone())]).check(),
            Err(PagesFault::Index(3))
        );
        assert_eq!(
            witness(&[(3, one.clone()), (2, one.clone())]).check(),
            Err(PagesFault::Index(2))
        );
        assert_eq!(witness(&[(PAGES - 1, one.clone())]).check(), Ok(()));
        assert_eq!(
            witness(&[(PAGES, one)]).check(),
            Err(PagesFault::Index(PAGES))
        );
    }
}
