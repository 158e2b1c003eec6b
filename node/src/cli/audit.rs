//! `surety audit`: evidence is checked and submitted, processes are replayed.

mod chain;
mod challenge;
mod evaluate;
mod import;
mod replay;
mod show;
mod verify;
mod watch;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use surety_protocol::codec::Wire;
use surety_protocol::evidence::Evidence;

use super::file::FileError;
use super::sign::Signer;
use super::{Context, file};
use crate::shell::{CliError, Exit};

/// `surety audit`
#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check an evidence file alone: no network, no node
    Verify {
        /// The evidence; `-` is standard input
        file: PathBuf,
    },
    /// Show what is in an evidence file, without judging it
    Show {
        /// The evidence; `-` is standard input
        file: PathBuf,
    },
    /// Check evidence, and accuse on the ledger whom it proves guilty
    Challenge {
        /// The evidence; `-` is standard input
        file: PathBuf,
        #[command(flatten)]
        signer: Signer,
    },
    /// Evaluate a process from its messages alone, and compare every claim about it
    Replay(replay::Replay),
    /// Run a node that executes whatever others claim, of all processes or of those in --audit-processes, and challenges what is false
    Watch(Box<watch::Watch>),
    /// Check logs that schedulers of AO have published, and evaluate them: no network, no node
    Import(import::Import),
}

pub(super) fn run(context: &Context, args: AuditArgs) -> Result<(), CliError> {
    match args.verb {
        Verb::Verify { file } => verify::run(context, &file),
        Verb::Show { file } => show::run(context, &file),
        Verb::Challenge { file, signer } => challenge::run(context, &file, &signer),
        Verb::Replay(verb) => replay::run(context, &verb),
        Verb::Watch(verb) => watch::run(context, *verb),
        Verb::Import(verb) => import::run(context, &verb),
    }
}

/// Reads an evidence file; one that is too long proves nothing.
fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    match file::read(path, Evidence::BYTES_MAX) {
        Err(error @ FileError::TooLarge { .. }) => Err(refused(&error.to_string())),
        read => Ok(read?),
    }
}

/// Seconds to the millisecond, as people and scripts read them.
fn seconds(taken: Duration) -> f64 {
    let millis = u64::try_from(taken.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(millis).as_secs_f64()
}

/// The file does not prove what it should.
fn refused(reason: &str) -> CliError {
    CliError::new(Exit::VerificationFailed, "evidence-refused", reason)
        .with_help("it proves nothing against anybody, and is no ground for a challenge")
}
