//! Many runs, some at a time, told in the order of their plans.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use crate::cast::Plan;
use crate::simulation::{Outcome, run_watched};

/// A run that is over.
pub(crate) struct Finished {
    /// What came of it.
    pub(crate) outcome: Outcome,
    /// How many milliseconds it took.
    pub(crate) took_ms: u64,
}

/// How many runs this machine can do at a time.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Runs `count` plans, `jobs` at a time, and tells of each in turn. A run is one thread and shares nothing with the others, so
/// that its digest does not depend on `jobs`.
pub(crate) fn run(
    count: u64,
    plan: impl Fn(u64) -> Plan + Sync,
    jobs: usize,
    watch: bool,
    mut tell: impl FnMut(Finished),
) {
    let next = AtomicU64::new(0);
    let (done, finished) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..jobs {
            let (done, next, plan) = (done.clone(), &next, &plan);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count || done.send((index, one(&plan(index), watch))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(done);
        // Those that were faster than one before them.
        let mut early = BTreeMap::new();
        let mut turn = 0_u64;
        for (index, it) in finished {
            early.insert(index, it);
            while let Some(it) = early.remove(&turn) {
                tell(it);
                turn += 1;
            }
        }
    });
}

fn one(plan: &Plan, watch: bool) -> Finished {
    let started = Instant::now();
    let seed = plan.seed;
    let outcome = run_watched(plan, move |it| {
        if watch {
            let who = it.who.unwrap_or_default();
            eprintln!("seed {seed} {:>6} node {who} {}", it.at.0, it.what);
        }
    });
    let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Finished { outcome, took_ms }
}
