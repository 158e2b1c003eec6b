//! How many processes one node carries: `make bench-processes`.
//!
//! The node's own executor works over its own archive in RocksDB, and over workers. Most processes have booted and are idle, a hundred are
//! busy. `SURETY_AOS_MODULES` says where AOS is; without it the embedded sample runs. `SURETY_PROCESSES_MAX` leaves out the
//! rows of more processes. With the argument `keeping` only what one process takes is measured: `make bench-exec` has it too.

#![allow(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark that cannot go on stops, and its figures are for people"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use surety_attest::engine::on_deep_stack;
use surety_attest::sample;
use surety_harness::built;
use surety_node::archive::Series;
use surety_node::engines::Engines;
use surety_node::executor::{Executor, RESIDENT_BYTES};
use surety_node::worker::Worker;
use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::NetworkId;
use surety_protocol::item::ItemDraft;

#[path = "history.rs"]
mod history;
#[path = "processor.rs"]
mod processor;
#[path = "report.rs"]
mod report;
#[path = "town.rs"]
mod town;

use processor::processor;
use report::{Figure, Report, Target};
use town::{Citizen, Counting, Town};

/// Processes of the rows.
const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
/// Of which so many are busy.
const BUSY: usize = 100;
/// MiB that a node may take with all of them.
const MOST_MIB: f64 = 2_048.0;
/// Messages that each busy process gets in a row, and in one job.
const MESSAGES: u64 = 64;
const JOB: u64 = 16;
/// Repetitions of what is measured alone.
const RUNS: usize = 100;

fn module() -> (&'static str, Vec<u8>, ItemDraft) {
    let modules = std::env::var_os("SURETY_AOS_MODULES").filter(|it| !it.is_empty());
    match modules.map(|it| PathBuf::from(it).join("aos2_0_4_32.wasm")) {
        Some(path) => {
            let eval = ItemDraft::default()
                .tag("Action", "Eval")
                .carrying("x = (x or 0) + 1; return x");
            ("aos2_0_4_32", std::fs::read(path).expect("a module"), eval)
        }
        None => ("sample", sample::WASM.to_vec(), ItemDraft::default()),
    }
}

/// MiB of this program and of its workers that are in memory.
fn resident_mib() -> f64 {
    let own = std::process::id().to_string();
    let processes = std::fs::read_dir("/proc").expect("Linux").flatten();
    // What is no number is another name for one of them.
    let numbered = |it: &std::fs::DirEntry| {
        let name = it.file_name();
        name.to_string_lossy().bytes().all(|it| it.is_ascii_digit())
    };
    let kib = processes.filter(numbered).filter_map(|process| {
        let status = std::fs::read_to_string(process.path().join("status")).ok()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()
        };
        let ours = field("Pid:")? == own || field("PPid:")? == own;
        field("VmRSS:")?.parse::<f64>().ok().filter(|_| ours)
    });
    kib.sum::<f64>() / 1024.0
}

fn disk_mib(path: &Path) -> f64 {
    let files = std::fs::read_dir(path).expect("a directory");
    let bytes: u64 = files
        .filter_map(|it| it.ok()?.metadata().ok())
        .map(|it| it.len())
        .sum();
    bytes as f64 / 1_048_576.0
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn milliseconds<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let begin = Instant::now();
    let done = work();
    (begin.elapsed().as_secs_f64() * 1000.0, done)
}

fn town(store: &Arc<Counting>, resident_bytes: u64, module: &[u8]) -> Town {
    let archive = town::archive(store);
    let network = NetworkId::from(digest(Domain::OBJECT, &[b"processes"]));
    let worker = || {
        Worker::new(
            built::surety().expect("a path"),
            built::worker_args(&store.path().join("artefacts"), 1024),
            16 << 30,
        )
    };
    let engines = Engines::in_workers(worker(), worker());
    let executor = Executor::new(archive.clone(), engines, network);
    Town::new(
        archive,
        executor.bounded(resident_bytes, Arc::default()),
        module,
    )
}

