//! The outbox as it lies in the store.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

use std::sync::Arc;

use surety_attest::effect::{Assign, Record, Source};
use surety_attest::push::Parcel;
use surety_protocol::assignment::AssignmentDraft;
use surety_protocol::hashpath::Hashpath;
use surety_protocol::id::{ItemId, ProcessId};
use surety_protocol::item::{Item, ItemDraft, ItemKey};
use surety_protocol::time::{Slot, Timestamp};
use surety_protocol::verified::Authentic;

use super::{RECALLED_MAX, put};
use crate::archive::Archive;
use crate::store::{Batch, MemoryStore};

fn key() -> ItemKey {
    ItemKey::ed25519(&[1; 32])
}

fn place(index: u64) -> Source {
    Source {
        process: ProcessId::new([1; 32]),
        slot: Slot(3),
        index,
    }
}

fn sent(to: Option<ProcessId>, index: u64) -> Authentic<Item> {
    let source = place(index);
    let mut draft = ItemDraft::default()
        .tag("From-Process", source.process.to_string())
        .tag("From-Slot", source.slot.to_string())
        .tag("From-Index", source.index.to_string());
    if let Some(to) = to {
        draft = draft.to(*to.as_bytes());
    }
    key().sign_item(&draft).unwrap()
}

fn write(archive: &Archive, records: Vec<Record>) {
    let mut batch = Batch::new();
    for record in records {
        put(&mut batch, record).unwrap();
    }
    archive.write(batch).unwrap();
}

fn outbox(item: &Authentic<Item>, index: u64) -> Record {
    Record::Outbox {
        source: place(index),
        item: item.clone(),
        spawn: None,
    }
}

/// All pages, and how many there were.
fn all(archive: &Archive, process: ProcessId) -> (Vec<Parcel>, usize) {
    let (mut parcels, mut pages, mut after) = (Vec::new(), 0, Vec::new());
    loop {
        let page = archive.outbox(process, &after).unwrap();
        pages += 1;
        parcels.extend(page.parcels);
        match page.more {
            Some(more) => after = more,
            None => return (parcels, pages),
        }
    }
}

#[test]
fn what_is_to_arrive_is_read_back_page_by_page_until_it_has() {
    let archive = Archive::new(Arc::new(MemoryStore::default()));
    let (to, wallet) = (ProcessId::new([2; 32]), ProcessId::new([3; 32]));
    let count = 2 * RECALLED_MAX as u64 + 5;
    let messages: Vec<_> = (0..count).map(|it| sent(Some(to), it)).collect();
    let spawn = sent(None, count);
    let assigned = ItemId::new([9; 32]);
    let mut records: Vec<_> = (0..)
        .zip(&messages)
        .map(|(at, it)| outbox(it, at))
        .collect();
    records.push(outbox(&spawn, count));
    records.push(outbox(&sent(Some(wallet), count + 1), count + 1));
    records.push(Record::Assign(Assign {
        process: to,
        item: assigned,
        exclude: vec!["Data".into()],
    }));
    write(&archive, records);
    let (parcels, pages) = all(&archive, to);
    assert_eq!((parcels.len() as u64, pages), (count + 1, 3));
    let excluded = parcels.iter().any(
        |it| matches!(it, Parcel::Assign(it) if it.item == assigned && it.exclude == ["Data"]),
    );
    assert!(excluded);
    let mut awaited = Vec::new();
    archive.awaited(|it| awaited.push(it)).unwrap();
    assert_eq!(awaited, [place(0).process, to, wallet]);
    // A spawn is with its parent, until the notice of it is there.
    let of_parent = || all(&archive, place(0).process).0;
    assert!(matches!(of_parent().as_slice(), [Parcel::Item(it)] if it.id() == spawn.id()));
    let notice = sent(Some(place(0).process), count + 2);
    write(
        &archive,
        vec![Record::Outbox {
            source: place(count + 2),
            item: notice.clone(),
            spawn: Some((place(count), spawn.id())),
        }],
    );
    assert!(matches!(of_parent().as_slice(), [Parcel::Item(it)] if it.id() == notice.id()));
    // One has a slot, of another its scheduler says so, and of the assignment.
    let assignment = AssignmentDraft {
        process: to,
        epoch: 0,
        slot: Slot(1),
        hash_chain: surety_protocol::assignment::HashChain::start(&to),
        block_height: 0,
        timestamp: Timestamp(0),
        message: Some(messages[0].id().into()),
        exclude: Vec::new(),
        timer: None,
    };
    let assignment = key().sign_item(&assignment.to_item_draft(None)).unwrap();
    write(
        &archive,
        vec![
            Record::Input {
                process: to,
                slot: Slot(1),
                assignment,
                message: Some(messages[0].clone()),
            },
            Record::Hashpath {
                process: to,
                size: 2,
                hashpath: Hashpath::start(to),
            },
            Record::Arrived {
                process: to,
                item: messages[1].id(),
                source: Some(place(1)),
            },
            Record::Arrived {
                process: to,
                item: assigned,
                source: None,
            },
        ],
    );
    let left = all(&archive, to).0;
    assert_eq!(left.len() as u64, count - 2);
    assert_eq!(all(&archive, wallet).0.len(), 1);
}
