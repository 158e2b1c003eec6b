//! A store whose program crashes at a batch that somebody chose, to see what is there afterwards (rule FA-3).

use std::sync::Mutex;

use super::{Batch, Change, Column, Direction, Entry, Store, StoreError};

/// The adapter: everything else is the store's inside.
pub struct CrashingStore<S> {
    inner: S,
    /// Which batches count: those with such a change.
    counts: fn(&Change) -> bool,
    /// How many of them are still to come before that one.
    left: Mutex<u64>,
    after: bool,
}

impl<S> CrashingStore<S> {
    /// Crashes just before or just after this batch, of those with a change that counts; the first is 0.
    pub fn new(inner: S, counts: fn(&Change) -> bool, batch: u64, after: bool) -> CrashingStore<S> {
        CrashingStore {
            inner,
            counts,
            left: Mutex::new(batch),
            after,
        }
    }
}

impl<S: Store> Store for CrashingStore<S> {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(column, key)
    }

    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        if !batch.ops().iter().any(self.counts) {
            return self.inner.write(batch);
        }
        // Held while it is written: no other batch comes between.
        let Ok(mut left) = self.left.lock() else {
            std::process::abort();
        };
        let last = *left == 0;
        if last && !self.after {
            std::process::abort();
        }
        let written = self.inner.write(batch);
        if last {
            std::process::abort();
        }
        *left = left.saturating_sub(1);
        written
    }

    fn scan(
        &self,
        column: Column,
        from: &[u8],
        prefix: &[u8],
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<Entry>, StoreError> {
        self.inner.scan(column, from, prefix, limit, direction)
    }
}
