//! A messenger between processes and their schedulers: whatever it sends arrives once, wherever it stops.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

#[path = "crash/fuse.rs"]
mod fuse;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};
use surety_attest::effect::{Effect, Offer, Record, Source};
use surety_attest::push::Messenger;
use surety_attest::result::ProcessResult;
use surety_protocol::id::{ItemId, ModuleId, ProcessId};
use surety_protocol::item::{Item, ItemDraft, ItemKey};
use surety_protocol::machine::Outbox;
use surety_protocol::time::{Slot, Tick};
use surety_protocol::verified::Authentic;

use fuse::{Crashing, Fuse};

fn key() -> ItemKey {
    ItemKey::ed25519(&[3; 32])
}

fn process(number: u64) -> Authentic<Item> {
    let draft = ItemDraft::default()
        .tag("Type", "Process")
        .tag("Authority", format!("{}, other", key().address()))
        .tag("Scheduler", "the scheduler")
        .tag("Number", number.to_string());
    ItemKey::ed25519(&[4; 32]).sign_item(&draft).unwrap()
}

fn cause(number: u64) -> Authentic<Item> {
    let draft = ItemDraft::default().tag("Number", number.to_string());
    ItemKey::ed25519(&[5; 32]).sign_item(&draft).unwrap()
}

/// A messenger with the disk that outlives it, and the logs that it delivers to.
struct Unit {
    messenger: Messenger,
    parent: Authentic<Item>,
    results: Vec<ProcessResult>,
    pushed: u64,
    outbox: BTreeMap<(Source, ItemId), Authentic<Item>>,
    assigns: BTreeSet<(ProcessId, ItemId)>,
    /// What has a slot: how often each was handed over does not matter, that it is there does.
    arrived: BTreeSet<(ProcessId, ItemId)>,
    begun: BTreeMap<ProcessId, Authentic<Item>>,
    /// Messages between nodes that are lost, by their count.
    lost: BTreeSet<usize>,
    handed: usize,
    left: Fuse,
    now: Tick,
}

impl Unit {
    fn new(results: Vec<ProcessResult>, lost: BTreeSet<usize>) -> Unit {
        let mut unit = Unit {
            messenger: Messenger::new(key().address()),
            parent: process(0),
            results,
            pushed: 0,
            outbox: BTreeMap::new(),
            assigns: BTreeSet::new(),
            arrived: BTreeSet::new(),
            begun: BTreeMap::new(),
            lost,
            handed: 0,
            left: Fuse::default(),
            now: Tick(0),
        };
        unit.restart();
        unit
    }

    fn id(&self) -> ProcessId {
        self.parent.id().into()
    }

    /// A scheduler takes what it has not got.
    fn deliver(&mut self, to: ProcessId, id: ItemId, item: Option<Authentic<Item>>) {
        self.handed += 1;
        if self.lost.contains(&self.handed) {
            return;
        }
        if !self.arrived.insert((to, id)) {
            let mut out = Outbox::default();
            self.messenger.known(to, id, &mut out);
            return self.perform(out.drain());
        }
        self.assigns.remove(&(to, id));
        self.messenger.arrived(to, id);
        let Some(item) = item else { return };
        if item.tag("Type") == Some("Process") {
            self.begun.insert(to, item.clone());
            let mut out = Outbox::default();
            self.messenger.began(&item, &mut out);
            self.perform(out.drain());
        } else {
            self.outbox.retain(|(_, it), _| *it != id);
        }
    }

    /// Starts again from what is durable.
    fn restart(&mut self) {
        self.left = Fuse::default();
        self.messenger = Messenger::new(key().address());
        let module = ModuleId::default();
        self.messenger
            .process(&self.parent, module, Slot(self.pushed));
        for item in self.outbox.clone().into_values() {
            let mut out = Outbox::default();
            match self.begun.get(&item.id().into()) {
                Some(_) => self.messenger.began(&item, &mut out),
                None => self.messenger.resume(self.now, item, &mut out),
            }
            self.perform(out.drain());
        }
        for (to, item) in self.assigns.clone() {
            let mut out = Outbox::default();
            self.messenger
                .resume_assignment(self.now, to, item, &mut out);
            self.perform(out.drain());
        }
        for slot in self.pushed..self.results.len() as u64 {
            self.result(slot);
        }
    }

