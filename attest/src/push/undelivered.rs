//! What was handed over and has not arrived: it is handed over again, ever more seldom (rule MU-8).
//!
//! Only a part of it is in memory. All of it lies in the outbox of the node, by the process that it is for; what had no room here is
//! read back from there, process by process, when there is room again.

use std::collections::{BTreeMap, BTreeSet};

use surety_protocol::id::{ItemId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::time::Tick;
use surety_protocol::verified::Authentic;

use crate::effect::{Assign, Effect, Offer, Recalled, Source};
use crate::log::PROCESSES_MAX;

/// What is in memory at most, and its bytes.
pub(super) const UNDELIVERED_MAX: usize = 4096;
const BYTES_MAX: usize = 64 << 20;
/// Of what is in memory the most that is for one process: what cannot arrive there takes nobody else's room.
const SHELF_MAX: usize = 512;
/// Processes of which there is more in the outbox; of more than a node follows it is read at the next start.
const LATER_MAX: usize = PROCESSES_MAX;
/// Processes whose outbox goes on to be read at once, and whose begins to be.
const PAGES_MAX: usize = 4;
/// Milliseconds until the first repetition, and between two of them at most.
const FIRST: u64 = 10_000;
const LONGEST: u64 = 320_000;

/// What is to arrive.
#[derive(Debug, Clone)]
pub enum Parcel {
    /// An item that the messenger signed.
    Item(Authentic<Item>),
    /// An item of somebody else.
    Assign(Assign),
}

impl Parcel {
    fn key(&self) -> Option<(ItemId, ProcessId)> {
        match self {
            Parcel::Assign(assign) => Some((assign.item, assign.process)),
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
            Parcel::Assign(_) => 0,
        }
    }

    /// Whether it makes the log that it is for.
    fn begins(&self) -> bool {
        matches!(self, Parcel::Item(item) if item.tag("Type") == Some("Process"))
    }

    pub(super) fn hand_over(&self) -> Effect {
        match self {
            Parcel::Item(item) => Effect::Deliver(Offer::Item(item.clone())),
            Parcel::Assign(assign) => Effect::Assign(assign.clone()),
        }
    }
}

/// All that is under way.
#[derive(Debug, Default)]
pub(super) struct Undelivered {
    parcels: BTreeMap<(ItemId, ProcessId), (Parcel, Tick, u64)>,
    bytes: usize,
    due: BTreeSet<(Tick, ItemId, ProcessId)>,
    /// How much of it each process has, by where it lies in the outbox.
    shelves: BTreeMap<ProcessId, usize>,
    /// The processes of which there is more in the outbox, and from when on it is to be read from its beginning.
    later: BTreeMap<ProcessId, Tick>,
    /// Those of which it is being read, and after which place it goes on; nothing while a page is awaited.
    read: BTreeMap<ProcessId, Option<Vec<u8>>>,
    /// Whose turn it was last.
    turn: ProcessId,
}

impl Undelivered {
    /// Remembers what is handed over now; says no of what is under way already.
    pub(super) fn insert(&mut self, now: Tick, parcel: Parcel) -> bool {
        let Some(key) = parcel.key().filter(|it| !self.parcels.contains_key(it)) else {
            return false;
        };
        let shelf = parcel.shelf();
        let there = shelf.and_then(|it| self.shelves.get(&it)).copied();
        if there.unwrap_or(0) >= SHELF_MAX {
            self.leave(shelf, resting(now));
            return true;
        }
        self.plan(now, key, parcel, FIRST);
        // Whoever has been tried most often makes room.
        while (self.parcels.len() > UNDELIVERED_MAX || self.bytes > BYTES_MAX)
            && let Some((_, item, process)) = self.due.last().copied()
        {
            let shelf = self.arrived(item, process).and_then(|it| it.shelf());
            self.leave(shelf, resting(now));
        }
        true
    }

    /// There is more in the outbox for a process, to be read from the beginning, not before a time.
    pub(super) fn leave(&mut self, shelf: Option<ProcessId>, from: Tick) {
        if let Some(shelf) = shelf
            && self.later.len() < LATER_MAX
        {
            self.later.entry(shelf).or_insert(from);
        }
    }

    /// A page of the outbox was read; it may have been the last.
    pub(super) fn turned(&mut self, recalled: &Recalled) {
        match &recalled.more {
            Some(after) => drop(self.read.insert(recalled.process, Some(after.clone()))),
            None => drop(self.read.remove(&recalled.process)),
        }
    }

    fn plan(&mut self, now: Tick, key: (ItemId, ProcessId), parcel: Parcel, wait: u64) {
        let at = Tick(now.0.saturating_add(wait));
        self.due.insert((at, key.0, key.1));
        if let Some(shelf) = parcel.shelf() {
            let there = self.shelves.entry(shelf).or_default();
            *there = there.saturating_add(1);
        }
        self.bytes = self.bytes.saturating_add(parcel.bytes());
        self.parcels.insert(key, (parcel, at, wait));
    }

    fn take(&mut self, item: ItemId, process: ProcessId) -> Option<(Parcel, u64)> {
        let (parcel, at, wait) = self.parcels.remove(&(item, process))?;
        self.due.remove(&(at, item, process));
        self.bytes = self.bytes.saturating_sub(parcel.bytes());
        if let Some(shelf) = parcel.shelf()
            && let Some(left) = self.shelves.remove(&shelf)
            && left > 1
        {
            self.shelves.insert(shelf, left.saturating_sub(1));
        }
        Some((parcel, wait))
    }

    /// It has a slot; gives what it was.
    pub(super) fn arrived(&mut self, item: ItemId, process: ProcessId) -> Option<Parcel> {
        self.take(item, process).map(|(parcel, _)| parcel)
    }

    /// What is to be handed over again now. What is for something that is no known process lies in the outbox until it is one; what
    /// was in vain for long makes room, and is read back later.
    pub(super) fn due(&mut self, now: Tick, known: impl Fn(&ProcessId) -> bool) -> Vec<Parcel> {
        let mut due = Vec::new();
        while let Some((at, item, process)) = self.due.first().copied().filter(|it| it.0 <= now) {
            self.due.remove(&(at, item, process));
            let Some((parcel, wait)) = self.take(item, process) else {
                continue;
            };
            if !parcel.begins() && !known(&process) {
                continue;
            }
            due.push(parcel.clone());
            match wait >= LONGEST {
                true => self.leave(parcel.shelf(), resting(now)),
                false => {
                    let wait = wait.saturating_mul(2).min(LONGEST);
                    self.plan(now, (item, process), parcel, wait);
                }
            }
        }
        due
    }

    /// The processes of which a page of the outbox is to be read now that there is room, and after which place: in turn.
    pub(super) fn recall(
        &mut self,
        now: Tick,
        known: impl Fn(&ProcessId) -> bool,
    ) -> Vec<(ProcessId, Vec<u8>)> {
        if self.parcels.len() > UNDELIVERED_MAX / 2 || self.bytes > BYTES_MAX / 2 {
            return Vec::new();
        }
        let room = |it: &ProcessId| self.shelves.get(it).is_none_or(|it| *it < SHELF_MAX / 2);
        // Of one process one page is awaited at a time, or what lies between two places would be passed over.
        let begins = self.later.iter().filter(|(_, from)| **from <= now);
        let begins = begins.map(|(it, _)| *it);
        let begins = begins.filter(|it| room(it) && !self.read.contains_key(it));
        let begins = in_turn(begins, self.turn);
        let goes_on = self.read.iter().filter(|(_, after)| after.is_some());
        let goes_on = in_turn(goes_on.map(|(it, _)| *it).filter(room), self.turn);
        let mut pages = Vec::new();
        for process in goes_on {
            self.turn = process;
            let after = self.read.insert(process, None).flatten();
            pages.push((process, after.unwrap_or_default()));
        }
        for process in begins {
            self.turn = process;
            self.later.remove(&process);
            if known(&process) {
                self.read.insert(process, None);
                pages.push((process, Vec::new()));
            }
        }
        pages
    }
}

/// Some of these processes, those after one first.
fn in_turn(all: impl Iterator<Item = ProcessId> + Clone, turn: ProcessId) -> Vec<ProcessId> {
    let after = all.clone().filter(|it| *it > turn);
    let before = all.filter(|it| *it <= turn);
    after.chain(before).take(PAGES_MAX).collect()
}

/// When what has no room, or was in vain for long, is looked for again.
const fn resting(now: Tick) -> Tick {
    Tick(now.0.saturating_add(LONGEST))
}
