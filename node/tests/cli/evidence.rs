//! Evidence and attested results, checked alone.

use std::fs;

use serde_bytes::ByteBuf;
use surety_protocol::assignment::{AssignmentDraft, HashChain};
use surety_protocol::block::Checkpoint;
use surety_protocol::bls::SecretKey;
use surety_protocol::codec::{self, Wire};
use surety_protocol::evidence::{DoubleAssignment, Evidence, Offence};
use surety_protocol::id::{Address, BlockId, ModuleId, NetworkId, ProcessId};
use surety_protocol::item::{ItemDraft, ItemKey};
use surety_protocol::origin::{Action, Registration};
use surety_protocol::time::{Height, Slot, Timestamp};

use super::surety;

/// Evidence that a scheduler signed two assignments of slot 3 with these timestamps.
fn double_assignment(first: u64, second: u64) -> (Address, Vec<u8>) {
    let network = NetworkId::new([9; 32]);
    let operator = ItemKey::ed25519(&[1; 32]);
    let scheduler = ItemKey::ed25519(&[2; 32]);
    let hot = SecretKey::derive_from_seed(&[3; 32]).unwrap();
    let registration = Action::Register(Box::new(Registration {
        key: *hot.public_key(),
        possession: hot.prove_possession(),
        item_key: scheduler.address(),
        peer: ByteBuf::new(),
    }));
    let registration = registration.draft(&network, Height(100)).unwrap();
    let process = ItemDraft::default()
        .tag("Data-Protocol", "ao")
        .tag("Type", "Process")
        .tag("Module", ModuleId::new([4; 32]).to_string())
        .tag("Scheduler", scheduler.address().to_string());
    let process = operator.sign_item(&process).unwrap();
    let id = ProcessId::from(process.id());
    let assignment = |timestamp: u64| {
        let draft = AssignmentDraft {
            process: id,
            epoch: 0,
            slot: Slot(3),
            hash_chain: HashChain::start(&id),
            block_height: 1,
            timestamp: Timestamp(timestamp),
            message: None,
            exclude: Vec::new(),
            timer: None,
        };
        ByteBuf::from(
            scheduler
                .sign_item(&draft.to_item_draft(None))
                .unwrap()
                .bytes(),
        )
    };
    let offence = DoubleAssignment {
        registration: ByteBuf::from(operator.sign_item(&registration).unwrap().bytes()),
        process: ByteBuf::from(process.bytes()),
        first: assignment(first),
        second: assignment(second),
    };
    let evidence = Evidence::new(network, &Offence::DoubleAssignment(Box::new(offence))).unwrap();
    (operator.address(), codec::encode(&evidence).unwrap())
}

#[test]
fn evidence_proves_who_did_what_or_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let verify = |bytes: &[u8]| {
        fs::write(dir.join("evidence"), bytes).unwrap();
        surety(dir, &["--json", "audit", "verify", "evidence"])
    };
    let (offender, guilty) = double_assignment(10, 11);
    let said = verify(&guilty).data();
    assert_eq!(said["offender"], offender.to_string());
    assert_eq!(
        (&said["kind"], &said["slot"]),
        (&"double-assignment".into(), &3.into())
    );
    assert_eq!(said["bytes"], guilty.len());
    assert_eq!(said["evidence"], Evidence::id_of(&guilty).to_string());
    let shown = surety(dir, &["--json", "audit", "show", "evidence"]).data();
    assert_eq!(shown["accused"], offender.to_string());
    assert_eq!(shown["content"]["first"]["slot"], "3");
    let people = surety(dir, &["audit", "show", "evidence"]);
    let sentence = format!("it says that {offender} signed two assignments of slot 3 of process ");
    assert!(people.err.starts_with(&sentence), "{}", people.err);
    let named = surety(dir, &["util", "id", "evidence"]);
    assert_eq!(named.out.trim(), Evidence::id_of(&guilty).to_string());

    let mut refused = vec![Vec::new(), b"garbage".to_vec(), vec![0xff; 100_000]];
    // The same assignment twice is none of two.
    refused.push(double_assignment(10, 10).1);
    refused.push([&guilty[..], &[0]].concat());
    refused.push(guilty[..guilty.len() - 1].to_vec());
    for at in (0..guilty.len()).step_by(97) {
        let mut altered = guilty.clone();
        altered[at] ^= 1;
        refused.push(altered);
    }
    let mut proven = 0;
    for bytes in refused {
        let called = verify(&bytes);
        match called.code {
            6 => assert_eq!(called.error(), "evidence-refused"),
            // Nothing signs the network beside the registration, nor any byte that the accused did not sign.
            0 => proven += 1,
            other => panic!("exit {other}: {}", called.out),
        }
    }
    assert_eq!(proven, 0);
    let people = surety(dir, &["audit", "verify", "evidence"]);
    assert_eq!((people.code, people.out.as_str()), (6, ""));
}

#[test]
fn what_is_no_attested_result_is_6_and_what_is_no_checkpoint_3() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let hot = SecretKey::derive_from_seed(&[3; 32]).unwrap();
    let checkpoint = Checkpoint {
        network: NetworkId::new([9; 32]),
        height: Height(4),
        block: BlockId::new([5; 32]),
        proposer: Address::new([6; 32]),
        proposer_key: *hot.public_key(),
    };
    fs::write(dir.join("checkpoint"), codec::encode(&checkpoint).unwrap()).unwrap();
    fs::write(dir.join("garbage"), b"garbage").unwrap();
    let verify = |trust: &str| {
        surety(
            dir,
            &[
                "--json",
                "certificate",
                "verify",
                "garbage",
                "--trust",
                trust,
            ],
        )
    };
    let called = verify("checkpoint");
    assert_eq!(
        (called.code, called.error().as_str()),
        (6, "attestation-invalid")
    );
    let called = verify("garbage");
    assert_eq!((called.code, called.error().as_str()), (3, "checkpoint"));
    // Nor is what is longer than any checkpoint, such as a result.
    fs::write(dir.join("long"), vec![0_u8; Checkpoint::BYTES_MAX + 1]).unwrap();
    let called = verify("long");
    assert_eq!((called.code, called.error().as_str()), (3, "checkpoint"));
    let block = surety(dir, &["util", "id", "checkpoint"]);
    assert_eq!(block.out.trim(), checkpoint.block.to_string());
}
