//! What AO's units cost their users here, beside WAO's and AO's own: `make bench-units`.
//!
//! A node is started as its users start it, alone in its network and with the roles that WAO's program has too. Clients speak HTTP,
//! and sign what they send before the clock starts. WAO schedules and evaluates in one call, so its assignments cost an
//! evaluation each; and it answers some of several messages at once with an error, so it is
//! measured with one client at a time, beside one of ours. `SURETY_AOS_MODULES` and `SURETY_WAO` say where the modules and WAO are; `make bench-units` fetches them.
//!
//! AO's own units are measured where somebody runs them: `SURETY_AO_SU` and `SURETY_AO_CU` are their URLs, and `SURETY_AO_MODULE` is
//! the id of a module of AOS that the compute unit can fetch, if it is not AO's.

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
use surety_protocol::item::ItemKey;

/// Clients at once.
const CLIENTS: [usize; 2] = [1, 16];
/// Roles that schedule only, and the ones that WAO's program has.
const SCHEDULER: &str = "scheduler";
const ALL_UNITS: &str = "scheduler,compute,messenger,gateway";
/// Messages of each figure: of us with either kind of key, and of the others.
const ED25519: usize = 4_000;
const RSA: usize = 1_000;
const EVALUATED: usize = 400;
const WAO: usize = 40;
const AO_SCHEDULED: usize = 200;
const AO_EVALUATED: usize = 40;
/// Hops of a message between two processes, of us and of WAO.
const HOPS: u64 = 400;
const HOPS_WAO: u64 = 40;
/// Processes of the figures of many, whose clients are ten.
const MANY: [usize; 2] = [10, 1_000];
const MANY_CLIENTS: usize = 10;

const EVAL: &str = "Count = (Count or 0) + 1; return Count";

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|it| !it.is_empty())
}

fn folder(name: &str) -> PathBuf {
    let folder = variable(name);
    PathBuf::from(folder.unwrap_or_else(|| panic!("{name} is not set: use `make bench-units`")))
}

fn user() -> Client {
    Client::new(ItemKey::ed25519(&[9; 32]))
}

