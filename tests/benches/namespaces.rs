//! What a slow, lossy or parted network does to certificates: `make bench-namespaces`.
//!
//! Seven nodes, each in a network namespace with an address of its own, and between them a network that delays and loses their
//! packets, whatever the protocol. In each weather users send a message every half second, and the time from a claim to its
//! certificate is measured, as the node sees it that signed the claim; and that from a slot to its certificate, in which claims count
//! that others had to replace. Then the network falls into two parts, in several ways: how long does it take, when it is whole
//! again, until every slot that was given meanwhile is certified, on all nodes? At last one compute unit lies in bad weather: how
//! long until its stake is in escrow? Nobody else loses any.
//!
//! It takes root and /dev/net/tun. What the benchmark itself says to nodes is neither delayed nor lost.

#![allow(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on stops, and its figures are for people"
)]

use std::collections::BTreeSet;
use std::time::Duration;

#[path = "namespaces/founding.rs"]
mod founding;
#[path = "namespaces/host.rs"]
mod host;
#[path = "namespaces/link.rs"]
mod link;
#[path = "namespaces/network.rs"]
mod network;
#[path = "namespaces/node.rs"]
mod node;
#[path = "namespaces/observer.rs"]
mod observer;
#[path = "../tests/devnet/program.rs"]
#[allow(dead_code, reason = "shared with the tests of whole networks")]
mod program;
#[path = "namespaces/relay.rs"]
mod relay;
#[path = "report.rs"]
mod report;
#[path = "network/seen.rs"]
#[allow(dead_code, reason = "shared with what watches one node")]
mod seen;
#[path = "namespaces/waits.rs"]
mod waits;
#[path = "namespaces/weather.rs"]
mod weather;

use network::{NODES, Network, host_of};
use observer::{Observer, Process};
use program::text;
use report::{Figure, Report, Target};
use seen::percentile;
use waits::Watch;
use weather::Weather;

/// Each weather with its milliseconds of delay and how many of a hundred packets it loses.
const WEATHERS: [(&str, u64, u64); 5] = [
    ("calm", 0, 0),
    ("50 ms", 50, 0),
    ("200 ms", 200, 0),
    ("5 % loss", 0, 5),
    ("50 ms and 5 % loss", 50, 5),
];
/// How long each weather lasts, and each partition.
const LASTS: Duration = Duration::from_secs(45);
const PARTED: Duration = Duration::from_secs(20);
/// The nodes on one side of a partition. Node 0 orders the ledger, it and node 1 schedule and compute.
const PARTITIONS: [(&str, &[usize]); 3] = [
    ("two nodes away", &[5, 6]),
    ("nobody has two thirds", &[4, 5, 6]),
    ("a scheduler away from the ledger", &[1, 4, 5, 6]),
];
/// The node that lies, and the slot of its first process of whose result.
const LIAR: usize = 1;
const LIE: u64 = 5;
/// How long messages go to that process: two a second reach the slot.
const LIE_LASTS: Duration = Duration::from_secs(5);
/// Nodes that schedule and compute.
const COMPUTE: usize = 2;
/// Seconds from a claim to its certificate that are wanted of 95 in a hundred, in calm weather.
const CERTIFICATE: f64 = 4.0;

/// A network at work.
struct Stage {
    network: Network,
    observer: Observer,
    watch: Watch,
    report: Report,
}

impl Stage {
    fn weather(&mut self, processes: &mut [Process], (name, delay, loss): (&str, u64, u64)) {
        self.network.set(Weather {
            delay,
            loss,
            ..Weather::default()
        });
        self.observer.busy(processes, LASTS);
        self.observer.certified(0, processes);
        let (waits, packets) = (self.watch.take(), self.network.counts());
        let (claims, slots) = (&waits.claims, &waits.slots);
        println!(
            "{name:>20}: claims {:>4}, p50 {:>5.2} s, p95 {:>5.2} s; slots {:>4}, p50 {:>5.2} s, p95 {:>5.2} s, at most {:>5.2} s; \
             packets {}, lost {}, dropped {}",
            claims.len(),
            percentile(claims, 50),
            percentile(claims, 95),
            slots.len(),
            percentile(slots, 50),
            percentile(slots, 95),
            percentile(slots, 100),
            packets.carried,
            packets.lost,
            packets.dropped,
        );
        let figure = |what: &str, value: f64| {
            let metric = format!("{what}, {name}");
            Figure::plain(&metric, value, "s")
        };
        let p95 = figure("claim to certificate, p95", percentile(claims, 95));
        let p95 = match (delay, loss) {
            (0, 0) => p95
                .beside("wanted", CERTIFICATE)
                .wanted(Target::AtMost(1.0)),
            _ => p95,
        };
        let p50 = figure("claim to certificate, p50", percentile(claims, 50));
        let slot = figure("slot to certificate, p95", percentile(slots, 95));
        for figure in [p50, p95, slot] {
            self.report.push(figure);
        }
        self.honest();
    }

