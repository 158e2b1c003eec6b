//! What a node shows of itself: immutable snapshots for whoever reads, and the stream of its events.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use imbl::OrdMap;
use surety_attest::effect::Event;
use surety_protocol::id::{Address, ModuleId, ProcessId};
use surety_slashing::ledger::{Ledger, LedgerEvent};
use tokio::sync::broadcast;

/// Events kept for those who come back.
pub const EVENTS_KEPT: usize = 8192;
/// Events that a slow reader may be behind before it loses some.
const EVENTS_BEHIND: usize = 1024;

/// A process as this node knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessView {
    /// Its module.
    pub module: ModuleId,
    /// Who schedules it.
    pub scheduler: Address,
    /// Slots in its log here.
    pub slots: u64,
    /// Slots evaluated here.
    pub evaluated: u64,
}

/// A node at one moment.
#[derive(Debug, Clone)]
pub struct View {
    /// The ledger.
    pub ledger: Arc<Ledger>,
    /// The processes.
    pub processes: OrdMap<ProcessId, ProcessView>,
}

/// An event with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// Counts from one since the node started.
    pub number: u64,
    /// What happened.
    pub event: NodeEvent,
}

/// Something that happened in a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeEvent {
    /// In a role.
    Role(Event),
    /// On the ledger.
    Ledger {
        /// At this height.
        height: surety_protocol::time::Height,
        /// What.
        event: LedgerEvent,
    },
}

/// The events of a node, for reading live and again.
#[derive(Debug, Clone)]
pub struct EventLog {
    live: broadcast::Sender<Arc<Numbered>>,
    kept: Arc<Mutex<(u64, VecDeque<Arc<Numbered>>)>>,
}

impl Default for EventLog {
    fn default() -> Self {
        Self {
            live: broadcast::channel(EVENTS_BEHIND).0,
            kept: Arc::default(),
        }
    }
}

impl EventLog {
    /// Adds an event.
    pub fn push(&self, event: NodeEvent) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.0 = kept.0.saturating_add(1);
        let numbered = Arc::new(Numbered {
            number: kept.0,
            event,
        });
        kept.1.push_back(Arc::clone(&numbered));
        if kept.1.len() > EVENTS_KEPT {
            kept.1.pop_front();
        }
        // Nobody may be listening.
        let _ = self.live.send(numbered);
    }

    /// The kept events after a number, and the live ones that follow them without a gap.
    pub fn follow(&self, after: u64) -> (Vec<Arc<Numbered>>, broadcast::Receiver<Arc<Numbered>>) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let old = kept
            .1
            .iter()
            .filter(|it| it.number > after)
            .cloned()
            .collect();
        (old, self.live.subscribe())
    }
}
