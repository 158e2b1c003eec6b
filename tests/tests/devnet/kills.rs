//! Nodes that are killed while orders come, and come back. Which one, when, and for how long is drawn from a seed.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use surety_harness::random::Random;

use super::program::Killed;
use super::stage::PATIENCE;

/// How many orders may go on after the one that a kill comes with: it hits what they lead to, and they do not run away from it.
const AHEAD: usize = 16;
/// Milliseconds after that order, and milliseconds that a node is down, at most.
const LATE: u64 = 400;
const DOWN: u64 = 800;

/// One kill.
#[derive(Debug, Clone, Copy)]
struct Kill {
    node: usize,
    /// The order that it comes with.
    order: usize,
    late: Duration,
    down: Duration,
}

/// All kills, in their order.
pub(crate) struct Kills {
    all: Vec<Kill>,
    done: AtomicUsize,
}

/// The seed that `SURETY_STORY_SEED` says, or one that nobody chose.
pub(crate) fn seed() -> u64 {
    match std::env::var("SURETY_STORY_SEED") {
        Ok(text) if !text.is_empty() => text.parse().expect("a number as SURETY_STORY_SEED"),
        _ => RandomState::new().hash_one(()) >> 32,
    }
}

impl Kills {
    /// Each of the nodes is killed so often, while so many orders come.
    pub(crate) fn draw(seed: u64, nodes: usize, each: usize, orders: usize) -> Kills {
        assert!(each > 0, "so few orders bring no kill");
        let mut random = Random::new(seed);
        let mut below = |bound: usize| usize::try_from(random.below(bound as u64)).unwrap();
        let mut victims: Vec<usize> = (0..nodes * each).map(|it| it % nodes).collect();
        for last in (1..victims.len()).rev() {
            victims.swap(last, below(last + 1));
        }
        let mut moments: Vec<usize> = victims.iter().map(|_| below(orders)).collect();
        moments.sort_unstable();
        let mut wait = |most| Duration::from_millis(random.below(most));
        let all = victims.into_iter().zip(moments).map(|(node, order)| Kill {
            node,
            order,
            late: wait(LATE),
            down: wait(DOWN),
        });
        Kills {
            all: all.collect(),
            done: AtomicUsize::new(0),
        }
    }

    /// Waits until the order of this number may go.
    pub(crate) fn admit(&self, number: usize) {
        let before = self.all.iter().filter(|it| it.order + AHEAD <= number);
        let (before, begin) = (before.count(), Instant::now());
        while self.done.load(Ordering::Relaxed) < before {
            assert!(begin.elapsed() < PATIENCE * 2, "kills are not done");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills the nodes, and starts them again with their roles; `taken` says how many orders are or were under way.
    pub(crate) fn carry_out(&self, nodes: &mut [Killed], roles: &[&str], taken: &AtomicUsize) {
        for kill in &self.all {
            let begin = Instant::now();
            while taken.load(Ordering::Relaxed) <= kill.order {
                assert!(begin.elapsed() < PATIENCE * 2, "orders are not taken");
                std::thread::sleep(Duration::from_millis(5));
            }
            std::thread::sleep(kill.late);
            nodes[kill.node].kill();
            self.done.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(kill.down);
            nodes[kill.node].restart_with(&["--roles", roles[kill.node]]);
        }
        eprintln!("{} kills", self.all.len());
    }
}
