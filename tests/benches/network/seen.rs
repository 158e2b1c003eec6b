//! How long claims wait for their certificates, as the node sees it that signed them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::Value;
use surety_node::client::Client;

use super::program::text;

/// Of sorted figures the one that so many of a hundred do not exceed.
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let last = sorted.len().checked_sub(1).expect("there are figures");
    sorted[(sorted.len() * percent / 100).min(last)]
}

/// Claims of a node, and when it signed each and saw its certificate.
#[derive(Default)]
pub(crate) struct Seen {
    claimed: BTreeMap<String, Instant>,
    pub(crate) waited: Vec<f64>,
}

/// Watches the events of a node.
pub(crate) fn watch(http: &str) -> Arc<Mutex<Seen>> {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let client = Client::new(http).expect("a client");
    let watching = Arc::clone(&seen);
    std::thread::spawn(move || {
        runtime().block_on(async {
            let mut events = client.events(0).await.expect("events");
            while let Some(event) = events.recv().await {
                watching.lock().unwrap().note(&event);
            }
        });
    });
    seen
}

impl Seen {
    fn note(&mut self, event: &Value) {
        let claim = text(event, "claim");
        match text(event, "kind").as_str() {
            "claimed" => {
                self.claimed.entry(claim).or_insert_with(Instant::now);
            }
            "certified" => {
                if let Some(at) = self.claimed.remove(&claim) {
                    self.waited.push(at.elapsed().as_secs_f64());
                }
            }
            _ => {}
        }
    }
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
}
