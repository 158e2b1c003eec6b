//! Attested results against a state of two entries made by hand (rules AR-1 to AR-3).

use serde_bytes::ByteBuf;
use surety_protocol::attested::{
    Attestation, AttestedError, AttestedResult, Backing, EntryKey, EntryProof, OperatorEntry,
    ProcessEntry, Segment, Status, entry_leaf,
};
use surety_protocol::block::{Checkpoint, Commit, Header};
use surety_protocol::claim::Leaf;
use surety_protocol::codec;
use surety_protocol::id::{Digest, ProcessId};
use surety_protocol::merkle;
use surety_protocol::stake::Stake;
use surety_protocol::time::{Height, Slot};

use crate::objects::{self, address, history, key, leaf, named};

fn parts() -> Vec<ByteBuf> {
    vec![ByteBuf::from(b"output".to_vec())]
}

fn root_of(parts: &[ByteBuf]) -> Digest {
    named(&format!("{parts:?}"))
}

/// Six leaves, the fourth with the result.
fn leaves() -> Vec<Leaf> {
    let mut leaves: Vec<Leaf> = (0..6).map(leaf).collect();
    leaves[3].result_root = root_of(&parts());
    leaves
}

fn segment(size: u64) -> Segment {
    let root = history(&leaves()).root_at(size).unwrap();
    Segment {
        history_root: root,
        ..objects::segment(size)
    }
}

/// A result at slot 3 whose path goes to the history of `size` leaves, in a state that holds these entries.
fn result(entry: &ProcessEntry, size: u64) -> (AttestedResult, Checkpoint) {
    let process = ProcessId::new([5; 32]);
    let value = codec::encode(entry).unwrap();
    let (result, checkpoint) = at(EntryKey::Process(process), value);
    let path = history(&leaves()).prove(3, size).unwrap();
    (AttestedResult { path, ..result }, checkpoint)
}

fn at(key: EntryKey, value: Vec<u8>) -> (AttestedResult, Checkpoint) {
    let state = [named("another entry"), entry_leaf(&key, &value)];
    let header = Header {
        state_root: merkle::root(&state),
        ..objects::header()
    };
    let checkpoint = Checkpoint {
        height: Height(1),
        ..objects::checkpoint()
    };
    let result = AttestedResult {
        process: ProcessId::new([5; 32]),
        parts: parts(),
        leaf: leaves()[3].clone(),
        path: history(&leaves()).prove(3, 6).unwrap(),
        statement: None,
        entry: EntryProof {
            value: value.into(),
            path: merkle::prove(&state, 1).unwrap(),
        },
        commit: Commit::sign(header, &objects::key(1)).unwrap(),
    };
    (result, checkpoint)
}

#[test]
fn the_status_is_what_the_entry_says_of_that_prefix() {
    let settled = ProcessEntry {
        settled: Some(segment(4)),
        certified: vec![segment(5)],
    };
    let status = |size| {
        let (result, checkpoint) = result(&settled, size);
        result.check(&checkpoint, root_of).map(|found| found.status)
    };
    assert_eq!(status(4), Ok(Status::Settled));
    assert_eq!(status(5), Ok(Status::Certified));
    // In a true history, of which the ledger has not said anything.
    assert_eq!(status(6), Err(AttestedError::Leaf));
    // The ledger speaks of another history of the same size.
    let other = ProcessEntry {
        settled: Some(objects::segment(4)),
        certified: Vec::new(),
    };
    let (result, checkpoint) = result(&other, 4);
    assert_eq!(result.check(&checkpoint, root_of), Err(AttestedError::Leaf));
}

#[test]
fn the_order_of_statuses_is_that_of_trust() {
    assert!(Status::Claimed < Status::Certified && Status::Certified < Status::Settled);
    let names = [Status::Claimed, Status::Certified, Status::Settled].map(Status::name);
    assert_eq!(names, ["claimed", "certified", "settled"]);
}

#[test]
fn an_entry_of_one_class_is_not_one_of_another() {
    let entry = ProcessEntry {
        settled: Some(segment(6)),
        certified: Vec::new(),
    };
    let value = codec::encode(&entry).unwrap();
    for key in [
        EntryKey::Account(address(5)),
        EntryKey::Operator(address(5)),
        EntryKey::Other(String::from_utf8(vec![5; 32]).unwrap()),
    ] {
        let (result, checkpoint) = at(key, value.clone());
        assert_eq!(
            result.check(&checkpoint, root_of),
            Err(AttestedError::Entry)
        );
    }
    let (result, checkpoint) = at(EntryKey::Process(ProcessId::new([5; 32])), b"junk".to_vec());
    assert!(matches!(
        result.check(&checkpoint, root_of),
        Err(AttestedError::Codec(_))
    ));
}

#[test]
fn a_claim_needs_a_claimant_whose_stake_counts() {
    let claimed = |change: &dyn Fn(&mut OperatorEntry)| {
        let mut operator = objects::operator_entry();
        change(&mut operator);
        let value = codec::encode(&operator).unwrap();
        let (mut result, checkpoint) = at(EntryKey::Operator(address(1)), value);
        let mut claim = objects::signed_claim(0, 6).statement.claim;
        claim.history_root = history(&leaves()).root();
        let said = surety_protocol::claim::Statement::sign(claim, address(1), &key(1)).unwrap();
        result.statement = Some(said);
        result.check(&checkpoint, root_of)
    };
    let found = Attestation {
        status: Status::Claimed,
        slot: Slot(3),
        height: Height(70_000),
        claimant: Some(address(1)),
        backing: Backing {
            stake: Stake::from_ao(100),
            tickets: 0,
        },
    };
    assert_eq!(claimed(&|_| {}), Ok(found.clone()));
    assert_eq!(claimed(&|it| it.active_from = Height(70_000)), Ok(found));
    let nobody = Err(AttestedError::Claimant);
    assert_eq!(claimed(&|it| it.active_from = Height(70_001)), nobody);
    assert_eq!(claimed(&|it| it.tombstoned = true), nobody);
    assert_eq!(claimed(&|it| it.bonded = Stake::ZERO), nobody);
    assert_eq!(claimed(&|it| it.key = *key(2).public_key()), nobody);
}
