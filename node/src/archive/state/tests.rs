use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use surety_attest::state::ZERO_PAGE;

use super::*;
use crate::store::{Batch, Entry, MemoryStore, Store, StoreError};

/// A store whose power fails after so many writes: they are there, later ones fail.
#[derive(Debug, Default)]
struct Failing {
    store: MemoryStore,
    left: AtomicUsize,
    largest: Mutex<usize>,
}

impl Failing {
    fn new() -> Arc<Failing> {
        let store = Failing::default();
        store.left.store(usize::MAX, Ordering::Relaxed);
        Arc::new(store)
    }

    fn fail_after(&self, writes: usize) {
        self.left.store(writes, Ordering::Relaxed);
    }

    fn keys(&self, column: Column) -> Vec<Vec<u8>> {
        let all = self.scan(column, b"", b"", usize::MAX, Direction::Forward);
        all.unwrap().into_iter().map(|(key, _)| key).collect()
    }
}

impl Store for Failing {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(column, key)
    }

    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(StoreError::Column(Column::Pages));
        }
        self.left.store(left - 1, Ordering::Relaxed);
        let bytes = batch
            .ops()
            .iter()
            .map(|(_, key, value)| key.len() + value.as_ref().map_or(0, Vec::len));
        let mut largest = self.largest.lock().unwrap();
        *largest = (*largest).max(bytes.sum());
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

fn process(byte: u8) -> ProcessId {
    ProcessId::new([byte; 32])
}

/// A state with these pages; equal pages at several places, and subtrees of several states alike.
fn state(pages: impl IntoIterator<Item = (u32, u32)>) -> Snapshot {
    let mut snapshot = Snapshot {
        wasm_pages: 1 << 16,
        globals: vec![3],
        ..Snapshot::default()
    };
    for (index, content) in pages {
        let mut page = ZERO_PAGE;
        page[..4].copy_from_slice(&content.to_be_bytes());
        snapshot.put(index, &page);
    }
    snapshot
}

fn keep(
    archive: &Archive,
    series: Series,
    process: &ProcessId,
    size: u64,
    state: &Snapshot,
) -> Result<(), ArchiveError> {
    archive.keep_state(series, process, size, state, &state.tree())
}

/// Every part is counted as often as something refers to it, and nothing else is here but what is on its way.
fn check(store: &Failing) {
    let mut counts: BTreeMap<Digest, u64> = BTreeMap::new();
    let mut refer = |digest: &[u8], count: u64| {
        *counts.entry(Digest::try_from(digest).unwrap()).or_insert(0) += count;
    };
    let count = |bytes: Vec<u8>| u64::from_be_bytes(bytes.try_into().unwrap());
    let mut parts = BTreeSet::new();
    let mut counted = BTreeMap::new();
    let all = store.scan(Column::Snapshots, b"", b"", usize::MAX, Direction::Forward);
    for (key, value) in all.unwrap() {
        match (key[0], key.len()) {
            (b'e' | b'k', _) => refer(&value, 1),
            (b'f', _) => refer(&key[33..], 1),
            (b'w', 33) => {}
            (b'w', _) => refer(&key[34..], count(value)),
            (b'd', _) => refer(&key[2..], count(value)),
            (b'c', _) => drop(counted.insert(Digest::try_from(&key[1..]).unwrap(), count(value))),
            (b'r', _) => {
                let head: StateHead = codec::decode(&value).unwrap();
                if head.top != zero_top(PAGE_NODE_TOP) {
                    refer(head.top.as_bytes(), 1);
                }
                parts.insert(Digest::try_from(&key[1..]).unwrap());
            }
            (b'n', _) => {
                let node: PageNode = codec::decode(&value).unwrap();
                for child in &node.digests {
                    refer(child.as_bytes(), 1);
                }
                parts.insert(Digest::try_from(&key[1..]).unwrap());
            }
            _ => panic!("an unknown key"),
        }
    }
    let pages = store.keys(Column::Pages).into_iter();
    parts.extend(pages.map(|key| Digest::try_from(key.as_slice()).unwrap()));
    assert!(counted.values().all(|count| *count > 1));
    counted.extend(
        parts
            .iter()
            .filter(|it| !counted.contains_key(it))
            .map(|it| (*it, 1))
            .collect::<Vec<_>>(),
    );
    assert_eq!(counts, counted);
    assert_eq!(parts, counted.keys().copied().collect());
}

/// Nothing is here.
fn check_empty(store: &Failing) {
    assert_eq!(store.keys(Column::Snapshots), Vec::<Vec<u8>>::new());
    assert_eq!(store.keys(Column::Pages), Vec::<Vec<u8>>::new());
}

