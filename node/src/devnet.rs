//! A whole local network: every node an operating-system process of its own, with its own directory, keys and ports.
//!
//! # Rules
//!
//! - `[DN-1]` Nodes are started as their users start them, by `surety node run` on a directory; nothing is special but that the
//!   keys are encrypted with a light derivation and a password that lies beside them.
//! - `[DN-2]` Every wait is for a condition, asked for until it holds or a deadline passes; nothing is hoped for.
//! - `[DN-3]` Everything started is ended: each node stops when its standard input closes, however the parent ends.
//! - `[DN-4]` The report is what the network itself says; with faults the run succeeds only if whoever lied, and nobody else, lost
//!   stake. A verifier that approves blindly has lied if it drew a claim of that slot.

mod child;
mod fund;
mod plan;
mod report;
mod watch;
mod workload;

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::client::{Client, ClientError};
use crate::fault::Fault;
use crate::key::ItemKeyKind;
use crate::shell::{CliError, Exit, Shell};

pub use report::Report;

/// Nodes in a network that nobody sized.
pub const NODES_DEFAULT: usize = 7;
/// Nodes that a network needs: one with every role, one that can lie, and two thirds of the stake to say so.
pub const NODES_MIN: usize = 4;
/// More than this are too many for one machine.
pub const NODES_MAX: usize = 32;
/// How long any single condition is waited for.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often a condition is asked for.
const ASK: Duration = Duration::from_millis(100);

/// What network to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many nodes.
    pub nodes: usize,
    /// The module to run; without it the embedded sample.
    pub module: Option<PathBuf>,
    /// Faults that the second node commits, those of verifiers the third.
    pub faults: Vec<Fault>,
    /// Whether every verifier commits the faults of verifiers, and not only one.
    pub every_verifier: bool,
    /// What every node signs assignments and messages with.
    pub item_key: ItemKeyKind,
    /// Whether the network stays until it is told to stop, rather than playing the workload.
    pub keep: bool,
    /// Where; without it a new temporary directory.
    pub dir: Option<PathBuf>,
}

/// Why a network did not come up or did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum DevnetError {
    /// A file.
    #[error("{what}: {error}")]
    File {
        /// Which.
        what: String,
        /// Why.
        error: std::io::Error,
    },
    /// A node does not start; its log says why.
    #[error("node {node} does not start; see {log}")]
    Start {
        /// Which.
        node: usize,
        /// Where its log is.
        log: String,
    },
    /// A node ended that was to stay; its log says why.
    #[error("node {node} has ended; see {log}")]
    Ended {
        /// Which.
        node: usize,
        /// Where its log is.
        log: String,
    },
    /// A node does not answer as it should.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A condition did not come to hold in time.
    #[error("waited too long: {0}")]
    Late(String),
    /// Something that cannot be made or read.
    #[error("{0}")]
    Other(String),
    /// It was told to stop.
    #[error("interrupted")]
    Interrupted,
}

impl From<DevnetError> for CliError {
    fn from(error: DevnetError) -> CliError {
        let (exit, code) = match &error {
            DevnetError::Client(ClientError::Unreachable { .. }) => {
                (Exit::Unreachable, "node-unreachable")
            }
            _ => (Exit::Failure, "devnet-failed"),
        };
        CliError::new(exit, code, error.to_string())
    }
}

/// Starts a network, plays the workload or waits, reports, and ends everything (rules DN-1 to DN-4).
///
/// # Errors
/// Why it did not come up, or what it did that it should not have.
pub async fn run(options: Options, shell: &Shell, stop: CancellationToken) -> Result<(), CliError> {
    if let Some(module) = &options.module {
        // What cannot be read is said before anything starts.
        fund::read_module(module)?;
    }
    let plan = plan::Plan::new(&options)?;
    shell.progress(format!("{} nodes in {}", options.nodes, plan.dir.display()));
    let mut children = child::Children::default();
    let outcome = match child::Network::start(&plan, &options, &mut children, shell).await {
        Ok(network) => {
            let mut outcome = pin!(play(&options, &plan, &network, shell, &stop));
            loop {
                tokio::select! {
                    outcome = &mut outcome => break outcome,
                    (node, log) = children.next_ended() => match node {
                        // Nothing goes on without it, unless whoever tries a network that stays starts it again.
                        1 if !options.keep => break Err(DevnetError::Ended { node, log }.into()),
                        _ => shell.progress(format!("node-{node} has ended; see {log}")),
                    },
                }
            }
        }
        Err(error) => Err(error.into()),
    };
    children.stop().await;
    outcome
}

