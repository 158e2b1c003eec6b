//! The simulator as its users start it: a seed is a run, byte for byte; many seeds are clean; and where a protection is taken
//! away, the oracle notices.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "devnet/program.rs"]
#[allow(dead_code, reason = "shared with the tests of whole networks")]
mod program;

use std::process::Command;

use program::{surety, text};
use serde_json::Value;
use surety_harness::built;
use surety_harness::cast::Weakness;

fn run(arguments: &[&str]) -> Value {
    let run = surety(&[&["sim", "run", "--json"], arguments].concat());
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let data = run.data();
    assert!(data["violation"].is_null(), "{data}");
    assert!(data["certified"].as_u64().unwrap() > 0, "{data}");
    data
}

#[test]
fn a_seed_is_a_run() {
    let first = run(&["--seed", "7"]);
    let again = run(&["--seed", "7"]);
    let other = run(&["--seed", "8"]);
    assert_eq!(text(&first, "digest"), text(&again, "digest"));
    assert_ne!(text(&first, "digest"), text(&other, "digest"));
}

#[test]
fn a_quiet_sweep_says_how_fast_it_went_and_that_it_is_clean() {
    let sweep = surety(&["sim", "run", "--quiet", "--seeds", "2"]);
    assert_eq!(sweep.code, 0, "{}{}", sweep.stdout, sweep.stderr);
    for said in ["per second", "times real time", "all 2 seeds are clean"] {
        assert!(sweep.stdout.contains(said), "{}", sweep.stdout);
    }
}

/// Runs of mixed seeds from 1 on, with signatures that cost nothing; whether all are clean.
fn ideal(arguments: &[&str]) -> (bool, Vec<Value>) {
    let sweep = Command::new(built::beside("surety-sim-ideal").unwrap())
        .args(["run", "--json", "--seed", "1"])
        .args(arguments)
        .output()
        .unwrap();
    let lines = String::from_utf8(sweep.stdout).unwrap();
    let runs = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["data"].clone())
        .filter(|it| it["seed"].is_u64())
        .collect();
    (sweep.status.success(), runs)
}

/// Each seed chooses its size, its villains and its accidents itself.
#[test]
fn three_hundred_seeds_are_clean() {
    let (clean, runs) = ideal(&["--mixed", "--seeds", "300"]);
    let violations: Vec<&Value> = runs
        .iter()
        .filter(|it| !it["violation"].is_null())
        .collect();
    assert!(clean && violations.is_empty(), "{violations:?}");
    let seeds: Vec<u64> = runs.iter().map(|it| it["seed"].as_u64().unwrap()).collect();
    assert_eq!(seeds, (1..=300).collect::<Vec<u64>>());
    // The sweep is worth something only if all of this happened in it.
    for fault in ["wrong-state", "wrong-result", "equivocate", "double-assign"] {
        let faulty = |it: &&Value| it["faults"].to_string().contains(fault);
        let slashed = runs.iter().filter(faulty).map(|it| it["slashed"].as_u64());
        assert!(slashed.sum::<Option<u64>>() > Some(0), "{fault}");
    }
    let both = |it: &Value| {
        let faults = it["faults"].to_string();
        faults.contains("blind-approval") && it["slashed"].as_u64() > Some(1)
    };
    assert!(runs.iter().any(both), "an approver is punished");
    for villain in [
        "blind-approval",
        "false-accusation",
        "wrong-accusation",
        "no-show",
    ] {
        let plays = |it: &Value| it["faults"].to_string().contains(villain);
        assert!(runs.iter().any(plays), "{villain}");
    }
    for accident in ["crashes", "loss", "partitions", "late", "spam"] {
        let happened = |it: &Value| it[accident].as_u64() > Some(0);
        assert!(runs.iter().any(happened), "{accident}");
    }
    assert!(runs.iter().any(|it| it["flight"] == true));
    for ploy in ["withhold", "censor", "eclipse", "skew"] {
        assert!(runs.iter().any(|it| it["ploy"] == ploy), "{ploy}");
    }
    assert!(runs.iter().any(|it| it["nodes"].as_u64() > Some(6)));
}

/// Rule CO-20: of 64 nodes those that only verify hear less than half of what is said, and what is false is found as ever.
#[test]
fn in_a_large_network_verifiers_hear_some_of_it_and_lies_are_punished() {
    let size = ["--seeds", "4", "--nodes", "64", "--messages", "6"];
    let villains = ["compute:wrong-result@3", "verifier:blind-approval@3"];
    let villains = villains.map(|it| ["--fault", it]).concat();
    let accidents = ["--loss", "5", "--crashes", "2", "--late", "1"];
    let (clean, runs) = ideal(&[&size[..], &villains[..], &accidents[..]].concat());
    assert!(clean && runs.len() == 4, "{runs:?}");
    for run in &runs {
        assert!(run["slashed"].as_u64() > Some(0), "{run}");
        assert!(run["certified"].as_u64() > Some(0), "{run}");
    }
    let both = |it: &Value| it["slashed"].as_u64() > Some(1);
    assert!(
        runs.iter().any(both),
        "in one of them the other villain draws the lie"
    );
}

