//! Attested results against the entries of a real ledger (rules AR-1 to AR-3, L-41).

use serde_bytes::ByteBuf;
use surety_protocol::attested::{AttestedError, AttestedResult, EntryKey, Status};
use surety_protocol::block::Checkpoint;
use surety_protocol::claim::{Leaf, Statement};
use surety_protocol::codec;
use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::Digest;
use surety_protocol::origin::Action;
use surety_protocol::stake::Stake;
use surety_protocol::time::{Height, Slot};

use crate::support::{
    Person, Trial, ao, certification, history, named, params, refusals, statement,
};

const SLOT: u64 = 2;

fn parts() -> Vec<ByteBuf> {
    vec![
        ByteBuf::from(b"output".to_vec()),
        ByteBuf::from(b"message".to_vec()),
    ]
}

/// What stands for an engine's root over a result's parts.
fn root_of(parts: &[ByteBuf]) -> Digest {
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_slice()).collect();
    digest(Domain::RESULT, &parts)
}

fn leaves(trial: &Trial) -> Vec<Leaf> {
    let mut leaves = trial.process.leaves(4);
    leaves[usize::try_from(SLOT).unwrap()].result_root = root_of(&parts());
    leaves
}

fn checkpoint(trial: &Trial, height: u64) -> Checkpoint {
    let block = &trial.world.blocks[usize::try_from(height - 1).unwrap()];
    Checkpoint {
        network: trial.world.ledger.network(),
        height: Height(height),
        block: block.commit.header.id().unwrap(),
        proposer: trial.world.ledger.proposer(),
        proposer_key: trial.world.ledger.proposer_key(),
    }
}

/// The result at the ledger's last block.
fn result(trial: &Trial, statement: Option<Statement>) -> AttestedResult {
    let leaves = leaves(trial);
    let process = trial.process.id();
    let key = match &statement {
        Some(statement) => EntryKey::Operator(statement.claimant),
        None => match trial.world.ledger.settled(&process) {
            Some(_) => EntryKey::Settled(process),
            None => EntryKey::Certified(process, 4),
        },
    };
    AttestedResult {
        process,
        parts: parts(),
        leaf: leaves[usize::try_from(SLOT).unwrap()].clone(),
        path: history(&leaves).prove(SLOT, 4).unwrap(),
        statement,
        entry: trial.world.ledger.prove_entry(&key).unwrap(),
        commit: trial.world.blocks.last().unwrap().commit.clone(),
    }
}

fn claimed(trial: &Trial) -> AttestedResult {
    let claim = trial.claim(&leaves(trial), 0);
    result(trial, Some(statement(&claim, &trial.claimant)))
}

fn certify(trial: &mut Trial) {
    let claim = trial.claim(&leaves(trial), 0);
    let it = certification(&mut trial.world, &trial.claimant, &claim);
    trial.world.pass(30);
    let judges: Vec<&Person> = trial.judges.iter().collect();
    let certificate = Action::Certificate(Box::new(it.by(&trial.world, &judges)));
    assert!(refusals(&trial.world.act(&trial.auditor.wallet, certificate)).is_empty());
}

#[test]
fn a_result_is_claimed_then_certified_then_settled() {
    let mut trial = Trial::new(params(), 5);
    let checkpoint = checkpoint(&trial, 1);
    let found = claimed(&trial).check(&checkpoint, root_of).unwrap();
    assert_eq!((found.status, found.slot), (Status::Claimed, Slot(SLOT)));
    assert_eq!(found.claimant, Some(trial.claimant.address()));
    assert_eq!((found.backing.stake, found.backing.tickets), (ao(500), 0));
    assert_eq!(found.height, trial.world.ledger.height());

    certify(&mut trial);
    let certified = result(&trial, None).check(&checkpoint, root_of).unwrap();
    assert_eq!(
        (certified.status, certified.claimant),
        (Status::Certified, None)
    );
    let window = trial.world.ledger.params().challenge_window_blocks;
    trial.world.pass(window - 1);
    let still = result(&trial, None).check(&checkpoint, root_of).unwrap();
    assert_eq!(still.status, Status::Certified);
    trial.world.block();
    let settled = result(&trial, None).check(&checkpoint, root_of).unwrap();
    assert_eq!(
        (settled.status, settled.slot),
        (Status::Settled, Slot(SLOT))
    );
    assert_eq!(settled.height, trial.world.ledger.height());
    // It travels, and is small.
    let bytes = codec::encode(&result(&trial, None)).unwrap();
    assert_eq!(
        codec::decode::<AttestedResult>(&bytes),
        Ok(result(&trial, None))
    );
    assert!(bytes.len() < 2_048, "{}", bytes.len());
}

