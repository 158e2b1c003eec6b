//! `surety node`: set up, run and look at a node.

mod init;
pub(super) mod run;

use clap::{Args, Subcommand};

use super::Context;
use crate::shell::CliError;

/// `surety node`
#[derive(Debug, Args)]
pub(super) struct NodeArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a node's directory: keys, configuration, genesis
    Init(init::Init),
    /// Run a node until it is told to stop
    Run(Box<run::Run>),
    /// Show what a running node is
    Status,
    /// Show the peers of a running node
    Peers,
}

pub(super) fn run(context: &Context, args: NodeArgs) -> Result<(), CliError> {
    match args.verb {
        Verb::Init(verb) => init::run(context, &verb),
        Verb::Run(verb) => run::run(context, &verb),
        Verb::Status => context.show("/v1/node"),
        Verb::Peers => context.show("/v1/peers"),
    }
}
