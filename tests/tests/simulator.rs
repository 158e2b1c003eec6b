//! The simulator as its users start it: a seed is a run, byte for byte, and runs with loss and with a lying scheduler are clean.

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
fn a_lying_scheduler_is_punished_once() {
    let caught = run(&["--seed", "3", "--fault", "scheduler:double-assign@5"]);
    assert_eq!(caught["slashed"], 1, "{caught}");
}
