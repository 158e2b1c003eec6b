//! `surety node run`: a node until it is told to stop, by Ctrl-C, SIGTERM or, if asked to, the end of its standard input.

use std::io::Read;

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::Context;
use crate::cli::config::{self, ConfigFlags};
use crate::cli::sign;
use crate::key::Ask;
use crate::node::{self, NodeError, Ready};
use crate::shell::{CliError, Exit};
use crate::telemetry;

/// `surety node run`
#[derive(Debug, Args)]
pub(in crate::cli) struct Run {
    #[command(flatten)]
    pub(in crate::cli) config: ConfigFlags,
    /// Stop when standard input ends, for programs that start nodes
    #[arg(long)]
    pub(in crate::cli) until_stdin_closes: bool,
}

/// The exit code of a program that was interrupted while it stopped.
const INTERRUPTED: i32 = 130;

pub(in crate::cli) fn run(context: &Context, verb: &Run) -> Result<(), CliError> {
    let config = verb.config.load()?;
    telemetry::init(&config.log, config.log_format)?;
    for warning in config.check()? {
        tracing::warn!("{warning}");
    }
    config::genesis(&config)?;
    let password = sign::password(config.password_file.as_deref(), Ask::Once)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let stop = CancellationToken::new();
    runtime.block_on(async {
        tokio::spawn(stop_on_signals(stop.clone())?);
        if verb.until_stdin_closes {
            stop_with_stdin(stop.clone());
        }
        let ready = |ready: Ready| {
            // Whoever started the node and went away does not stop it.
            let _ = tell(context, &ready);
        };
        Ok(node::run(config, password, stop, ready).await?)
    })
}

fn tell(context: &Context, ready: &Ready) -> Result<(), CliError> {
    let http = format!("http://{}", ready.http);
    let told = json!({
        "event": "ready",
        "http": http,
        "listen": ready.listen,
        "peer": ready.peer,
        "network": ready.network,
        "operator": ready.operator,
    });
    let human = format!(
        "ready: {http} network {} operator {}",
        ready.network, ready.operator
    );
    context.shell.data(human, &told)
}

/// The first signal stops the node, the second one the program.
fn stop_on_signals(stop: CancellationToken) -> Result<impl Future<Output = ()>, CliError> {
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupts.recv() => {}
            _ = terminations.recv() => {}
        }
        tracing::info!("stopping");
        stop.cancel();
        tokio::select! {
            _ = interrupts.recv() => {}
            _ = terminations.recv() => {}
        }
        std::process::exit(INTERRUPTED);
    })
}

/// Standard input is read on a thread of its own, which the end of the program ends if nothing else does.
fn stop_with_stdin(stop: CancellationToken) {
    std::thread::spawn(move || {
        let mut ignored = [0; 256];
        // Only its end means something.
        while matches!(std::io::stdin().read(&mut ignored), Ok(1..)) {}
        stop.cancel();
    });
}

impl From<NodeError> for CliError {
    fn from(error: NodeError) -> CliError {
        let message = error.to_string();
        let config = |help: &str| {
            CliError::new(Exit::Config, "node-config", message.clone()).with_help(help)
        };
        match error {
            NodeError::Key(error) => error.into(),
            NodeError::Store(error) => error.into(),
            NodeError::Config(_) => {
                config("see `surety config show`, or make a node with `surety node init`")
            }
            NodeError::Fault(_) => config("faults are for tests of the network: leave them out"),
            NodeError::Token(_) => config("check the file that --http-token-file names"),
            NodeError::Bls(_) => config("restore the key's file from a backup"),
            NodeError::Genesis(_) | NodeError::Ledger(_) => {
                config("get the genesis file from whoever runs the network, as it is")
            }
            NodeError::OtherNetwork(_) => config(
                "choose an empty directory with --dir, or the genesis of that network with --genesis",
            ),
            NodeError::Http { .. } => CliError::new(Exit::Failure, "node-http", message)
                .with_help("another program may use the port: choose another with --http"),
            _ => CliError::new(Exit::Failure, "node-failed", message)
                .with_help("the log says what came before; restarting is safe"),
        }
    }
}
