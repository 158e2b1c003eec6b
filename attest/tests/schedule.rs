//! A scheduler and the logs that follow it: whatever is offered, whenever it stops, everybody can follow and nothing is lost or
//! assigned twice.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

#[path = "schedule/follow.rs"]
mod follow;
#[path = "crash/fuse.rs"]
mod fuse;
#[path = "schedule/unit.rs"]
mod unit;

use proptest::prelude::*;
use surety_attest::effect::{Effect, Offer};
use surety_attest::log::{Appended, Logs};
use surety_protocol::id::ItemId;
use surety_protocol::item::{Item, ItemDraft, ItemKey, RsaComponents};
use surety_protocol::machine::Outbox;
use surety_protocol::time::{Height, Slot};
use surety_protocol::verified::Authentic;

use fuse::Fuse;
use unit::{BEGIN, Unit, key, user};

fn process(number: u64, timers: &[&str]) -> Authentic<Item> {
    let draft = ItemDraft::default()
        .tag("Data-Protocol", "ao")
        .tag("Type", "Process")
        .tag("Module", ItemId::default().to_string())
        .tag("Scheduler", key().address().to_string())
        .tag("Number", number.to_string());
    let timed = timers
        .iter()
        .fold(draft, |draft, timer| draft.tag("Cron-Interval", *timer));
    user().sign_item(&timed).unwrap()
}

fn message(to: &Item, number: u64) -> Authentic<Item> {
    let draft = ItemDraft::default()
        .to(*to.id().as_bytes())
        .tag("Data-Protocol", "ao")
        .tag("Type", "Message")
        .tag("Number", number.to_string());
    user().sign_item(&draft).unwrap()
}

#[test]
fn any_item_can_be_assigned_once() {
    let mut unit = Unit::new();
    let (one, other) = (process(1, &[]), process(2, &[]));
    unit.offer(Offer::Item(one.clone()), 0, 0);
    unit.offer(Offer::Item(other.clone()), 0, 0);
    let item = message(&one, 1);
    unit.offer(Offer::Item(item.clone()), 1, 0);
    let assign = |exclude: &[&str]| Offer::Assign {
        process: other.id().into(),
        item: item.clone(),
        exclude: exclude.iter().map(|it| (*it).to_owned()).collect(),
    };
    unit.offer(assign(&["no such;field"]), 2, 0);
    unit.offer(assign(&["Data"; 17]), 2, 0);
    unit.offer(assign(&["Data", "Tags"]), 2, 0);
    unit.offer(assign(&[]), 3, 0);
    let log = unit.log(other.id().into());
    assert_eq!(log.len(), 2);
    assert_eq!(log[1].message, Some(item.id().into()));
    assert_eq!(log[1].exclude, ["Data", "Tags"]);
    let codes: Vec<&str> = unit.refused.iter().map(|(_, code)| *code).collect();
    assert_eq!(
        codes,
        [
            "exclude-malformed",
            "exclude-malformed",
            "already-scheduled"
        ]
    );
    // A process is no input of itself but the first.
    let itself = Offer::Assign {
        process: one.id().into(),
        item: one.clone(),
        exclude: Vec::new(),
    };
    unit.offer(itself, 4, 0);
    assert_eq!(unit.refused.last().unwrap().1, "already-scheduled");
}

#[test]
fn what_no_log_can_begin_with_gets_no_slot() {
    let mut unit = Unit::new();
    let draft = ItemDraft::default()
        .tag("Data-Protocol", "ao")
        .tag("Type", "Process")
        .tag("Scheduler", key().address().to_string());
    for module in [None, Some("m")] {
        let draft = module.map_or(draft.clone(), |it| draft.clone().tag("Module", it));
        let item = user().sign_item(&draft).unwrap();
        unit.offer(Offer::Item(item), 0, 0);
    }
    let codes: Vec<&str> = unit.refused.iter().map(|(_, code)| *code).collect();
    assert_eq!(codes, ["module-malformed"; 2]);
    assert!(unit.inputs.is_empty());
    // A process whose item does not travel with its assignment is asked for.
    let item = process(1, &[]);
    unit.offer(Offer::Item(item.clone()), 0, 0);
    let (assignment, _) = unit.inputs[&(item.id().into(), Slot(0))].clone();
    let mut logs = Logs::default();
    let mut out = Outbox::default();
    let waits = logs.append(Height(9), assignment.clone(), None, &mut out);
    assert_eq!(waits, Appended::Nothing);
    assert!(matches!(out.drain().as_slice(), [Effect::Fetch(_)]));
    let begun = logs.append(Height(9), assignment, Some(item), &mut out);
    assert_eq!(begun, Appended::Grew);
}

