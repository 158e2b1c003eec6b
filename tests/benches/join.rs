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

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use surety_harness::built;
use surety_node::client::Client;

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

use program::{Devnet, get, text, until};
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

/// Runs the program in a node's directory; gives the data of its last line.
fn surety(dir: &Path, net: &Devnet, arguments: &[&str]) -> Value {
    let node = text(net.ready(), "http");
    let done = Command::new(built::surety().unwrap())
        .args(["--json", "--node", &node])
        .args(arguments)
        .env("SURETY_DIR", dir)
        .env("SURETY_PASSWORD_FILE", net.dir().join("password"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (said, complained) = (
        String::from_utf8_lossy(&done.stdout).into_owned(),
        String::from_utf8_lossy(&done.stderr).into_owned(),
    );
    assert!(done.status.success(), "{arguments:?}: {said}{complained}");
    let last = said.lines().last().unwrap_or("{}");
    serde_json::from_str::<Value>(last).expect(last)["data"].clone()
}

/// How many of all processes have something certified.
fn certified(net: &Devnet) -> usize {
    let (mut from, mut count) = (String::new(), 0);
    loop {
        let page = net.get(&format!("/v1/processes?limit=1000{from}"));
        let items = page["items"].as_array().unwrap();
        let some = |it: &&Value| it["certified"].as_u64() > Some(0);
        count += items.iter().filter(some).count();
        match page["next"].as_str() {
            Some(next) => from = format!("&from={next}"),
            None => return count,
        }
    }
}

/// A node that somebody new runs.
struct Newcomer {
    child: Child,
    http: String,
}

impl Newcomer {
    fn start(dir: &Path, net: &Devnet) -> Newcomer {
        let bootstrap = net.ready()["nodes"][0]["p2p"][0].as_str().unwrap();
        let log = std::fs::File::create(dir.join("log")).unwrap();
        let mut child = Command::new(built::surety().unwrap())
            .args(["--json", "node", "run", "--until-stdin-closes", "--dir"])
            .arg(dir)
            .args(["--http", "127.0.0.1:0", "--roles", "verifier"])
            .args(["--listen", "/ip4/127.0.0.1/udp/0/quic-v1"])
            .args(["--bootstrap", bootstrap])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().expect("the node comes up").unwrap();
        let ready = serde_json::from_str::<Value>(&line).unwrap()["data"].clone();
        std::thread::spawn(move || lines.for_each(drop));
        let http = text(&ready, "http");
        Newcomer { child, http }
    }

    fn get(&self, path: &str) -> Option<Value> {
        get(&format!("{}{path}", self.http))
    }

    /// Waits until it has approved a claim.
    fn approves(&self) {
        let client = Client::new(&self.http).expect("a client");
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
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
    while certified(&net) < wanted {
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
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let (password, keys) = (net.dir().join("password"), net.dir().join("keys"));
    let genesis = net.dir().join("genesis.cbor");
    let (password, keys) = (password.to_str().unwrap(), keys.to_str().unwrap());
    let wallet = text(net.ready(), "wallet");
    let made = ["node", "init", "--operator", &wallet, "--light-kdf"];
    let files = [
        "--genesis",
        genesis.to_str().unwrap(),
        "--password-file",
        password,
    ];
    surety(dir, net, &[&made[..], &files].concat());
    let begin = Instant::now();
    let node = Newcomer::start(dir, net);
    let height = |it: &Value| it["height"].as_u64();
    until("it has the ledger", || {
        let here = height(&node.get("/v1/ledger")?)?;
        let there = height(&net.get("/v1/ledger"))?;
        (here + 2 >= there).then_some(())
    });
    let ledger = begin.elapsed().as_secs_f64();
    let signing = ["--key-dir", keys, "--wait"];
    surety(dir, net, &[&["stake", "register"][..], &signing].concat());
    surety(
        dir,
        net,
        &[&["stake", "bond", "200ao"][..], &signing].concat(),
    );
    let operator = format!("/v1/operators/{wallet}");
    until("its stake counts", || {
        let about = node.get(&operator)?;
        about["active"].as_bool()?.then_some(())
    });
    let active = begin.elapsed().as_secs_f64();
    node.approves();
    let approved = begin.elapsed().as_secs_f64();
    let (received, written) = (bytes(&node.http, "Inbound"), disk(dir) as f64);
    println!(
        "it has the ledger after {ledger:.1} s, stake after {active:.1} s, has approved after {approved:.1} s"
    );
    println!(
        "it has received {:.1} MB and written {:.1} MB by then",
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
    report.write();
}
