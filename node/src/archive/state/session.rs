//! Changes of what is kept of states: one batch after the other, each of which leaves every count right.
//!
//! One session at a time works on an archive, so what it reads is what its batch changes.

mod batch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};

use surety_attest::state::{head_root, zero_top};
use surety_protocol::id::{Digest, ProcessId};
use surety_protocol::witness::{PAGE_NODE_TOP, PageNode, StateHead};

use super::{BATCH_BYTES, FETCHED_MAX, SWEPT_MAX, Series, encoded, size_of};
use crate::archive::{Archive, ArchiveError, damaged, key};
use crate::store::Column;

/// What a part of a state is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Head,
    Node,
    Page,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Head, Kind::Node, Kind::Page];

    const fn tag(self) -> u8 {
        self as u8
    }

    fn place(self, digest: &Digest) -> Place {
        match self {
            Kind::Head => (Column::Snapshots, key::head(digest)),
            Kind::Node => (Column::Snapshots, key::node(digest)),
            Kind::Page => (Column::Pages, digest.as_bytes().to_vec()),
        }
    }
}

type Place = (Column, Vec<u8>);
/// Parts, and how many references to each.
type Parts = BTreeMap<(Kind, Digest), u64>;

impl Archive {
    /// Whether a part is here.
    pub(super) fn has(&self, kind: Kind, digest: &Digest) -> Result<bool, ArchiveError> {
        let (column, at) = kind.place(digest);
        Ok(self.store.has(column, &at)?)
    }
}

/// A session for the sake of the state with one root.
pub(super) struct Session<'a> {
    archive: &'a Archive,
    _turn: MutexGuard<'a, ()>,
    root: Digest,
    /// How often parts are counted: in the store, and after the batch.
    counts: BTreeMap<Digest, (u64, u64)>,
    /// What else the batch will write, and its bytes.
    changes: BTreeMap<Place, Option<Vec<u8>>>,
    bytes: usize,
    /// Parts that this session counted and nothing refers to yet; and those that the store lists so.
    loose: Parts,
    loose_stored: Parts,
    /// References that are gone and still counted; and those that the store lists so.
    doomed: Parts,
    doomed_stored: Parts,
    doomed_beyond: bool,
}

impl<'a> Session<'a> {
    /// A session, when it is its turn.
    pub(super) fn open(archive: &'a Archive, root: Digest) -> Result<Self, ArchiveError> {
        let turn = archive
            .states
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut session = Session {
            archive,
            _turn: turn,
            root,
            counts: BTreeMap::new(),
            changes: BTreeMap::new(),
            bytes: 0,
            loose: Parts::new(),
            loose_stored: Parts::new(),
            doomed: Parts::new(),
            doomed_stored: Parts::new(),
            doomed_beyond: false,
        };
        session.loose_stored = session.listed(&key::begun(&root), usize::MAX)?;
        session.loose.clone_from(&session.loose_stored);
        session.doomed_stored = session.listed(b"d", SWEPT_MAX)?;
        session.doomed.clone_from(&session.doomed_stored);
        session.doomed_beyond = session.doomed.len() >= SWEPT_MAX;
        Ok(session)
    }

    /// Whether nothing is left to be removed.
    pub(super) fn swept(&self) -> bool {
        self.doomed.is_empty()
    }

    /// Holds a node, if it is here: it will be referred to.
    pub(super) fn hold_node(&mut self, digest: &Digest) -> Result<bool, ArchiveError> {
        self.hold(Kind::Node, digest)
    }

    /// Holds a page, writing it if it is not here.
    pub(super) fn hold_page(&mut self, hash: &Digest, bytes: &[u8]) -> Result<(), ArchiveError> {
        if !self.hold(Kind::Page, hash)? {
            self.make(Kind::Page, hash, bytes.to_vec());
        }
        Ok(())
    }

    /// Writes a node of which everything right below is here; whether it is so.
    pub(super) fn keep_node(
        &mut self,
        digest: &Digest,
        record: &PageNode,
    ) -> Result<bool, ArchiveError> {
        if self.hold(Kind::Node, digest)? {
            // Somebody else was faster; what was held for it is needed no more.
            for part in below(record) {
                self.let_go(part)?;
            }
            return Ok(true);
        }
        for part in below(record) {
            if self.count(part)? == 0 {
                return Ok(false);
            }
        }
        for part in below(record) {
            self.take(part)?;
        }
        self.make(Kind::Node, digest, encoded(record)?);
        Ok(true)
    }

