//! An index over data items by owner, recipient and tag, for what clients ask a gateway.
//!
//! # Rules
//!
//! - `[IX-1]` Every item that is written is indexed in the same batch. An item has one place, in the order of arrival; if
//!   it was given two by batches at once, the later counts.
//! - `[IX-2]` A store that was written without an index is indexed whole before it is used with one.
//! - `[IX-3]` What a search may read is bounded; one that would read more is refused.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use surety_protocol::id::{Address, ItemId};
use surety_protocol::item::ItemView;

use super::{Archive, ArchiveError, damaged, key};
use crate::store::{Batch, Column, Direction, Store};

/// Keys that one search reads at most (rule IX-3).
const READS_MAX: usize = 20_000;
/// Items indexed together (rule IX-2).
const CHUNK: usize = 256;

/// What is searched for: items that fit every clause. A clause that names nothing fits nothing.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// One of these.
    pub ids: Option<Vec<ItemId>>,
    /// Of one of these owners.
    pub owners: Option<Vec<Address>>,
    /// To one of these.
    pub recipients: Option<Vec<[u8; 32]>>,
    /// With each of these tags, with one of its values.
    pub tags: Vec<(String, Vec<String>)>,
    /// Beyond this place.
    pub after: Option<u64>,
    /// From the last to the first.
    pub backward: bool,
    /// At most so many.
    pub limit: usize,
}

/// Why nothing was found.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The archive failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// It would take too long (rule IX-3).
    #[error("the search is too broad: name an owner, a recipient, or rarer tags")]
    TooBroad,
}

/// The next place.
#[derive(Debug)]
pub(super) struct Index {
    next: AtomicU64,
}

impl Archive {
    /// This archive with an index (rule IX-2).
    ///
    /// # Errors
    /// If the store fails or a value is damaged.
    pub fn indexed(mut self) -> Result<Archive, ArchiveError> {
        let last = self
            .store
            .scan(Column::Index, &[], key::places(), 1, Direction::Backward)?;
        let last = last.first().and_then(|(found, _)| key::place_of(found));
        let index = Index {
            next: AtomicU64::new(last.map_or(0, |it| it.saturating_add(1))),
        };
        if !self.store.has(Column::Index, key::complete())? {
            index.build(self.store.as_ref())?;
        }
        self.index = Some(Arc::new(index));
        Ok(self)
    }

    /// This archive, whose writes are not indexed: an index that is there is not complete any more.
    ///
    /// # Errors
    /// If the store fails.
    pub fn unindexed(self) -> Result<Archive, ArchiveError> {
        if self.store.has(Column::Index, key::complete())? {
            let mut batch = Batch::new();
            batch.delete(Column::Index, key::complete());
            self.store.write(batch)?;
        }
        Ok(self)
    }

    /// Items with their places, in order.
    ///
    /// # Errors
    /// If the store fails, a value is damaged, or the search is too broad.
    pub fn search(&self, search: &Search) -> Result<Vec<(u64, ItemId)>, SearchError> {
        Walk::new(self.store.as_ref(), search).run(search)
    }
}

impl Index {
    /// Indexes what a batch writes (rule IX-1).
    pub(super) fn extend(&self, batch: &mut Batch, store: &dyn Store) -> Result<(), ArchiveError> {
        let (mut found, mut seen) = (Batch::new(), BTreeSet::new());
        for (column, id, value) in batch.ops() {
            if let (Column::Items, Some(bytes)) = (column, value)
                && seen.insert(id)
                && !store.has(Column::Index, &key::placed(id))?
            {
                self.put(&mut found, id, bytes)?;
            }
        }
        batch.append(found);
        Ok(())
    }

    fn build(&self, store: &dyn Store) -> Result<(), ArchiveError> {
        let mut from = Vec::new();
        loop {
            let page = store.scan(Column::Items, &from, &[], CHUNK, Direction::Forward)?;
            let mut batch = Batch::new();
            for (id, bytes) in &page {
                if !store.has(Column::Index, &key::placed(id))? {
                    self.put(&mut batch, id, bytes)?;
                }
            }
            let Some((last, _)) = page.last() else {
                batch.put(Column::Index, key::complete(), []);
                return Ok(store.write(batch)?);
            };
            from = [last.as_slice(), &[0]].concat();
            store.write(batch)?;
        }
    }

    fn put(&self, batch: &mut Batch, id: &[u8], bytes: &[u8]) -> Result<(), ArchiveError> {
        let item = ItemView::parse(bytes).map_err(|it| damaged(Column::Items, &it))?;
        let place = self.next.fetch_add(1, Ordering::Relaxed);
        let mut posting = |list: Vec<u8>| {
            batch.put(Column::Index, key::posting(&list, place), []);
        };
        posting(key::owner(&item.owner_address()));
        if let Some(target) = item.target() {
            posting(key::recipient(target));
        }
        for (name, value) in item.tags() {
            posting(key::tagged(name, value));
        }
        batch.put(Column::Index, key::placed(id), place.to_be_bytes());
        batch.put(Column::Index, key::posting(key::places(), place), id);
        Ok(())
    }
}

