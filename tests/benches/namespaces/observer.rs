//! Who sends messages to the nodes and asks them how far they are, over links that are always calm.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use surety_harness::built;
use surety_node::client::Client;
use tokio::runtime::Runtime;

use super::network::Network;
use super::program::text;

/// The pause between two messages of users.
const PACE: Duration = Duration::from_millis(500);
/// How often a condition is asked for.
const ASK: Duration = Duration::from_millis(200);
/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process, and how many slots it was given.
pub(crate) struct Process {
    pub(crate) id: String,
    /// The node that schedules it.
    pub(crate) scheduler: usize,
    pub(crate) slots: u64,
}

/// When each node was whole again, in seconds.
pub(crate) struct Recovered {
    /// It had the blocks that were made without it.
    pub(crate) ledger: Vec<f64>,
    /// It knew all slots to be certified.
    pub(crate) certified: Vec<f64>,
}

/// The observer.
pub(crate) struct Observer {
    runtime: Runtime,
    nodes: Vec<Client>,
    /// Where the wallet is.
    dir: PathBuf,
}

impl Observer {
    pub(crate) fn new(network: &Network) -> Observer {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let clients = network.http().into_iter().map(|it| Client::new(&it));
        Observer {
            runtime,
            nodes: clients.collect::<Result<_, _>>().expect("clients"),
            dir: network.founded().dir().to_owned(),
        }
    }

    pub(crate) const fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(crate) fn node(&self, node: usize) -> &Client {
        &self.nodes[node]
    }

    /// What a node says, if it does.
    pub(crate) fn get(&self, node: usize, path: &str) -> Option<Value> {
        self.runtime.block_on(self.nodes[node].get(path)).ok()
    }

    /// What every node says.
    fn all(&self, path: &str) -> impl Iterator<Item = Option<Value>> {
        (0..self.nodes.len()).map(move |node| self.get(node, path))
    }

    /// Runs a command of the program against a node, with the network's wallet; gives its data.
    fn command(&self, node: usize, arguments: &[&str]) -> Option<Value> {
        let done = Command::new(built::surety().expect("the program"))
            .args(["--json", "--node", self.nodes[node].base()])
            .args(arguments)
            .env("SURETY_DIR", &self.dir)
            .env("SURETY_PASSWORD_FILE", self.dir.join("password"))
            .stdin(Stdio::null())
            .output()
            .expect("the program runs");
        let last = String::from_utf8_lossy(&done.stdout);
        let said: Value = serde_json::from_str(last.lines().last()?).ok()?;
        done.status.success().then(|| said["data"].clone())
    }

    /// Spawns a process that a node schedules; node 0 carries its messages.
    pub(crate) fn spawn(&self, network: &Network, scheduler: usize) -> Process {
        let (module, authority) = (
            network.founded().said("module"),
            network.founded().said("authority"),
        );
        let id = self.until("a process is spawned", || {
            let item_key = text(&self.get(scheduler, "/v1/node")?, "item_key");
            let spawned = self.command(
                scheduler,
                &[
                    "process",
                    "spawn",
                    "--module",
                    &module,
                    "--scheduler",
                    &item_key,
                    "--authority",
                    &authority,
                ],
            )?;
            Some(text(&spawned, "process"))
        });
        Process {
            id,
            scheduler,
            slots: 1,
        }
    }

    /// Sends a message; it has a slot by then.
    pub(crate) fn send(&self, process: &mut Process) {
        let data = format!("message {}", process.slots);
        let send = [
            "process",
            "send",
            &process.id,
            "--action",
            "Count",
            "--data",
            &data,
        ];
        let slot = self.until("a message gets a slot", || {
            self.command(process.scheduler, &send)?["slot"].as_u64()
        });
        process.slots = slot + 1;
    }