fn growing(report: &mut Report, name: &str, module: &[u8], message: &ItemDraft) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Arc::new(Counting::open(dir.path()));
    let town = town(&store, RESIDENT_BYTES, module);
    println!("{name}: {BUSY} busy processes among idle ones, residents bounded to 1 GiB");
    println!(
        "{:>10} {:>10} {:>12} {:>12} {:>12}",
        "processes", "RSS MiB", "messages/s", "disk MiB", "boots/s"
    );
    let mut citizens: Vec<Citizen> = Vec::new();
    let most = std::env::var("SURETY_PROCESSES_MAX").ok();
    let most = most.and_then(|it| it.parse().ok()).unwrap_or(usize::MAX);
    for size in SIZES.into_iter().filter(|size| *size <= most) {
        let (mut booting, before) = (0.0, citizens.len());
        while citizens.len() < size {
            let count = (size - citizens.len()).min(500);
            let mut spawned = town.spawn(count, citizens.len());
            booting += milliseconds(|| town.evaluate_all(&mut spawned, 1)).0;
            citizens.extend(spawned);
        }
        let busy = citizens.len().min(BUSY);
        town.send(&mut citizens[..busy], MESSAGES, message);
        let (took, count) = milliseconds(|| town.evaluate_all(&mut citizens[..busy], JOB));
        let (rss, rate) = (resident_mib(), count as f64 * 1000.0 / took);
        let boots = (size - before) as f64 * 1000.0 / booting;
        println!(
            "{size:>10} {rss:>10.0} {rate:>12.0} {:>12.0} {boots:>12.0}",
            disk_mib(dir.path())
        );
        let memory = Figure::plain(&format!("{name}, {size} processes: memory"), rss, "MiB");
        report.push(
            memory
                .beside("wanted", MOST_MIB)
                .wanted(Target::AtMost(1.0)),
        );
        report.push(Figure::plain(
            &format!("{name}, {size} processes: busy"),
            rate,
            "messages/s",
        ));
    }
}

fn alone(report: &mut Report, name: &str, module: &[u8], message: &ItemDraft) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Arc::new(Counting::open(dir.path()));
    // So little memory that of two processes one always goes.
    let town = town(&store, 0, module);
    let mut two = town.spawn(2, 0);
    town.send(&mut two, RUNS as u64, message);
    let (mut wakes, mut wakings) = (Vec::new(), Vec::new());
    for run in 0..2 * RUNS {
        let evaluate = || town.evaluate(&mut two[run % 2], 1);
        // On the thread that evaluates.
        let (took, done) = milliseconds(|| on_deep_stack(|| processor(evaluate)));
        let (worked, _) = done.expect("a thread");
        wakes.push(took);
        wakings.push(worked);
    }
    // What a process writes for its states.
    let mut one = town.spawn(1, 2);
    town.send(&mut one, 2_000, message);
    town.evaluate_all(&mut one, JOB);
    let (written, disk) = (store.written(), disk_mib(dir.path()));
    town.send(&mut one, 1_000, message);
    town.evaluate_all(&mut one, JOB);
    let written = (store.written() - written) as f64 / 1_048_576.0;
    let (mut reads, mut keeps, mut works) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..RUNS {
        let (read, state) = milliseconds(|| {
            town.archive
                .state_before(Series::Evaluated, &one[0].id, 3_001)
        });
        reads.push(read);
        let (_, mut state) = state.expect("it is read").expect("it is there");
        // As many pages as a stride of AOS changes.
        for index in state.pages.keys().copied().take(220).collect::<Vec<_>>() {
            let mut page = *state.page(index);
            page[..8].copy_from_slice(&(run as u64 + 1).to_be_bytes());
            state.put(index, &page);
        }
        let (id, tree) = (one[0].id, state.tree());
        let keep = || {
            town.archive
                .keep_state(Series::Checked, &id, run as u64 + 1, &state, &tree)
        };
        let (took, (worked, kept)) = milliseconds(|| processor(keep));
        kept.expect("it is kept");
        keeps.push(took);
        works.push(worked);
    }
    println!("{name}, one process alone");
    for (what, value, unit) in [
        ("wake and first step", median(wakes), "ms"),
        ("of which on the node's own thread", median(wakings), "ms"),
        ("reading a state back, checked", median(reads), "ms"),
        (
            "keeping a state with 220 changed pages",
            median(keeps),
            "ms",
        ),
        ("of which the processor", median(works), "ms"),
        ("written for states, 1,000 inputs", written, "MiB"),
        ("database before them", disk, "MiB"),
    ] {
        println!("{what:<44} {value:>9.2} {unit}");
        report.push(Figure::plain(&format!("{name}: {what}"), value, unit));
    }
}

fn main() {
    let (name, module, message) = module();
    // What one process takes to keep is also part of what execution costs.
    let keeping = std::env::args().any(|it| it == "keeping");
    let mut report = Report::new(if keeping { "keeping" } else { "processes" });
    alone(&mut report, name, &module, &message);
    if !keeping {
        growing(&mut report, name, &module, &message);
    }
    history::cold(
        &mut report,
        name,
        |store| town(store, RESIDENT_BYTES, &module),
        &message,
    );
    report.write();
}
