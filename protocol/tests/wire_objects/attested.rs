//! Attested results against a state of few entries made by hand (rules AR-1 to AR-3).

use serde_bytes::ByteBuf;
use surety_protocol::attested::{
    Attestation, AttestedError, AttestedResult, Backing, EntryKey, EntryProof, OperatorEntry,
    Segment, Status, entry_leaf,
};
use surety_protocol::block::{Checkpoint, Commit, Header};
use surety_protocol::claim::Leaf;
use surety_protocol::codec;
use surety_protocol::id::{Digest, ProcessId};
use surety_protocol::merkle::KeyedTree;
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

/// A result at slot 3 whose path goes to the history of `size` leaves, in a state that holds this entry.
fn result(key: &EntryKey, entry: &Segment, size: u64) -> (AttestedResult, Checkpoint) {
    let value = codec::encode(entry).unwrap();
    let (result, checkpoint) = at(key.clone(), value);
    let path = history(&leaves()).prove(3, size).unwrap();
    (AttestedResult { path, ..result }, checkpoint)
}

fn at(key: EntryKey, value: Vec<u8>) -> (AttestedResult, Checkpoint) {
    let mut state = KeyedTree::default();
    state.insert(named("another place"), named("another entry"));
    state.insert(key.place(), entry_leaf(&key, &value));
    let header = Header {
        state_root: state.root(),
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
            path: state.prove(&key.place()).unwrap(),
        },
        commit: Commit::sign(header, &objects::key(1)).unwrap(),
    };
    (result, checkpoint)
}

#[test]
fn the_status_is_what_the_entry_says_of_that_prefix() {
    let process = ProcessId::new([5; 32]);
    let (settled, certified) = (EntryKey::Settled(process), EntryKey::Certified(process, 5));
    let status = |key: &EntryKey, entry: &Segment, size| {
        let (result, checkpoint) = result(key, entry, size);
        result.check(&checkpoint, root_of).map(|found| found.status)
    };
    assert_eq!(status(&settled, &segment(4), 4), Ok(Status::Settled));
    assert_eq!(status(&certified, &segment(5), 5), Ok(Status::Certified));
    // In a true history, of which the ledger has not said anything.
    let unsaid = status(&certified, &segment(5), 6);
    assert_eq!(unsaid, Err(AttestedError::Entry));
    let unsaid = status(&settled, &segment(4), 5);
    assert_eq!(unsaid, Err(AttestedError::Leaf));
    // The ledger speaks of another history of the same size.
    let other = status(&settled, &objects::segment(4), 4);
    assert_eq!(other, Err(AttestedError::Leaf));
}

#[test]
fn the_order_of_statuses_is_that_of_trust() {
    assert!(Status::Claimed < Status::Certified && Status::Certified < Status::Settled);
    let names = [Status::Claimed, Status::Certified, Status::Settled].map(Status::name);
    assert_eq!(names, ["claimed", "certified", "settled"]);
}

#[test]
fn an_entry_of_one_class_is_not_one_of_another() {
    let process = ProcessId::new([5; 32]);
    let value = codec::encode(&segment(6)).unwrap();
    for key in [
        EntryKey::Account(address(5)),
        EntryKey::Operator(address(5)),
        EntryKey::Other(3, vec![5; 31]),
        EntryKey::Certified(process, 5),
        EntryKey::Certified(ProcessId::new([6; 32]), 6),
        EntryKey::Settled(ProcessId::new([6; 32])),
    ] {
        let (result, checkpoint) = at(key, value.clone());
        assert_eq!(
            result.check(&checkpoint, root_of),
            Err(AttestedError::Entry)
        );
    }
    let (result, checkpoint) = at(EntryKey::Settled(process), b"junk".to_vec());
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