#[test]
fn any_altered_byte_of_a_settled_result_is_noticed() {
    let mut trial = Trial::new(params(), 5);
    certify(&mut trial);
    trial
        .world
        .pass(trial.world.ledger.params().challenge_window_blocks);
    every_byte_matters(&trial, &result(&trial, None));
}

#[test]
fn any_altered_byte_of_a_claimed_result_is_noticed() {
    let trial = Trial::new(params(), 5);
    every_byte_matters(&trial, &claimed(&trial));
}

fn every_byte_matters(trial: &Trial, it: &AttestedResult) {
    let checkpoint = checkpoint(trial, 1);
    it.check(&checkpoint, root_of).unwrap();
    let bytes = codec::encode(it).unwrap();
    let mut decoded = 0;
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1 << (at % 8);
        if let Ok(altered) = codec::decode::<AttestedResult>(&altered) {
            decoded += 1;
            assert!(altered.check(&checkpoint, root_of).is_err(), "byte {at}");
        }
    }
    assert!(decoded > bytes.len() / 3, "{decoded} of {}", bytes.len());
}

#[test]
fn another_checkpoint_does_not_vouch_for_it() {
    let trial = Trial::new(params(), 3);
    let it = claimed(&trial);
    let last = trial.world.ledger.height().0;
    let good = checkpoint(&trial, 1);
    it.check(&checkpoint(&trial, last), root_of).unwrap();
    let stranger = &trial.auditor;
    let cases = [
        (
            Checkpoint {
                network: Default::default(),
                ..good.clone()
            },
            AttestedError::Checkpoint,
        ),
        (
            Checkpoint {
                proposer: stranger.address(),
                ..good.clone()
            },
            AttestedError::Checkpoint,
        ),
        // Newer than the file; or the same height, and another block.
        (
            Checkpoint {
                height: Height(last + 1),
                ..good.clone()
            },
            AttestedError::Checkpoint,
        ),
        (
            Checkpoint {
                height: Height(last),
                ..good.clone()
            },
            AttestedError::Checkpoint,
        ),
        (
            Checkpoint {
                proposer_key: *stranger.key.public_key(),
                ..good.clone()
            },
            AttestedError::Commit,
        ),
    ];
    for (checkpoint, error) in cases {
        assert_eq!(it.check(&checkpoint, root_of), Err(error));
    }
}

