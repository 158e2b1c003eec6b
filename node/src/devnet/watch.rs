//! Measures how long a lie lasted: from the liar's signature to the escrow of its stake.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::DevnetError;
use super::child::Network;

/// A slot of a process.
type Place = (String, u64);

/// When node 2 signed about slots, and when stake was taken for one.
#[derive(Debug, Default)]
struct Seen {
    /// Claims that end with the slot: a false one does.
    claimed: BTreeMap<Place, Instant>,
    /// Assignments of the slot.
    scheduled: BTreeMap<Place, Instant>,
    slashed: Option<(Place, bool, Instant)>,
}

/// A watch over the events of node 1, who sees the ledger first, and of node 2, who may lie.
pub(super) struct Watch {
    seen: Arc<Mutex<Seen>>,
    tasks: JoinSet<()>,
}

impl Watch {
    pub(super) async fn start(network: &Network) -> Result<Watch, DevnetError> {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut tasks = JoinSet::new();
        for index in 0..2 {
            let Some(node) = network.node(index) else {
                continue;
            };
            let mut events = node.api().events(0).await?;
            let seen = Arc::clone(&seen);
            tasks.spawn(async move {
                while let Some(event) = events.recv().await {
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.note(index, &event);
                }
            });
        }
        Ok(Watch { seen, tasks })
    }

    /// Seconds from the signature of the lie to the escrow, if there was one.
    pub(super) async fn finish(mut self) -> Option<f64> {
        self.tasks.shutdown().await;
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (place, double, slashed) = seen.slashed.as_ref()?;
        let signed = match double {
            true => &seen.scheduled,
            false => &seen.claimed,
        };
        let lied = signed.get(place)?;
        Some(slashed.saturating_duration_since(*lied).as_secs_f64())
    }
}

impl Seen {
    fn note(&mut self, node: usize, event: &Value) {
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        let number = |name: &str| event.get(name).and_then(Value::as_u64);
        let place = |slot: Option<u64>| Some((text("process")?.to_owned(), slot?));
        let now = Instant::now();
        match (node, text("kind").unwrap_or_default()) {
            (1, "claimed") => {
                let last = number("size").and_then(|size| size.checked_sub(1));
                if let Some(place) = place(last) {
                    self.claimed.entry(place).or_insert(now);
                }
            }
            // A second assignment is signed together with the first.
            (1, "scheduled") => {
                if let Some(place) = place(number("slot")) {
                    self.scheduled.entry(place).or_insert(now);
                }
            }
            (0, "slashed") if self.slashed.is_none() => {
                let double = text("offence") == Some("double-assignment");
                self.slashed = place(number("slot")).map(|place| (place, double, now));
            }
            _ => {}
        }
    }
}