    fn result(&mut self, slot: u64) {
        let result = self.results[slot as usize].clone();
        let mut out = Outbox::default();
        let (id, cause) = (self.id(), cause(slot));
        self.messenger
            .result(self.now, id, Slot(slot), &cause, &result, &mut out);
        self.perform(out.drain());
    }

    fn pass(&mut self, milliseconds: u64) {
        self.now = Tick(self.now.0 + milliseconds);
        let mut out = Outbox::default();
        self.messenger.tick(self.now, |_| true, &mut out);
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
                if let Some(spawn) = spawn {
                    assert!(self.outbox.remove(&spawn).is_some(), "a notice of nothing");
                }
                self.outbox.insert((source, item.id()), item);
            }
            Effect::Persist(Record::Assign { process, item }) => {
                self.assigns.insert((process, item));
            }
            Effect::Persist(Record::Arrived {
                process,
                item,
                source,
            }) => match source {
                Some(source) => drop(self.outbox.remove(&(source, item))),
                None => drop(self.assigns.remove(&(process, item))),
            },
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
            Effect::Assign { process, item } => self.deliver(process, item, None),
            Effect::Notify(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn result(messages: Vec<Value>, spawns: Vec<Value>, assignments: Vec<Value>) -> ProcessResult {
    ProcessResult {
        output: Value::Null,
        messages,
        spawns,
        assignments,
        error: None,
        gas: 1,
    }
}

fn message(to: &Item, number: usize) -> Value {
    json!({ "Target": to.id(), "Data": "d", "Tags": [
        { "name": "Number", "value": number.to_string() },
        { "name": "From-Process", "value": "somebody else" },
    ] })
}

fn spawn(number: usize) -> Value {
    json!({ "Data": "", "Tags": [
        { "name": "Module", "value": "m" },
        { "name": "Reference", "value": number.to_string() },
        { "name": "Cron-Interval", "value": "1-block" },
    ] })
}

fn assignment(number: u8) -> Value {
    json!({ "Message": ItemId::new([number; 32]), "Processes": [process(1).id(), process(2).id()] })
}

#[test]
fn a_parent_is_told_once_with_the_tags_of_its_spawn() {
    let mut unit = Unit::new(
        vec![result(vec![], vec![spawn(7)], vec![])],
        BTreeSet::new(),
    );
    let (child, item) = unit.begun.pop_first().expect("a child");
    assert_eq!(item.tag("Scheduler"), Some("the scheduler"));
    assert_eq!(
        item.tag("From-Process"),
        Some(unit.id().to_string().as_str())
    );
    let told: Vec<_> = unit
        .arrived
        .iter()
        .filter(|(to, _)| *to == unit.id())
        .collect();
    assert_eq!(told.len(), 1);
    assert!(unit.outbox.is_empty());
    // Again, to look at it.
    let mut out = Outbox::default();
    unit.messenger.began(&item, &mut out);
    let Some(Effect::SignMessage { draft, .. }) = out.drain().pop() else {
        panic!("no notice");
    };
    let tags: Vec<(&str, &str)> = draft
        .tags
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        tags[..3],
        [
            ("Action", "Spawned"),
            ("Process", child.to_string().as_str()),
            ("Reference", "7"),
        ]
    );
    assert!(
        tags.iter()
            .all(|(name, _)| *name != "Cron-Interval" && *name != "Module")
    );
    assert_eq!(draft.target, Some(*unit.id().as_bytes()));
    // A stranger's process that says so is no spawn of ours.
    let forged = ItemDraft::default()
        .tag("Type", "Process")
        .tag("From-Process", unit.id().to_string())
        .tag("From-Slot", "0")
        .tag("From-Index", "0");
    let forged = ItemKey::ed25519(&[9; 32]).sign_item(&forged).unwrap();
    unit.messenger.began(&forged, &mut out);
    assert!(out.drain().is_empty());
}

#[test]
fn what_does_not_arrive_is_handed_over_again_ever_more_seldom() {
    let lost = (1..=4).collect();
    let mut unit = Unit::new(
        vec![result(vec![message(&process(1), 1)], vec![], vec![])],
        lost,
    );
    assert!(unit.arrived.is_empty());
    let mut tries = Vec::new();
    for second in 0..400 {
        let before = unit.handed;
        unit.pass(1_000);
        if unit.handed > before {
            tries.push(second + 1);
        }
    }
    assert_eq!(tries, [10, 30, 70, 150]);
    assert_eq!(unit.arrived.len(), 1);
    assert!(unit.outbox.is_empty());
}

#[test]
fn what_is_for_a_wallet_is_not_tried_again_and_again() {
    let lost = (1..=100).collect();
    let mut unit = Unit::new(
        vec![result(vec![message(&process(1), 1)], vec![], vec![])],
        lost,
    );
    for _ in 0..400 {
        unit.now = Tick(unit.now.0 + 1_000);
        let mut out = Outbox::default();
        unit.messenger.tick(unit.now, |_| false, &mut out);
        assert!(out.drain().is_empty());
    }
    assert_eq!(unit.outbox.len(), 1);
}

#[test]
fn what_no_item_can_be_is_left_out_and_holds_up_nothing() {
    let tags = |count: usize, bytes: usize| -> Value {
        (0..count)
            .map(|it| json!({ "name": format!("{it}"), "value": "x".repeat(bytes) }))
            .collect::<Vec<_>>()
            .into()
    };
    let to = process(1).id();
    let too_many = json!({ "Target": to, "Tags": tags(128, 1) });
    let too_long = json!({ "Target": to, "Tags": tags(1, 4096) });
    let crowded = json!({ "Data": "", "Tags": tags(119, 1) });
    let results = vec![
        result(vec![message(&process(1), 1), too_many], vec![], vec![]),
        result(vec![too_long], vec![crowded], vec![]),
        result(vec![message(&process(1), 2)], vec![], vec![]),
    ];
    let unit = Unit::new(results, BTreeSet::new());
    assert_eq!(unit.pushed, 3);
    assert!(unit.outbox.is_empty());
    // Two messages, a process with as many tags as there is room for, and the notice of it.
    assert_eq!(unit.arrived.len(), 4);
}

#[test]
fn assignments_are_bounded_and_nonsense_is_left_out() {
    let many: Vec<Value> = (0..200_u8).map(assignment).collect();
    let unit = Unit::new(vec![result(vec![], vec![], many)], BTreeSet::new());
    assert_eq!(unit.arrived.len(), 128);
    let nonsense = vec![
        json!({}),
        json!({ "Message": 1, "Processes": ["x"] }),
        json!({ "Message": ItemId::default(), "Processes": "x" }),
        json!("text"),
        json!({ "Message": ItemId::default(), "Processes": ["x", 1, process(1).id()] }),
    ];
    let unit = Unit::new(
        vec![result(
            vec![json!({}), json!(1)],
            vec![json!(null)],
            nonsense,
        )],
        BTreeSet::new(),
    );
    // The last has one process that is one; a spawn may be of nothing but what everybody has.
    assert_eq!(unit.arrived.len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn wherever_it_stops_everything_arrives_once(
        shapes in prop::collection::vec((0..3_usize, 0..2_usize, 0..2_u8), 1..6),
        crashes in prop::collection::vec(0..12_usize, 0..8),
        lost in prop::collection::btree_set(0..40_usize, 0..12),
    ) {
        let mut number = 0;
        let mut results = Vec::new();
        for (messages, spawns, assigns) in &shapes {
            let messages = (0..*messages).map(|_| { number += 1; message(&process(1), number) }).collect();
            let spawns = (0..*spawns).map(|_| { number += 1; spawn(number) }).collect();
            let assigns = (0..*assigns).map(|_| { number += 1; assignment(number as u8) }).collect();
            results.push(result(messages, spawns, assigns));
        }
        let mut unit = Unit::new(Vec::new(), lost);
        let mut crashes = crashes.into_iter();
        for result in results {
            unit.results.push(result);
            unit.left = Fuse(crashes.next());
            unit.result(unit.results.len() as u64 - 1);
            if unit.left.burns() {
                unit.restart();
            }
            unit.left = Fuse::default();
        }
        unit.restart();
        for _ in 0..600 {
            unit.pass(1_000);
        }
        let sum = |of: fn(&(usize, usize, u8)) -> usize| shapes.iter().map(of).sum::<usize>();
        let (messages, spawns, assigns) = (sum(|it| it.0), sum(|it| it.1), sum(|it| usize::from(it.2)));
        // A spawn arrives as a process, and as a notice to its parent; an assignment names two processes.
        prop_assert_eq!(unit.arrived.len(), messages + 2 * spawns + 2 * assigns);
        prop_assert_eq!(unit.begun.len(), spawns);
        prop_assert!(unit.outbox.is_empty() && unit.assigns.is_empty());
        prop_assert_eq!(unit.pushed, shapes.len() as u64);
    }
}
