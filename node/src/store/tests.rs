use std::fs;
use std::path::Path;

use super::*;

/// Every behaviour below holds for both adapters.
fn on_both(test: impl Fn(&dyn Store)) {
    test(&MemoryStore::new());
    let dir = tempfile::tempdir().unwrap();
    test(&RocksStore::open(dir.path()).unwrap());
}

type Op<'a> = (Column, &'a [u8], Option<&'a [u8]>);

fn batch(ops: &[Op<'_>]) -> Batch {
    let mut batch = Batch::new();
    for (column, key, value) in ops {
        match value {
            Some(value) => batch.put(*column, *key, *value),
            None => batch.delete(*column, *key),
        }
    }
    batch
}

fn put(store: &dyn Store, column: Column, key: &[u8], value: &[u8]) {
    store.write(batch(&[(column, key, Some(value))])).unwrap();
}

fn keys(entries: Vec<Entry>) -> Vec<Vec<u8>> {
    entries.into_iter().map(|(key, _)| key).collect()
}

#[test]
fn columns_are_separate_and_the_last_operation_on_a_key_wins() {
    on_both(|store| {
        store
            .write(batch(&[
                (Column::Items, b"k", Some(b"item")),
                (Column::Guard, b"k", Some(b"first")),
                (Column::Guard, b"k", None),
                (Column::Guard, b"k", Some(b"last")),
                (Column::Claims, b"k", Some(b"gone")),
                (Column::Claims, b"k", None),
                (Column::Events, b"never there", None),
            ]))
            .unwrap();
        assert_eq!(
            store.get(Column::Items, b"k").unwrap().as_deref(),
            Some(&b"item"[..])
        );
        assert_eq!(
            store.get(Column::Guard, b"k").unwrap().as_deref(),
            Some(&b"last"[..])
        );
        assert_eq!(store.get(Column::Claims, b"k").unwrap(), None);
        assert_eq!(store.get(Column::Items, b"K").unwrap(), None);
        // An empty value is a value.
        put(store, Column::Outbox, b"", b"");
        assert_eq!(store.get(Column::Outbox, b"").unwrap(), Some(Vec::new()));
        store.write(Batch::new()).unwrap();
    });
}

#[test]
fn scans_stay_within_prefix_order_and_limit() {
    let all: [&[u8]; 8] = [
        b"a",
        b"b",
        b"b\x00",
        b"b\x01",
        b"b\xff",
        b"b\xff\xff",
        b"c",
        b"\xff\xff",
    ];
    on_both(|store| {
        for key in all {
            put(store, Column::Leaves, key, b"v");
        }
        let scan = |from: &[u8], prefix: &[u8], limit, direction| {
            keys(
                store
                    .scan(Column::Leaves, from, prefix, limit, direction)
                    .unwrap(),
            )
        };
        use Direction::{Backward, Forward};
        assert_eq!(scan(b"", b"", 100, Forward), all);
        let mut reversed = all;
        reversed.reverse();
        assert_eq!(scan(b"", b"", 100, Backward), reversed);
        assert_eq!(scan(b"", b"b", 100, Forward), all[1..6]);
        assert_eq!(scan(b"", b"b", 2, Forward), all[1..3]);
        assert_eq!(scan(b"", b"b", 0, Forward), all[0..0]);
        // `from` is inclusive, whether or not the key is there.
        assert_eq!(scan(b"b\x01", b"b", 100, Forward), all[3..6]);
        assert_eq!(scan(b"b\x02", b"b", 100, Forward), all[4..6]);
        assert_eq!(scan(b"b\x01", b"b", 2, Backward), [&b"b\x01"[..], b"b\x00"]);
        assert_eq!(scan(b"b\x02", b"b", 1, Backward), [&b"b\x01"[..]]);
        assert_eq!(scan(b"", b"b", 1, Backward), [&b"b\xff\xff"[..]]);
        // Outside the prefix it is clamped on the near side and finds nothing on the far one.
        assert_eq!(scan(b"a", b"b", 1, Forward), [&b"b"[..]]);
        assert_eq!(scan(b"c", b"b", 1, Forward), all[0..0]);
        assert_eq!(scan(b"c", b"b", 1, Backward), [&b"b\xff\xff"[..]]);
        assert_eq!(scan(b"a", b"b", 1, Backward), all[0..0]);
        // A prefix of the greatest byte has no successor.
        assert_eq!(scan(b"", b"\xff", 9, Forward), all[7..8]);
        assert_eq!(scan(b"\xff\xff\xff", b"\xff", 9, Backward), all[7..8]);
        assert_eq!(scan(b"", b"d", 9, Forward), all[0..0]);
        assert_eq!(scan(b"", b"d", 9, Backward), all[0..0]);
        assert!(
            store
                .scan(Column::Results, b"", b"", 9, Forward)
                .unwrap()
                .is_empty()
        );
    });
}

/// What a power cut at this moment would leave: the files as they are, without any shutdown.
fn crash_copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn what_was_written_survives_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let store = RocksStore::open(dir.path()).unwrap();
    let mut expected = Vec::new();
    for i in 0..100_u8 {
        store
            .write(batch(&[
                (Column::Guard, &[i], Some(&[i, i])),
                (Column::Meta, b"position", Some(&[i])),
            ]))
            .unwrap();
        expected.push((vec![i], vec![i, i]));
    }
    let crashed = tempfile::tempdir().unwrap();
    crash_copy(dir.path(), crashed.path());
    let check = |path: &Path| {
        let store = RocksStore::open(path).unwrap();
        let found = store
            .scan(Column::Guard, b"", b"", 1000, Direction::Forward)
            .unwrap();
        assert_eq!(found, expected);
        assert_eq!(
            store.get(Column::Meta, b"position").unwrap(),
            Some(vec![99])
        );
    };
    check(crashed.path());
    drop(store);
    check(dir.path());
    check(dir.path());
}

