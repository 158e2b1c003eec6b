//! States of processes: which are kept, and how they are written and read back.
//!
//! # Rules
//!
//! - `[SK-1]` Parts of states (heads, nodes, pages) are kept by content and counted: a part is here if and only if something
//!   refers to it. A series or a list of fetched states refers to heads, a head to the topmost node, a node to what is right
//!   below it. Counts change in the batch that changes what they count.
//! - `[SK-2]` A part is written with or after all that it refers to, so whatever is here is whole, at every moment and after
//!   every crash. What nothing refers to yet because more of its state is to come is listed under the state's root; it stays
//!   until the state is whole, or until more than [`BEGUN_MAX`] other states have begun to come since.
//! - `[SK-3]` No batch holds more than about [`BATCH_BYTES`], however large a state is. What is to be removed beyond
//!   [`SWEPT_MAX`] parts is listed and goes with the batches after it.
//! - `[SK-4]` Of the states of a process the last [`RECENT`] are kept, and before them one for each power of two of inputs
//!   that its age has reached: any input is reached from an earlier state by replay. So is what evidence needs, whose cost
//!   grows with its age, not whether it can be had. The last state of what is certified and the [`NEXT`] - 1 after it are kept
//!   however old they are: whoever goes on with certifying starts there, and would wait for ever for what nobody has.
//! - `[SK-5]` A state that was fetched from others is not one that was evaluated here: evaluation never starts from it. The
//!   last [`FETCHED_MAX`] of a process are kept.

mod session;
mod thin;
mod transfer;

use std::collections::BTreeMap;
use std::sync::Arc;

use surety_attest::state::{
    Branch, PageTree, Snapshot, head_root, node_digest, page_hash, page_offset, zero_top,
};
use surety_protocol::claim::LEAVES_MAX;
use surety_protocol::codec::{self, Wire};
use surety_protocol::id::{Digest, ProcessId};
use surety_protocol::witness::{PAGE_BYTES, PAGE_NODE_TOP, PageNode, StateHead};

use super::{Archive, ArchiveError, damaged, key};
use crate::store::{Column, Direction};

use session::Session;
use thin::Kept;
pub use transfer::{Ask, NODES_MAX, PAGES_MAX, Parts, Transfer, TransferError};

/// States that are kept without gaps: about as many as pass while a claim waits for its verifiers.
const RECENT: usize = 64;
/// States that are kept without gaps from where the next certificate starts: so many as a claim can have, with its end.
const NEXT: usize = LEAVES_MAX + 1;
/// Fetched states of one process.
const FETCHED_MAX: usize = 8;
/// States that have begun to come and are not whole.
const BEGUN_MAX: usize = 16;
/// Bytes after which a batch of parts is written.
const BATCH_BYTES: usize = 8 << 20;
/// Parts that are removed in one batch.
const SWEPT_MAX: usize = 8_192;

/// Where the states of a process come from (rule SK-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Series {
    /// Evaluated from the start of the log.
    Evaluated,
    /// Executed while a claim was checked.
    Checked,
}

impl Series {
    const fn tag(self) -> u8 {
        match self {
            Series::Evaluated => b'e',
            Series::Checked => b'k',
        }
    }
}

impl Archive {
    /// Keeps the state of a process after `size` inputs; what is here of it already is not written again.
    ///
    /// # Errors
    /// If the store fails.
    pub fn keep_state(
        &self,
        series: Series,
        process: &ProcessId,
        size: u64,
        snapshot: &Snapshot,
        tree: &PageTree,
    ) -> Result<(), ArchiveError> {
        let head = snapshot.head(tree.top());
        let mut session = Session::open(self, head_root(&head))?;
        if let Some(top) = tree.branch() {
            keep_branch(&mut session, snapshot, &top)?;
        }
        let root = session.keep_head(&head)?;
        let root = root.ok_or_else(|| damaged(Column::Snapshots, &"a state that is not whole"))?;
        session.refer(series, process, size, root)?;
        let sizes: Vec<u64> = session.sizes(series, process)?;
        let kept = Kept {
            recent: RECENT,
            certified: self.certified(process)?,
            next: NEXT,
        };
        for size in thin::superfluous(&sizes, kept) {
            session.forget(series, process, size)?;
        }
        session.close()
    }

    /// Forgets which states were after these inputs: they are evaluated again, maybe from another branch of the log.
    ///
    /// # Errors
    /// If the store fails.
    pub fn forget_states_after(&self, process: &ProcessId, size: u64) -> Result<(), ArchiveError> {
        let mut session = Session::open(self, Digest::default())?;
        let sizes = session.sizes(Series::Evaluated, process)?;
        for later in sizes.into_iter().filter(|it| *it > size) {
            session.forget(Series::Evaluated, process, later)?;
        }
        session.close()
    }

    /// Removes what is left to be removed (rule SK-3).
    ///
    /// # Errors
    /// If the store fails.
    pub fn sweep(&self) -> Result<(), ArchiveError> {
        loop {
            let session = Session::open(self, Digest::default())?;
            if session.swept() {
                return Ok(());
            }
            session.close()?;
        }
    }