/// What AO's scheduler takes by its tags, and no more.
#[test]
fn tags_decide_who_gets_a_slot() {
    let mut unit = Unit::new();
    let to = process(1, &[]);
    unit.offer(Offer::Item(to.clone()), 0, 0);
    let of = |target: bool, tags: &[(&str, &str)]| {
        let draft = if target {
            ItemDraft::default().to(*to.id().as_bytes())
        } else {
            ItemDraft::default()
                .tag("Scheduler", key().address().to_string())
                .tag("Module", ItemId::default().to_string())
        };
        let tagged = tags
            .iter()
            .fold(draft, |it, (name, value)| it.tag(*name, *value));
        Offer::Item(user().sign_item(&tagged).unwrap())
    };
    let protocol = ("Data-Protocol", "ao");
    let id = ItemId::new([7; 32]).to_string();
    for (target, tags) in [
        (true, &[protocol, ("Type", "Message")][..]),
        (true, &[protocol, ("type", "Message")]),
        (true, &[("Data-Protocol", "another"), ("Type", "Message")]),
        (false, &[protocol, ("type", "Process")]),
        (false, &[protocol, ("Type", "Process"), ("On-Boot", "Data")]),
        (false, &[protocol, ("Type", "Process"), ("On-Boot", &id)]),
    ] {
        let before = unit.inputs.len();
        unit.offer(of(target, tags), 1, 0);
        assert_eq!(unit.inputs.len(), before + 1, "{tags:?}");
    }
    for (code, target, tags) in [
        ("protocol-missing", true, &[("Type", "Message")][..]),
        ("type-unsupported", true, &[protocol]),
        ("type-unsupported", true, &[protocol, ("Type", "Module")]),
        (
            "link-unsupported",
            true,
            &[protocol, ("Type", "Message"), ("a+link", "b")],
        ),
        (
            "link-unsupported",
            true,
            &[protocol, ("Type", "Message"), ("a", "b+link")],
        ),
        (
            "on-boot-malformed",
            false,
            &[protocol, ("Type", "Process"), ("On-Boot", "elsewhere")],
        ),
    ] {
        let before = unit.inputs.len();
        unit.offer(of(target, tags), 2, 0);
        assert_eq!(unit.refused.last().map(|(_, it)| *it), Some(code));
        assert_eq!(unit.inputs.len(), before, "{tags:?}");
    }
}

/// A salted signature makes another id of the same message.
#[test]
fn what_a_process_sent_gets_one_slot_however_often_its_sender_signs_it() {
    let mut unit = Unit::new();
    let (one, other) = (process(1, &[]), process(2, &[]));
    unit.offer(Offer::Item(one.clone()), 0, 0);
    unit.offer(Offer::Item(other.clone()), 0, 0);
    let salted = ItemKey::rsa(&RsaComponents::generate().unwrap()).unwrap();
    let draft = ItemDraft::default()
        .to(*one.id().as_bytes())
        .tag("Data-Protocol", "ao")
        .tag("Type", "Message");
    let sent = draft.clone().tag("From-Process", other.id().to_string());
    let copies = |by: &ItemKey, draft: &ItemDraft| [0; 2].map(|_| by.sign_item(draft).unwrap());
    let [first, again] = copies(&salted, &sent);
    assert_ne!(first.id(), again.id());
    // At once, later, and after a start.
    let both = [first, again.clone()].map(Offer::Item);
    unit.burst(both.to_vec(), 1, 0);
    unit.offer(Offer::Item(again.clone()), 2, 0);
    unit.restart();
    unit.offer(Offer::Item(again.clone()), 3, 0);
    assert_eq!(unit.log(one.id().into()).len(), 2);
    let codes: Vec<&str> = unit.refused.iter().map(|(_, code)| *code).collect();
    assert_eq!(codes, ["already-scheduled"; 3]);
    // A stranger's copy does not stand in its way, nor does this one for who asks for it, nor what users say twice.
    let [copy, _] = copies(&user(), &sent);
    unit.offer(Offer::Item(copy), 4, 0);
    let assign = Offer::Assign {
        process: one.id().into(),
        item: again,
        exclude: Vec::new(),
    };
    unit.offer(assign, 5, 0);
    for said in copies(&salted, &draft) {
        unit.offer(Offer::Item(said), 6, 0);
    }
    assert_eq!(unit.log(one.id().into()).len(), 6);
}

#[test]
fn what_waits_is_bounded_in_bytes_and_whoever_asks_twice_waits_once() {
    let mut unit = Unit::new();
    let item = process(1, &[]);
    unit.offer(Offer::Item(item.clone()), 0, 0);
    let large = |number: u64| {
        let draft = ItemDraft::default()
            .to(*item.id().as_bytes())
            .tag("Data-Protocol", "ao")
            .tag("Type", "Message")
            .tag("Number", number.to_string())
            .carrying(vec![0; 6 << 20]);
        Offer::Item(user().sign_item(&draft).unwrap())
    };
    let offers: Vec<Offer> = (0..14).flat_map(|it| [large(it), large(it)]).collect();
    unit.burst(offers, 1, 0);
    let busy = unit
        .refused
        .iter()
        .filter(|(_, code)| *code == "scheduler-busy");
    // One is reserved at once, ten wait; what is refused may come again, and then has room.
    assert_eq!(busy.count(), 6);
    assert_eq!(unit.log(item.id().into()).len(), 12);
}

