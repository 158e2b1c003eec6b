//! What was handed over and has not arrived: it is handed over again, ever more seldom (rule MU-8).

use std::collections::{BTreeMap, BTreeSet};

use surety_protocol::id::{ItemId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::time::Tick;
use surety_protocol::verified::Authentic;

use crate::effect::{Effect, Offer};

/// What is remembered at most; more is handed over again at the next start.
pub(super) const UNDELIVERED_MAX: usize = 4096;
/// Milliseconds until the first repetition, and between two of them at most.
const FIRST: u64 = 10_000;
const LONGEST: u64 = 320_000;

/// What is to arrive.
#[derive(Debug, Clone)]
pub(super) enum Parcel {
    /// An item that the messenger signed.
    Item(Authentic<Item>),
    /// An item of somebody else, for this process.
    Assign(ProcessId, ItemId),
}

impl Parcel {
    fn key(&self) -> Option<(ItemId, ProcessId)> {
        match self {
            Parcel::Assign(process, item) => Some((*item, *process)),
            Parcel::Item(item) => {
                let process = Offer::Item(item.clone()).process()?;
                Some((item.id(), process))
            }
        }
    }

    /// Whether it makes the log that it is for.
    fn begins(&self) -> bool {
        matches!(self, Parcel::Item(item) if item.tag("Type") == Some("Process"))
    }

    pub(super) fn hand_over(&self) -> Effect {
        match self {
            Parcel::Item(item) => Effect::Deliver(Offer::Item(item.clone())),
            Parcel::Assign(process, item) => Effect::Assign {
                process: *process,
                item: *item,
            },
        }
    }
}

/// All that is under way.
#[derive(Debug, Default)]
pub(super) struct Undelivered {
    parcels: BTreeMap<(ItemId, ProcessId), (Parcel, Tick, u64)>,
    due: BTreeSet<(Tick, ItemId, ProcessId)>,
}

impl Undelivered {
    /// Remembers what is handed over now.
    pub(super) fn insert(&mut self, now: Tick, parcel: Parcel) {
        let Some(key) = parcel.key() else { return };
        if self.parcels.len() < UNDELIVERED_MAX && !self.parcels.contains_key(&key) {
            self.plan(now, key, parcel, FIRST);
        }
    }

    fn plan(&mut self, now: Tick, key: (ItemId, ProcessId), parcel: Parcel, wait: u64) {
        let at = Tick(now.0.saturating_add(wait));
        self.due.insert((at, key.0, key.1));
        self.parcels.insert(key, (parcel, at, wait));
    }

    /// It has a slot; gives what it was.
    pub(super) fn arrived(&mut self, item: ItemId, process: ProcessId) -> Option<Parcel> {
        let (parcel, at, _) = self.parcels.remove(&(item, process))?;
        self.due.remove(&(at, item, process));
        Some(parcel)
    }

    /// What is to be handed over again now. What is for something that is no known process waits where it was handed over.
    pub(super) fn due(&mut self, now: Tick, known: impl Fn(&ProcessId) -> bool) -> Vec<Parcel> {
        let mut due = Vec::new();
        while let Some((at, item, process)) = self.due.first().copied().filter(|it| it.0 <= now) {
            self.due.remove(&(at, item, process));
            if let Some((parcel, _, wait)) = self.parcels.remove(&(item, process))
                && (parcel.begins() || known(&process))
            {
                due.push(parcel.clone());
                let wait = wait.saturating_mul(2).min(LONGEST);
                self.plan(now, (item, process), parcel, wait);
            }
        }
        due
    }
}
