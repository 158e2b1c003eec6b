//! What the nodes of a run pay: the processor's time, bytes heard and bytes written. It decides nothing (rule SM-1).

use std::time::Duration;

use surety_node::core::Fetched;
use surety_node::store::Batch;
use surety_protocol::item::Item;
use surety_protocol::time::Tick;
use surety_protocol::verified::Authentic;

use super::{Outcome, Simulation, nothing, sized};
use crate::cast::Plan;
use crate::network::Answer;
use crate::world::settled;

/// A node of the tree of pages that is half full.
const NODE_BYTES: u64 = 8 * 32;

/// What all nodes of a run have paid together since a moment of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Meter {
    /// Since when.
    pub since: Tick,
    /// The time of the processor that cores, executions, signatures and stores took.
    pub spent: Duration,
    /// Bytes of gossip, what comes again not counted.
    pub heard: u64,
    /// Bytes of what was asked for.
    pub fetched: u64,
    /// Bytes of keys and values written.
    pub written: u64,
}

impl Meter {
    /// One that begins at a moment.
    pub fn since(since: Tick) -> Meter {
        Meter {
            since,
            ..Meter::default()
        }
    }

    fn spends(&mut self, now: Tick, time: Duration) {
        if now >= self.since {
            self.spent = self.spent.saturating_add(time);
        }
    }

    pub(super) fn hears(&mut self, now: Tick, data: &[u8]) {
        if now >= self.since {
            self.heard = self.heard.saturating_add(length(data));
        }
    }

    pub(super) fn fetches(&mut self, now: Tick, answer: &Answer) {
        if now >= self.since {
            self.fetched = self.fetched.saturating_add(weight(answer));
        }
    }

    pub(super) fn writes(&mut self, now: Tick, batch: &Batch) {
        if now >= self.since {
            let bytes = batch.ops().iter().map(|(_, key, value)| {
                let value = value.as_ref().map_or(0, |it| length(it));
                length(key).saturating_add(value)
            });
            self.written = self.written.saturating_add(bytes.sum());
        }
    }
}

/// Runs a plan to its end and measures what its nodes pay for the messages of its crowd.
pub fn run_metered(plan: &Plan) -> (Outcome, Meter) {
    let plan = &sized(plan);
    let mut simulation = match Simulation::new(plan.clone(), Box::new(|_| {})) {
        Ok(simulation) => simulation,
        Err(violation) => return (nothing(plan.clone(), violation), Meter::default()),
    };
    if let Some(crowd) = &plan.crowd {
        simulation.meter = Some(Meter::since(settled(crowd)));
    }
    let violation = simulation.open().and_then(|()| simulation.run()).err();
    let outcome = simulation.outcome(violation);
    (outcome, simulation.meter.unwrap_or_default())
}

impl Simulation {
    /// When some work of a node begins, if that matters.
    pub(super) fn begin(&self) -> Option<Duration> {
        self.meter.map(|_| processor())
    }

    /// Some work of a node is done.
    pub(super) fn spend(&mut self, begin: Option<Duration>) {
        if let (Some(meter), Some(begin)) = (&mut self.meter, begin) {
            let spent = processor().saturating_sub(begin);
            meter.spends(self.agenda.now(), spent);
        }
    }
}

/// The time of the processor that this thread has had.
fn processor() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(spent.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(spent.tv_nsec).unwrap_or(0))
}

fn length(bytes: &[u8]) -> u64 {
    count(bytes)
}

fn count<T>(of: &[T]) -> u64 {
    u64::try_from(of.len()).unwrap_or(u64::MAX)
}

/// The bytes of what makes an answer large.
fn weight(answer: &Answer) -> u64 {
    let item = |it: &Authentic<Item>| length(it.bytes());
    match answer {
        Answer::State { parts, .. } => {
            let pages = parts.pages.iter().map(|it| length(it)).sum::<u64>();
            pages.saturating_add(NODE_BYTES.saturating_mul(count(&parts.nodes)))
        }
        Answer::Fetched(Fetched::Log(slots)) => slots
            .iter()
            .map(|(assignment, message)| item(assignment) + message.as_ref().map_or(0, item))
            .sum(),
        Answer::Fetched(Fetched::Item(it)) => item(it),
        Answer::Fetched(Fetched::Blocks(blocks)) => {
            let items = blocks.iter().flat_map(|it| &it.items);
            items.map(|it| length(it)).sum()
        }
        Answer::Fetched(Fetched::Evidence(file)) => length(file.bytes()),
        // Digests.
        Answer::Fetched(_) => 0,
    }
}
