//! How fast a sweep went.

use std::time::Instant;

use crate::simulation::Outcome;

/// What a sweep has done so far.
pub(super) struct Pace {
    started: Instant,
    runs: u64,
    events: u64,
    virtual_ms: u64,
    /// Milliseconds that all nodes together have lived through.
    node_ms: u64,
}

impl Pace {
    pub(super) fn start() -> Pace {
        Pace {
            started: Instant::now(),
            runs: 0,
            events: 0,
            virtual_ms: 0,
            node_ms: 0,
        }
    }

    pub(super) fn add(&mut self, run: &Outcome) {
        let nodes = u64::try_from(run.plan.nodes).unwrap_or(u64::MAX);
        self.runs = self.runs.saturating_add(1);
        self.events = self.events.saturating_add(run.events);
        self.virtual_ms = self.virtual_ms.saturating_add(run.virtual_ms);
        let lived = run.virtual_ms.saturating_mul(nodes);
        self.node_ms = self.node_ms.saturating_add(lived);
    }

    pub(super) fn describe(&self) -> String {
        let took = self.started.elapsed();
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
        let per_second = self.events.saturating_mul(1000).checked_div(ms);
        let tenths = |it: u64| {
            let ratio = it.saturating_mul(10).checked_div(ms).unwrap_or(0);
            format!("{}.{}", ratio / 10, ratio % 10)
        };
        format!(
            "{} runs in {} s: {} events, {} per second; {} s of virtual time, {} times real time ({} for each node)",
            self.runs,
            took.as_secs(),
            self.events,
            per_second.unwrap_or(0),
            self.virtual_ms / 1000,
            tenths(self.virtual_ms),
            tenths(self.node_ms),
        )
    }
}
