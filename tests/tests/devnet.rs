//! Whole networks of real processes, started as a user starts them: faults, attested results, replay, and killed nodes.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "devnet/attested.rs"]
mod attested;
#[path = "devnet/auditor.rs"]
mod auditor;
#[path = "devnet/clients.rs"]
mod clients;
#[path = "devnet/errands.rs"]
mod errands;
#[path = "devnet/joining.rs"]
mod joining;
#[path = "devnet/kills.rs"]
mod kills;
#[path = "../../protocol/tests/support/needed.rs"]
mod needed;
#[path = "devnet/newcomer.rs"]
#[allow(dead_code, reason = "shared with a benchmark")]
mod newcomer;
#[path = "devnet/persist.rs"]
mod persist;
#[path = "devnet/program.rs"]
#[allow(dead_code, reason = "shared with the tests of bad input")]
mod program;
#[path = "devnet/replay.rs"]
mod replay;
#[path = "devnet/stage.rs"]
mod stage;
#[path = "devnet/story.rs"]
mod story;
#[path = "devnet/timers.rs"]
mod timers;

use std::path::PathBuf;

use program::{Devnet, surety, text, until};
use serde_json::Value;
use surety_harness::one_lie::ALL_OF_MEMORY;

/// Nobody lies; but one approves what it has not executed, and cannot show what it would have seen.
#[test]
fn a_verifier_that_does_not_look_loses_its_stake_though_nobody_lied() {
    // Once in two hundred times it draws no claim of that slot, and does nothing.
    let mut drawn = (0..3).filter_map(|_| {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().to_str().unwrap();
        let blind = ["--fault", "verifier:blind-approval@5"];
        let run = surety(&[&["--json", "devnet", "--dir", at], &blind[..]].concat());
        assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
        let report = run.last();
        let slashed = report["slashings"].as_array().unwrap().len();
        (slashed > 0).then_some((dir, report))
    });
    let (_dir, report) = drawn.next().expect("a claim that it draws");
    let slashing = &report["slashings"][0];
    assert_eq!(text(slashing, "kind"), "false-trace");
    for (operator, before) in report["stakes"]["before"].as_object().unwrap() {
        let lost = report["stakes"]["after"][operator] != *before;
        assert_eq!(lost, *operator == text(slashing, "offender"), "{report}");
    }
    let file = report["evidence"][0].as_str().unwrap();
    let verified = surety(&["--json", "audit", "verify", file]);
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    let shown = surety(&["--json", "audit", "show", file]);
    assert_eq!(text(&shown.data(), "kind"), "false-trace");
}

/// Runs the built-in workload with a fault and checks what must come of it.
fn caught(fault: &str, kind: &str, slot: u64, more: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().to_str().unwrap();
    let devnet = ["--json", "devnet", "--fault", fault, "--dir", at];
    let run = surety(&[&devnet, more].concat());
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    let report = run.last();
    assert_eq!(text(&report, "event"), "report");
    let slashings = report["slashings"].as_array().unwrap();
    assert_eq!(slashings.len(), 1, "{report}");
    assert_eq!(text(&slashings[0], "kind"), kind);
    assert_eq!(slashings[0]["slot"], slot);
    // The first of the two.
    assert_eq!(slashings[0]["process"], report["processes"][0]["process"]);
    assert!(report["seconds_from_lie_to_escrow"].as_f64() > Some(0.0));
    let offender = text(&slashings[0], "offender");
    let lost = |operator: &str| -> u128 {
        let of = |when: &str| {
            report["stakes"][when][operator]
                .as_str()
                .unwrap()
                .parse()
                .unwrap()
        };
        let (before, after): (u128, u128) = (of("before"), of("after"));
        before - after
    };
    for operator in report["stakes"]["before"].as_object().unwrap().keys() {
        assert_eq!(
            lost(operator) > 0,
            *operator == offender,
            "{operator}: {report}"
        );
    }
    let files = report["evidence"].as_array().unwrap();
    assert_eq!(files.len(), 1);
    let file = files[0].as_str().unwrap();
    // No network is left: the file stands for itself.
    let verified = surety(&["--json", "audit", "verify", file]);
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    assert_eq!(text(&verified.data(), "offender"), offender);
    let mut bytes = std::fs::read(file).unwrap();
    // In what is signed. Pages can be compressed in more than one way (rule W-4).
    bytes[300] ^= 4;
    let altered = dir.path().join("altered.cbor");
    std::fs::write(&altered, bytes).unwrap();
    assert_eq!(
        surety(&["audit", "verify", altered.to_str().unwrap()]).code,
        6
    );
}