    /// Writes the head of a state and lets go of what it does not need; gives its root, or nothing if the topmost node is not
    /// here.
    pub(super) fn keep_head(&mut self, head: &StateHead) -> Result<Option<Digest>, ArchiveError> {
        let root = head_root(head);
        if !self.hold(Kind::Head, &root)? {
            if let Some(top) = topmost(head) {
                if self.count(top)? == 0 {
                    return Ok(None);
                }
                self.take(top)?;
            }
            self.make(Kind::Head, &root, encoded(head)?);
        }
        let rest = std::mem::take(&mut self.loose);
        for (part, count) in rest {
            let needed = u64::from(part == (Kind::Head, root));
            if needed == 1 {
                self.loose.insert(part, 1);
            }
            self.doom(part, count.saturating_sub(needed))?;
        }
        Ok(Some(root))
    }

    /// Lets a series refer to the head that is held.
    pub(super) fn refer(
        &mut self,
        series: Series,
        process: &ProcessId,
        size: u64,
        root: Digest,
    ) -> Result<(), ArchiveError> {
        self.forget(series, process, size)?;
        self.take((Kind::Head, root))?;
        let at = key::snapshot(series.tag(), process, size);
        self.put((Column::Snapshots, at), Some(root.as_bytes().to_vec()));
        Ok(())
    }

    /// Lets the fetched states of a process refer to the head that is held, and forgets the oldest of too many.
    pub(super) fn refer_fetched(
        &mut self,
        process: &ProcessId,
        root: Digest,
    ) -> Result<(), ArchiveError> {
        let prefix = key::fetched(process);
        let mut known = Vec::new();
        for (at, order) in self.scan(&prefix, usize::MAX)? {
            let named = at.get(prefix.len()..).unwrap_or_default();
            let named = Digest::try_from(named).map_err(|it| damaged(Column::Snapshots, &it))?;
            known.push((number(&order)?, named));
        }
        known.sort_unstable();
        let next = known.last().map_or(0, |(order, _)| order.saturating_add(1));
        let at = |root: &Digest| {
            let at = [&prefix[..], root.as_bytes()].concat();
            (Column::Snapshots, at)
        };
        self.put(at(&root), Some(next.to_be_bytes().to_vec()));
        if known.iter().any(|(_, it)| *it == root) {
            self.let_go((Kind::Head, root))?;
        } else {
            self.take((Kind::Head, root))?;
            let superfluous = (known.len() + 1).saturating_sub(FETCHED_MAX);
            for (_, oldest) in known.into_iter().take(superfluous) {
                self.put(at(&oldest), None);
                self.doom((Kind::Head, oldest), 1)?;
            }
        }
        Ok(())
    }

    /// Forgets a state of a series.
    pub(super) fn forget(
        &mut self,
        series: Series,
        process: &ProcessId,
        size: u64,
    ) -> Result<(), ArchiveError> {
        let at = (
            Column::Snapshots,
            key::snapshot(series.tag(), process, size),
        );
        if let Some(root) = self.get(&at)? {
            let root =
                Digest::try_from(root.as_slice()).map_err(|it| damaged(Column::Snapshots, &it))?;
            self.put(at, None);
            self.doom((Kind::Head, root), 1)?;
        }
        Ok(())
    }

    /// Forgets all fetched states of a process.
    #[cfg(test)]
    pub(super) fn forget_fetched(&mut self, process: &ProcessId) -> Result<(), ArchiveError> {
        let prefix = key::fetched(process);
        for (at, _) in self.scan(&prefix, usize::MAX)? {
            let root = Digest::try_from(at.get(prefix.len()..).unwrap_or_default());
            let root = root.map_err(|it| damaged(Column::Snapshots, &it))?;
            self.put((Column::Snapshots, at), None);
            self.doom((Kind::Head, root), 1)?;
        }
        Ok(())
    }

    /// Lets go of all that is here of a state that is not whole.
    #[cfg(test)]
    pub(super) fn give_up(mut self) -> Result<(), ArchiveError> {
        for (part, count) in std::mem::take(&mut self.loose) {
            self.doom(part, count)?;
        }
        self.close()
    }