    /// The latest state at or before an input: how many inputs it has seen, and its root.
    ///
    /// # Errors
    /// If the store fails or a value is damaged.
    pub fn place_before(
        &self,
        series: Series,
        process: &ProcessId,
        size: u64,
    ) -> Result<Option<(u64, Digest)>, ArchiveError> {
        let prefix = key::snapshots(series.tag(), process);
        let from = key::snapshot(series.tag(), process, size);
        let found = self
            .store
            .scan(Column::Snapshots, &from, &prefix, 1, Direction::Backward)?;
        let Some((at, root)) = found.into_iter().next() else {
            return Ok(None);
        };
        let root =
            Digest::try_from(root.as_slice()).map_err(|it| damaged(Column::Snapshots, &it))?;
        Ok(Some((size_of(&at, &prefix)?, root)))
    }

    /// The same with the state, if all of it is here.
    ///
    /// # Errors
    /// If the store fails or a part is damaged.
    pub fn state_before(
        &self,
        series: Series,
        process: &ProcessId,
        size: u64,
    ) -> Result<Option<(u64, Snapshot)>, ArchiveError> {
        let Some((size, root)) = self.place_before(series, process, size)? else {
            return Ok(None);
        };
        Ok(self.state(&root)?.map(|snapshot| (size, snapshot)))
    }

    /// A state by its root.
    ///
    /// # Errors
    /// If the store fails or a part is damaged.
    pub fn state(&self, root: &Digest) -> Result<Option<Snapshot>, ArchiveError> {
        let Some(head) = self.state_head(root)? else {
            return Ok(None);
        };
        if head_root(&head) != *root {
            return Err(damaged(Column::Snapshots, &"a head of another state"));
        }
        let mut pages = BTreeMap::new();
        let whole = self.collect(PAGE_NODE_TOP, &head.top, 0, &mut pages)?;
        if !whole {
            // It may have been thinned out meanwhile; else it is not as rule SK-2 says.
            return match self.state_head(root)? {
                None => Ok(None),
                Some(_) => Err(damaged(Column::Snapshots, &"a state that is not whole")),
            };
        }
        Ok(Some(Snapshot {
            wasm_pages: head.wasm_pages,
            globals: head.globals,
            pages,
        }))
    }

    /// Collects the pages of a subtree, checking each part; whether all of it is here.
    fn collect(
        &self,
        level: u32,
        digest: &Digest,
        first: u32,
        pages: &mut BTreeMap<u32, Arc<[u8; PAGE_BYTES]>>,
    ) -> Result<bool, ArchiveError> {
        if *digest == zero_top(level) {
            return Ok(true);
        }
        let Some(node) = self.page_node(digest)? else {
            return Ok(false);
        };
        if u32::from(node.level) != level || node_digest(&node) != Some(*digest) {
            return Err(damaged(Column::Snapshots, &"a node of another digest"));
        }
        for (at, child) in node.children() {
            let first = first.saturating_add(page_offset(level, at));
            if let Some(lower) = level.checked_sub(1) {
                if !self.collect(lower, child, first, pages)? {
                    return Ok(false);
                }
                continue;
            }
            let Some(bytes) = self.page(child)? else {
                return Ok(false);
            };
            let page: [u8; PAGE_BYTES] = bytes
                .try_into()
                .map_err(|_| damaged(Column::Pages, &"a page of another length"))?;
            if page_hash(&page) != *child {
                return Err(damaged(Column::Pages, &"a page of another hash"));
            }
            pages.insert(first, Arc::new(page));
        }
        Ok(true)
    }

    /// The head of a state.
    ///
    /// # Errors
    /// If the store fails or the value is damaged.
    pub fn state_head(&self, root: &Digest) -> Result<Option<StateHead>, ArchiveError> {
        self.get(Column::Snapshots, &key::head(root))
    }

    /// Parts of states that somebody asks for, those that are here.
    ///
    /// # Errors
    /// If the store fails or a value is damaged.
    pub fn state_parts(&self, ask: &Ask) -> Result<Parts, ArchiveError> {
        let mut parts = Parts::default();
        if let Some(root) = &ask.head {
            parts.head = self.state_head(root)?;
        }
        for digest in &ask.nodes {
            parts.nodes.extend(self.page_node(digest)?);
        }
        for hash in &ask.pages {
            parts.pages.extend(self.page(hash)?);
        }
        Ok(parts)
    }

    fn page_node(&self, digest: &Digest) -> Result<Option<PageNode>, ArchiveError> {
        self.get(Column::Snapshots, &key::node(digest))
    }

    fn page(&self, hash: &Digest) -> Result<Option<Vec<u8>>, ArchiveError> {
        Ok(self.store.get(Column::Pages, hash.as_bytes())?)
    }
}

/// Keeps a subtree, the lower parts first (rule SK-2).
fn keep_branch(
    session: &mut Session<'_>,
    snapshot: &Snapshot,
    branch: &Branch<'_>,
) -> Result<(), ArchiveError> {
    if session.hold_node(&branch.digest())? {
        return Ok(());
    }
    for below in branch.below() {
        keep_branch(session, snapshot, &below)?;
    }
    for (index, hash) in branch.pages() {
        session.hold_page(&hash, snapshot.page(index))?;
    }
    // What is held is neither lost nor removed by others, so this finds all of it.
    session.keep_node(&branch.digest(), &branch.record())?;
    session.write_if_large()
}

fn size_of(at: &[u8], prefix: &[u8]) -> Result<u64, ArchiveError> {
    let size = at.get(prefix.len()..).and_then(|it| it.try_into().ok());
    size.map(u64::from_be_bytes)
        .ok_or_else(|| damaged(Column::Snapshots, &"a key without a size"))
}

fn encoded(value: &impl Wire) -> Result<Vec<u8>, ArchiveError> {
    Ok(codec::encode(value)?)
}

#[cfg(test)]
mod tests;
