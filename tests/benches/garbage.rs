//! What strangers who gossip garbage do to a network: `make bench-garbage`.
//!
//! Seven nodes on this machine certify what users send to two processes, first left alone, then while strangers say so many things
//! each second that are random, cut, altered, or about what does not exist. Whoever is thrown out comes again under another
//! key. Measured are the time from a claim to its certificate in both, the memory of the nodes, and how long a stranger lasts.

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

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

#[path = "../tests/devnet/program.rs"]
#[allow(dead_code, reason = "shared with the tests of whole networks")]
mod program;
#[path = "report.rs"]
mod report;
#[path = "network/seen.rs"]
mod seen;
#[path = "garbage/strangers.rs"]
mod strangers;

use program::{Devnet, text};
use report::{Figure, Report, Target};
use seen::{Seen, percentile, watch};
use strangers::Strangers;

const NODES: &str = "7";
const PROCESSES: usize = 2;
/// The pause between two messages of users.
const PACE: Duration = Duration::from_millis(500);
/// How long the network is left alone first: one claim in fourteen waits for a later tranche, so that the slowest twentieth of few
/// claims is chance.
const ALONE: Duration = Duration::from_secs(300);
/// Minutes of garbage, unless `SURETY_MINUTES` says otherwise.
const MINUTES: u64 = 10;
/// How much slower certificates may come.
const SLOWER: f64 = 2.0;

/// Mebibytes that a node has in memory.
fn memory(pid: &Value) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|it| it.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
    kibibytes.unwrap_or(0.0) / 1024.0
}

/// What came of a while.
struct While {
    waited: Vec<f64>,
    /// The most memory of any node.
    memory: f64,
}

/// Sends messages at the pace for a while.
fn busy(
    net: &Devnet,
    processes: &[String],
    seen: &std::sync::Mutex<Seen>,
    time: Duration,
) -> While {
    let nodes = net.ready()["nodes"].as_array().unwrap();
    let end = Instant::now() + time;
    let (mut slots, mut most) = (vec![0; processes.len()], 0.0_f64);
    for (turn, process) in (0..).zip(processes.iter().cycle()) {
        let next = Instant::now() + PACE;
        if next > end {
            break;
        }
        slots[turn % processes.len()] = net.send(process, 1);
        most = nodes
            .iter()
            .map(|it| memory(&it["pid"]))
            .fold(most, f64::max);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    for (process, slots) in processes.iter().zip(slots) {
        net.certified(process, slots);
    }
    let mut waited = std::mem::take(&mut seen.lock().unwrap().waited);
    waited.sort_by(f64::total_cmp);
    While {
        waited,
        memory: most,
    }
}

fn main() {
    let minutes = std::env::var("SURETY_MINUTES").ok();
    let minutes = minutes.and_then(|it| it.parse().ok()).unwrap_or(MINUTES);
    let mut report = Report::new("garbage");
    let net = Devnet::start(&["--nodes", NODES]);
    let processes: Vec<String> = (0..PROCESSES).map(|_| net.spawn()).collect();
    for process in &processes {
        net.certified(process, 1);
    }
    let nodes = net.ready()["nodes"].as_array().unwrap().clone();
    let seen = watch(&text(&nodes[0], "http"));
    let alone = busy(&net, &processes, &seen, ALONE);
    let network = text(&net.get("/v1/node"), "network");
    let network = network.parse().expect("a network id");
    let addresses = nodes.iter().filter_map(|it| it["p2p"][0].as_str());
    let addresses: Vec<String> = addresses.map(str::to_owned).collect();
    assert_eq!(addresses.len(), nodes.len(), "every node has an address");
    let strangers = Arc::new(Strangers::new(network, addresses));
    let time = Duration::from_secs(60 * minutes);
    let begin = Instant::now();
    let attack = strangers.begin();
    let under = busy(&net, &processes, &seen, time);
    let took = begin.elapsed().as_secs_f64();
    let told = attack.end();
    let slashings = net.get("/v1/slashings");
    let punished = slashings["items"].as_array().expect("a list").len();
    assert_eq!(punished, 0, "garbage cost somebody stake");
    println!(
        "{NODES} nodes; {:.0} s of garbage: {:.0} things said each second, {} strangers thrown out, each after {:.1} s",
        took,
        told.said as f64 / took,
        told.thrown_out,
        told.lasted / told.thrown_out.max(1) as f64,
    );
    for (name, it) in [("alone", &alone), ("under garbage", &under)] {
        println!(
            "{name:>14}: {} claims certified, p50 {:.2} s, p95 {:.2} s; the largest node has {:.0} MiB",
            it.waited.len(),
            percentile(&it.waited, 50),
            percentile(&it.waited, 95),
            it.memory,
        );
    }
    let p95 = percentile(&under.waited, 95);
    let figure = Figure::plain("claim to certificate under garbage, p95", p95, "s");
    let figure = figure.beside("alone", percentile(&alone.waited, 95));
    report.push(figure.wanted(Target::AtMost(SLOWER)));
    let figure = Figure::plain(
        "memory of the largest node under garbage",
        under.memory,
        "MiB",
    );
    report.push(figure.beside("alone", alone.memory));
    let figure = Figure::plain("said by strangers", told.said as f64 / took, "1/s");
    report.push(figure);
    report.push(Figure::plain(
        "strangers thrown out",
        told.thrown_out as f64,
        "",
    ));
    net.stop();
    report.write();
}