#[test]
fn every_altered_part_is_refused_for_its_own_reason() {
    let mut trial = Trial::new(params(), 5);
    let before = claimed(&trial);
    certify(&mut trial);
    let good = result(&trial, None);
    let claim = claimed(&trial);
    let checkpoint = checkpoint(&trial, 1);
    let with = |it: &AttestedResult, change: &dyn Fn(&mut AttestedResult)| {
        let mut it = it.clone();
        change(&mut it);
        it
    };
    let judge = &trial.judges[0];
    let of_judge = trial
        .world
        .ledger
        .prove_entry(&EntryKey::Operator(judge.address()))
        .unwrap();
    let other_slot = history(&leaves(&trial)).prove(1, 4).unwrap();
    let shorter = history(&leaves(&trial)[..3]).prove(SLOT, 3).unwrap();
    let unsigned = |it: &mut AttestedResult| {
        let key = &judge.key;
        let said = it.statement.as_mut().unwrap();
        *said = Statement::sign(said.claim.clone(), said.claimant, key).unwrap();
    };
    let cases = [
        (with(&good, &|it| _ = it.parts.pop()), AttestedError::Result),
        (
            with(&good, &|it| it.parts.swap(0, 1)),
            AttestedError::Result,
        ),
        (
            with(&good, &|it| it.leaf.result_root = named("lie")),
            AttestedError::Result,
        ),
        (with(&good, &|it| it.leaf.gas += 1), AttestedError::Leaf),
        (
            with(&good, &|it| it.leaf.slot = Slot(1)),
            AttestedError::Leaf,
        ),
        (
            with(&good, &|it| it.path = other_slot.clone()),
            AttestedError::Leaf,
        ),
        (
            with(&good, &|it| it.path = shorter.clone()),
            AttestedError::Entry,
        ),
        (
            with(&good, &|it| it.process = Default::default()),
            AttestedError::Entry,
        ),
        (
            with(&good, &|it| it.entry = of_judge.clone()),
            AttestedError::Entry,
        ),
        (
            with(&good, &|it| _ = it.entry.path.forks.pop()),
            AttestedError::Entry,
        ),
        // An older block does not hold the certificate yet, whatever the entry says.
        (
            with(&good, &|it| it.commit = before.commit.clone()),
            AttestedError::Entry,
        ),
        (
            with(&good, &|it| it.commit.signature = before.commit.signature),
            AttestedError::Commit,
        ),
        (
            with(&good, &|it| it.commit.header.state_root = named("root")),
            AttestedError::Commit,
        ),
        (
            with(&claim, &|it| it.statement = None),
            AttestedError::Entry,
        ),
        (
            with(&claim, &|it| it.process = Default::default()),
            AttestedError::Claimant,
        ),
        (with(&claim, &unsigned), AttestedError::Claimant),
        (
            with(&claim, &|it| it.statement.as_mut().unwrap().claim.fork = 1),
            AttestedError::Claimant,
        ),
        (
            with(&claim, &|it| it.statement.as_mut().unwrap().claim.size = 5),
            AttestedError::Leaf,
        ),
        (
            with(&claim, &|it| {
                it.statement.as_mut().unwrap().claimant = judge.address()
            }),
            AttestedError::Entry,
        ),
        (
            with(&claim, &|it| {
                it.statement.as_mut().unwrap().claimant = judge.address();
                it.entry = of_judge.clone();
            }),
            AttestedError::Claimant,
        ),
    ];
    for (at, (it, error)) in cases.into_iter().enumerate() {
        assert_eq!(it.check(&checkpoint, root_of), Err(error), "case {at}");
    }
}

#[test]
fn a_claimant_without_active_stake_stands_behind_nothing() {
    let mut trial = Trial::new(params(), 5);
    let checkpoint = checkpoint(&trial, 1);
    let claimant = Person::new(1);
    // Bonding more starts the delay again.
    trial.world.act(&claimant.wallet, Action::Bond(Stake(1)));
    let waiting = claimed(&trial).check(&checkpoint, root_of);
    assert_eq!(waiting, Err(AttestedError::Claimant));
    trial.world.pass(2);
    claimed(&trial).check(&checkpoint, root_of).unwrap();
    // Proven to have lied.
    let it = trial.accuse(&trial.lying(8, 6), 0, 6);
    trial.open(&it);
    trial.say(&it, 0..4, true);
    let fallen = claimed(&trial).check(&checkpoint, root_of);
    assert_eq!(fallen, Err(AttestedError::Claimant));
}

#[test]
fn every_entry_of_the_ledger_can_be_proven_and_no_other() {
    let trial = Trial::new(params(), 3);
    let ledger = &trial.world.ledger;
    let root = ledger.state_root();
    let mut keys: Vec<EntryKey> = ledger
        .accounts()
        .map(|(address, _)| EntryKey::Account(*address))
        .collect();
    keys.extend(
        ledger
            .operators()
            .map(|(address, _)| EntryKey::Operator(*address)),
    );
    for key in &keys {
        let proof = ledger.prove_entry(key).unwrap();
        assert!(proof.verify(key, &root));
        for other in keys.iter().filter(|other| *other != key) {
            assert!(!proof.verify(other, &root));
        }
    }
    let settled = EntryKey::Settled(trial.process.id());
    assert!(ledger.prove_entry(&settled).is_none());
    let stranger = Person::new(0x50).address();
    assert!(ledger.prove_entry(&EntryKey::Account(stranger)).is_none());
}
