//! The durable store: RocksDB with one column family per column.
//!
//! Rule DB-4 decides the recovery mode: since every batch is fsynced before anyone acts on it, only
//! the last record of the log can be torn by a crash, and any other damage is refused instead of
//! skipped.

use std::cmp::Ordering;
use std::io;
use std::path::{Path, PathBuf};

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType,
    DBRecoveryMode, ErrorKind, IteratorMode, LogLevel, Options, ReadOptions, WriteBatch,
    WriteOptions,
};

use super::{Batch, Column, Direction, Entry, SCHEMA, Store, StoreError, after_prefix};

/// Files that the engine keeps open; far below the usual limit of 1024 descriptors per process.
const OPEN_FILES_MAX: i32 = 384;
/// Bytes of write-ahead log, after which the oldest column is flushed.
const WAL_BYTES_MAX: u64 = 256 << 20;
/// Bytes of unflushed writes of one column.
const WRITE_BUFFER_BYTES: usize = 16 << 20;
/// Bytes of unflushed writes of all columns.
const WRITE_BUFFERS_BYTES: usize = 128 << 20;
/// Bytes of blocks kept in memory for all columns.
const BLOCK_CACHE_BYTES: usize = 128 << 20;
/// Where the schema number lies, as four bytes, big-endian.
const SCHEMA_KEY: &[u8] = b"schema";

/// A store in a directory.
pub struct RocksStore {
    db: DB,
    path: PathBuf,
}

impl std::fmt::Debug for RocksStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RocksStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl RocksStore {
    /// Opens the database in a directory, or creates it there.
    ///
    /// # Errors
    /// Another process uses it, a newer or another program wrote it, or it is damaged.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| failure(path, source);
        let options = database_options();
        let mut names: Vec<String> = Column::ALL.iter().map(|c| c.name().to_owned()).collect();
        if exists(path)? {
            // A newer schema may have columns that this program does not know; they must be opened
            // all the same before the schema can be read.
            let known = DB::list_cf(&options, path).map_err(failed)?;
            names.extend(known.into_iter().filter(|name| {
                name != "default" && Column::ALL.iter().all(|column| column.name() != name)
            }));
        }
        let cache = Cache::new_lru_cache(BLOCK_CACHE_BYTES);
        let families = names
            .iter()
            .map(|name| ColumnFamilyDescriptor::new(name.as_str(), column_options(name, &cache)));
        let db = DB::open_cf_descriptors(&options, path, families).map_err(failed)?;
        let store = Self {
            db,
            path: path.to_owned(),
        };
        store.check_schema()?;
        Ok(store)
    }

    fn check_schema(&self) -> Result<(), StoreError> {
        let path = || self.path.clone();
        if let Some(stored) = self.get(Column::Meta, SCHEMA_KEY)? {
            let Ok(bytes) = <[u8; 4]>::try_from(stored.as_slice()) else {
                return Err(StoreError::Foreign { path: path() });
            };
            let found = u32::from_be_bytes(bytes);
            return match found.cmp(&SCHEMA) {
                Ordering::Equal => Ok(()),
                Ordering::Less if found == 0 => Err(StoreError::Foreign { path: path() }),
                Ordering::Less => Err(StoreError::OlderSchema {
                    path: path(),
                    found,
                }),
                Ordering::Greater => Err(StoreError::NewerSchema {
                    path: path(),
                    found,
                    known: SCHEMA,
                }),
            };
        }
        // Without a number only a database that was created this moment is ours.
        for column in Column::ALL {
            if !self
                .scan(*column, b"", b"", 1, Direction::Forward)?
                .is_empty()
            {
                return Err(StoreError::Foreign { path: path() });
            }
        }
        if self.db.iterator(IteratorMode::Start).next().is_some() {
            return Err(StoreError::Foreign { path: path() });
        }
        let mut batch = Batch::new();
        batch.put(Column::Meta, SCHEMA_KEY, SCHEMA.to_be_bytes());
        self.write(batch)
    }

    /// Moves unflushed writes into table files, so that a test can damage them.
    #[cfg(test)]
    pub(super) fn flush(&self) {
        for column in Column::ALL {
            self.db.flush_cf(self.family(*column).unwrap()).unwrap();
        }
    }

    fn family(&self, column: Column) -> Result<&ColumnFamily, StoreError> {
        self.db
            .cf_handle(column.name())
            .ok_or(StoreError::Column(column))
    }

    fn failed(&self, source: rocksdb::Error) -> StoreError {
        failure(&self.path, source)
    }
}

