//! `surety certificate`: attested results, checked without a network.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;
use surety_attest::result::{ProcessResult, root_of_parts};
use surety_protocol::attested::{AttestedError, AttestedResult, Status};
use surety_protocol::block::Checkpoint;
use surety_protocol::codec::{self, CodecError, Wire};

use super::file::FileError;
use super::{Context, file, show};
use crate::shell::{CliError, Exit};

/// `surety certificate`
#[derive(Debug, Args)]
pub(super) struct CertificateArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check an attested result against a trusted checkpoint
    Verify {
        /// The file with the attested result; `-` is standard input
        file: PathBuf,
        /// The file with the checkpoint that is trusted, as `surety ledger checkpoint` saves it
        #[arg(long, value_name = "CHECKPOINT")]
        trust: PathBuf,
    },
}

/// Why an attested result is not believed.
#[derive(Debug, thiserror::Error)]
enum Unproven {
    /// The file is longer than any attested result.
    #[error(transparent)]
    File(FileError),
    /// The file is not an attested result.
    #[error("not an attested result: {0}")]
    Codec(#[from] CodecError),
    /// A rule is broken.
    #[error(transparent)]
    Attested(#[from] AttestedError),
    /// The parts are committed to, but are no result.
    #[error("the parts are not those of a result")]
    Parts,
}

impl From<Unproven> for CliError {
    fn from(error: Unproven) -> CliError {
        CliError::new(
            Exit::VerificationFailed,
            "attestation-invalid",
            error.to_string(),
        )
        .with_help("do not rely on it; ask another node for the same slot")
    }
}

pub(super) fn run(context: &Context, args: CertificateArgs) -> Result<(), CliError> {
    match args.verb {
        Verb::Verify { file, trust } => verify(context, &file, &trust),
    }
}

/// The checkpoint that is trusted.
fn trusted(path: &Path) -> Result<Checkpoint, CliError> {
    let other = |why: String| {
        let message = format!("--trust takes the file of a checkpoint, which this is not: {why}");
        CliError::new(Exit::Config, "checkpoint", message)
            .with_help("get one from a node that you trust: `surety ledger checkpoint --out FILE`")
    };
    let bytes = match file::read(path, Checkpoint::BYTES_MAX) {
        Err(error @ FileError::TooLarge { .. }) => return Err(other(error.to_string())),
        read => read?,
    };
    codec::decode(&bytes).map_err(|error| other(format!("{}: {error}", path.display())))
}

fn verify(context: &Context, file: &Path, trust: &Path) -> Result<(), CliError> {
    let checkpoint = trusted(trust)?;
    let bytes = match file::read(file, AttestedResult::BYTES_MAX) {
        Err(error @ FileError::TooLarge { .. }) => return Err(Unproven::File(error).into()),
        read => read?,
    };
    let attested: AttestedResult = codec::decode(&bytes).map_err(Unproven::from)?;
    let checked = attested
        .check(&checkpoint, root_of_parts)
        .map_err(Unproven::from)?;
    let parts: Vec<&[u8]> = attested.parts.iter().map(|part| part.as_slice()).collect();
    let result = ProcessResult::from_parts(&parts).ok_or(Unproven::Parts)?;
    let told = json!({
        "status": checked.status.name(),
        "process": attested.process,
        "slot": checked.slot,
        "height": checked.height,
        "network": checkpoint.network,
        "claimant": checked.claimant,
        "stake": checked.backing.stake,
        "tickets": checked.backing.tickets,
        "bytes": bytes.len(),
        "result": result.to_json(),
    });
    context.shell.progress(match checked.status {
        Status::Claimed => "it holds: this operator vouches for the result with its stake",
        Status::Certified => "it holds: staked verifiers checked the result, and all before it",
        Status::Settled => "it holds: checked, and the window for challenges has closed",
    });
    context.shell.table(&show::fields(&told), &told)
}
