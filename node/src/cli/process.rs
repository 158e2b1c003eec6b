//! `surety process`: processes are spawned, written to and read.

mod attested;
mod read;
mod send;
mod trace;

use clap::{Args, Subcommand};

use super::Context;
use crate::shell::CliError;

/// `surety process`
#[derive(Debug, Args)]
pub(super) struct ProcessArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Hand a module to the node, which checks that it can be executed
    Publish(send::Publish),
    /// Spawn a process
    Spawn(Box<send::Spawn>),
    /// Send a message to a process
    Send(Box<send::Send>),
    /// Show the result of a slot or of a message
    Result(read::ResultOf),
    /// Show the results of a process
    Results(read::Listed),
    /// Ask what a message would do, without sending it
    DryRun(read::DryRun),
    /// Show the log of a process: its slots and how far each has come
    Assignments(read::Listed),
    /// Show everything that was sent because of a message
    Trace(trace::Trace),
    /// Save a result with the proof of what stands behind it
    Attested(attested::Attested),
}

pub(super) fn run(context: &Context, args: ProcessArgs) -> Result<(), CliError> {
    match args.verb {
        Verb::Publish(verb) => send::publish(context, &verb),
        Verb::Spawn(verb) => send::spawn(context, &verb),
        Verb::Send(verb) => send::send(context, &verb),
        Verb::Result(verb) => read::result(context, &verb),
        Verb::Results(verb) => read::listed(context, &verb, "results"),
        Verb::DryRun(verb) => read::dry_run(context, &verb),
        Verb::Assignments(verb) => read::listed(context, &verb, "slots"),
        Verb::Trace(verb) => trace::run(context, &verb),
        Verb::Attested(verb) => attested::run(context, &verb),
    }
}
