//! What an executor keeps, and what it drops, changes nothing of what it finds: the power fails at any of its writes, or there
//! is room in memory for no process at all (rules XE-1, XE-2, XE-4).

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use std::sync::Arc;

use surety_attest::effect::Record;
use surety_attest::sample;
use surety_harness::disk::Disk;
use surety_harness::lone_process::{LoneProcess, follow};
use surety_harness::one_lie::hundred;
use surety_node::archive::Archive;
use surety_node::engines::Engines;
use surety_node::executor::Executor;
use surety_node::metrics::Metrics;
use surety_node::store::MemoryStore;
use surety_protocol::claim::Leaf;
use surety_protocol::id::{Digest, NetworkId};
use surety_protocol::profile::Profile;
use surety_protocol::profiles::{Profiles, Stride};
use surety_protocol::time::{Height, Slot};

/// Inputs that are evaluated by one job.
const JOB: u64 = 5;
/// Messages of a process: some strides of sixteen.
const MESSAGES: usize = 40;

fn network() -> NetworkId {
    NetworkId::new([7; 32])
}

fn process(archive: &Archive, name: &str) -> LoneProcess {
    let mut it = LoneProcess::new(archive.clone(), name, |_| Height(1), sample::WASM).unwrap();
    for draft in hundred(false).into_iter().take(MESSAGES) {
        it.message(draft).unwrap();
    }
    it
}

/// Evaluates what the archive does not say already, as a node does that has just started, until the disk fails.
fn go_on(process: &LoneProcess, profiles: &Profiles) -> Vec<(Leaf, Option<Digest>)> {
    let archive = &process.archive;
    let executor = Executor::new(archive.clone(), Engines::wasm(), network());
    let mut stride = Stride::default();
    let mut seen = Vec::new();
    for slot in 0..process.size() {
        let found = archive.evaluated(&process.process, Slot(slot)).unwrap();
        let Some((leaf, head, ruling)) = found else {
            break;
        };
        follow(&mut stride, &leaf, ruling);
        seen.push((leaf, head));
    }
    while (seen.len() as u64) < process.size() {
        let from = Slot(seen.len() as u64);
        let Ok(leaves) = process.job(&executor, profiles, from, JOB, stride) else {
            break;
        };
        for it in &leaves {
            let record = Record::Evaluated {
                process: process.process,
                leaf: it.leaf.clone(),
                frontier: None,
                head: it.head,
                ruling: it.ruling,
                parts: it.parts.clone(),
            };
            if process.put(record).is_err() {
                return seen;
            }
            follow(&mut stride, &it.leaf, it.ruling);
            seen.push((it.leaf.clone(), it.head));
        }
    }
    seen
}

fn leaves(seen: &[(Leaf, Option<Digest>)]) -> Vec<&Leaf> {
    seen.iter().map(|(leaf, _)| leaf).collect()
}

#[test]
fn whenever_the_power_fails_the_rest_is_what_it_would_have_been() {
    let profiles = Profiles::of(Profile::v1()).unwrap();
    let calm = process(&Archive::new(Arc::new(MemoryStore::new())), "one");
    let whole = go_on(&calm, &profiles);
    assert_eq!(whole.len() as u64, calm.size());
    let ends = whole.iter().filter(|(leaf, _)| leaf.state_root.is_some());
    assert!(ends.count() > 2, "strides end");
    let mut writes = 0;
    loop {
        let disk = Arc::new(Disk::new(true));
        let archive = Archive::new(Arc::<Disk>::clone(&disk));
        let it = process(&archive, "one");
        disk.break_after(Some(writes));
        let before = go_on(&it, &profiles);
        let failed = disk.is_broken();
        assert_eq!(leaves(&before), leaves(&whole)[..before.len()]);
        // Twice in a row, the second time soon after it has started again.
        disk.break_after(Some(writes % 4));
        go_on(&it, &profiles);
        disk.break_after(None);
        archive.sweep().unwrap();
        let after = go_on(&it, &profiles);
        assert_eq!(leaves(&after), leaves(&whole), "after {writes} writes");
        // Jobs end elsewhere than without the failure; where both have a root it is one.
        for ((leaf, head), (_, other)) in after.iter().zip(&whole) {
            let differ = head.zip(*other).is_some_and(|(head, other)| head != other);
            assert!(!differ, "{leaf:?} after {writes} writes");
        }
        if !failed {
            break;
        }
        writes += 1;
    }
    assert!(writes > 40, "{writes}");
}

#[test]
fn processes_that_take_turns_in_memory_are_what_they_would_be_with_room_for_all() {
    let profiles = Profiles::of(Profile::v1()).unwrap();
    let evaluate = |bytes: u64| {
        let archive = Archive::new(Arc::new(MemoryStore::new()));
        let metrics = Arc::new(Metrics::new());
        let executor = Executor::new(archive.clone(), Engines::wasm(), network())
            .bounded(bytes, Arc::clone(&metrics));
        let processes = ["one", "two", "three"].map(|name| process(&archive, name));
        let mut all = [(); 3].map(|()| (Stride::default(), Vec::new()));
        // In turn, so that each has to make room for the next.
        while all[0].1.len() as u64 != processes[0].size() {
            for (process, (stride, seen)) in processes.iter().zip(&mut all) {
                let from = Slot(seen.len() as u64);
                let leaves = process
                    .job(&executor, &profiles, from, JOB, *stride)
                    .unwrap();
                for it in leaves {
                    follow(stride, &it.leaf, it.ruling);
                    seen.push((it.leaf, it.head));
                }
            }
        }
        let count = metrics.residents.get();
        (all.map(|(_, seen)| seen), count, metrics.wakes.get())
    };
    let (with_room, residents, wakes) = evaluate(1 << 30);
    assert_eq!((residents, wakes), (3, 0));
    let (without, residents, wakes) = evaluate(0);
    assert_eq!(without, with_room);
    // One stays, whatever the bound.
    assert!(residents <= 1 && wakes > 15, "{residents}, {wakes}");
}
