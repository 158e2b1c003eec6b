//! `surety worker`: executes for a node, which starts it. People have no use for it.

use std::io;
use std::path::PathBuf;

use clap::Args;

use super::Context;
use crate::shell::{CliError, Exit};
use crate::telemetry::{self, LogFormat};
use crate::worker;

/// `surety worker`
#[derive(Debug, Args)]
pub(super) struct WorkerArgs {
    /// The directory of compiled modules
    #[arg(long, value_name = "DIR")]
    artefacts: PathBuf,
    /// MiB of memory that one process of AO may take
    #[arg(long)]
    process_mib: u64,
    /// Which events are logged
    #[arg(long)]
    log: String,
    /// How they are logged
    #[arg(long)]
    log_format: LogFormat,
}

pub(super) fn run(_: &Context, args: &WorkerArgs) -> Result<(), CliError> {
    telemetry::init(&args.log, args.log_format)?;
    let failed = |error: io::Error| CliError::new(Exit::Failure, "worker", error.to_string());
    let process_bytes = args.process_mib.saturating_mul(1 << 20);
    match worker::serve(&args.artefacts, process_bytes).map_err(failed)? {}
}