async fn play(
    options: &Options,
    plan: &plan::Plan,
    network: &child::Network,
    shell: &Shell,
    stop: &CancellationToken,
) -> Result<(), CliError> {
    let api = network.first_api();
    fund::bond_all(plan, network, shell).await?;
    let module = fund::publish_module(plan, api, options.module.as_deref()).await?;
    let ready = ready(plan, network, &module);
    // Taken before anything runs, so that it vouches for everything that will.
    let checkpoint = api.bytes("/v1/ledger/checkpoint").await?;
    report::save(&plan.dir.join("checkpoint.cbor"), &checkpoint)?;
    let stakes = report::stakes(api).await?;
    if options.keep {
        shell.data(human_ready(&ready), &ready)?;
        stop.cancelled().await;
        shell.progress("stopping");
        // Whoever tried it may have stopped some of its nodes.
        let api = network.answering().await;
        let report = report::Report::gather(plan, network, api, stakes, None).await?;
        shell.data(&report, &report.to_json())?;
        return Ok(());
    }
    if shell.json() {
        shell.data("", &ready)?;
    }
    for fault in &options.faults {
        let node = plan::culprit(fault).saturating_add(1);
        shell.progress(format!("node-{node} is told to lie: {fault}"));
    }
    let watched = watch::Watch::start(network).await?;
    let played = tokio::select! {
        played = workload::play(options, plan, network, &module, shell) => played,
        () = stop.cancelled() => Err(DevnetError::Interrupted),
    };
    let order = played?;
    let seconds = watched.finish().await;
    let mut report = report::Report::gather(plan, network, api, stakes, seconds).await?;
    report.order(&order);
    shell.data(&report, &report.to_json())?;
    let verdict = report
        .judge(&options.faults)
        .map_err(|why| CliError::new(Exit::Failure, "devnet-wrong-outcome", why))?;
    shell.progress(verdict);
    Ok(())
}

/// What a network says when it is ready.
fn ready(plan: &plan::Plan, network: &child::Network, module: &str) -> Value {
    let nodes: Vec<Value> = network.nodes().map(child::Node::to_json).collect();
    json!({
        "event": "ready",
        "dir": plan.dir,
        "http": network.first_api().base(),
        "module": module,
        "scheduler": plan.item_key(0).to_string(),
        "authority": plan.item_key(0).to_string(),
        "origin": plan.network.to_string(),
        "wallet": plan.wallet.address().to_string(),
        "nodes": nodes,
    })
}

fn human_ready(ready: &Value) -> String {
    let text = |name: &str| ready.get(name).and_then(Value::as_str).unwrap_or_default();
    let dir = text("dir");
    let bin = std::env::current_exe().ok();
    let bin = bin.as_deref().and_then(Path::parent);
    let path = bin.map_or_else(String::new, |it| format!("PATH={}:$PATH ", it.display()));
    format!(
        "module     {}\nscheduler  {}\nauthority  {}\norigin     {}\n\n\
         ready; in another shell, with the network's own wallet:\n\
         export {path}SURETY_NODE={} SURETY_DIR={dir} SURETY_PASSWORD_FILE={dir}/password\n\
         surety process spawn --module {}\n\n\
         stop with Ctrl-C",
        text("module"),
        text("scheduler"),
        text("authority"),
        text("origin"),
        text("http"),
        text("module"),
    )
}

/// Asks until a condition holds (rule DN-2).
async fn until<T, F>(what: &str, mut ask: impl FnMut() -> F) -> Result<T, DevnetError>
where
    F: Future<Output = Option<T>>,
{
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask().await {
            return Ok(found);
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(DevnetError::Late(what.to_owned()));
        }
        tokio::time::sleep(ASK).await;
    }
}

/// The client of a node, by its base URL.
fn client(base: &str) -> Result<Client, DevnetError> {
    Ok(Client::new(base)?)
}
