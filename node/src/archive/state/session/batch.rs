//! Counting parts, and what a batch writes and removes.

use surety_protocol::codec;
use surety_protocol::id::Digest;

use super::{Kind, Parts, Place, Session, below, number, topmost};
use crate::archive::state::BEGUN_MAX;
use crate::archive::{ArchiveError, damaged, key};
use crate::store::{Batch, Column, Direction, Entry};

impl Session<'_> {
    /// Writes everything so far, with the lists of what is loose and doomed as they are.
    pub(super) fn write(&mut self) -> Result<(), ArchiveError> {
        let root = self.root;
        let place = |(kind, digest): &(Kind, Digest)| key::loose(&root, kind.tag(), digest);
        let (now, before) = (self.loose.clone(), std::mem::take(&mut self.loose_stored));
        if before.is_empty() && !now.is_empty() {
            self.begin()?;
        } else if now.is_empty() && !before.is_empty() {
            self.put((Column::Snapshots, key::begun(&root)), None);
        }
        self.list(&now, &before, place);
        self.loose_stored = now;
        let place = |(kind, digest): &(Kind, Digest)| key::doomed(kind.tag(), digest);
        let (now, before) = (self.doomed.clone(), std::mem::take(&mut self.doomed_stored));
        self.list(&now, &before, place);
        self.doomed_stored = now;
        let mut batch = Batch::new();
        for (digest, (before, now)) in std::mem::take(&mut self.counts) {
            match (before, now) {
                (_, 2..) if now != before => {
                    batch.put(Column::Snapshots, key::count(&digest), now.to_be_bytes());
                }
                (2.., 0 | 1) => batch.delete(Column::Snapshots, key::count(&digest)),
                _ => {}
            }
        }
        for ((column, at), value) in std::mem::take(&mut self.changes) {
            match value {
                Some(value) => batch.put(column, at, value),
                None => batch.delete(column, at),
            }
        }
        self.bytes = 0;
        Ok(self.archive.store.write(batch)?)
    }

    /// Notes that the state has begun to come, and gives up the one that began first of too many.
    pub(super) fn begin(&mut self) -> Result<(), ArchiveError> {
        let mut begun = Vec::new();
        for (at, order) in self.scan(b"w", usize::MAX)? {
            if let Ok(root) = Digest::try_from(at.get(1..).unwrap_or_default()) {
                begun.push((number(&order)?, root));
            }
        }
        begun.sort_unstable();
        let next = begun.last().map_or(0, |(order, _)| order.saturating_add(1));
        let at = (Column::Snapshots, key::begun(&self.root));
        self.put(at, Some(next.to_be_bytes().to_vec()));
        let superfluous = (begun.len() + 1).saturating_sub(BEGUN_MAX);
        for (_, oldest) in begun.into_iter().take(superfluous) {
            self.put((Column::Snapshots, key::begun(&oldest)), None);
            let given_up = self.listed(&key::begun(&oldest), usize::MAX)?;
            let place = |(kind, digest): &(Kind, Digest)| key::loose(&oldest, kind.tag(), digest);
            self.list(&Parts::new(), &given_up, place);
            for (part, count) in given_up {
                self.doom(part, count)?;
            }
        }
        Ok(())
    }

    /// Writes a list of parts as far as it differs from what is stored of it.
    pub(super) fn list(
        &mut self,
        now: &Parts,
        before: &Parts,
        at: impl Fn(&(Kind, Digest)) -> Vec<u8>,
    ) {
        for part in before.keys().filter(|it| !now.contains_key(it)) {
            self.put((Column::Snapshots, at(part)), None);
        }
        for (part, count) in now
            .iter()
            .filter(|(part, count)| before.get(part) != Some(count))
        {
            let value = count.to_be_bytes().to_vec();
            self.put((Column::Snapshots, at(part)), Some(value));
        }
    }

    /// The parts that the store lists under keys with this start.
    pub(super) fn listed(&self, prefix: &[u8], limit: usize) -> Result<Parts, ArchiveError> {
        let mut parts = Parts::new();
        for (at, count) in self.scan(prefix, limit)? {
            let rest = at.get(prefix.len()..).unwrap_or_default();
            // The prefix itself says only that the list is there.
            let Some((tag, digest)) = rest.split_first() else {
                continue;
            };
            let kind = Kind::ALL.into_iter().find(|kind| kind.tag() == *tag);
            let kind = kind.ok_or_else(|| damaged(Column::Snapshots, &"a part of no kind"))?;
            let digest = Digest::try_from(digest).map_err(|it| damaged(Column::Snapshots, &it))?;
            parts.insert((kind, digest), number(&count)?);
        }
        Ok(parts)
    }

    /// Counts fewer references; without any the part is removed, and what it refers to is doomed.
    pub(super) fn release(
        &mut self,
        part: (Kind, Digest),
        references: u64,
    ) -> Result<(), ArchiveError> {
        let (kind, digest) = part;
        let left = self.counted(part, true)?.saturating_sub(references);
        self.set_count(part, left);
        if left > 0 {
            return Ok(());
        }
        let place = kind.place(&digest);
        let children = match kind {
            Kind::Page => Vec::new(),
            Kind::Node => self.read(&place)?.iter().flat_map(below).collect(),
            Kind::Head => self.read(&place)?.iter().filter_map(topmost).collect(),
        };
        self.put(place, None);
        for child in children {
            self.doom(child, 1)?;
        }
        Ok(())
    }

    /// How many references to a part are counted; none to one that is not here.
    pub(super) fn count(&mut self, part: (Kind, Digest)) -> Result<u64, ArchiveError> {
        self.counted(part, false)
    }

    pub(super) fn counted(
        &mut self,
        (kind, digest): (Kind, Digest),
        here: bool,
    ) -> Result<u64, ArchiveError> {
        if let Some((_, now)) = self.counts.get(&digest) {
            return Ok(*now);
        }
        let stored = match here || self.archive.has(kind, &digest)? {
            false => 0,
            true => {
                let at = key::count(&digest);
                let more = self.archive.store.get(Column::Snapshots, &at)?;
                // Most are counted once, and that is not written.
                more.map_or(Ok(1), |it| number(&it))?
            }
        };
        self.counts.insert(digest, (stored, stored));
        Ok(stored)
    }

    /// Sets a count that was asked for before.
    pub(super) fn set_count(&mut self, (_, digest): (Kind, Digest), count: u64) {
        if let Some((_, now)) = self.counts.get_mut(&digest) {
            *now = count;
        }
    }

    pub(super) fn read<T: codec::Wire>(&self, place: &Place) -> Result<Option<T>, ArchiveError> {
        let bytes = self.get(place)?;
        let read = bytes.map(|it| codec::decode(&it).map_err(|it| damaged(place.0, &it)));
        read.transpose()
    }

    pub(super) fn get(&self, place: &Place) -> Result<Option<Vec<u8>>, ArchiveError> {
        match self.changes.get(place) {
            Some(value) => Ok(value.clone()),
            None => Ok(self.archive.store.get(place.0, &place.1)?),
        }
    }

    pub(super) fn put(&mut self, place: Place, value: Option<Vec<u8>>) {
        self.bytes = self
            .bytes
            .saturating_add(value.as_ref().map_or(0, Vec::len));
        self.changes.insert(place, value);
    }

    pub(super) fn scan(&self, prefix: &[u8], limit: usize) -> Result<Vec<Entry>, ArchiveError> {
        let (column, forward) = (Column::Snapshots, Direction::Forward);
        Ok(self
            .archive
            .store
            .scan(column, prefix, prefix, limit, forward)?)
    }
}