#[derive(Debug, Clone)]
enum Act {
    Keep(Series, u8, u64, Vec<(u32, u32)>),
    Forget(u8, u64),
    /// Brings a state over in steps, of which so many are done.
    Transfer(u8, Vec<(u32, u32)>, usize),
    /// The power fails after so many writes.
    Crash(usize),
}

fn pages() -> impl Strategy<Value = Vec<(u32, u32)>> {
    let index = prop_oneof![0..140_u32, Just(5_000), Just(300_000), Just(300_001)];
    prop::collection::vec((index, 0..6_u32), 0..24)
}

fn act() -> impl Strategy<Value = Act> {
    let series = prop_oneof![Just(Series::Evaluated), Just(Series::Checked)];
    prop_oneof![
        4 => (series, 0..3_u8, 1..90_u64, pages())
            .prop_map(|(series, process, size, pages)| Act::Keep(series, process, size, pages)),
        1 => (0..3_u8, 0..90_u64).prop_map(|(process, size)| Act::Forget(process, size)),
        2 => (0..3_u8, pages(), 0..8_usize)
            .prop_map(|(process, pages, steps)| Act::Transfer(process, pages, steps)),
        1 => (0..3_usize).prop_map(Act::Crash),
    ]
}

/// Moves a state from one archive to another for at most so many steps; whether it is there.
fn transfer(
    from: &Archive,
    to: &Archive,
    transfer: &mut Transfer,
    steps: usize,
) -> Result<bool, TransferError> {
    for _ in 0..steps {
        let Some(ask) = transfer.ask(to)? else {
            return Ok(true);
        };
        transfer.accept(to, from.state_parts(&ask)?)?;
    }
    Ok(transfer.ask(to)?.is_none())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn whatever_happens_kept_states_are_whole_and_nothing_else_remains(
        acts in prop::collection::vec(act(), 1..24),
    ) {
        let store = Failing::new();
        let archive = Archive::new(Arc::<Failing>::clone(&store));
        let mut kept: BTreeMap<(u8, u8, u64), Snapshot> = BTreeMap::new();
        for act in acts {
            match act {
                Act::Crash(writes) => {
                    store.fail_after(writes);
                    continue;
                }
                Act::Keep(series, who, size, pages) => {
                    let state = state(pages);
                    if keep(&archive, series, &process(who), size, &state).is_ok() {
                        kept.insert((series.tag(), who, size), state);
                    }
                }
                Act::Forget(who, size) => {
                    if archive.forget_states_after(&process(who), size).is_ok() {
                        let gone = |(tag, it, at): &(u8, u8, u64)| {
                            *tag == b'e' && *it == who && *at > size
                        };
                        kept.retain(|key, _| !gone(key));
                    }
                }
                Act::Transfer(who, pages, steps) => {
                    let peer = Archive::new(Arc::new(MemoryStore::new()));
                    let state = state(pages);
                    keep(&peer, Series::Evaluated, &process(who), 1, &state).unwrap();
                    let mut it = Transfer::new(process(who), state.root());
                    if matches!(transfer(&peer, &archive, &mut it, steps), Ok(true)) {
                        prop_assert_eq!(archive.state(&state.root()).unwrap(), Some(state));
                    }
                }
            }
            store.fail_after(usize::MAX);
            check(&store);
        }
        store.fail_after(usize::MAX);
        for ((tag, who, size), state) in &kept {
            let series = if *tag == b'e' { Series::Evaluated } else { Series::Checked };
            let found = archive.state_before(series, &process(*who), *size).unwrap();
            prop_assert_eq!(found, Some((*size, state.clone())));
        }
        // Whatever has begun to come is given up for what comes after it, and nothing remains of what is forgotten.
        for who in 0..3 {
            archive.forget_states_after(&process(who), 0).unwrap();
            forget_others(&archive, &process(who));
        }
        for byte in 0..=u8::MAX {
            give_up(&archive, byte);
        }
        archive.sweep().unwrap();
        check(&store);
        check_empty(&store);
    }
}

fn forget_others(archive: &Archive, process: &ProcessId) {
    let mut session = Session::open(archive, Digest::default()).unwrap();
    for size in session.sizes(Series::Checked, process).unwrap() {
        session.forget(Series::Checked, process, size).unwrap();
    }
    session.forget_fetched(process).unwrap();
    session.close().unwrap();
}

