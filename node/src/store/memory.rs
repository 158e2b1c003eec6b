//! The store of tests and simulations: ordered trees behind a lock, gone with the process.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Batch, Column, Direction, Entry, Store, StoreError, after_prefix};

type Trees = BTreeMap<Column, BTreeMap<Vec<u8>, Vec<u8>>>;

/// A store in memory, with the same order and atomicity as the durable one.
#[derive(Debug, Default)]
pub struct MemoryStore {
    trees: Mutex<Trees>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn trees(&self) -> MutexGuard<'_, Trees> {
        // No code that can panic runs under the lock, so a poisoned one still guards whole batches.
        self.trees.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self
            .trees()
            .get(&column)
            .and_then(|tree| tree.get(key).cloned()))
    }

    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        let mut trees = self.trees();
        for (column, key, value) in batch.ops {
            let tree = trees.entry(column).or_default();
            match value {
                Some(value) => tree.insert(key, value),
                None => tree.remove(&key),
            };
        }
        Ok(())
    }

    fn scan(
        &self,
        column: Column,
        from: &[u8],
        prefix: &[u8],
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<Entry>, StoreError> {
        let trees = self.trees();
        let Some(tree) = trees.get(&column) else {
            return Ok(Vec::new());
        };
        let end = after_prefix(prefix);
        let past = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let copy = |(key, value): (&Vec<u8>, &Vec<u8>)| (key.clone(), value.clone());
        Ok(match direction {
            Direction::Forward => {
                let start = from.max(prefix);
                if end.as_deref().is_some_and(|end| start >= end) {
                    return Ok(Vec::new());
                }
                let range = tree.range::<[u8], _>((Bound::Included(start), past));
                range.take(limit).map(copy).collect()
            }
            Direction::Backward => {
                if !from.is_empty() && from < prefix {
                    return Ok(Vec::new());
                }
                let beyond = end.as_deref().is_some_and(|end| from >= end);
                let last = if from.is_empty() || beyond {
                    past
                } else {
                    Bound::Included(from)
                };
                let range = tree.range::<[u8], _>((Bound::Included(prefix), last));
                range.rev().take(limit).map(copy).collect()
            }
        })
    }
}
