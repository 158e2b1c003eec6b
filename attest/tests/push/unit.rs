//! A messenger with the disk that outlives it, and the logs that it delivers to.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use surety_attest::effect::{Effect, Offer, Recalled, Record};
use surety_attest::push::{Messenger, Parcel};
use surety_attest::result::ProcessResult;
use surety_protocol::id::{ItemId, ModuleId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::machine::Outbox;
use surety_protocol::time::{Slot, Tick};
use surety_protocol::verified::Authentic;

use super::fuse::{Crashing, Fuse};
use super::{cause, key, process};

/// All of it.
pub(crate) struct Unit {
    pub(crate) messenger: Messenger,
    parent: Authentic<Item>,
    pub(crate) results: Vec<ProcessResult>,
    pub(crate) pushed: u64,
    /// By the process that it is for, a spawn by the one that spawns.
    pub(crate) outbox: BTreeMap<(ProcessId, ItemId), Parcel>,
    /// What has a slot: how often each was handed over does not matter, that it is there does.
    pub(crate) arrived: BTreeSet<(ProcessId, ItemId)>,
    pub(crate) begun: BTreeMap<ProcessId, Authentic<Item>>,
    /// What is no process yet.
    pub(crate) wallets: BTreeSet<ProcessId>,
    /// Whose scheduler does not answer.
    pub(crate) down: BTreeSet<ProcessId>,
    /// Messages between nodes that are lost, by their count.
    lost: BTreeSet<usize>,
    pub(crate) handed: usize,
    pub(crate) left: Fuse,
    pub(crate) now: Tick,
}

impl Unit {
    pub(crate) fn new(results: Vec<ProcessResult>, lost: BTreeSet<usize>) -> Unit {
        let mut unit = Unit {
            messenger: Messenger::new(key().address()),
            parent: process(0),
            results,
            pushed: 0,
            outbox: BTreeMap::new(),
            arrived: BTreeSet::new(),
            begun: BTreeMap::new(),
            wallets: BTreeSet::new(),
            down: BTreeSet::new(),
            lost,
            handed: 0,
            left: Fuse::default(),
            now: Tick(0),
        };
        unit.restart();
        unit
    }

    pub(crate) fn id(&self) -> ProcessId {
        self.parent.id().into()
    }

    /// A scheduler takes what it has not got.
    fn deliver(&mut self, to: ProcessId, id: ItemId, item: Option<Authentic<Item>>) {
        if self.wallets.contains(&to) || self.down.contains(&to) {
            return;
        }
        self.handed += 1;
        if self.lost.contains(&self.handed) {
            return;
        }
        if !self.arrived.insert((to, id)) {
            let mut out = Outbox::default();
            self.messenger.known(to, id, &mut out);
            return self.perform(out.drain());
        }
        self.messenger.arrived(to, id);
        let Some(item) = item else {
            self.outbox.remove(&(to, id));
            return;
        };
        if item.tag("Type") == Some("Process") {
            self.begun.insert(to, item.clone());
            let mut out = Outbox::default();
            self.messenger.began(&item, &mut out);
            self.perform(out.drain());
        } else {
            self.outbox.remove(&(to, id));
        }
    }

    /// A page of the outbox.
    fn page(&self, process: ProcessId, after: &[u8]) -> Recalled {
        let after = ItemId::try_from(after).map_or(Bound::Unbounded, Bound::Excluded);
        let here = self
            .outbox
            .iter()
            .filter(|((shelf, item), _)| *shelf == process && beyond(item, after));
        let page: Vec<_> = here.take(PAGE).collect();
        let full = page.len() == PAGE;
        let more = page.last().filter(|_| full);
        Recalled {
            process,
            more: more.map(|((_, item), _)| item.as_bytes().to_vec()),
            parcels: page.into_iter().map(|(_, it)| it.clone()).collect(),
        }
    }

    fn recall(&mut self, process: ProcessId, after: &[u8]) {
        let recalled = self.page(process, after);
        let mut out = Outbox::default();
        let begun = &self.begun;
        self.messenger
            .recalled(self.now, &recalled, |it| begun.contains_key(it), &mut out);
        self.perform(out.drain());
    }

    /// Starts again from what is durable.
    pub(crate) fn restart(&mut self) {
        self.left = Fuse::default();
        self.messenger = Messenger::new(key().address());
        let module = ModuleId::default();
        self.messenger
            .process(&self.parent, module, Slot(self.pushed));
        let shelves: BTreeSet<_> = self.outbox.keys().map(|(shelf, _)| *shelf).collect();
        for process in shelves.difference(&self.wallets) {
            self.messenger.resume(*process);
        }
        for _ in 0..64 {
            self.pass(0);
        }
        for slot in self.pushed..self.results.len() as u64 {
            self.result(slot);
        }
    }

    pub(crate) fn result(&mut self, slot: u64) {
        let result = self.results[slot as usize].clone();
        let mut out = Outbox::default();
        let (id, cause) = (self.id(), cause(slot));
        self.messenger
            .result(self.now, id, Slot(slot), &cause, &result, &mut out);
        self.perform(out.drain());
    }

    pub(crate) fn pass(&mut self, milliseconds: u64) {
        self.now = Tick(self.now.0 + milliseconds);
        let mut out = Outbox::default();
        let wallets = &self.wallets;
        self.messenger
            .tick(self.now, |it| !wallets.contains(it), &mut out);
        self.perform(out.drain());
    }
}

impl Crashing for Unit {
    fn fuse(&mut self) -> &mut Fuse {
        &mut self.left
    }

    fn persist(&mut self, effect: Effect) {
        match effect {
            Effect::Persist(Record::Outbox {
                source,
                item,
                spawn,
            }) => {
                if let Some((place, spawn)) = spawn {
                    let spawned = self.outbox.remove(&(place.process, spawn));
                    assert!(spawned.is_some(), "a notice of nothing");
                }
                let shelf = item
                    .target()
                    .map_or(source.process, |it| ProcessId::new(*it));
                self.outbox.insert((shelf, item.id()), Parcel::Item(item));
            }
            Effect::Persist(Record::Assign(it)) => {
                self.outbox
                    .insert((it.process, it.item), Parcel::Assign(it));
            }
            Effect::Persist(Record::Arrived { process, item, .. }) => {
                self.outbox.remove(&(process, item));
            }
            Effect::Persist(Record::Pushed { next, .. }) => {
                assert!(next.0 >= self.pushed);
                self.pushed = next.0;
            }
            other => panic!("{other:?}"),
        }
    }

    fn act(&mut self, effect: Effect) {
        match effect {
            Effect::SignMessage { source, draft } => {
                let item = key().sign_item(&draft).unwrap();
                let mut out = Outbox::default();
                self.messenger.signed(self.now, source, item, &mut out);
                self.perform(out.drain());
            }
            Effect::Deliver(Offer::Item(item)) => {
                let to = Offer::Item(item.clone()).process().unwrap();
                self.deliver(to, item.id(), Some(item));
            }
            Effect::Assign(it) => self.deliver(it.process, it.item, None),
            Effect::Recall { process, after } => self.recall(process, &after),
            Effect::Notify(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Entries of a page, few so that there are many pages.
const PAGE: usize = 3;

fn beyond(item: &ItemId, after: Bound<ItemId>) -> bool {
    match after {
        Bound::Excluded(after) => *item > after,
        _ => true,
    }
}