    /// The inputs after which states of a series are kept, ascending.
    pub(super) fn sizes(
        &self,
        series: Series,
        process: &ProcessId,
    ) -> Result<Vec<u64>, ArchiveError> {
        let prefix = key::snapshots(series.tag(), process);
        let mut sizes = BTreeSet::new();
        for (at, _) in self.scan(&prefix, usize::MAX)? {
            sizes.insert(size_of(&at, &prefix)?);
        }
        let from = (Column::Snapshots, prefix.clone());
        let written = self.changes.range(from..);
        for ((_, at), value) in written.take_while(|((_, at), _)| at.starts_with(&prefix)) {
            let size = size_of(at, &prefix)?;
            match value {
                Some(_) => sizes.insert(size),
                None => sizes.remove(&size),
            };
        }
        Ok(sizes.into_iter().collect())
    }

    /// Writes the batch if it is large (rule SK-3).
    pub(super) fn write_if_large(&mut self) -> Result<(), ArchiveError> {
        if self.bytes < BATCH_BYTES {
            return Ok(());
        }
        self.write()
    }

    /// Removes what is doomed, writes, and ends.
    pub(super) fn close(mut self) -> Result<(), ArchiveError> {
        // Pages go first, so that the list does not become that of a whole state.
        for _ in 0..SWEPT_MAX {
            let Some((part, count)) = self.doomed.pop_last() else {
                break;
            };
            self.release(part, count)?;
        }
        self.write()
    }

    fn hold(&mut self, kind: Kind, digest: &Digest) -> Result<bool, ArchiveError> {
        let part = (kind, *digest);
        let count = self.count(part)?;
        if count == 0 {
            return Ok(false);
        }
        self.set_count(part, count.saturating_add(1));
        self.add_loose(part);
        Ok(true)
    }

    /// Writes a part that was not here, and holds it.
    fn make(&mut self, kind: Kind, digest: &Digest, bytes: Vec<u8>) {
        let part = (kind, *digest);
        self.put(kind.place(digest), Some(bytes));
        self.set_count(part, 1);
        self.add_loose(part);
    }

    fn add_loose(&mut self, part: (Kind, Digest)) {
        let count = self.loose.entry(part).or_insert(0);
        *count = count.saturating_add(1);
    }

    /// Turns what is held into a reference; what is here and not held is counted once more.
    fn take(&mut self, part: (Kind, Digest)) -> Result<(), ArchiveError> {
        if !self.less_loose(&part) {
            let count = self.count(part)?;
            self.set_count(part, count.saturating_add(1));
        }
        Ok(())
    }

    fn let_go(&mut self, part: (Kind, Digest)) -> Result<(), ArchiveError> {
        match self.less_loose(&part) {
            true => self.doom(part, 1),
            false => Ok(()),
        }
    }

    fn less_loose(&mut self, part: &(Kind, Digest)) -> bool {
        match self.loose.get_mut(part) {
            None => return false,
            Some(count) if *count > 1 => *count -= 1,
            Some(_) => {
                self.loose.remove(part);
            }
        }
        true
    }

    fn doom(&mut self, part: (Kind, Digest), references: u64) -> Result<(), ArchiveError> {
        if references == 0 {
            return Ok(());
        }
        if self.doomed_beyond && !self.doomed_stored.contains_key(&part) {
            // The list is longer than what was read of it.
            let at = (Column::Snapshots, key::doomed(part.0.tag(), &part.1));
            if let Some(count) = self.archive.store.get(at.0, &at.1)? {
                let count = number(&count)?;
                self.doomed_stored.insert(part, count);
                self.doomed.insert(part, count);
            }
        }
        let count = self.doomed.entry(part).or_insert(0);
        *count = count.saturating_add(references);
        Ok(())
    }
}

/// What a node refers to.
fn below(record: &PageNode) -> impl Iterator<Item = (Kind, Digest)> {
    let kind = match record.level {
        0 => Kind::Page,
        _ => Kind::Node,
    };
    record.digests.iter().map(move |digest| (kind, *digest))
}

/// What a head refers to.
fn topmost(head: &StateHead) -> Option<(Kind, Digest)> {
    (head.top != zero_top(PAGE_NODE_TOP)).then_some((Kind::Node, head.top))
}

fn number(bytes: &[u8]) -> Result<u64, ArchiveError> {
    let bytes = bytes.try_into();
    bytes
        .map(u64::from_be_bytes)
        .map_err(|_| damaged(Column::Snapshots, &"a number of another length"))
}
