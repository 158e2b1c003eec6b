//! The table of `specs/gossip.md`, row by row: a node that has heard what was said in a run is told each thing of the table.
//!
//! `SURETY_BLESS=1` writes `specs/vectors/gossip.json` anew, from which other nodes can be tried.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "gossip/assignments.rs"]
mod assignments;
#[path = "gossip/claims.rs"]
mod claims;
#[path = "gossip/keys.rs"]
mod keys;
#[path = "gossip/ledger.rs"]
mod ledger;
#[path = "gossip/records.rs"]
mod records;
#[path = "gossip/stage.rs"]
mod stage;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use stage::{Case, STAGE, Stage};
use surety_harness::listener::Listener;
use surety_node::net::{Acceptance, Topic};
use surety_protocol::approval::ClaimBatch;
use surety_protocol::bls::SecretKey;
use surety_protocol::codec;
use surety_protocol::id::{Digest, base64url};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../specs/vectors/gossip.json");

/// The rows of the table: topic and case, and the verdict.
fn rows() -> BTreeMap<(String, String), String> {
    let text = include_str!("../../specs/gossip.md");
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.split('|').map(str::trim).collect();
        let [topic, case, _, verdict, _, _] = cells.as_slice() else {
            return None;
        };
        let case = case.strip_prefix('`')?.strip_suffix('`')?;
        Some(((topic.to_string(), case.to_owned()), verdict.to_string()))
    });
    rows.collect()
}

fn cases() -> Vec<Case> {
    [
        assignments::cases(),
        claims::cases(),
        ledger::cases(),
        records::cases(),
    ]
    .concat()
}

/// The rows of the other table: those in which a node that only verifies differs.
fn rows_of_a_verifier() -> BTreeMap<String, String> {
    let text = include_str!("../../specs/gossip.md");
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.split('|').map(str::trim).collect();
        let [case, verdict, _] = cells.as_slice() else {
            return None;
        };
        let case = case.strip_prefix('`')?.strip_suffix('`')?;
        Some((case.to_owned(), verdict.to_string()))
    });
    rows.collect()
}

/// A node that has heard the run up to where the case begins.
fn listener(stage: &Stage, case: &Case) -> Listener {
    heard(Listener::new(&stage.world.genesis).unwrap(), stage, case)
}

fn heard(mut listener: Listener, stage: &Stage, case: &Case) -> Listener {
    for said in &stage.said[..case.after] {
        listener.hears(said.topic, &said.data);
    }
    for said in &case.before {
        listener.hears(said.topic, &said.data);
    }
    listener
}

fn name(worth: Option<Acceptance>) -> &'static str {
    match worth {
        Some(Acceptance::Accept) => "accept",
        Some(Acceptance::Ignore) => "ignore",
        Some(Acceptance::Reject) => "reject",
        None => "wait",
    }
}

fn verdict(mut listener: Listener, stage: &Stage, case: &Case) -> String {
    let first = listener.hears(case.said.topic, &case.said.data);
    let token = listener.last();
    if first.is_some() {
        return name(first).to_owned();
    }
    // What comes then decides.
    for said in &stage.said[case.after..] {
        listener.hears(said.topic, &said.data);
        if listener.worth(token).is_some() {
            break;
        }
    }
    format!("wait, {}", name(listener.worth(token)))
}

#[test]
fn every_row_of_the_table_is_what_a_node_does() {
    let (rows, cases) = (rows(), cases());
    let mut found = BTreeMap::new();
    for case in &cases {
        let row = (case.said.topic.name().to_owned(), case.name.to_owned());
        let twice = found.insert(row, verdict(listener(&STAGE, case), &STAGE, case));
        assert_eq!(twice, None, "{}", case.name);
    }
    let names: BTreeSet<_> = found.keys().chain(rows.keys()).collect();
    let differ = names
        .into_iter()
        .filter(|it| found.get(*it) != rows.get(*it));
    let differ: Vec<_> = differ.map(|it| (it, found.get(it), rows.get(it))).collect();
    assert!(differ.is_empty(), "found, and in the table: {differ:#?}");
}

/// Rule CO-17.
#[test]
fn who_only_verifies_passes_on_what_it_has_no_use_for() {
    let others = rows_of_a_verifier();
    assert_eq!(others.len(), 4);
    let rows = rows();
    for case in cases() {
        let key = SecretKey::derive_from_seed(&[5; 32]).unwrap();
        let verifier = Listener::verifying(&STAGE.world.genesis, key).unwrap();
        let verifier = heard(verifier, &STAGE, &case);
        let row = (case.said.topic.name().to_owned(), case.name.to_owned());
        let expected = others.get(case.name).or_else(|| rows.get(&row));
        assert_eq!(
            Some(&verdict(verifier, &STAGE, &case)),
            expected,
            "{}",
            case.name
        );
    }
}