/// Lists of places, walked together to where all have the same.
struct Walk<'a> {
    store: &'a dyn Store,
    /// For each clause the lists of which one is to have the place.
    clauses: Vec<Vec<Vec<u8>>>,
    backward: bool,
    reads: usize,
}

impl<'a> Walk<'a> {
    fn new(store: &'a dyn Store, search: &Search) -> Walk<'a> {
        let mut clauses = Vec::new();
        if let Some(owners) = &search.owners {
            clauses.push(owners.iter().map(key::owner).collect());
        }
        if let Some(recipients) = &search.recipients {
            clauses.push(recipients.iter().map(key::recipient).collect());
        }
        for (name, values) in &search.tags {
            clauses.push(values.iter().map(|it| key::tagged(name, it)).collect());
        }
        Walk {
            store,
            clauses,
            backward: search.backward,
            reads: 0,
        }
    }

    fn run(mut self, search: &Search) -> Result<Vec<(u64, ItemId)>, SearchError> {
        let mut found = Vec::new();
        let mut places = match &search.ids {
            Some(ids) => Some(self.places(ids)?.into_iter()),
            None => None,
        };
        if places.is_none() && self.clauses.is_empty() {
            self.clauses.push(vec![key::places().to_vec()]);
        }
        let mut at = match (search.after, self.backward) {
            (None, false) => Some(0),
            (None, true) => Some(u64::MAX),
            (Some(after), false) => after.checked_add(1),
            (Some(after), true) => after.checked_sub(1),
        };
        while let Some(from) = at.filter(|_| found.len() < search.limit) {
            let place = match &mut places {
                None => self.meet(from)?,
                Some(known) => known.find(|it| {
                    if self.backward {
                        *it <= from
                    } else {
                        *it >= from
                    }
                }),
            };
            let Some(place) = place else { break };
            at = if self.backward {
                place.checked_sub(1)
            } else {
                place.checked_add(1)
            };
            if places.is_some() && self.meet(place)? != Some(place) {
                continue;
            }
            if let Some(id) = self.item(place)? {
                found.push((place, id));
            }
        }
        Ok(found)
    }

    /// The places of ids, in the order of the walk.
    fn places(&mut self, ids: &[ItemId]) -> Result<Vec<u64>, SearchError> {
        let mut places = Vec::new();
        for id in ids {
            places.extend(self.place(id)?);
        }
        places.sort_unstable();
        places.dedup();
        if self.backward {
            places.reverse();
        }
        Ok(places)
    }

    fn place(&mut self, id: &ItemId) -> Result<Option<u64>, SearchError> {
        self.count()?;
        let found = self
            .store
            .get(Column::Index, &key::placed(id.as_bytes()))
            .map_err(ArchiveError::from)?;
        let place = found.map(|it| it.as_slice().try_into().map(u64::from_be_bytes));
        let place = place.transpose();
        Ok(place.map_err(|_| damaged(Column::Index, &"a place of another length"))?)
    }

    /// The item at a place, unless it has a later one (rule IX-1).
    fn item(&mut self, place: u64) -> Result<Option<ItemId>, SearchError> {
        self.count()?;
        let at = key::posting(key::places(), place);
        let found = self.store.get(Column::Index, &at);
        let Some(id) = found.map_err(ArchiveError::from)? else {
            return Ok(None);
        };
        let id = ItemId::try_from(id.as_slice()).map_err(|it| damaged(Column::Index, &it))?;
        Ok(self.place(&id)?.filter(|it| *it == place).map(|_| id))
    }

    /// The first place from there on that every clause has.
    fn meet(&mut self, from: u64) -> Result<Option<u64>, SearchError> {
        let mut at = from;
        let mut agreed = 0;
        let mut clause = 0;
        while agreed < self.clauses.len() {
            let Some(next) = self.seek(clause, at)? else {
                return Ok(None);
            };
            agreed = if next == at {
                agreed.saturating_add(1)
            } else {
                1
            };
            at = next;
            clause = clause.saturating_add(1) % self.clauses.len();
        }
        Ok(Some(at))
    }

    /// The first place from there on that one list of a clause has.
    fn seek(&mut self, clause: usize, at: u64) -> Result<Option<u64>, SearchError> {
        let lists = self.clauses.get(clause).cloned().unwrap_or_default();
        let direction = match self.backward {
            true => Direction::Backward,
            false => Direction::Forward,
        };
        let mut best: Option<u64> = None;
        for list in lists {
            self.count()?;
            let from = key::posting(&list, at);
            let found = self.store.scan(Column::Index, &from, &list, 1, direction);
            let found = found.map_err(ArchiveError::from)?;
            let place = found.first().and_then(|(found, _)| key::place_of(found));
            best = match (best, place) {
                (Some(a), Some(b)) if self.backward => Some(a.max(b)),
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        Ok(best)
    }

    fn count(&mut self) -> Result<(), SearchError> {
        self.reads = self.reads.saturating_add(1);
        match self.reads {
            0..=READS_MAX => Ok(()),
            _ => Err(SearchError::TooBroad),
        }
    }
}
