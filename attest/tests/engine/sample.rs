//! The sample module, step by step.

use serde_json::json;
use surety_attest::engine::{Engine, Message};
use surety_attest::state::head_root;

use super::stage::{ENGINE, action, boot, counter, error, message};

/// Rule EN-9: on top of what the step costs, also of one that fails, and of no limit of it.
#[test]
fn the_bytes_of_an_input_cost_gas() {
    for (name, fails) in [
        ("Hello", false),
        ("Fail", true),
        ("Trap", true),
        ("Loop", true),
    ] {
        let gas = |item_bytes| {
            let mut process = boot(&counter());
            let message = Message {
                item_bytes,
                ..action(1, name)
            };
            let outcome = process.step(&message).unwrap();
            assert_eq!(outcome.result.error.is_some(), fails);
            assert_eq!(outcome.gas, outcome.result.gas);
            outcome.gas
        };
        assert_eq!(gas(1_000_000), gas(0) + 128_000_000, "{name}");
    }
}

#[test]
fn it_counts_and_forwards() {
    let mut process = boot(&counter());
    assert_eq!(
        process.step(&action(1, "Hello")).unwrap().result.output,
        json!({"data":"1"})
    );
    let target = "T".repeat(43);
    let outcome = process
        .step(&message(2, &[("Forward-To", &target)], "data"))
        .unwrap();
    let forwarded = json!({
        "Target": target,
        "Anchor": "00000000000000000000000000000002",
        "Tags": [{"name":"Action","value":"Forwarded"}],
        "Data": "2",
    });
    assert_eq!(outcome.result.messages, [forwarded]);
    assert_eq!(outcome.gas, outcome.result.gas);
    // The tag's text inside of data is escaped there and does not count.
    let data = format!(r#"{{"name":"Forward-To","value":"{target}"}}"#);
    assert!(
        process
            .step(&message(3, &[], &data))
            .unwrap()
            .result
            .messages
            .is_empty()
    );
}

#[test]
fn two_runs_are_the_same() {
    let (mut one, mut other) = (boot(&counter()), boot(&counter()));
    for nonce in 1..40 {
        let input = action(
            nonce,
            ["Hello", "Fail", "Trap", "Hello"][nonce as usize % 4],
        );
        assert_eq!(one.step(&input), other.step(&input));
        // The one is asked for its root after every step, the other now and then.
        let root = one.state_root().unwrap();
        if nonce % 7 == 0 {
            assert_eq!(other.state_root().unwrap(), root);
            assert_eq!(
                other.snapshot().unwrap().root(),
                root,
                "the tree kept up with the pages"
            );
        }
    }
}

#[test]
fn a_restored_process_is_the_resident_one() {
    let program = counter();
    let mut resident = boot(&program);
    for nonce in 1..=5 {
        resident.step(&action(nonce, "Hello")).unwrap();
    }
    let snapshot = resident.snapshot().unwrap();
    assert_eq!(
        head_root(&snapshot.head(snapshot.tree().top())),
        resident.state_root().unwrap()
    );
    let mut restored = ENGINE.restore(&program, &snapshot).unwrap();
    for nonce in 6..30 {
        assert_eq!(
            restored.step(&action(nonce, "Hello")),
            resident.step(&action(nonce, "Hello"))
        );
        assert_eq!(
            restored.state_root().unwrap(),
            resident.state_root().unwrap()
        );
    }
}

#[test]
fn a_dry_run_leaves_no_trace() {
    let mut process = boot(&counter());
    process.step(&action(1, "Hello")).unwrap();
    let before = process.snapshot().unwrap();
    for name in ["Hello", "Fail", "Trap", "Loop"] {
        let dry = process.dry_run(&action(2, name), u64::MAX).unwrap();
        assert_eq!(dry.result.error.is_none(), name == "Hello");
        assert_eq!(process.snapshot().unwrap(), before);
    }
    let dry = process.dry_run(&action(2, "Hello"), u64::MAX).unwrap();
    // With less gas than it takes it fails, and so much is used up.
    let short = dry.gas - 1;
    let failed = process.dry_run(&action(2, "Hello"), short).unwrap();
    assert_eq!((failed.gas, failed.result.error.is_some()), (short, true));
    assert_eq!(process.step(&action(2, "Hello")).unwrap(), dry);
}

#[test]
fn failures_are_results_with_a_reason_and_a_price() {
    let program = counter();
    let mut process = boot(&program);
    let mut fail = |name: &str| {
        let outcome = process.step(&action(1, name)).unwrap();
        (error(&outcome).to_owned(), outcome.gas)
    };
    let (why, gas) = fail("Fail");
    assert_eq!(why, "asked to fail");
    assert!(gas < program.compute_limit);
    assert_eq!(
        fail("Trap"),
        ("surety: trap: unreachable".into(), program.compute_limit)
    );
    assert_eq!(
        fail("Loop"),
        ("surety: out of gas".into(), program.compute_limit)
    );
}