/// What everybody says in an honest run is passed on, by whoever hears it in that order.
#[test]
fn what_is_said_in_a_run_is_accepted() {
    let mut listener = Listener::new(&STAGE.world.genesis).unwrap();
    let mut ignored = Vec::new();
    for (number, said) in STAGE.said.iter().enumerate() {
        match listener.hears(said.topic, &said.data) {
            Some(Acceptance::Accept) => {}
            Some(Acceptance::Ignore) => ignored.push((number, said.topic)),
            other => panic!("{number} {:?} {other:?}", said.topic),
        }
    }
    // Items for the ledger that others have said in other words, approvals of what is certified by then, and batches of claimants
    // who claim the same as others.
    let late = |number: usize| match STAGE.said[number].topic {
        Topic::Ledger | Topic::Approvals(_) => true,
        Topic::Claims => codec::decode::<ClaimBatch>(&STAGE.said[number].data).is_ok(),
        Topic::Assignments(_) | Topic::Records => false,
    };
    assert!(ignored.iter().all(|(it, _)| late(*it)), "{ignored:?}");
    assert!(ignored.len() * 4 < STAGE.said.len(), "{ignored:?}");
}

/// Rule CO-18.
#[test]
fn of_two_records_the_newer_counts() {
    let (at, key) = records::node();
    let mut listener = Listener::new(&STAGE.world.genesis).unwrap();
    for said in &STAGE.said[..at] {
        listener.hears(said.topic, &said.data);
    }
    listener.pace = 10_000;
    let mut hears = |number| {
        listener
            .hears(Topic::Records, &records::record(&key, number))
            .unwrap()
    };
    assert_eq!(hears(5), Acceptance::Accept);
    assert_eq!(hears(4), Acceptance::Ignore);
    assert_eq!(hears(5), Acceptance::Ignore);
    assert_eq!(hears(6), Acceptance::Accept);
}

/// Nor the time: of what nobody has committed a peer has a few heard, and others are heard all the same.
#[test]
fn who_makes_up_batches_takes_nobodys_room() {
    let early = claims::cases()
        .into_iter()
        .find(|it| it.name == "early-batch");
    let early = early.unwrap();
    let mut listener = listener(&STAGE, &early);
    let flooder = Digest::new([7; 32]);
    let pace = std::mem::replace(&mut listener.pace, 0);
    let worth: Vec<Option<Acceptance>> = (0..9_000_u32)
        .map(|number| {
            let data = claims::invented(number);
            listener.hears_from(flooder, early.said.topic, &data)
        })
        .collect();
    let waiting = worth.iter().filter(|it| it.is_none()).count();
    let ignored = worth.iter().filter(|it| **it == Some(Acceptance::Ignore));
    assert_eq!((waiting, ignored.count()), (32, 8_968));
    listener.pace = pace;
    assert_eq!(listener.hears(early.said.topic, &early.said.data), None);
    let token = listener.last();
    let block = &STAGE.said[early.after];
    listener.hears(block.topic, &block.data);
    assert_eq!(listener.worth(token), Some(Acceptance::Accept));
}

fn vectors() -> Value {
    let rows = rows();
    let said = |said: &surety_harness::simulation::Said| json!({ "topic": said.topic.to_string(), "data": base64url(&said.data) });
    let cases = cases();
    let heard = cases.iter().map(|case| case.after).max().unwrap_or(0);
    let told: Vec<Value> = cases
        .iter()
        .map(|case| {
            let row = (case.said.topic.name().to_owned(), case.name.to_owned());
            let before: Vec<Value> = case.before.iter().map(said).collect();
            json!({
                "case": case.name,
                "after": case.after,
                "before": before,
                "topic": case.said.topic.to_string(),
                "data": base64url(&case.said.data),
                "verdict": rows.get(&row),
            })
        })
        .collect();
    let run: Vec<Value> = STAGE.said[..heard].iter().map(said).collect();
    json!({
        "genesis": base64url(&codec::encode(&STAGE.world.genesis).unwrap()),
        "run": run,
        "cases": told,
    })
}

#[test]
fn the_vectors_are_these() {
    let text = serde_json::to_string_pretty(&vectors()).unwrap() + "\n";
    if std::env::var_os("SURETY_BLESS").is_some() {
        return std::fs::write(VECTORS, text).unwrap();
    }
    let here = std::fs::read_to_string(VECTORS).unwrap();
    assert!(here == text, "specs/vectors/gossip.json is of another run");
}
