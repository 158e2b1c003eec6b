//! Logs as others follow them: what does not continue them, and what is noticed.

use surety_attest::effect::{Effect, Offer, Record};
use surety_attest::log::{Appended, Logs};
use surety_protocol::assignment::{Assignment, AssignmentDraft, HashChain};
use surety_protocol::id::{AssignmentId, ItemId};
use surety_protocol::item::Item;
use surety_protocol::machine::Outbox;
use surety_protocol::time::{Height, Slot, Timestamp};
use surety_protocol::verified::Authentic;

use super::unit::{BEGIN, Unit, key};
use super::{message, process};

#[test]
fn a_log_does_not_go_on_past_a_tick_that_is_left_out() {
    let mut unit = Unit::new();
    let timed = process(1, &["5-seconds"]);
    unit.offer(Offer::Item(timed.clone()), 0, 0);
    let log = unit.log(timed.id().into());
    let item = message(&timed, 1);
    let mut draft = AssignmentDraft {
        process: timed.id().into(),
        epoch: 0,
        slot: Slot(1),
        hash_chain: log[0].next_hash_chain(),
        block_height: 0,
        timestamp: Timestamp(BEGIN + 5_000),
        message: Some(item.id().into()),
        exclude: Vec::new(),
        timer: None,
    };
    let mut out = Outbox::default();
    let late = key().sign_item(&draft.to_item_draft(None)).unwrap();
    let refused = unit
        .logs
        .append(Height(9), late, Some(item.clone()), &mut out);
    assert!(matches!(refused, Appended::Refused(_)), "{refused:?}");
    draft.timestamp = Timestamp(BEGIN + 4_999);
    let early = key().sign_item(&draft.to_item_draft(None)).unwrap();
    // Without the message that it names it waits for it.
    let waits = unit.logs.append(Height(9), early.clone(), None, &mut out);
    assert_eq!(waits, Appended::Ahead(2));
    let taken = unit.logs.append(Height(9), early, Some(item), &mut out);
    assert_eq!(taken, Appended::Grew);
}

/// A scheduler that lets a message happen twice has nobody who follows it, before and after a start.
#[test]
fn a_log_does_not_go_on_past_a_message_that_comes_again() {
    let mut unit = Unit::new();
    let item = process(1, &[]);
    unit.offer(Offer::Item(item.clone()), 0, 0);
    let once = message(&item, 1);
    unit.offer(Offer::Item(once.clone()), 10, 0);
    let log = unit.log(item.id().into());
    let assign = |message: &Authentic<Item>| {
        let draft = AssignmentDraft {
            process: item.id().into(),
            epoch: 0,
            slot: Slot(2),
            hash_chain: log[1].next_hash_chain(),
            block_height: 0,
            timestamp: Timestamp(BEGIN + 20),
            message: Some(message.id().into()),
            exclude: Vec::new(),
            timer: None,
        };
        key().sign_item(&draft.to_item_draft(None)).unwrap()
    };
    let mut out = Outbox::default();
    for again in [&once, &item] {
        let again = unit
            .logs
            .append(Height(9), assign(again), Some(again.clone()), &mut out);
        assert!(matches!(again, Appended::Refused(_)), "{again:?}");
    }
    let next = message(&item, 2);
    let taken = unit
        .logs
        .append(Height(9), assign(&next), Some(next), &mut out);
    assert_eq!(taken, Appended::Grew);
}

/// In whatever order they come, two assignments of one slot are noticed.
#[test]
fn a_second_assignment_is_noticed_whatever_comes_first() {
    let mut unit = Unit::new();
    let item = process(1, &[]);
    unit.offer(Offer::Item(item.clone()), 0, 0);
    let (first, _) = unit.inputs[&(item.id().into(), Slot(0))].clone();
    let begin = unit.log(item.id().into())[0].next_hash_chain();
    let assign = |slot: u64, chain: HashChain, late: u64| {
        let message = message(&item, slot);
        let draft = AssignmentDraft {
            process: item.id().into(),
            epoch: 0,
            slot: Slot(slot),
            hash_chain: chain,
            block_height: 0,
            timestamp: Timestamp(BEGIN + 10 * slot + late),
            message: Some(message.id().into()),
            exclude: Vec::new(),
            timer: None,
        };
        let signed = key().sign_item(&draft.to_item_draft(None)).unwrap();
        let next = Assignment::from_item(&signed).unwrap().next_hash_chain();
        ((signed, message), next)
    };
    let (one, chain) = assign(1, begin, 0);
    let (two, _) = assign(2, chain, 0);
    let (other, chain) = assign(2, chain, 1);
    let (three, _) = assign(3, chain, 0);
    let all = [one, two.clone(), other.clone(), three];
    let orders = (0..256_usize).map(|it| [it & 3, it >> 2 & 3, it >> 4 & 3, it >> 6]);
    let mut tried = 0;
    for order in orders.filter(|it| (0..4).all(|each| it.contains(&each))) {
        let mut logs = Logs::default();
        let mut out = Outbox::default();
        logs.append(Height(9), first.clone(), Some(item.clone()), &mut out);
        let mut pairs = Vec::new();
        for (assignment, message) in order.map(|it| all[it].clone()) {
            logs.append(Height(9), assignment, Some(message), &mut out);
            let noticed = logs.doubles(&item.id().into());
            pairs.extend(noticed.iter().map(|it| (it.first, it.second)));
        }
        let [two, other] = [&two, &other].map(|(it, _)| AssignmentId::from(it.id()));
        let once = pairs == [(two, other)] || pairs == [(other, two)];
        assert!(once, "{order:?}: {pairs:?}");
        // Evidence is made of what is kept.
        let kept: Vec<ItemId> = out
            .drain()
            .into_iter()
            .filter_map(|effect| match effect {
                Effect::Persist(Record::Item(item)) => Some(item.id()),
                Effect::Persist(Record::Input { assignment, .. }) => Some(assignment.id()),
                _ => None,
            })
            .collect();
        for id in [two, other].map(ItemId::from) {
            assert!(kept.contains(&id), "{order:?}");
        }
        tried += 1;
    }
    assert_eq!(tried, 24);
}
