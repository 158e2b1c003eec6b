//! The promises of an engine, kept by tables.

use super::*;
use surety_attest::engine::{Environment, Subject};
use surety_protocol::id::ModuleId;

fn program() -> Program {
    let process = Subject {
        id: "process".into(),
        ..Subject::default()
    };
    Program {
        module_id: ModuleId::default(),
        bytes: MODULE.to_vec().into(),
        environment: Environment {
            process,
            ..Environment::default()
        },
        memory_limit: 1 << 16,
        compute_limit: u64::MAX,
    }
}

fn message(number: u64) -> Message {
    let mut message = Message {
        nonce: Some(number),
        id: Some(format!("m{number}")),
        ..Message::default()
    };
    match number % 5 {
        1 => message.tags.push(("Forward-To".into(), "other".into())),
        3 => message.tags.push(("Action".into(), "Fail".into())),
        _ => {}
    }
    message
}

fn engine() -> TableEngine {
    TableEngine::new(Profile::v1())
}

#[test]
fn a_restored_process_goes_on_as_the_resident_one() {
    let mut resident = engine().boot(&program(), 7).unwrap();
    for number in 0..6 {
        resident.step(&message(number)).unwrap();
    }
    let mut restored = engine()
        .restore(&program(), &resident.snapshot().unwrap())
        .unwrap();
    for number in 6..12 {
        let (one, other) = (
            resident.step(&message(number)).unwrap(),
            restored.step(&message(number)).unwrap(),
        );
        assert_eq!(one, other);
        assert_eq!(
            resident.state_root().unwrap(),
            restored.state_root().unwrap()
        );
        assert_eq!(
            resident.state_root().unwrap(),
            resident.snapshot().unwrap().root()
        );
    }
}

#[test]
fn failures_and_dry_runs_leave_no_trace_and_messages_are_forwarded() {
    let mut resident = engine().boot(&program(), 7).unwrap();
    let sent = resident.step(&message(1)).unwrap().result;
    assert_eq!(sent.messages.first().unwrap()["Target"], "other");
    let before = resident.state_root().unwrap();
    assert!(resident.step(&message(3)).unwrap().result.error.is_some());
    let dry = resident.dry_run(&message(4), u64::MAX).unwrap();
    assert_eq!(resident.state_root().unwrap(), before);
    assert_eq!(resident.step(&message(4)).unwrap(), dry);
    assert_ne!(resident.state_root().unwrap(), before);
}

#[test]
fn a_witness_replays_its_stretch_and_no_other() {
    let engine = engine();
    let mut resident = engine.boot(&program(), 7).unwrap();
    for number in 0..3 {
        resident.step(&message(number)).unwrap();
    }
    let start = resident.snapshot().unwrap();
    let inputs: Vec<Message> = (3..9).map(message).collect();
    let witness = engine.witness(&program(), &start, &inputs).unwrap();
    let keys = [Digest::new([1; 32])];
    let (last, before) = inputs.split_last().unwrap();
    let mut steps: Vec<_> = before.iter().map(|it| resident.step(it).unwrap()).collect();
    let (step, traces) = resident.traced_step(last, &keys).unwrap();
    steps.push(step);
    let root = start.root();
    let from = Start::Witness {
        root: &root,
        witness: &witness,
    };
    let done = engine.reexecute(&program(), from, &inputs, &keys).unwrap();
    assert_eq!(
        done,
        Reexecution {
            steps,
            state_root: resident.state_root().unwrap(),
            traces,
        }
    );

    let mut poorer = witness.clone();
    poorer.pages.pop();
    let from = Start::Witness {
        root: &root,
        witness: &poorer,
    };
    assert!(engine.reexecute(&program(), from, &inputs, &keys).is_err());
    let other = Digest::default();
    let from = Start::Witness {
        root: &other,
        witness: &witness,
    };
    assert!(engine.reexecute(&program(), from, &inputs, &keys).is_err());
}
