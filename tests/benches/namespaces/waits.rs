//! How long claims and slots wait for their certificates, and a lie for its penalty, as the nodes see it that signed them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::Value;

use super::observer::Observer;
use super::program::text;

/// A node, a process of it, and a slot or a number of slots.
type Place = (usize, String, u64);

/// What nodes said that sign claims and assignments.
#[derive(Default)]
struct Seen {
    /// Claims by the node that signed them.
    claimed: BTreeMap<(usize, String), Instant>,
    /// The first claim of a node that ends with so many slots.
    ended: BTreeMap<Place, Instant>,
    /// Slots that are not certified yet, by the node that gave them.
    given: BTreeMap<Place, Instant>,
    waits: Waits,
    slashed: Option<Instant>,
    /// A stream of events that ended.
    lost: bool,
}

/// Seconds from signatures to certificates, sorted.
#[derive(Default)]
pub(crate) struct Waits {
    /// Of claims. One that was never certified, because another was in its place, is not among them.
    pub(crate) claims: Vec<f64>,
    /// Of slots. Each is among them, whichever claim it was certified by.
    pub(crate) slots: Vec<f64>,
}

/// A watch over the events of nodes.
pub(crate) struct Watch(Arc<Mutex<Seen>>);

impl Watch {
    /// Watches the first nodes, which are those that schedule and compute.
    pub(crate) fn start(observer: &Observer, nodes: usize) -> Watch {
        let seen = Arc::new(Mutex::new(Seen::default()));
        for node in 0..nodes {
            let events = observer.runtime().block_on(observer.node(node).events(0));
            let mut events = events.expect("events");
            let seen = Arc::clone(&seen);
            observer.runtime().spawn(async move {
                while let Some(event) = events.recv().await {
                    lock(&seen).note(node, &event);
                }
                lock(&seen).lost = true;
            });
        }
        Watch(seen)
    }

    /// The waits that ended since this was last asked.
    pub(crate) fn take(&self) -> Waits {
        let mut seen = lock(&self.0);
        assert!(!seen.lost, "a node stopped saying what happens");
        seen.claimed.clear();
        let mut waits = std::mem::take(&mut seen.waits);
        waits.claims.sort_by(f64::total_cmp);
        waits.slots.sort_by(f64::total_cmp);
        waits
    }

    /// Seconds from a node's signature for a claim that ends with a slot until somebody's stake was taken.
    pub(crate) fn punished(&self, node: usize, process: &str, slot: u64) -> Option<f64> {
        let seen = lock(&self.0);
        let lied = seen.ended.get(&(node, process.to_owned(), slot + 1))?;
        Some(seen.slashed?.duration_since(*lied).as_secs_f64())
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Seen {
    fn note(&mut self, node: usize, event: &Value) {
        let now = Instant::now();
        let process = text(event, "process");
        let number = |name: &str| event[name].as_u64().unwrap_or_default();
        let claim = (node, text(event, "claim"));
        match text(event, "kind").as_str() {
            "scheduled" => {
                let place = (node, process, number("slot"));
                self.given.entry(place).or_insert(now);
            }
            "claimed" => {
                let place = (node, process, number("size"));
                self.ended.entry(place).or_insert(now);
                self.claimed.entry(claim).or_insert(now);
            }
            "certified" => {
                let since = |at: Instant| now.duration_since(at).as_secs_f64();
                self.waits
                    .claims
                    .extend(self.claimed.remove(&claim).map(since));
                let done = (node, process.clone(), 0)..(node, process, number("size"));
                let slots = self.given.extract_if(done, |_, _| true);
                self.waits.slots.extend(slots.map(|(_, at)| since(at)));
            }
            "slashed" if node == 0 => {
                self.slashed.get_or_insert(now);
            }
            _ => {}
        }
    }
}