#[test]
fn ticks_come_by_themselves_and_before_what_is_later() {
    let mut unit = Unit::new();
    let timed = process(1, &["5-seconds", "1-block"]);
    unit.offer(Offer::Item(timed.clone()), 400, 10);
    unit.time(4_900, 10);
    unit.time(5_010, 10);
    unit.time(7_000, 11);
    unit.offer(Offer::Item(message(&timed, 1)), 16_000, 11);
    unit.time(16_500, 11);
    let told: Vec<_> = unit
        .log(timed.id().into())
        .into_iter()
        .map(|it| (it.timer, it.timestamp.0 - BEGIN, it.block_height))
        .collect();
    let tick = |timer: &str, at, height| (Some(timer.to_owned()), at, height);
    assert_eq!(
        told,
        [
            (None, 400, 10),
            tick("0-5-seconds", 5_000, 10),
            tick("1-1-block", 7_000, 11),
            tick("0-5-seconds", 10_000, 11),
            tick("0-5-seconds", 15_000, 11),
            (None, 16_000, 11),
        ]
    );
}

#[derive(Debug, Clone)]
enum Deed {
    Send(usize),
    Burst(usize, u64),
    Assign(usize),
    Pass(u64),
    Block,
    /// Stops after so many effects, and starts again later.
    Crash(usize),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (0..3_usize).prop_map(Deed::Send),
        2 => (0..3_usize, 1..80_u64).prop_map(|(to, count)| Deed::Burst(to, count)),
        1 => (0..3_usize).prop_map(Deed::Assign),
        4 => (0..4_000_u64).prop_map(Deed::Pass),
        2 => Just(Deed::Block),
        2 => (0..6_usize).prop_map(Deed::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_happens_everybody_can_follow(deeds in prop::collection::vec(deed(), 1..60)) {
        let processes = [
            process(0, &[]),
            process(1, &["1-second", "2-blocks"]),
            process(2, &["3-seconds", "1-block", "2-seconds"]),
        ];
        let mut unit = Unit::new();
        let (mut now, mut height, mut sent) = (0, 5, 0);
        for it in &processes {
            unit.offer(Offer::Item(it.clone()), now, height);
        }
        let mut wanted = Vec::new();
        for deed in deeds {
            match deed {
                Deed::Send(to) => {
                    sent += 1;
                    let item = message(&processes[to], sent);
                    wanted.push(Offer::Item(item.clone()));
                    unit.offer(Offer::Item(item), now, height);
                }
                Deed::Burst(to, count) => {
                    let offers: Vec<Offer> = (0..count)
                        .map(|it| Offer::Item(message(&processes[to], sent + 1 + it)))
                        .collect();
                    sent += count;
                    wanted.extend(offers.clone());
                    unit.burst(offers, now, height);
                }
                Deed::Assign(to) => {
                    sent += 1;
                    let offer = Offer::Assign {
                        process: processes[to].id().into(),
                        item: message(&processes[(to + 1) % 3], sent),
                        exclude: vec!["Data".into()],
                    };
                    wanted.push(offer.clone());
                    unit.offer(offer, now, height);
                }
                Deed::Pass(milliseconds) => {
                    now += milliseconds;
                    unit.time(now, height);
                }
                Deed::Block => {
                    height += 1;
                    unit.time(now, height);
                }
                Deed::Crash(effects) => {
                    unit.left = Fuse(Some(effects));
                    sent += 1;
                    let offers: Vec<Offer> = (0..3)
                        .map(|it| Offer::Item(message(&processes[sent as usize % 3], sent + it)))
                        .collect();
                    sent += 3;
                    wanted.extend(offers.clone());
                    unit.burst(offers, now, height);
                    now += 1_500;
                    unit.time(now, height);
                    unit.restart();
                }
            }
        }
        // Whoever got no answer asks again.
        for offer in wanted.clone() {
            unit.offer(offer, now, height);
        }
        now += 10_000;
        unit.time(now, height);
        for offer in wanted {
            let log = unit.log(offer.process().unwrap());
            let message = Some(offer.item().id().into());
            prop_assert_eq!(log.iter().filter(|it| it.message == message).count(), 1);
        }
        for it in &processes {
            let log = unit.log(it.id().into());
            prop_assert_eq!(unit.logs.get(&it.id().into()).unwrap().size as usize, log.len());
        }
        // Every second of the timer has its tick, once.
        let ticks = unit.log(processes[1].id().into());
        let seconds = ticks.iter().filter(|it| it.timer.as_deref() == Some("0-1-second"));
        prop_assert_eq!(seconds.count() as u64, now / 1000);
        let blocks = ticks.iter().filter(|it| it.timer.as_deref() == Some("1-2-blocks"));
        prop_assert_eq!(blocks.count() as u64, (height - 5) / 2);
    }
}
