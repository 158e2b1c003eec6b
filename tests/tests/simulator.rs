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

use program::{surety, text};
use serde_json::Value;

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

/// Each seed chooses a fault or none, crashes and loss itself.
#[test]
fn two_hundred_seeds_are_clean() {
    let sweep = ["--mixed", "--seed", "1", "--seeds", "200"];
    let sweep = surety(&[&["sim", "run", "--json"], &sweep[..]].concat());
    assert_eq!(sweep.code, 0, "{}", sweep.stderr);
    let runs: Vec<Value> = sweep
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["data"].clone())
        .collect();
    let seeds: Vec<u64> = runs.iter().map(|it| it["seed"].as_u64().unwrap()).collect();
    assert_eq!(seeds, (1..=200).collect::<Vec<u64>>());
    // The sweep is worth something only if all of this happened in it.
    for fault in ["wrong-state", "wrong-result", "equivocate", "double-assign"] {
        let faulty = |it: &&Value| it["faults"].to_string().contains(fault);
        let slashed = runs.iter().filter(faulty).map(|it| it["slashed"].as_u64());
        assert!(slashed.sum::<Option<u64>>() > Some(0), "{fault}");
    }
    for accident in ["crashes", "loss"] {
        assert!(
            runs.iter().any(|it| it[accident].as_u64() > Some(0)),
            "{accident}"
        );
    }
}

#[test]
fn the_oracle_notices_every_protection_that_is_taken_away() {
    let lie = ["--fault", "compute:wrong-result@5"];
    let cases = [
        ("unsynced-disk", ["--crashes", "3"], "one-ledger"),
        ("amnesia", ["--crashes", "3"], "liveness"),
        ("blind-verifiers", lie, "honest-approvals-are-true"),
        ("bribed-judges", lie, "honest-challenge"),
        ("endless-loss", ["--loss", "25"], "liveness"),
    ];
    for (weakness, circumstances, invariant) in cases {
        let seeds = ["--seed", "1", "--seeds", "6", "--without", weakness];
        let run = surety(&[&["sim", "run"], &seeds[..], &circumstances[..]].concat());
        assert_eq!(run.code, 1, "{weakness}: {}", run.stdout);
        let violation = format!(": {invariant}: ");
        assert!(
            run.stdout.contains(&violation),
            "{weakness}: {}",
            run.stdout
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