/// What one of the others gave.
type Rival = (&'static str, Load);

/// The table, and its figures.
struct Table(Report);

impl Table {
    fn head() -> Table {
        let [what, rate, half, most, ratio] = ["", "per s", "p50 ms", "p99 ms", "ratio"];
        println!("{what:<44} {rate:>9} {half:>8} {most:>8} {ratio:>8}  target");
        Table(Report::new("units"))
    }

    /// A line of ours, and one of each of the others, with what ours should be of theirs.
    fn line(&mut self, what: &str, ours: &Load, rivals: &[Rival], target: Option<Target>) {
        let load = |it: &Load| format!("{:>9.1} {:>8.2} {:>8.2}", it.rate, it.p50, it.p99);
        println!("{what:<44} {}", load(ours));
        let rate = || Figure::plain(what, ours.rate, "per second");
        let p99 = || Figure::plain(&format!("{what}, p99"), ours.p99, "ms");
        for (name, theirs) in rivals {
            let beside = rate().beside(name, theirs.rate);
            let beside = match target {
                Some(target) => beside.wanted(target),
                None => beside,
            };
            println!("  {name:<42} {} {}", load(theirs), beside.verdict());
            self.0.push(beside);
            self.0.push(p99().beside(name, theirs.p99));
        }
        if rivals.is_empty() {
            self.0.push(rate());
            self.0.push(p99());
        }
    }
}

/// AO's own scheduler, and its compute unit, by how many clients ask at once.
struct Ao {
    scheduled: Vec<Load>,
    evaluated: Vec<Load>,
}

impl Ao {
    /// Measures what is there, and says what is not.
    fn measure() -> Ao {
        let mut ao = Ao {
            scheduled: Vec::new(),
            evaluated: Vec::new(),
        };
        let (su, cu) = (variable("SURETY_AO_SU"), variable("SURETY_AO_CU"));
        let Some(su) = su else {
            println!("AO's own units are not here: SURETY_AO_SU is not set");
            return ao;
        };
        // It takes no items that are signed with Ed25519.
        let client = Client::new(ItemKey::ethereum(&[9; 32]).expect("a key"));
        let (scheduler, module) = (client.scheduler(&su), variable("SURETY_AO_MODULE"));
        let units = Units::ao(&su, cu.as_deref().unwrap_or_default(), scheduler, module);
        let process = client.spawn(&units, 0);
        for clients in CLIENTS {
            let load = client.schedule(&units, &[process], AO_SCHEDULED, clients);
            ao.scheduled.push(load);
        }
        if cu.is_none() {
            println!("AO's own compute unit is not here: SURETY_AO_CU is not set");
            return ao;
        }
        for clients in CLIENTS {
            let load = client.evaluate(&units, process, AO_EVALUATED, clients);
            ao.evaluated.push(load);
        }
        ao
    }
}

/// The others beside so many clients of ours: WAO beside one only.
fn beside(index: usize, wao: &Load, ao: (&'static str, &[Load])) -> Vec<Rival> {
    let wao = (index == 0).then_some(("WAO", *wao));
    let ao = ao.1.get(index).map(|it| (ao.0, *it));
    wao.into_iter().chain(ao).collect()
}

/// Assignments that are durable when the answer comes.
fn assignments(table: &mut Table, module: &Path, wao: &Load, ao: &Ao) {
    for (kind, count, target) in [("ed25519", ED25519, 50.0), ("rsa", RSA, 3.0)] {
        let network = Network::make(kind, module);
        let units = network.start(SCHEDULER);
        let client = user();
        let process = client.spawn(&units, 0);
        for (index, clients) in CLIENTS.into_iter().enumerate() {
            let load = client.schedule(&units, &[process], count, clients);
            let what = format!("assignments, {kind}, {clients} at once");
            let rivals = beside(index, wao, ("AO's scheduler", &ao.scheduled));
            table.line(&what, &load, &rivals, Some(Target::AtLeast(target)));
        }
        if kind == "ed25519" {
            for many in MANY {
                let processes: Vec<_> = (1..=many).map(|it| client.spawn(&units, it)).collect();
                let load = client.schedule(&units, &processes, ED25519, MANY_CLIENTS);
                let what = format!("assignments, {MANY_CLIENTS} at once, {many} processes");
                table.line(&what, &load, &[], None);
            }
        }
    }
}

fn main() {
    let module = folder("SURETY_AOS_MODULES").join("aos2_0_6.wasm");
    let wao = Units::wao(&folder("SURETY_WAO"));
    let client = user();
    let ao = Ao::measure();
    let theirs = client.spawn(&wao, 0);
    let scheduled = client.schedule(&wao, &[theirs], WAO, 1);
    let mut table = Table::head();
    assignments(&mut table, &module, &scheduled, &ao);

    let network = Network::make("ed25519", &module);
    let ours = network.start(ALL_UNITS);
    let process = client.spawn(&ours, 0);
    let evaluated = client.evaluate(&wao, theirs, WAO, 1);
    for (index, clients) in CLIENTS.into_iter().enumerate() {
        let load = client.evaluate(&ours, process, EVALUATED, clients);
        let what = format!("message and its result, {clients} at once");
        let rivals = beside(index, &evaluated, ("AO's units", &ao.evaluated));
        table.line(&what, &load, &rivals, None);
    }
    let (here, there) = (client.hops(&ours, HOPS), client.hops(&wao, HOPS_WAO));
    let hops = Figure::plain("hops", here, "per second").beside("WAO", there);
    println!("{:<44} {here:>9.1}", "hops between two processes");
    println!("  {:<42} {there:>9.1} {:>17} {}", "WAO", "", hops.verdict());
    table.0.push(hops);
    table.0.write();
}
