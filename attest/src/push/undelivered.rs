//! What was handed over and has not arrived: it is handed over again, ever more seldom (rule MU-8).
//!
//! Only a part of it is in memory. All of it lies in the outbox of the node, by the process that it is for; what had no room here is
//! read back from there, process by process, when there is room again.

use std::collections::{BTreeMap, BTreeSet};

use surety_protocol::id::{ItemId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::time::Tick;
use surety_protocol::verified::Authentic;

use crate::effect::{Effect, Offer, Recalled, Source};

/// What is in memory at most, and its bytes.
pub(super) const UNDELIVERED_MAX: usize = 4096;
const BYTES_MAX: usize = 64 << 20;
/// Processes of which there is more in the outbox, as far as that is remembered; of others it is read at the next start.
const LATER_MAX: usize = 65_536;
/// Milliseconds until the first repetition, and between two of them at most.
const FIRST: u64 = 10_000;
const LONGEST: u64 = 320_000;

/// What is to arrive.
#[derive(Debug, Clone)]
pub enum Parcel {
    /// An item that the messenger signed.
    Item(Authentic<Item>),
    /// An item of somebody else.
    Assign {
        /// The process that is to have it.
        process: ProcessId,
        /// The item.
        item: ItemId,
        /// Fields of it that the process does not want.
        exclude: Vec<String>,
    },
}

impl Parcel {
    fn key(&self) -> Option<(ItemId, ProcessId)> {
        match self {
            Parcel::Assign { process, item, .. } => Some((*item, *process)),
            Parcel::Item(item) => {
                let process = Offer::Item(item.clone()).process()?;
                Some((item.id(), process))
            }
        }
    }

    /// Where it lies in the outbox: with the process that it is for, a spawn with the one that spawns.
    fn shelf(&self) -> Option<ProcessId> {
        match self {
            Parcel::Item(item) if self.begins() => Source::named_by(item).map(|it| it.process),
            _ => self.key().map(|(_, process)| process),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Parcel::Item(item) => item.bytes().len(),
            Parcel::Assign { .. } => 0,
        }
    }

    /// Whether it makes the log that it is for.
    fn begins(&self) -> bool {
        matches!(self, Parcel::Item(item) if item.tag("Type") == Some("Process"))
    }

    pub(super) fn hand_over(&self) -> Effect {
        match self {
            Parcel::Item(item) => Effect::Deliver(Offer::Item(item.clone())),
            Parcel::Assign {
                process,
                item,
                exclude,
            } => Effect::Assign {
                process: *process,
                item: *item,
                exclude: exclude.clone(),
            },
        }
    }
}

/// All that is under way.
#[derive(Debug, Default)]
pub(super) struct Undelivered {
    parcels: BTreeMap<(ItemId, ProcessId), (Parcel, Tick, u64)>,
    bytes: usize,
    due: BTreeSet<(Tick, ItemId, ProcessId)>,
    /// The processes of which there is more in the outbox, and after which place.
    later: BTreeMap<ProcessId, Vec<u8>>,
}

impl Undelivered {
    /// Remembers what is handed over now; says no of what is under way already.
    pub(super) fn insert(&mut self, now: Tick, parcel: Parcel) -> bool {
        let Some(key) = parcel.key().filter(|it| !self.parcels.contains_key(it)) else {
            return false;
        };
        self.plan(now, key, parcel, FIRST);
        // Whoever has been tried most often makes room.
        while (self.parcels.len() > UNDELIVERED_MAX || self.bytes > BYTES_MAX)
            && let Some((_, item, process)) = self.due.last().copied()
        {
            let shelf = self.arrived(item, process).and_then(|it| it.shelf());
            self.leave(shelf, Vec::new());
        }
        true
    }

    /// There is more in the outbox for a process, after a place.
    fn leave(&mut self, shelf: Option<ProcessId>, after: Vec<u8>) {
        if let Some(shelf) = shelf
            && (self.later.len() < LATER_MAX || self.later.contains_key(&shelf))
        {
            self.later.insert(shelf, after);
        }
    }

    /// A page of the outbox was read, and it was not the last.
    pub(super) fn more(&mut self, recalled: &Recalled) {
        if let Some(after) = &recalled.more
            && !self.later.contains_key(&recalled.process)
        {
            self.leave(Some(recalled.process), after.clone());
        }
    }

    fn plan(&mut self, now: Tick, key: (ItemId, ProcessId), parcel: Parcel, wait: u64) {
        let at = Tick(now.0.saturating_add(wait));
        self.due.insert((at, key.0, key.1));
        self.bytes = self.bytes.saturating_add(parcel.bytes());
        self.parcels.insert(key, (parcel, at, wait));
    }

    fn take(&mut self, item: ItemId, process: ProcessId) -> Option<(Parcel, u64)> {
        let (parcel, at, wait) = self.parcels.remove(&(item, process))?;
        self.due.remove(&(at, item, process));
        self.bytes = self.bytes.saturating_sub(parcel.bytes());
        Some((parcel, wait))
    }

    /// It has a slot; gives what it was.
    pub(super) fn arrived(&mut self, item: ItemId, process: ProcessId) -> Option<Parcel> {
        self.take(item, process).map(|(parcel, _)| parcel)
    }

    /// What is to be handed over again now. What is for something that is no known process lies in the outbox until it is one.
    pub(super) fn due(&mut self, now: Tick, known: impl Fn(&ProcessId) -> bool) -> Vec<Parcel> {
        let mut due = Vec::new();
        while let Some((at, item, process)) = self.due.first().copied().filter(|it| it.0 <= now) {
            self.due.remove(&(at, item, process));
            if let Some((parcel, wait)) = self.take(item, process)
                && (parcel.begins() || known(&process))
            {
                due.push(parcel.clone());
                let wait = wait.saturating_mul(2).min(LONGEST);
                self.plan(now, (item, process), parcel, wait);
            }
        }
        due
    }

    /// The process of which a page of the outbox is to be read now that there is room, and after which place.
    pub(super) fn recall(
        &mut self,
        known: impl Fn(&ProcessId) -> bool,
    ) -> Option<(ProcessId, Vec<u8>)> {
        if self.parcels.len() > UNDELIVERED_MAX / 2 || self.bytes > BYTES_MAX / 2 {
            return None;
        }
        let (process, after) = self.later.pop_first()?;
        known(&process).then_some((process, after))
    }
}
