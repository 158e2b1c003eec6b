//! What survives a crash: a store of which, if it is not synced, the last writes are gone.

use std::sync::{Mutex, PoisonError};

use surety_node::store::{Batch, Column, Direction, Entry, MemoryStore, Store, StoreError};

/// A disk. A real store's write is durable when it returns; a disk that is not synced keeps what is needed to forget.
#[derive(Debug, Default)]
pub struct Disk {
    store: MemoryStore,
    synced: bool,
    /// What stood before each write that is not durable yet, the oldest first.
    undo: Mutex<Vec<Batch>>,
    /// How many more writes it takes, if it is about to break.
    left: Mutex<Option<u64>>,
}

impl Disk {
    /// A disk whose writes are durable when they return, or only after [`Disk::sync`].
    pub fn new(synced: bool) -> Disk {
        Disk {
            synced,
            ..Disk::default()
        }
    }

    /// Makes everything written so far durable.
    pub fn sync(&self) {
        self.undo
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// The power fails: what is not durable was never written.
    ///
    /// # Errors
    /// Never: memory does not fail.
    pub fn fail(&self) -> Result<(), StoreError> {
        let mut undo = self.undo.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(batch) = undo.pop() {
            self.store.write(batch)?;
        }
        Ok(())
    }

    /// Takes so many writes more and refuses all others; or, with nothing, works again.
    pub fn break_after(&self, writes: Option<u64>) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = writes;
    }

    /// Whether it refuses writes.
    pub fn is_broken(&self) -> bool {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) == Some(0)
    }

    /// Removes everything in a column.
    ///
    /// # Errors
    /// Never: memory does not fail.
    pub fn wipe(&self, column: Column) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        for (key, _) in self
            .store
            .scan(column, &[], &[], usize::MAX, Direction::Forward)?
        {
            batch.delete(column, key);
        }
        self.store.write(batch)
    }
}

impl Store for Disk {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(column, key)
    }

    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        if let Some(left) = &mut *self.left.lock().unwrap_or_else(PoisonError::into_inner) {
            *left = left
                .checked_sub(1)
                .ok_or(StoreError::Column(Column::Meta))?;
        }
        if !self.synced {
            let mut before = Batch::new();
            for (column, key, _) in batch.ops() {
                match self.store.get(*column, key)? {
                    Some(value) => before.put(*column, key.as_slice(), value),
                    None => before.delete(*column, key.as_slice()),
                }
            }
            self.undo
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(before);
        }
        self.store.write(batch)
    }

    fn scan(
        &self,
        column: Column,
        from: &[u8],
        prefix: &[u8],
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<Entry>, StoreError> {
        self.store.scan(column, from, prefix, limit, direction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(disk: &Disk, value: &[u8]) {
        let mut batch = Batch::new();
        batch.put(Column::Meta, b"key", value);
        disk.write(batch).unwrap();
    }

    #[test]
    fn only_an_unsynced_disk_forgets() {
        for (synced, expected) in [(true, &b"three"[..]), (false, b"one")] {
            let disk = Disk::new(synced);
            put(&disk, b"one");
            disk.sync();
            put(&disk, b"two");
            put(&disk, b"three");
            disk.fail().unwrap();
            assert_eq!(
                disk.get(Column::Meta, b"key").unwrap().as_deref(),
                Some(expected)
            );
        }
    }
}