/// Gives up every state whose root starts with a byte and that has not come.
fn give_up(archive: &Archive, byte: u8) {
    let begun = archive
        .store
        .scan(
            Column::Snapshots,
            &[b'w', byte],
            &[b'w', byte],
            usize::MAX,
            Direction::Forward,
        )
        .unwrap();
    for (key, _) in begun.into_iter().filter(|(key, _)| key.len() == 33) {
        let root = Digest::try_from(&key[1..]).unwrap();
        Session::open(archive, root).unwrap().give_up().unwrap();
    }
}

#[test]
fn a_state_costs_what_changed() {
    let store = Failing::new();
    let archive = Archive::new(Arc::<Failing>::clone(&store));
    let written = || {
        let keys = store.keys(Column::Snapshots);
        let counts = keys.iter().filter(|key| key[0] == b'c').count();
        (store.keys(Column::Pages).len(), keys.len() - counts)
    };
    let mut snapshot = state((0..1_000).map(|index| (index, index + 1)));
    keep(&archive, Series::Evaluated, &process(1), 16, &snapshot).unwrap();
    let (pages, parts) = written();
    assert_eq!(pages, 1_000);
    snapshot.put(70, &[1; PAGE_BYTES]);
    keep(&archive, Series::Evaluated, &process(1), 32, &snapshot).unwrap();
    // The page; one node of each level, the head, and the place in the series.
    assert_eq!(written(), (pages + 1, parts + 6));
    // Another process in the same state costs its place.
    keep(&archive, Series::Evaluated, &process(2), 32, &snapshot).unwrap();
    assert_eq!(written(), (pages + 1, parts + 7));
    check(&store);
}

#[test]
fn a_crash_at_any_write_leaves_a_whole_state_or_none() {
    // So large that it takes several batches.
    let pages = 3 * BATCH_BYTES / PAGE_BYTES;
    let snapshot = state((0..u32::try_from(pages).unwrap()).map(|index| (index, index + 1)));
    let tree = snapshot.tree();
    let root = snapshot.root();
    let mut writes = 0;
    loop {
        let store = Failing::new();
        let archive = Archive::new(Arc::<Failing>::clone(&store));
        store.fail_after(writes);
        let done = archive.keep_state(Series::Evaluated, &process(1), 1, &snapshot, &tree);
        store.fail_after(usize::MAX);
        check(&store);
        let found = archive
            .state_before(Series::Evaluated, &process(1), 1)
            .unwrap();
        assert!(*store.largest.lock().unwrap() < BATCH_BYTES + (1 << 20));
        if done.is_ok() {
            assert_eq!(found, Some((1, snapshot)));
            break;
        }
        assert_eq!(found, None);
        assert_eq!(archive.state(&root).unwrap(), None);
        // What is here already is used when it is kept again.
        let before = store.keys(Column::Pages).len();
        assert!((before > 0) == (writes > 0));
        archive
            .keep_state(Series::Evaluated, &process(1), 1, &snapshot, &tree)
            .unwrap();
        check(&store);
        assert_eq!(archive.state(&root).unwrap().as_ref(), Some(&snapshot));
        writes += 1;
    }
    assert!(writes >= 3, "{writes} writes");
}

#[test]
fn what_is_forgotten_goes_in_bounded_batches_whenever_the_power_fails() {
    let pages = u32::try_from(3 * SWEPT_MAX).unwrap();
    let snapshot = state((0..pages).map(|index| (index, index + 1)));
    let store = Failing::new();
    let archive = Archive::new(Arc::<Failing>::clone(&store));
    keep(&archive, Series::Evaluated, &process(1), 1, &snapshot).unwrap();
    archive.forget_states_after(&process(1), 0).unwrap();
    assert!(!store.keys(Column::Pages).is_empty());
    check(&store);
    // Meanwhile a state that shares pages with what goes is kept.
    let other = state((0..100).map(|index| (index, index + 1)));
    keep(&archive, Series::Evaluated, &process(2), 1, &other).unwrap();
    check(&store);
    loop {
        store.fail_after(1);
        let swept = archive.sweep().is_ok();
        store.fail_after(usize::MAX);
        check(&store);
        if swept {
            break;
        }
    }
    assert_eq!(store.keys(Column::Pages).len(), 100);
    assert_eq!(archive.state(&other.root()).unwrap(), Some(other));
}