    fn partition(&mut self, processes: &mut [Process], name: &str, away: &[usize]) {
        let parted: BTreeSet<u8> = away.iter().copied().map(host_of).collect();
        self.network.set(Weather {
            parted,
            ..Weather::default()
        });
        self.observer.busy(processes, PARTED);
        let meanwhile = self.watch.take().slots.len();
        let packets = self.network.counts();
        self.network.set(Weather::default());
        let took = self.observer.recovered(processes);
        let behind = self.watch.take().slots.len();
        let last = |of: &[f64]| of.iter().copied().fold(0.0, f64::max);
        let ledger: Vec<String> = took.ledger.iter().map(|it| format!("{it:.1}")).collect();
        println!(
            "{name:>34}: {meanwhile} slots certified while parted, {behind} after it: all of them {:.1} s after it; \
             the nodes had the ledger after {} s; packets {}, stopped {}, dropped {}",
            last(&took.certified),
            ledger.join(", "),
            packets.carried,
            packets.parted,
            packets.dropped,
        );
        for (what, times) in [
            ("the ledger", &took.ledger),
            ("all slots certified", &took.certified),
        ] {
            let metric = format!("healed to {what} everywhere, {name}");
            self.report.push(Figure::plain(&metric, last(times), "s"));
        }
        self.honest();
    }

    fn lie(&mut self, process: &mut Process) {
        let (name, delay, loss) = WEATHERS[4];
        self.network.set(Weather {
            delay,
            loss,
            ..Weather::default()
        });
        let liar = self.observer.get(LIAR, "/v1/node").expect("the liar");
        let liar = text(&liar, "operator");
        self.observer.busy(std::slice::from_mut(process), LIE_LASTS);
        let took = self.observer.until("the lie is punished", || {
            self.watch.punished(LIAR, &process.id, LIE)
        });
        println!("lie to escrow, {name}: {took:.2} s");
        let metric = format!("lie to escrow, {name}");
        self.report.push(Figure::plain(&metric, took, "s"));
        let known = self.observer.until("all nodes know of it", || {
            let known = self.observer.punished();
            known.iter().all(|it| !it.is_empty()).then_some(known)
        });
        let only = known.iter().all(|it| *it == [liar.as_str()]);
        assert!(only, "others than {liar} lost stake: {known:?}");
        println!("all nodes agree on block {}", self.observer.agree());
    }

    /// Nobody honest has lost stake, and there is one ledger.
    fn honest(&self) {
        let punished = self.observer.punished();
        let nobody = punished.iter().all(Vec::is_empty);
        assert!(nobody, "honest operators lost stake: {punished:?}");
        self.observer.agree();
    }
}

fn main() {
    if let Some(missing) = host::missing() {
        eprintln!("NOTICE: NOTHING WAS MEASURED, because no network can be made here: {missing}");
        return;
    }
    let network = Network::start(LIAR, &format!("compute:wrong-result@{LIE}"));
    let observer = Observer::new(&network);
    observer.connected();
    let watch = Watch::start(&observer, COMPUTE);
    // The fault waits for the first process that the liar follows, and gets no message before its time.
    let mut lied_about = observer.spawn(&network, 0);
    observer.recovered(std::slice::from_ref(&lied_about));
    let mut processes: Vec<Process> = (0..COMPUTE)
        .map(|it| observer.spawn(&network, it))
        .collect();
    observer.recovered(&processes);
    watch.take();
    println!(
        "{NODES} nodes in namespaces, a message every half second to {} processes",
        processes.len()
    );
    let mut stage = Stage {
        network,
        observer,
        watch,
        report: Report::new("namespaces"),
    };
    for weather in WEATHERS {
        stage.weather(&mut processes, weather);
    }
    for (name, away) in PARTITIONS {
        stage.partition(&mut processes, name, away);
    }
    stage.lie(&mut lied_about);
    stage.report.write();
}