#[test]
fn a_false_state_is_caught() {
    caught("compute:wrong-state@11", "false-claim", 11, &[]);
}

/// As the demonstration runs it. A module that has to be fetched makes another order of events than the embedded one.
#[test]
fn a_false_state_of_aos_is_caught() {
    let Some(modules) = needed::path("SURETY_AOS_MODULES") else {
        return;
    };
    let module = modules.join("aos2_0_4_32.wasm");
    let module = ["--module", module.to_str().unwrap()];
    caught("compute:wrong-state@11", "false-claim", 11, &module);
}

#[test]
fn a_false_result_is_caught() {
    // Though somebody says of the same file that it is about another slot.
    let more = ["--fault", "verifier:wrong-accusation@7"];
    caught("compute:wrong-result@7", "false-claim", 7, &more);
}

/// The file, of 5 MiB that nothing compresses, goes from node to node in pieces (rule XC-5).
#[test]
fn a_lie_that_takes_much_to_prove_is_caught() {
    let dir = tempfile::tempdir().unwrap();
    let module = dir.path().join("all_of_memory.wasm");
    let text = ALL_OF_MEMORY.replace(" 65536)", " 80)");
    std::fs::write(&module, wat::parse_str(text).unwrap()).unwrap();
    let more = ["--module", module.to_str().unwrap()];
    caught("compute:wrong-result@3", "false-claim", 3, &more);
}

#[test]
fn a_contradiction_is_caught() {
    caught("compute:equivocate@9", "claim-equivocation", 9, &[]);
}

#[test]
fn a_double_assignment_is_caught() {
    caught("scheduler:double-assign@5", "double-assignment", 5, &[]);
}

#[test]
fn honest_nodes_lose_nothing_and_their_results_can_be_checked_offline() {
    let devnet = Devnet::start(&[]);
    let process = devnet.spawn();
    let last = devnet.send(&process, 24);
    devnet.certified(&process, last + 1);
    // The network left one when it was ready.
    let trust = devnet.dir().join("checkpoint.cbor");
    let statuses = ["claimed", "certified", "settled"];
    for (least, status) in statuses.into_iter().enumerate() {
        let file = devnet.dir().join(format!("{status}.cbor"));
        let out = file.to_str().unwrap();
        let slot = (last / 2).to_string();
        let attested = devnet.run(&[
            "process",
            "attested",
            &process,
            &slot,
            "--status",
            status,
            "--min-stake",
            "1ao",
            "--wait",
            "30",
            "--out",
            out,
        ]);
        let more = devnet.run(&[
            "process", "attested", &process, &slot, "--status", status, "--k", "1000000", "--out",
            out,
        ]);
        assert_eq!(
            (more.code, more.stdout.contains("asked for")),
            (1, true),
            "{}",
            more.stdout
        );
        assert_eq!(
            attested.code, 0,
            "{status}: {}{}",
            attested.stdout, attested.stderr
        );
        let trust = trust.to_str().unwrap();
        let verified = surety(&["--json", "certificate", "verify", out, "--trust", trust]);
        assert_eq!(
            verified.code, 0,
            "{status}: {}{}",
            verified.stdout, verified.stderr
        );
        // What was asked for, or further.
        let stated = text(&verified.data(), "status");
        assert!(
            statuses.iter().position(|it| *it == stated) >= Some(least),
            "{stated}"
        );
        let bytes = std::fs::read(&file).unwrap();
        for at in (0..bytes.len()).step_by((bytes.len() / 24).max(1)) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            std::fs::write(&file, &flipped).unwrap();
            let refused = surety(&["certificate", "verify", out, "--trust", trust]);
            assert_eq!(refused.code, 6, "{status}, byte {at}: {}", refused.stdout);
        }
    }
    let fresh = devnet.dir().join("fresh.cbor");
    let checkpoint = devnet.run(&["ledger", "checkpoint", "--out", fresh.to_str().unwrap()]);
    assert_eq!(checkpoint.code, 0, "{}", checkpoint.stderr);
    replay::replayed(&devnet, &process);
    replay::imported(&devnet, &process, last + 1);
    let report = devnet.stop();
    assert!(report["slashings"].as_array().unwrap().is_empty());
    assert_eq!(report["stakes"]["before"], report["stakes"]["after"]);
}