    /// Sends messages to the processes in turn for a while.
    pub(crate) fn busy(&self, processes: &mut [Process], time: Duration) {
        let end = Instant::now() + time;
        let count = processes.len();
        for turn in 0.. {
            let next = Instant::now() + PACE;
            if next > end {
                break;
            }
            self.send(&mut processes[turn % count]);
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    }

    /// Waits until a node knows all slots of the processes to be certified.
    pub(crate) fn certified(&self, node: usize, processes: &[Process]) {
        self.until("all slots are certified", || {
            self.has_certified(node, processes).then_some(())
        });
    }

    /// Waits until every node has the ledger as far as node 0 has it now, and knows all slots to be certified.
    pub(crate) fn recovered(&self, processes: &[Process]) -> Recovered {
        let begin = Instant::now();
        let height = self.until("node 0 answers", || self.height(0));
        let mut times = vec![(None, None); self.nodes.len()];
        self.until("all slots are certified on all nodes", || {
            for (node, (ledger, certified)) in times.iter_mut().enumerate() {
                let now = Some(begin.elapsed().as_secs_f64());
                if ledger.is_none() && self.height(node) >= Some(height) {
                    *ledger = now;
                }
                if certified.is_none() && self.has_certified(node, processes) {
                    *certified = now;
                }
            }
            let all: Option<Vec<_>> = times.iter().map(|(a, b)| (*a).zip(*b)).collect();
            let (ledger, certified) = all?.into_iter().unzip();
            Some(Recovered { ledger, certified })
        })
    }

    fn has_certified(&self, node: usize, processes: &[Process]) -> bool {
        processes.iter().all(|it| {
            let about = self.get(node, &format!("/v1/processes/{}", it.id));
            about.and_then(|it| it["certified"].as_u64()) >= Some(it.slots)
        })
    }

    fn height(&self, node: usize) -> Option<u64> {
        self.get(node, "/v1/ledger")?["height"].as_u64()
    }

    /// Waits until every node is connected with all others.
    pub(crate) fn connected(&self) {
        let others = self.nodes.len() as u64 - 1;
        self.until("all nodes are connected", || {
            let mut nodes = self.all("/v1/node");
            let all = nodes.all(|it| it.and_then(|it| it["peers"].as_u64()) >= Some(others));
            all.then_some(())
        });
    }

    /// The offenders who are punished, as each node has it.
    pub(crate) fn punished(&self) -> Vec<Vec<String>> {
        let known = self.all("/v1/slashings").map(|it| {
            let it = it.expect("a node that answers");
            let items = it["items"].as_array().expect("a list").iter();
            items.map(|it| text(it, "offender")).collect()
        });
        known.collect()
    }

    /// That all nodes have the same block at the last height that all have; gives the height.
    pub(crate) fn agree(&self) -> u64 {
        let heights = (0..self.nodes.len()).map(|node| self.height(node));
        let heights: Option<Vec<u64>> = heights.collect();
        let height = heights
            .and_then(|it| it.into_iter().min())
            .expect("heights");
        let path = format!("/v1/ledger/blocks/{height}");
        let blocks = self.all(&path).map(|it| {
            let it = it.expect("a node that answers, and has the block");
            (text(&it, "id"), text(&it, "state_root"))
        });
        let blocks: BTreeSet<(String, String)> = blocks.collect();
        assert_eq!(
            blocks.len(),
            1,
            "nodes disagree about block {height}: {blocks:?}"
        );
        height
    }

    /// Asks until a condition holds.
    pub(crate) fn until<T>(&self, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = ask() {
                return found;
            }
            if Instant::now() > deadline {
                self.describe();
                panic!("waited too long: {what}");
            }
            std::thread::sleep(ASK);
        }
    }

    /// Says how far each node is.
    fn describe(&self) {
        for path in ["/v1/node", "/v1/processes", "/v1/cases"] {
            for (node, said) in self.all(path).enumerate() {
                eprintln!("node {node}, {path}: {}", said.unwrap_or_default());
            }
        }
    }
}