#[test]
fn a_state_comes_from_several_peers_and_goes_on_where_it_ended() {
    let snapshot = state((0..9_000).map(|index| (3 * index, index + 1)));
    let root = snapshot.root();
    let whole = Archive::new(Arc::new(MemoryStore::new()));
    keep(&whole, Series::Evaluated, &process(1), 1, &snapshot).unwrap();
    let store = Failing::new();
    let archive = Archive::new(Arc::<Failing>::clone(&store));
    // Each peer has every other part.
    let mut peers = [0, 1].map(|peer| {
        let whole = whole.clone();
        move |ask: &Ask| {
            let has = |digest: &&Digest| digest.as_bytes()[0] % 2 == peer;
            let some = |list: &[Digest]| list.iter().filter(has).copied().collect();
            let part = Ask {
                head: ask.head,
                nodes: some(&ask.nodes),
                pages: some(&ask.pages),
            };
            whole.state_parts(&part).unwrap()
        }
    });
    let mut it = Transfer::new(process(1), root);
    let (mut moved, mut asked) = (0_usize, 0_usize);
    'whole: loop {
        for peer in &mut peers {
            while let Some(ask) = it.ask(&archive).unwrap() {
                assert!(ask.pages.len() <= PAGES_MAX && ask.nodes.len() <= NODES_MAX);
                let parts = peer(&ask);
                asked += parts.pages.len();
                if !it.accept(&archive, parts).unwrap() {
                    break;
                }
                check(&store);
                moved += 1;
                if moved % 10 == 0 {
                    // The node starts anew.
                    it = Transfer::new(process(1), root);
                }
            }
            if archive.state_head(&root).unwrap().is_some() {
                break 'whole;
            }
        }
    }
    assert_eq!(asked, 9_000, "no page comes twice");
    assert_eq!(archive.state(&root).unwrap(), Some(snapshot));
    assert_eq!(
        archive
            .state_before(Series::Evaluated, &process(1), 9)
            .unwrap(),
        None
    );
}

#[test]
fn what_was_not_asked_for_is_refused() {
    let snapshot = state((0..200).map(|index| (index, index + 1)));
    let whole = Archive::new(Arc::new(MemoryStore::new()));
    keep(&whole, Series::Evaluated, &process(1), 1, &snapshot).unwrap();
    let archive = Archive::new(Arc::new(MemoryStore::new()));
    let mut it = Transfer::new(process(1), snapshot.root());
    let mut lies = 0;
    while let Some(ask) = it.ask(&archive).unwrap() {
        let honest = whole.state_parts(&ask).unwrap();
        let mut lie = honest.clone();
        lie.head.iter_mut().for_each(|it| it.wasm_pages += 1);
        lie.nodes
            .iter_mut()
            .take(1)
            .for_each(|it| it.digests[0] = snapshot.root());
        lie.pages.iter_mut().take(1).for_each(|it| it[9] ^= 1);
        assert!(matches!(
            it.accept(&archive, lie),
            Err(TransferError::Wrong)
        ));
        lies += 1;
        assert_eq!(it.ask(&archive).unwrap(), Some(ask));
        assert!(it.accept(&archive, honest).unwrap());
    }
    assert_eq!(lies, 6);
    assert_eq!(archive.state(&snapshot.root()).unwrap(), Some(snapshot));
}

#[test]
fn only_the_last_fetched_states_and_those_on_their_way_stay() {
    let store = Failing::new();
    let archive = Archive::new(Arc::<Failing>::clone(&store));
    let states: Vec<Snapshot> = (1..40)
        .map(|content| state([(7, content), (8, 9)]))
        .collect();
    for state in &states {
        let whole = Archive::new(Arc::new(MemoryStore::new()));
        keep(&whole, Series::Evaluated, &process(1), 1, state).unwrap();
        let mut it = Transfer::new(process(1), state.root());
        assert!(transfer(&whole, &archive, &mut it, 9).unwrap());
        check(&store);
    }
    let here = |state: &Snapshot| archive.state(&state.root()).unwrap().is_some();
    let (old, last) = states.split_at(states.len() - FETCHED_MAX);
    assert!(last.iter().all(here) && !old.iter().any(here));
    // Of which the pages come and nothing more.
    for state in (100..140).map(|content| state([(7, content), (5_000, content + 1)])) {
        let whole = Archive::new(Arc::new(MemoryStore::new()));
        keep(&whole, Series::Evaluated, &process(1), 1, &state).unwrap();
        let mut it = Transfer::new(process(1), state.root());
        assert!(!transfer(&whole, &archive, &mut it, 6).unwrap());
        check(&store);
    }
    let begun = store.keys(Column::Snapshots);
    let begun = begun.iter().filter(|key| key[0] == b'w' && key.len() == 33);
    assert_eq!(begun.count(), BEGUN_MAX);
}
