//! `surety devnet`: a whole local network of separate processes, for trying things and for showing that lies are caught.

use std::path::PathBuf;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::Context;
use crate::devnet::{self, NODES_DEFAULT, NODES_MAX, NODES_MIN, Options};
use crate::fault::{Fault, NotAFault};
use crate::key::ItemKeyKind;
use crate::shell::CliError;

/// `surety devnet`
#[derive(Debug, Args)]
pub(super) struct DevnetArgs {
    /// How many nodes
    #[arg(long, default_value_t = NODES_DEFAULT, value_parser = nodes)]
    nodes: usize,
    /// The module to run [default: the embedded sample]
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
    /// A fault that the second node commits on the first process: compute:wrong-state@SLOT, compute:wrong-result@SLOT,
    /// compute:equivocate@SLOT or scheduler:double-assign@SLOT; or the third: verifier:blind-approval@SLOT,
    /// verifier:false-accusation@SLOT, verifier:wrong-accusation@SLOT or verifier:no-show@SLOT
    #[arg(long = "fault", value_name = "KIND@SLOT", value_parser = lie)]
    faults: Vec<Fault>,
    /// Let every verifier commit the faults of verifiers, not only the third node: who is left to find a lie is an auditor
    #[arg(long, requires = "keep")]
    every_verifier: bool,
    /// The kind of key that the nodes sign assignments and messages with: ed25519, secp256k1 or rsa
    #[arg(long, value_name = "KIND", default_value_t)]
    item_key: ItemKeyKind,
    /// Stay until Ctrl-C instead of playing the built-in workload
    #[arg(long)]
    keep: bool,
    /// Where to put keys, databases, logs and evidence [default: a new temporary directory]
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// A fault that somebody pays for.
fn lie(text: &str) -> Result<Fault, String> {
    let fault: Fault = text.parse().map_err(|it: NotAFault| it.to_string())?;
    match fault.crash() {
        None => Ok(fault),
        Some(_) => Err("a node that crashes signs nothing false: tell `surety node run`".into()),
    }
}

pub(super) fn run(context: &Context, args: DevnetArgs) -> Result<(), CliError> {
    let options = Options {
        nodes: args.nodes,
        module: args.module,
        faults: args.faults,
        every_verifier: args.every_verifier,
        item_key: args.item_key,
        keep: args.keep,
        dir: args.dir,
    };
    if options.module.is_none() {
        context
            .shell
            .progress("no --module: the embedded sample module runs");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        let mut interrupts = signal(SignalKind::interrupt())?;
        let mut terminations = signal(SignalKind::terminate())?;
        let stopper = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupts.recv() => {}
                _ = terminations.recv() => {}
            }
            stopper.cancel();
        });
        devnet::run(options, &context.shell, stop).await
    })
}

fn nodes(text: &str) -> Result<usize, String> {
    let nodes = text.parse().map_err(|_| "not a number".to_owned())?;
    match (NODES_MIN..=NODES_MAX).contains(&nodes) {
        true => Ok(nodes),
        false => Err(format!(
            "a local network has {NODES_MIN} to {NODES_MAX} nodes"
        )),
    }
}