#[test]
fn killed_nodes_come_back_and_nothing_is_lost_doubled_or_slashed() {
    let devnet = Devnet::start(&["--fault", "compute:wrong-state@11"]);
    let process = devnet.spawn();
    devnet.send(&process, 8);
    // The peer of the lying node: scheduler, compute unit, messenger and proposer at once.
    let mut first = devnet.kill(0);
    first.restart();
    devnet.send(&process, 8);
    let mut verifier = devnet.kill(4);
    devnet.send(&process, 4);
    assert!(
        devnet.kill_workers() >= 5,
        "one for each node that runs since the start"
    );
    let last = devnet.send(&process, 4);
    verifier.restart();
    devnet.certified(&process, last + 1);

    let slots = devnet.get(&format!("/v1/processes/{process}/slots?limit=1000"));
    let slots = slots["items"].as_array().unwrap().clone();
    assert_eq!(slots.len() as u64, last + 1, "no slot is lost");
    let messages: std::collections::BTreeSet<&str> = slots
        .iter()
        .filter_map(|it| it["message"].as_str())
        .collect();
    assert_eq!(messages.len() as u64, last + 1, "no message has two slots");
    let replay = devnet.run(&["audit", "replay", &process]);
    assert_eq!(
        replay.code, 0,
        "roots unchanged: {}{}",
        replay.stdout, replay.stderr
    );
    let liar = devnet.operator(1);
    let slashings = devnet.slashed(1);
    assert!(
        slashings.iter().all(|it| text(it, "offender") == liar),
        "{slashings:?}"
    );
    let operators: Value = devnet.get("/v1/operators?limit=1000");
    for operator in operators["items"].as_array().unwrap() {
        let tombstoned = operator["tombstoned"].as_bool().unwrap();
        assert_eq!(tombstoned, text(operator, "operator") == liar, "{operator}");
    }
}

/// Every operator says that from this height on strides have three inputs, and inputs less gas.
/// Who was away when a log grew for the last time, and is the only one that evaluates it, learns of it without another word.
#[test]
fn what_came_last_while_a_compute_unit_was_away_is_evaluated() {
    let devnet = Devnet::start(&["--nodes", "4"]);
    let mut nodes = [0, 1].map(|it| devnet.kill(it));
    nodes[0].restart_with(&["--roles", "scheduler,verifier"]);
    nodes[1].restart_with(&["--roles", "compute,messenger,gateway"]);
    let process = devnet.spawn();
    let there = text(&devnet.ready()["nodes"][1], "http");
    let evaluated = |slots: u64| {
        until("the compute unit evaluates", || {
            let about = program::get(&format!("{there}/v1/processes/{process}"))?;
            (about["evaluated"].as_u64()? >= slots).then_some(())
        });
    };
    let last = devnet.send(&process, 3);
    evaluated(last + 1);
    nodes[1].kill();
    let last = devnet.send(&process, 2);
    // Until nobody's gossip speaks of it any more.
    let height = || devnet.get("/v1/ledger")["height"].as_u64().unwrap();
    let forgotten = height() + 30;
    until("blocks pass", || (height() >= forgotten).then_some(()));
    nodes[1].restart_with(&["--roles", "compute,messenger,gateway"]);
    evaluated(last + 1);
    devnet.stop();
}

fn vote(devnet: &Devnet, from: u64) {
    let (from, nodes) = (from.to_string(), devnet.ready()["nodes"].as_array());
    for node in nodes.unwrap() {
        let dir = PathBuf::from(text(node, "dir")).join("operator");
        let keys = ["--key-dir", dir.to_str().unwrap()];
        let vote = [
            "stake",
            "profile",
            "--from",
            &from,
            "--stride",
            "3",
            "--gas-max",
            "800000000",
            "--wait",
        ];
        let voted = devnet.run(&[&vote[..], &keys[..]].concat());
        assert_eq!(voted.code, 0, "{}{}", voted.stdout, voted.stderr);
        if text(&voted.data(), "status") == "added" {
            return;
        }
    }
    panic!("nobody's vote was the last that it took");
}

