//! What is told of logs.

use surety_node::net::{Subnet, Topic};
use surety_protocol::assignment::{Assignment, AssignmentDraft};
use surety_protocol::bundle;
use surety_protocol::item::{Item, ItemDraft, ItemKey};
use surety_protocol::time::{Slot, Timestamp};

use crate::claims::elsewhere;
use crate::stage::{Case, STAGE, case, item_key, said};

/// A slot that was told: where in the run, what it says, and its items.
struct Told {
    at: usize,
    read: Assignment,
    items: Vec<Item>,
}

fn all() -> Vec<Told> {
    let told = STAGE.said.iter().enumerate();
    let told = told.filter(|(_, said)| matches!(said.topic, Topic::Assignments(_)));
    told.map(|(at, said)| {
        let items = bundle::parse(&said.data).unwrap();
        let items: Vec<Item> = items.iter().map(|it| it.to_item()).collect();
        let read = Assignment::from_item(&items[0]).unwrap();
        Told { at, read, items }
    })
    .collect()
}

fn bundled(items: &[&Item]) -> Vec<u8> {
    bundle::write(items.iter().copied())
}

/// The same bytes but for the last of the signature.
fn forged(item: &Item) -> Item {
    let mut bytes = item.bytes().to_vec();
    // The signature follows two bytes of its type.
    bytes[2 + 63] ^= 1;
    Item::parse(bytes).unwrap()
}

pub(crate) fn cases() -> Vec<Case> {
    let all = all();
    let process = all[0].read.process;
    let of: Vec<&Told> = all.iter().filter(|it| it.read.process == process).collect();
    let (first, last, next, after) = (of[0], of[1], of[2], of[3]);
    assert_eq!((first.read.slot, next.read.slot), (Slot(0), Slot(2)));
    let scheduler = STAGE.world.operators.iter();
    let scheduler = scheduler
        .clone()
        .find(|it| it.item_key == next.read.signer)
        .unwrap();
    let (key, strange) = (item_key(scheduler), ItemKey::ed25519(&[7; 32]));
    let mut others = STAGE.world.operators.iter();
    let another = item_key(others.find(|it| it.item_key != next.read.signer).unwrap());
    let message = &next.items[1];
    let assign = |key: &ItemKey, draft: AssignmentDraft| -> Vec<u8> {
        let item = key.sign_item(&draft.to_item_draft(None)).unwrap();
        bundled(&[&item, message])
    };
    let later = |by: u64| AssignmentDraft {
        timestamp: Timestamp(next.read.timestamp.0 + by),
        ..next.read.draft()
    };
    let message_of_nobody = strange
        .sign_item(&ItemDraft::default().tag("Type", "Message"))
        .unwrap();
    let topic = Topic::Assignments(Subnet::of(&process));
    let told = |name, after: usize, data: Vec<u8>| case(name, after, topic, data);
    let again = |it: &Told| STAGE.said[it.at].data.to_vec();
    let mut third = told("third", next.at + 1, assign(&key, later(2)));
    third.before = vec![said(topic, assign(&key, later(1)))];
    let broken = AssignmentDraft {
        hash_chain: first.read.hash_chain,
        ..next.read.draft()
    };
    let back = AssignmentDraft {
        timestamp: Timestamp(last.read.timestamp.0 - 1),
        ..next.read.draft()
    };
    let neither = AssignmentDraft {
        message: None,
        ..next.read.draft()
    };
    let neither = key.sign_item(&neither.to_item_draft(None)).unwrap();
    let repeated = AssignmentDraft {
        message: last.read.message,
        ..next.read.draft()
    };
    let repeated = key.sign_item(&repeated.to_item_draft(None)).unwrap();
    let beyond = AssignmentDraft {
        block_height: 1_000_000,
        ..next.read.draft()
    };
    vec![
        told("first", first.at, again(first)),
        told("next", next.at, again(next)),
        case("in-another-subnet", next.at, elsewhere(topic), again(next)),
        told("known", next.at + 1, again(next)),
        told("second", next.at + 1, assign(&key, later(1))),
        third,
        told("branch", next.at, assign(&key, broken)),
        told("ahead", next.at, again(after)),
        told("unknown-process", first.at, again(next)),
        told("without-message", next.at, bundled(&[&next.items[0]])),
        told("without-process", first.at, bundled(&[&first.items[0]])),
        told("beyond-horizon", next.at, assign(&key, beyond)),
        told("not-a-bundle", next.at, b"no bundle".to_vec()),
        told(
            "three-items",
            next.at,
            bundled(&[&next.items[0], message, message]),
        ),
        told("no-assignment", next.at, bundled(&[message])),
        told(
            "forged",
            next.at,
            bundled(&[&forged(&next.items[0]), message]),
        ),
        told(
            "forged-message",
            next.at,
            bundled(&[&next.items[0], &forged(message)]),
        ),
        told(
            "other-scheduler",
            next.at,
            assign(&strange, next.read.draft()),
        ),
        told(
            "other-message",
            next.at,
            bundled(&[&next.items[0], &message_of_nobody]),
        ),
        told(
            "other-process",
            first.at,
            bundled(&[&first.items[0], &message_of_nobody]),
        ),
        told(
            "by-another-operator",
            next.at,
            assign(&another, next.read.draft()),
        ),
        told("neither", next.at, bundled(&[&neither])),
        told("clock-back", next.at, assign(&key, back)),
        told(
            "message-again",
            next.at,
            bundled(&[&repeated, &last.items[1]]),
        ),
    ]
}
