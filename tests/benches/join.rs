//! How soon a new verifier takes part: `make bench-join`.
//!
//! A network of four nodes follows a thousand processes, all certified, to some of which users go on writing. Then somebody with an empty
//! disk does what the README says: makes a node's directory, starts it, registers and bonds. Measured is the time from the
//! start of the node until it has the ledger, until its stake counts, and until it has executed and approved a claim of somebody else;
//! and what it has received and written by then.

#![allow(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on stops, and its figures are for people"
)]

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use surety_node::client::Client;

#[path = "../tests/devnet/newcomer.rs"]
#[allow(dead_code, reason = "shared with the tests of whole networks")]
mod newcomer;
#[path = "../tests/devnet/program.rs"]
#[allow(dead_code, reason = "shared with the tests of whole networks")]
mod program;
#[path = "report.rs"]
mod report;
#[path = "network/seen.rs"]
#[allow(dead_code, reason = "shared with what watches claims")]
mod seen;
#[path = "network/traffic.rs"]
mod traffic;

use newcomer::Newcomer;
use program::{Devnet, text, until};
use report::{Figure, Report, Target};
use seen::runtime;
use traffic::bytes;

/// Processes, unless `SURETY_PROCESSES` says otherwise.
const PROCESSES: usize = 1_000;
/// The pause between two messages of users.
const PACE: Duration = Duration::from_millis(500);
/// How long the processes may take to be certified.
const PATIENCE: Duration = Duration::from_secs(1_200);
/// Seconds within which a new verifier is wanted to take part.
const SOON: f64 = 60.0;

/// How many of all processes of which a node has logs are like this.
fn logs(get: impl Fn(&str) -> Value, like: impl Fn(&Value) -> bool) -> usize {
    let (mut from, mut count) = (String::new(), 0);
    loop {
        let page = get(&format!("/v1/processes?limit=1000{from}"));
        let items = page["items"].as_array().unwrap();
        count += items.iter().filter(|it| like(it)).count();
        match page["next"].as_str() {
            Some(next) => from = format!("&from={next}"),
            None => return count,
        }
    }
}

/// Waits until a node has approved a claim.
fn approves(http: &str) {
    let client = Client::new(http).expect("a client");
    runtime().block_on(async {
        let mut events = client.events(0).await.expect("events");
        while let Some(event) = events.recv().await {
            if text(&event, "kind") == "approved" {
                return;
            }
        }
        panic!("it ended before it approved anything");
    });
}

fn disk(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().flatten();
    entries
        .map(|it| match it.metadata() {
            Ok(about) if about.is_dir() => disk(&it.path()),
            Ok(about) => about.len(),
            Err(_) => 0,
        })
        .sum()
}

fn main() {
    let wanted = std::env::var("SURETY_PROCESSES").ok();
    let wanted = wanted.and_then(|it| it.parse().ok()).unwrap_or(PROCESSES);
    let net = Devnet::start(&["--nodes", "4"]);
    let begin = Instant::now();
    let processes: Vec<String> = (0..wanted).map(|_| net.spawn()).collect();
    let deadline = Instant::now() + PATIENCE;
    let some_certified = |it: &Value| it["certified"].as_u64() > Some(0);
    while logs(|path| net.get(path), some_certified) < wanted {
        assert!(Instant::now() < deadline, "not all processes are certified");
        std::thread::sleep(Duration::from_secs(1));
    }
    let took = begin.elapsed().as_secs_f64();
    println!("{wanted} processes are certified after {took:.0} s");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for process in processes.iter().cycle() {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let next = Instant::now() + PACE;
                net.send(process, 1);
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        let joined = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| join(&net)));
        done.store(true, Ordering::Relaxed);
        if let Err(why) = joined {
            std::panic::resume_unwind(why);
        }
    });
    net.stop();
}

fn join(net: &Devnet) {
    let mut report = Report::new("join");
    let mut node = Newcomer::init(net);
    let begin = Instant::now();
    node.start(net, &["node", "run", "--roles", "verifier"]);
    let height = |it: &Value| it["height"].as_u64();
    until("it has the ledger", || {
        let here = height(&node.get("/v1/ledger")?)?;
        let there = height(&net.get("/v1/ledger"))?;
        (here + 2 >= there).then_some(())
    });
    let ledger = begin.elapsed().as_secs_f64();
    node.register(net);
    node.stake(net, &["bond", "200ao"]);
    let wallet = text(net.ready(), "wallet");
    let operator = format!("/v1/operators/{wallet}");
    until("its stake counts", || {
        let about = node.get(&operator)?;
        about["active"].as_bool()?.then_some(())
    });
    let active = begin.elapsed().as_secs_f64();
    approves(node.http());
    let approved = begin.elapsed().as_secs_f64();
    let (received, written) = (bytes(node.http(), "Inbound"), disk(node.dir()) as f64);
    let held = logs(|path| node.get(path).expect("processes"), |_| true);
    println!(
        "it has the ledger after {ledger:.1} s, stake after {active:.1} s, has approved after {approved:.1} s"
    );
    println!(
        "it has received {:.1} MB and written {:.1} MB by then, and has {held} logs",
        received / 1e6,
        written / 1e6
    );
    let figure = Figure::plain("from an empty disk to the first approval", approved, "s");
    report.push(figure.beside("wanted", SOON).wanted(Target::AtMost(1.0)));
    report.push(Figure::plain(
        "from an empty disk to the ledger",
        ledger,
        "s",
    ));
    report.push(Figure::plain("received by then", received / 1e6, "MB"));
    report.push(Figure::plain("written by then", written / 1e6, "MB"));
    report.push(Figure::plain("logs by then", held as f64, "logs"));
    report.write();
}