impl Store for RocksStore {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.db
            .get_cf(self.family(column)?, key)
            .map_err(|source| self.failed(source))
    }

    fn has(&self, column: Column, key: &[u8]) -> Result<bool, StoreError> {
        let value = self.db.get_pinned_cf(self.family(column)?, key);
        Ok(value.map_err(|source| self.failed(source))?.is_some())
    }

    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut native = WriteBatch::default();
        for (column, key, value) in &batch.ops {
            let family = self.family(*column)?;
            match value {
                Some(value) => native.put_cf(family, key, value),
                None => native.delete_cf(family, key),
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.db
            .write_opt(native, &options)
            .map_err(|source| self.failed(source))
    }

    fn scan(
        &self,
        column: Column,
        from: &[u8],
        prefix: &[u8],
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(prefix);
        let end = after_prefix(prefix);
        if let Some(end) = &end {
            options.set_iterate_upper_bound(end.as_slice());
        }
        let mut cursor = self.db.raw_iterator_cf_opt(self.family(column)?, options);
        match direction {
            Direction::Forward => cursor.seek(from.max(prefix)),
            Direction::Backward if from.is_empty() => cursor.seek_to_last(),
            Direction::Backward if end.as_deref().is_some_and(|end| from >= end) => {
                cursor.seek_to_last();
            }
            Direction::Backward => cursor.seek_for_prev(from),
        }
        let mut found = Vec::new();
        while found.len() < limit {
            let Some((key, value)) = cursor.item().filter(|(key, _)| key.starts_with(prefix))
            else {
                break;
            };
            found.push((key.to_vec(), value.to_vec()));
            match direction {
                Direction::Forward => cursor.next(),
                Direction::Backward => cursor.prev(),
            }
        }
        cursor.status().map_err(|source| self.failed(source))?;
        Ok(found)
    }
}

/// Whether a database lies there already. One whose `CURRENT` is gone would be created anew over
/// the old files, which the engine would then delete; that is refused (rule DB-4).
fn exists(path: &Path) -> Result<bool, StoreError> {
    let unusable = |source| StoreError::Directory {
        path: path.to_owned(),
        source,
    };
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(unusable(source)),
    };
    let mut of_a_database = None;
    for entry in entries {
        let name = entry.map_err(unusable)?.file_name();
        let name = name.to_string_lossy();
        if name == "CURRENT" {
            return Ok(true);
        }
        if name.ends_with(".sst") || name.ends_with(".log") {
            of_a_database = Some(name.into_owned());
        }
    }
    match of_a_database {
        Some(file) => Err(StoreError::Incomplete {
            path: path.to_owned(),
            file,
        }),
        None => Ok(false),
    }
}

fn failure(path: &Path, source: rocksdb::Error) -> StoreError {
    let path = path.to_owned();
    let text: &str = source.as_ref();
    match source.kind() {
        ErrorKind::IOError
            if text.contains("While lock file")
                || text.contains("lock hold by current process") =>
        {
            StoreError::Locked { path }
        }
        // A file that the manifest names and that is not there is damage too.
        ErrorKind::Corruption => StoreError::Corrupt { path, source },
        ErrorKind::IOError if text.contains("No such file") => StoreError::Corrupt { path, source },
        _ => StoreError::Engine { path, source },
    }
}

fn database_options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_paranoid_checks(true);
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_max_open_files(OPEN_FILES_MAX);
    options.set_max_total_wal_size(WAL_BYTES_MAX);
    options.set_db_write_buffer_size(WRITE_BUFFERS_BYTES);
    options.set_max_background_jobs(2);
    // The engine's own log: small, few, and only what went wrong.
    options.set_log_level(LogLevel::Warn);
    options.set_max_log_file_size(4 << 20);
    options.set_keep_log_file_num(4);
    options
}

fn column_options(name: &str, cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_bloom_filter(10.0, false);
    table.set_cache_index_and_filter_blocks(true);
    table.set_block_size(16 << 10);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.set_write_buffer_size(WRITE_BUFFER_BYTES);
    // Hashes, signatures and counters do not shrink; documents and pages do.
    let bulk = [
        Column::Items,
        Column::Assignments,
        Column::Results,
        Column::Pages,
        Column::Claims,
        Column::Blocks,
        Column::Ledger,
        Column::Evidence,
        Column::Events,
    ];
    let compression = match bulk.iter().any(|column| column.name() == name) {
        true => DBCompressionType::Lz4,
        false => DBCompressionType::None,
    };
    options.set_compression_type(compression);
    options
}