/// The log that holds the batches of a crashed store, and its bytes.
fn log_of(path: &Path) -> (std::path::PathBuf, Vec<u8>) {
    let log = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .max_by_key(|path| fs::metadata(path).unwrap().len())
        .unwrap();
    let bytes = fs::read(&log).unwrap();
    (log, bytes)
}

#[test]
fn a_torn_batch_is_all_or_nothing_and_other_damage_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = RocksStore::open(dir.path()).unwrap();
    for i in 0..20_u8 {
        store
            .write(batch(&[
                (Column::Guard, &[i], Some(&[i; 300])),
                (Column::Claims, &[i], Some(&[i; 300])),
            ]))
            .unwrap();
    }
    let crashed = |change: &dyn Fn(&mut Vec<u8>)| {
        let copy = tempfile::tempdir().unwrap();
        crash_copy(dir.path(), copy.path());
        let (log, mut bytes) = log_of(copy.path());
        change(&mut bytes);
        fs::write(log, bytes).unwrap();
        copy
    };
    // The last record lost its end: its batch is gone from both columns, all others are there.
    for cut in [1, 250, 500] {
        let copy = crashed(&|bytes| bytes.truncate(bytes.len() - cut));
        let store = RocksStore::open(copy.path()).unwrap();
        for column in [Column::Guard, Column::Claims] {
            let found = store
                .scan(column, b"", b"", 100, Direction::Forward)
                .unwrap();
            assert_eq!(found.len(), 19, "cut {cut}");
        }
    }
    // A flipped bit in the middle would silently forget what follows.
    let copy = crashed(&|bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    let refused = RocksStore::open(copy.path()).unwrap_err();
    assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused}");
}

#[test]
fn one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = RocksStore::open(dir.path()).unwrap();
    let refused = RocksStore::open(dir.path()).unwrap_err();
    assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
    assert!(refused.to_string().contains("another process"));
    drop(store);
    RocksStore::open(dir.path()).unwrap();
}

#[test]
fn a_newer_schema_is_refused_even_with_unknown_columns() {
    let dir = tempfile::tempdir().unwrap();
    let store = RocksStore::open(dir.path()).unwrap();
    put(&store, Column::Meta, b"schema", &(SCHEMA + 1).to_be_bytes());
    drop(store);
    {
        let names = Column::ALL.iter().map(|column| column.name());
        let mut db = rocksdb::DB::open_cf(&rocksdb::Options::default(), dir.path(), names).unwrap();
        db.create_cf("future", &rocksdb::Options::default())
            .unwrap();
    }
    let refused = RocksStore::open(dir.path()).unwrap_err();
    let newer = matches!(
        refused,
        StoreError::NewerSchema { found, known: SCHEMA, .. } if found == SCHEMA + 1
    );
    assert!(newer, "{refused}");
}

#[test]
fn an_older_schema_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let store = RocksStore::open(dir.path()).unwrap();
    put(&store, Column::Guard, b"key", b"value");
    put(&store, Column::Meta, b"schema", &1_u32.to_be_bytes());
    drop(store);
    for _ in 0..2 {
        let refused = RocksStore::open(dir.path()).unwrap_err();
        assert!(
            matches!(refused, StoreError::OlderSchema { found: 1, .. }),
            "{refused}"
        );
    }
}

#[test]
fn databases_of_others_and_damaged_ones_are_refused() {
    let foreign = tempfile::tempdir().unwrap();
    rocksdb::DB::open_default(foreign.path())
        .unwrap()
        .put(b"a", b"b")
        .unwrap();
    let refused = RocksStore::open(foreign.path()).unwrap_err();
    assert!(matches!(refused, StoreError::Foreign { .. }), "{refused}");

    let made = || {
        let dir = tempfile::tempdir().unwrap();
        let store = RocksStore::open(dir.path()).unwrap();
        put(&store, Column::Guard, b"k", b"v");
        store.flush();
        drop(store);
        dir
    };
    let find = |dir: &tempfile::TempDir, part: &str| {
        fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.file_name().unwrap().to_string_lossy().contains(part))
            .unwrap()
    };

    // Without CURRENT the engine would start afresh and delete what is left.
    let dir = made();
    fs::remove_file(dir.path().join("CURRENT")).unwrap();
    let refused = RocksStore::open(dir.path()).unwrap_err();
    assert!(
        matches!(refused, StoreError::Incomplete { .. }),
        "{refused}"
    );

    let dir = made();
    fs::write(dir.path().join("CURRENT"), b"nonsense").unwrap();
    let refused = RocksStore::open(dir.path()).unwrap_err();
    assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused}");

    let dir = made();
    fs::write(find(&dir, "MANIFEST"), b"nonsense").unwrap();
    let refused = RocksStore::open(dir.path()).unwrap_err();
    assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused}");

    let dir = made();
    fs::remove_file(find(&dir, ".sst")).unwrap();
    let refused = RocksStore::open(dir.path()).unwrap_err();
    assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused}");

    let file = tempfile::NamedTempFile::new().unwrap();
    let refused = RocksStore::open(file.path()).unwrap_err();
    assert!(matches!(refused, StoreError::Directory { .. }), "{refused}");
}
