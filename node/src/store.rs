//! The durable state of a node: a small ordered key-value port and its two adapters.
//!
//! Everything that a node must remember lies in one database with one column per subject. The
//! machines of the core emit what to persist; the driver turns one step's changes into one
//! [`Batch`]. The port has no iterator that lives longer than a call, so that an adapter can be a
//! lock around a tree.
//!
//! # Rules
//!
//! - `[DB-1]` A batch is atomic, and durable before [`Store::write`] returns: after a crash at any
//!   moment either all of it is there or nothing. Within a batch, a later operation on a key wins.
//! - `[DB-2]` Keys are ordered as byte strings. A scan sees only keys that start with its prefix,
//!   begins at `from` (inclusive, clamped to the prefix) and returns at most `limit` entries of one
//!   consistent state.
//! - `[DB-3]` The database carries the number of its schema. Another one is refused, never
//!   reinterpreted.
//! - `[DB-4]` A database that lost files, or whose log is damaged anywhere but in its last,
//!   unfinished record, does not open: what it would forget may be what keeps a key from signing
//!   twice.
//! - `[DB-5]` One process at a time uses a directory.

mod crashing;
mod memory;
mod rocks;

use std::path::PathBuf;

pub use crashing::CrashingStore;
pub use memory::MemoryStore;
pub use rocks::RocksStore;

/// The number of the layout of columns, keys and values that this program writes (rule DB-3).
pub const SCHEMA: u32 = 12;

macro_rules! columns {
    ($($(#[$doc:meta])* $column:ident = $name:literal;)*) => {
        /// A subject that has its own key space (a RocksDB column family).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Column {
            $($(#[$doc])* $column,)*
        }

        impl Column {
            /// Every column.
            pub const ALL: &[Column] = &[$(Column::$column),*];

            /// The name on disk; it never changes.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Column::$column => $name,)*
                }
            }
        }
    };
}

columns! {
    /// What the node knows of itself: schema, network, positions, challenges that it makes.
    Meta = "meta";
    /// Data items by id: processes, messages, modules.
    Items = "items";
    /// Assignments by process and slot, and by id.
    Assignments = "assignments";
    /// Leaves of the processes' histories.
    Leaves = "leaves";
    /// Results by process and input.
    Results = "results";
    /// Memory pages by hash.
    Pages = "pages";
    /// States without their pages, how often each part is referred to, and which state is after which input.
    Snapshots = "snapshots";
    /// Claims, own and seen.
    Claims = "claims";
    /// Approvals, own and seen.
    Approvals = "approvals";
    /// Certificates.
    Certificates = "certificates";
    /// Blocks of the ledger and their commits.
    Blocks = "blocks";
    /// The ledger's state.
    Ledger = "ledger";
    /// What each key has signed, so that it signs nothing that contradicts it.
    Guard = "guard";
    /// What is to be sent and was not yet acknowledged.
    Outbox = "outbox";
    /// Evidence files.
    Evidence = "evidence";
    /// The node's own events, for the resumable stream.
    Events = "events";
    /// Which items have which owner, recipient and tags.
    Index = "index";
}

/// In which order a scan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From small keys to great ones. An empty `from` means the first key of the prefix.
    Forward,
    /// From great keys to small ones. An empty `from` means the last key of the prefix.
    Backward,
}

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// One change: column, key, and the value or `None` for a removal.
pub type Change = (Column, Vec<u8>, Option<Vec<u8>>);

/// Changes that are made together or not at all (rule DB-1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    ops: Vec<Change>,
}

impl Batch {
    /// A batch that changes nothing.
    pub const fn new() -> Self {
        Self { ops: Vec::new() }
    }

    /// Sets a key.
    pub fn put(&mut self, column: Column, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.ops.push((column, key.into(), Some(value.into())));
    }

    /// Removes a key; one that is not there stays so.
    pub fn delete(&mut self, column: Column, key: impl Into<Vec<u8>>) {
        self.ops.push((column, key.into(), None));
    }

    /// Adds the changes of another batch after these.
    pub fn append(&mut self, mut other: Batch) {
        self.ops.append(&mut other.ops);
    }

    /// The changes in order.
    pub fn ops(&self) -> &[Change] {
        &self.ops
    }

    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }
}

/// An ordered key-value store with atomic, durable batches.
///
/// Calls block on the disk: an async task reaches them through a thread that may block.
pub trait Store: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// The disk failed or what it holds is damaged.
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Whether a key has a value.
    ///
    /// # Errors
    /// As [`Store::get`].
    fn has(&self, column: Column, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.get(column, key)?.is_some())
    }

    /// Makes all changes of a batch, durably (rule DB-1). An empty batch touches nothing.
    ///
    /// # Errors
    /// The disk failed: whether the batch was made shows only after reopening.
    fn write(&self, batch: Batch) -> Result<(), StoreError>;

    /// Entries in order (rule DB-2).
    ///
    /// # Errors
    /// The disk failed or what it holds is damaged.
    fn scan(
        &self,
        column: Column,
        from: &[u8],
        prefix: &[u8],
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<Entry>, StoreError>;
}

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The directory cannot be created or listed.
    #[error("cannot use the directory {path}")]
    Directory {
        /// Where the database lies.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process has it open (rule DB-5).
    #[error("another process is using the database in {path}")]
    Locked {
        /// Where the database lies.
        path: PathBuf,
    },
    /// A newer program wrote it (rule DB-3).
    #[error(
        "the database in {path} has schema {found}, newer than {known}, which this program knows"
    )]
    NewerSchema {
        /// Where the database lies.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest that this program can read.
        known: u32,
    },
    /// An older program wrote it, whose objects this one does not read (rule DB-3).
    #[error(
        "the database in {path} has schema {found}, of which this program cannot read the objects"
    )]
    OlderSchema {
        /// Where the database lies.
        path: PathBuf,
        /// Its schema.
        found: u32,
    },
    /// It has data but no schema number: another program's database.
    #[error("{path} holds a database that is not a node's")]
    Foreign {
        /// Where the database lies.
        path: PathBuf,
    },
    /// Files of a database are there but not the one that names the others (rule DB-4).
    #[error("the database in {path} has lost files: {file} is there but CURRENT is not")]
    Incomplete {
        /// Where the database lies.
        path: PathBuf,
        /// A file that only a database in use has.
        file: String,
    },
    /// Checksums do not fit or files are missing (rule DB-4).
    #[error("the database in {path} is damaged: {source}")]
    Corrupt {
        /// Where the database lies.
        path: PathBuf,
        /// What the engine found.
        source: rocksdb::Error,
    },
    /// Anything else that the engine reports: a full disk, a failing one, missing rights.
    #[error("the database in {path} failed: {source}")]
    Engine {
        /// Where the database lies.
        path: PathBuf,
        /// What the engine said.
        source: rocksdb::Error,
    },
    /// A column is not open; it cannot happen to a store that opened.
    #[error("the column {} is not open", .0.name())]
    Column(Column),
}

/// The least byte string that is greater than every string with this prefix, if there is one.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests;
