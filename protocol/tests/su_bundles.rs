//! Bundles that a scheduler of the public AO network signed.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a vector of another form fails the test"
)]

#[path = "support/needed.rs"]
mod needed;
#[path = "support/vectors.rs"]
mod vectors;

use std::collections::BTreeMap;

use surety_protocol::assignment::{Assignment, AssignmentDraft, HashChain};
use surety_protocol::bundle;
use surety_protocol::item::{Item, ItemDraft};
use surety_protocol::verified::Authentic;
use vectors::{Vectors, text};

#[test]
fn every_bundle_is_authentic_and_its_chain_unbroken() {
    let Some(mut vectors) = Vectors::open("su-bundles") else {
        return;
    };
    let index = vectors.index();
    let mut logs: BTreeMap<String, BTreeMap<u64, Assignment>> = BTreeMap::new();
    for vector in index.as_array().unwrap() {
        let file = text(vector, "file");
        let outer = authentic(&vectors.read(file));
        let items: Vec<Authentic<Item>> = bundle::parse(outer.data())
            .unwrap()
            .iter()
            .map(|item| authentic(item.bytes()))
            .collect();
        let listed = vector["items"].as_array().unwrap();
        assert_eq!(items.len(), listed.len(), "{file}");
        for (item, listed) in items.iter().zip(listed) {
            assert_eq!(item.id().to_string(), text(listed, "id"), "{file}");
            assert_eq!(
                item.owner_address().to_string(),
                text(listed, "owner"),
                "{file}"
            );
            assert_eq!(item.tag("Type"), Some(text(listed, "type")), "{file}");
            assert_eq!(
                item.data().len() as u64,
                listed["datalen"].as_u64().unwrap(),
                "{file}"
            );
        }
        let read = Assignment::from_authentic(&items[0]).unwrap().into_inner();
        assert_eq!(read.process.to_string(), text(vector, "process"), "{file}");
        assert_eq!(read.slot.0, vector["nonce"].as_u64().unwrap(), "{file}");
        assert_eq!(read.epoch.to_string(), text(vector, "epoch"), "{file}");
        assert_eq!(
            read.hash_chain.to_string(),
            text(vector, "hash_chain"),
            "{file}"
        );
        assert_eq!(read.id.to_string(), text(vector, "assignment"), "{file}");
        assert_eq!(read.signer.to_string(), text(vector, "su"), "{file}");
        assert_eq!(
            read.timestamp.to_string(),
            text(vector, "timestamp"),
            "{file}"
        );
        assert_eq!(
            format!("{:012}", read.block_height),
            text(vector, "block"),
            "{file}"
        );
        let message = read.message.map(|id| id.to_string()).unwrap_or_default();
        assert_eq!(message, text(vector, "message"), "{file}");
        // What we would have given the scheduler to sign is what it signed.
        assert_eq!(
            draft_of(&items[0]),
            as_drafted(&read, items[0].anchor()),
            "{file}"
        );
        // And we would have published the same bundle.
        let ours = bundle::draft(items.iter().map(|item| &**item));
        assert_eq!(ours.data, outer.data(), "{file}");
        assert_eq!(ours.tags, draft_of(&outer).tags, "{file}");
        logs.entry(read.process.to_string())
            .or_default()
            .insert(read.slot.0, read);
    }
    vectors.finish();

    let mut links = 0;
    for log in logs.values() {
        for (slot, assignment) in log {
            let expected = match slot.checked_sub(1) {
                None => HashChain::start(&assignment.process),
                Some(before) => match log.get(&before) {
                    Some(before) => before.next_hash_chain(),
                    None => continue,
                },
            };
            assert_eq!(
                assignment.hash_chain, expected,
                "{} slot {slot}",
                assignment.process
            );
            links += 1;
        }
    }
    assert!(links > 0, "no link of any chain was checked");
}

fn authentic(bytes: &[u8]) -> Authentic<Item> {
    Item::parse(bytes).unwrap().authenticate().unwrap()
}

fn draft_of(item: &Item) -> ItemDraft {
    ItemDraft {
        target: item.target().copied(),
        anchor: item.anchor().copied(),
        tags: item
            .tags()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        data: item.data().to_vec(),
    }
}

fn as_drafted(read: &Assignment, anchor: Option<&[u8; 32]>) -> ItemDraft {
    let draft = AssignmentDraft {
        timer: None,
        ..read.draft()
    };
    draft.to_item_draft(anchor.copied())
}