/// A fifth of the stake in one hand that never shows up: others have a say, later.
#[test]
fn a_network_goes_on_without_a_whale() {
    for nodes in ["7", "15"] {
        let size = ["--seeds", "4", "--nodes", nodes, "--messages", "6"];
        let (clean, runs) = ideal(&[&size[..], &["--ploy", "whale"]].concat());
        assert!(clean && runs.len() == 4, "{runs:?}");
        let certified = |it: &Value| it["certified"].as_u64() > Some(0);
        assert!(runs.iter().all(certified), "{runs:?}");
    }
}

/// Two cases about one file are open at once, and each ends as it should.
#[test]
fn who_announces_a_file_wrong_loses_a_bond_and_shields_nobody() {
    let faults = ["compute:wrong-result@3", "verifier:wrong-accusation@3"];
    let faults = faults.map(|it| ["--fault", it]).concat();
    let lost = (1..=10).any(|seed: u64| {
        let seed = seed.to_string();
        let size = ["--seed", &seed, "--nodes", "6", "--messages", "6"];
        let seen = surety(&[&["sim", "replay"], &size[..], &faults[..]].concat());
        assert_eq!(seen.code, 0, "{}{}", seen.stdout, seen.stderr);
        // What happens is told beside the outcome.
        assert!(seen.stderr.contains("state: Guilty"), "{seed}");
        seen.stderr.contains("state: Innocent")
    });
    assert!(lost, "in one of ten runs the villain draws the claim");
}

/// Fewer with real signatures, which nothing but time tells from the others.
#[test]
fn forty_seeds_are_clean_with_real_signatures() {
    let sweep = ["--quiet", "run", "--mixed", "--seed", "1", "--seeds", "40"];
    let sweep = surety(&[&["sim"], &sweep[..]].concat());
    assert_eq!(sweep.code, 0, "{}{}", sweep.stdout, sweep.stderr);
}

/// A protection that can be switched off: which seed of which plan is the first to fail then, and by which invariant.
struct Switch {
    name: String,
    invariant: String,
    plan: String,
    seed: u64,
}

fn switches() -> Vec<Switch> {
    let text = include_str!("../../specs/simulation.md");
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line
            .strip_prefix("| `")?
            .split('|')
            .map(str::trim)
            .collect();
        let [switch, _, invariant, plan, seed, _] = cells.as_slice() else {
            return None;
        };
        let text = |cell: &str| cell.trim_matches('`').to_owned();
        Some(Switch {
            name: text(switch),
            invariant: text(invariant),
            plan: text(plan),
            seed: seed.parse().ok()?,
        })
    });
    rows.collect()
}

#[test]
fn without_any_one_protection_some_seed_fails() {
    let switches = switches();
    let mut named: Vec<&str> = switches.iter().map(|it| it.name.as_str()).collect();
    named.sort_unstable();
    let mut all = Weakness::ALL.map(|it| it.name());
    all.sort_unstable();
    assert_eq!(named, all, "the table has every switch");
    for Switch {
        name: switch,
        invariant,
        plan,
        seed: first,
    } in &switches
    {
        let plan: Vec<&str> = plan.split(' ').collect();
        let seeds = first.to_string();
        let (clean, runs) = ideal(&[&plan[..], &["--seeds", &seeds, "--without", switch]].concat());
        let failed: Vec<&Value> = runs
            .iter()
            .filter(|it| !it["violation"].is_null())
            .collect();
        assert!(!clean && failed.len() == 1, "{switch}: {failed:?}");
        assert_eq!(failed[0]["seed"].as_u64(), Some(*first), "{switch}");
        assert_eq!(
            text(&failed[0]["violation"], "invariant"),
            *invariant,
            "{switch}"
        );
    }
}

#[test]
fn what_is_lost_on_the_way_costs_nobody_stake() {
    let lossy = run(&["--seed", "8", "--loss", "5"]);
    assert_eq!(lossy["slashed"], 0, "{lossy}");
}

#[test]
fn a_lying_compute_unit_is_punished_once() {
    for fault in ["compute:wrong-state@5", "compute:wrong-result@5"] {
        let caught = run(&["--seed", "3", "--fault", fault]);
        assert_eq!(caught["slashed"], 1, "{fault}: {caught}");
    }
}

#[test]
fn a_compute_unit_that_contradicts_itself_is_punished_once() {
    let caught = run(&["--seed", "3", "--fault", "compute:equivocate@5"]);
    assert_eq!(caught["slashed"], 1, "{caught}");
}

#[test]
fn a_lying_scheduler_is_punished_once() {
    let caught = run(&["--seed", "3", "--fault", "scheduler:double-assign@5"]);
    assert_eq!(caught["slashed"], 1, "{caught}");
}

#[test]
fn who_approves_a_lie_without_looking_is_punished_with_the_liar() {
    let faults = [
        "--fault",
        "compute:wrong-result@5",
        "--fault",
        "verifier:blind-approval@5",
    ];
    let caught = run(&[&["--seed", "4"], &faults[..]].concat());
    assert_eq!(caught["slashed"], 2, "{caught}");
}