/// The distances between the state roots of a process' leaves, with what the claim about each slot names as its profile.
fn strides(devnet: &Devnet, process: &str) -> Vec<(u64, String)> {
    let claims = devnet.get(&format!("/v1/processes/{process}/claims?limit=1000"));
    let mut found = std::collections::BTreeMap::new();
    for claim in claims["items"].as_array().unwrap() {
        let claim = devnet.get(&format!("/v1/claims/{}", text(claim, "claim")));
        if text(&claim, "status") == "refuted" {
            continue;
        }
        for leaf in claim["leaves"].as_array().unwrap() {
            let root = leaf["state_root"].is_string();
            found.insert(
                leaf["slot"].as_u64().unwrap(),
                (root, text(&claim, "profile")),
            );
        }
    }
    let mut last = 0;
    let mut strides = Vec::new();
    for (slot, (root, profile)) in found {
        if root {
            strides.push((slot - last, profile));
            last = slot;
        }
    }
    strides
}

#[test]
fn a_running_network_changes_its_profile_and_still_punishes_a_lie_from_before() {
    let devnet = Devnet::start(&["--fault", "compute:wrong-state@11"]);
    let process = devnet.spawn();
    let last = devnet.send(&process, 8);
    devnet.certified(&process, last + 1);
    let height = || devnet.get("/v1/ledger")["height"].as_u64().unwrap();
    let from = height() + 80;
    vote(&devnet, from);
    // Of the six who judge the liar four are left, who are not more than two thirds.
    let mut judges = [devnet.kill(5), devnet.kill(6)];
    let last = devnet.send(&process, 4);
    let case = || {
        devnet.get("/v1/cases?limit=10")["items"]
            .as_array()
            .unwrap()
            .clone()
    };
    until("a case is opened", || (!case().is_empty()).then_some(()));
    assert!(height() < from, "the lie is from before");
    devnet.certified(&process, last + 1);
    until("the height comes", || (height() > from).then_some(()));
    assert_eq!(devnet.slashed(0), Vec::<Value>::new());
    for judge in &mut judges {
        judge.restart();
    }
    let slashings = devnet.slashed(1);
    assert_eq!(slashings.len(), 1);
    assert_eq!(text(&slashings[0], "offender"), devnet.operator(1));
    assert_eq!(text(&slashings[0], "kind"), "false-claim");
    assert_eq!(slashings[0]["slot"], 11);
    assert!(slashings[0]["height"].as_u64() > Some(from));
    // The stride under way ends as it began, with slot 16.
    let last = devnet.send(&process, 8);
    devnet.certified(&process, last + 1);
    // A node that is started again after the change goes on where it was.
    let mut first = devnet.kill(0);
    first.restart();
    let last = devnet.send(&process, 7);
    devnet.certified(&process, last + 1);

    let profiles = devnet.get("/v1/ledger/profiles");
    let profiles = profiles["items"].as_array().unwrap();
    assert_eq!(profiles.len(), 2);
    let (old, new) = (text(&profiles[0], "id"), text(&profiles[1], "id"));
    assert_eq!(text(&devnet.get("/v1/node")["profile"], "id"), new);
    let strides = strides(&devnet, &process);
    let expected = [0, 16].map(|it| (it, old.clone()));
    assert_eq!(strides[..2], expected);
    assert!(strides.len() > 3, "{strides:?}");
    let short = (3, new.clone());
    assert!(strides[2..].iter().all(|it| *it == short), "{strides:?}");
    let replay = devnet.run(&["audit", "replay", &process]);
    assert_eq!(replay.code, 0, "{}{}", replay.stdout, replay.stderr);
    // The file holds what it takes to see which profile its inputs have.
    let file = devnet.dir().join("lie.cbor");
    let id = text(&slashings[0], "evidence");
    std::fs::write(&file, devnet.bytes(&format!("/v1/evidence/{id}"))).unwrap();
    let verified = surety(&["--json", "audit", "verify", file.to_str().unwrap()]);
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    assert_eq!(text(&verified.data(), "offender"), devnet.operator(1));
}
