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
#[path = "push/unit.rs"]
mod unit;

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};
use surety_attest::effect::Effect;
use surety_attest::push::{Messenger, Parcel};
use surety_attest::result::ProcessResult;
use surety_protocol::id::{ItemId, ModuleId};
use surety_protocol::item::{Item, ItemDraft, ItemKey};
use surety_protocol::machine::Outbox;
use surety_protocol::time::{Slot, Tick};
use surety_protocol::verified::Authentic;

use fuse::{Crashing as _, Fuse};
use unit::Unit;

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
fn however_much_is_for_wallets_what_is_for_processes_is_handed_over_after_a_start() {
    let mut messages = vec![message(&process(1), 0)];
    messages.extend((1..1_100).map(|number| message(&process(2), number)));
    let lost = (1..=1).collect();
    let mut unit = Unit::new(Vec::new(), lost);
    unit.wallets.insert(process(2).id().into());
    unit.results.push(result(messages, vec![], vec![]));
    unit.result(0);
    assert!(unit.arrived.is_empty());
    unit.restart();
    assert_eq!(unit.arrived.len(), 1);
    assert_eq!(unit.outbox.len(), 1_099);
    // What was a wallet to this messenger is a process, whose log begins.
    let late = process(2);
    unit.wallets.clear();
    let mut out = Outbox::default();
    unit.messenger.began(&late, &mut out);
    unit.perform(out.drain());
    for _ in 0..400 {
        unit.pass(1_000);
    }
    assert!(unit.outbox.is_empty());
    assert_eq!(unit.arrived.len(), 1_100);
}

#[test]
fn more_than_memory_has_room_for_is_read_back_when_there_is_room() {
    let many: Vec<_> = (0..5_000).map(|it| message(&process(1), it)).collect();
    let mut unit = Unit::new(Vec::new(), (1..=5_000).collect());
    unit.results.push(result(many, vec![], vec![]));
    unit.result(0);
    assert!(unit.arrived.is_empty());
    for _ in 0..2_000 {
        unit.pass(1_000);
    }
    assert!(unit.outbox.is_empty());
    assert_eq!(unit.arrived.len(), 5_000);
}

/// However much cannot arrive at one process, it takes no room of what is for another.
#[test]
fn what_cannot_arrive_holds_up_nothing_else() {
    let (dead, late) = (process(1), process(2));
    let mut unit = Unit::new(Vec::new(), BTreeSet::new());
    unit.down = [&dead, &late].map(|it| it.id().into()).into();
    for result_number in 0..40_u8 {
        let bogus = (0..128_u8).map(|number| {
            let mut id = [number; 32];
            id[0] = result_number;
            json!({ "Message": ItemId::new(id), "Processes": [dead.id()] })
        });
        let sent = vec![message(&late, result_number.into())];
        unit.results.push(result(sent, vec![], bogus.collect()));
        unit.result(result_number.into());
    }
    unit.restart();
    // Long in vain for both; then one of them answers.
    for _ in 0..2_000 {
        unit.pass(1_000);
    }
    assert!(unit.arrived.is_empty());
    unit.down.remove(&late.id().into());
    for _ in 0..2_000 {
        unit.pass(1_000);
    }
    assert_eq!(unit.arrived.len(), 40);
    unit.down.clear();
    for _ in 0..60_000 {
        unit.pass(1_000);
    }
    assert_eq!(unit.arrived.len(), 40 + 40 * 128);
    assert!(unit.outbox.is_empty());
}

#[test]
fn an_assignment_excludes_what_the_process_says() {
    let to = process(1).id();
    let asked = |exclude: Value| json!({ "Message": ItemId::default(), "Processes": [to], "Exclude": exclude });
    let excluded = |asked: Value| -> Vec<Vec<String>> {
        let lost = (1..=100).collect();
        let unit = Unit::new(vec![result(vec![], vec![], vec![asked])], lost);
        let all = unit.outbox.into_values().map(|it| match it {
            Parcel::Assign(assign) => assign.exclude,
            Parcel::Item(_) => panic!("no assignment"),
        });
        all.collect()
    };
    assert_eq!(
        excluded(asked(json!(["Data", "Anchor"]))),
        [["Data", "Anchor"]]
    );
    for nothing in [json!([]), json!({}), json!(null)] {
        assert_eq!(excluded(asked(nothing)), [Vec::<String>::new()]);
    }
    // Names of fields, or no assignment: the process would see what it does not want.
    let many: Vec<_> = (0..17).map(|it| format!("X{it}")).collect();
    for nonsense in [json!("Data"), json!([1]), json!(["Da ta"]), json!(many)] {
        assert!(excluded(asked(nonsense)).is_empty());
    }
    let mut elsewhere = asked(json!([]));
    elsewhere["BaseLayer"] = json!("true");
    assert!(excluded(elsewhere).is_empty());
}

#[test]
fn who_names_no_authority_is_pushed_for_by_its_scheduler() {
    let pushes = |tags: &[(&str, String)]| {
        let mut draft = ItemDraft::default().tag("Type", "Process");
        for (name, value) in tags {
            draft = draft.tag(*name, value.clone());
        }
        let item = ItemKey::ed25519(&[4; 32]).sign_item(&draft).unwrap();
        let mut messenger = Messenger::new(key().address());
        messenger.process(&item, ModuleId::default(), Slot(0));
        messenger.next(&item.id().into()).is_some()
    };
    let (ours, other) = (key().address().to_string(), "other".to_owned());
    assert!(pushes(&[("Scheduler", ours.clone())]));
    assert!(pushes(&[
        ("Scheduler", other.clone()),
        ("Authority", ours.clone())
    ]));
    assert!(!pushes(&[
        ("Scheduler", ours),
        ("Authority", other.clone())
    ]));
    assert!(!pushes(&[("Scheduler", other)]));
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
        prop_assert!(unit.outbox.is_empty());
        prop_assert_eq!(unit.pushed, shapes.len() as u64);
    }
}
