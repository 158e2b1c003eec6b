//! What a network costs and how fast it is: `make bench-network`.
//!
//! First one network of 16 nodes on this machine, with a message each second to one of four processes: how long it takes
//! from a claim to its certificate, as the node sees it that signed the claim, and what each node pays in processor time and bytes
//! meanwhile. Then a hundred networks of seven nodes in each of which one compute unit lies: how long it takes from its signature
//! until its stake is in escrow. All nodes share the cores of this machine.

#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on stops, and its figures are for people"
)]

use std::time::{Duration, Instant};

use serde_json::Value;

#[path = "../tests/devnet/program.rs"]
#[allow(dead_code, reason = "shared with the tests of whole networks")]
mod program;
#[path = "report.rs"]
mod report;
#[path = "network/seen.rs"]
mod seen;
#[path = "network/traffic.rs"]
mod traffic;

use program::{Devnet, surety, text};
use report::{Figure, Report, Target};
use seen::{percentile, watch};
use traffic::bytes;

/// Nodes of the first network.
const NODES: &str = "16";
/// Its processes, and the messages to each: one claim in fourteen waits for a later tranche (its `1.5 k` tickets are 15 on
/// average, and ten must approve), so that the slowest twentieth of few claims is chance.
const PROCESSES: usize = 4;
const ROUNDS: usize = 90;
/// The pause between two messages: sixteen nodes on two cores can follow.
const PACE: Duration = Duration::from_secs(1);
/// Lies, unless `SURETY_LIES` says otherwise.
const LIES: usize = 100;
/// Seconds from a claim to its certificate, and from a lie to the escrow, that are wanted of 95 in a hundred.
const CERTIFICATE: f64 = 4.0;
const ESCROW: f64 = 6.0;

/// Seconds of processor time of a process and of those that it started.
fn processor(pid: &Value) -> f64 {
    let seconds = |pid: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
        let fields = after.split(' ').skip(11).take(2);
        // Clock ticks are hundredths of a second wherever this runs.
        fields.filter_map(|it| it.parse::<f64>().ok()).sum::<f64>() / 100.0
    };
    let children = format!("/proc/{pid}/task/{pid}/children");
    let children = std::fs::read_to_string(children).unwrap_or_default();
    let workers: f64 = children.split_whitespace().map(&seconds).sum();
    seconds(&pid.to_string()) + workers
}

fn certificates(report: &mut Report) {
    let net = Devnet::start(&["--nodes", NODES]);
    let nodes = net.ready()["nodes"].as_array().unwrap().clone();
    let processes: Vec<String> = (0..PROCESSES).map(|_| net.spawn()).collect();
    for process in &processes {
        net.certified(process, 1);
    }
    let seen = watch(&text(&nodes[0], "http"));
    let before: Vec<(f64, f64)> = nodes
        .iter()
        .map(|node| {
            (
                processor(&node["pid"]),
                bytes(&text(node, "http"), "Outbound"),
            )
        })
        .collect();
    let begin = Instant::now();
    let mut slots = 0;
    for _ in 0..ROUNDS {
        for process in &processes {
            let next = Instant::now() + PACE;
            slots = net.send(process, 1);
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    }
    for process in &processes {
        net.certified(process, slots);
    }
    let took = begin.elapsed().as_secs_f64();
    let mut waited = std::mem::take(&mut seen.lock().unwrap().waited);
    waited.sort_by(f64::total_cmp);
    let messages = ROUNDS * PROCESSES;
    println!(
        "{NODES} nodes, {messages} messages to {PROCESSES} processes in {took:.0} s, {} claims certified",
        waited.len()
    );
    let at = |percent| percentile(&waited, percent);
    println!(
        "claim to certificate: p50 {:.2} s, p95 {:.2} s, p99 {:.2} s",
        at(50),
        at(95),
        at(99)
    );
    let figure = Figure::plain("claim to certificate, p95", at(95), "s");
    report.push(
        figure
            .beside("wanted", CERTIFICATE)
            .wanted(Target::AtMost(1.0)),
    );
    report.push(Figure::plain("claim to certificate, p50", at(50), "s"));
    println!("{:>8} {:>14} {:>12}  roles", "node", "processor", "sent");
    let mut worst = (0.0_f64, 0.0_f64);
    for (node, (cpu, sent)) in nodes.iter().zip(before) {
        let cpu = (processor(&node["pid"]) - cpu) / took;
        let sent = (bytes(&text(node, "http"), "Outbound") - sent) / took;
        worst = (worst.0.max(cpu), worst.1.max(sent));
        let roles = node["roles"].as_array().unwrap().iter();
        let roles: Vec<&str> = roles.filter_map(Value::as_str).collect();
        println!(
            "{:>8} {:>12.1} % {:>8.1} kB/s  {}",
            text(node, "name"),
            cpu * 100.0,
            sent / 1000.0,
            roles.join(",")
        );
    }
    report.push(Figure::plain(
        "processor time of the busiest node",
        worst.0,
        "cores",
    ));
    report.push(Figure::plain(
        "bytes sent by the busiest node",
        worst.1,
        "1/s",
    ));
    net.stop();
}

fn lies(report: &mut Report) {
    let count = std::env::var("SURETY_LIES").ok();
    let count = count.and_then(|it| it.parse().ok()).unwrap_or(LIES);
    let mut seconds = Vec::new();
    for lie in 0..count {
        let kinds = [
            "compute:wrong-result",
            "compute:wrong-state",
            "scheduler:double-assign",
        ];
        let fault = format!("{}@{}", kinds[lie % kinds.len()], 3 + lie % 17);
        let run = surety(&["--json", "devnet", "--fault", &fault]);
        assert_eq!(run.code, 0, "{fault}: {}", run.stderr);
        let found = run.last()["seconds_from_lie_to_escrow"].as_f64();
        seconds.push(found.unwrap_or_else(|| panic!("{fault}: no time in the report")));
    }
    seconds.sort_by(f64::total_cmp);
    let at = |percent| percentile(&seconds, percent);
    println!(
        "lie to escrow, {count} networks of 7: p50 {:.2} s, p95 {:.2} s, at most {:.2} s",
        at(50),
        at(95),
        at(100)
    );
    let figure = Figure::plain("lie to escrow, p95", at(95), "s");
    report.push(figure.beside("wanted", ESCROW).wanted(Target::AtMost(1.0)));
    report.push(Figure::plain("lie to escrow, p50", at(50), "s"));
}

fn main() {
    let mut report = Report::new("network");
    certificates(&mut report);
    // What a network leaves behind is gone before the next begins.
    std::thread::sleep(Duration::from_secs(1));
    lies(&mut report);
    report.write();
}
