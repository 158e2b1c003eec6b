//! Measures how long a lie lasted: from the liar's signature to the escrow of its stake.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::DevnetError;
use super::child::Network;

/// When claims were signed and stake was taken.
#[derive(Debug, Default)]
struct Seen {
    claims: BTreeMap<String, Instant>,
    accused: Option<String>,
    slashed: Option<Instant>,
    doubled: Option<Instant>,
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
        let slashed = seen.slashed?;
        let lied = match &seen.accused {
            Some(claim) => *seen.claims.get(claim)?,
            None => seen.doubled?,
        };
        Some(slashed.saturating_duration_since(lied).as_secs_f64())
    }
}

impl Seen {
    fn note(&mut self, node: usize, event: &Value) {
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        let now = Instant::now();
        match (node, text("kind").unwrap_or_default()) {
            (1, "claimed") => {
                if let Some(claim) = text("claim") {
                    self.claims.entry(claim.to_owned()).or_insert(now);
                }
            }
            // A scheduler's lie is signed with the slot that it gives.
            (1, "scheduled") => {
                self.doubled.get_or_insert(now);
            }
            (0, "opened") => self.accused = text("claim").map(str::to_owned),
            (0, "slashed") => {
                self.slashed.get_or_insert(now);
            }
            _ => {}
        }
    }
}
