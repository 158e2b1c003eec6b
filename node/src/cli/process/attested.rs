//! `surety process attested`: a result with the proof of what stands behind it, as a file.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use surety_attest::result::root_of_parts;
use surety_protocol::attested::{Attestation, AttestedError, AttestedResult, Backing, Status};
use surety_protocol::block::Checkpoint;
use surety_protocol::codec::{self, CodecError};
use surety_protocol::id::ProcessId;
use surety_protocol::stake::Stake;
use tokio::time::Instant;

use super::read::slot;
use crate::cli::remote::watch_for;
use crate::cli::{Context, file, item, show};
use crate::shell::{CliError, Exit};

/// What a result must have become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Least {
    /// A staked compute unit signed it.
    Claimed,
    /// It was checked, and everything before it.
    Certified,
    /// Its window to be challenged has closed.
    Settled,
}

/// `surety process attested`
#[derive(Debug, Args)]
pub(super) struct Attested {
    /// The process
    #[arg(allow_hyphen_values = true)]
    process: ProcessId,
    /// The slot
    #[arg(allow_negative_numbers = true, value_parser = slot)]
    slot: u64,
    /// How far it must have come at least; the best there is, is what is written
    #[arg(long)]
    status: Option<Least>,
    /// How much stake must have stood behind it at least when it was certified: armstrongs (10^-12 AO), or AO like 100ao
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true, value_parser = item::amount)]
    min_stake: Option<Stake>,
    /// How many tickets must have approved it at least
    #[arg(long, value_name = "TICKETS", allow_negative_numbers = true, value_parser = tickets)]
    k: Option<u64>,
    /// Wait until it has come so far, at most so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u64,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Reads a number of tickets.
fn tickets(text: &str) -> Result<u64, &'static str> {
    text.parse()
        .map_err(|_| "a number of tickets is a whole number, and at least 0")
}

/// Why what the node sent is not kept.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    /// Not what it should be.
    #[error("the node's answer is not an attested result: {0}")]
    Codec(#[from] CodecError),
    /// It proves nothing.
    #[error("the node's attested result does not hold: {0}")]
    Attested(#[from] AttestedError),
    /// It is less than was asked for.
    #[error(
        "the node's attested result has come less far, or has less behind it, than was asked for"
    )]
    Less,
    /// It is about something else.
    #[error("the node's attested result is of another process or slot")]
    Other,
}

impl From<Unusable> for CliError {
    fn from(error: Unusable) -> CliError {
        CliError::new(
            Exit::VerificationFailed,
            "attestation-invalid",
            error.to_string(),
        )
        .with_help("nothing was written; ask another node")
    }
}

const NOT_YET: &[&str] = &["not-attested", "not-evaluated", "slot-unknown"];

pub(super) fn run(context: &Context, verb: &Attested) -> Result<(), CliError> {
    let deadline = Instant::now() + Duration::from_secs(verb.wait);
    let status = match verb.status {
        None => "",
        Some(Least::Claimed) => "&status=claimed",
        Some(Least::Certified) => "&status=certified",
        Some(Least::Settled) => "&status=settled",
    };
    let stake = verb.min_stake.map(|it| format!("&min_stake={it}"));
    let tickets = verb.k.map(|it| format!("&k={it}"));
    let (stake, tickets) = (stake.unwrap_or_default(), tickets.unwrap_or_default());
    let (bytes, checked) = context.block_on(async {
        let client = context.client()?;
        let path = format!(
            "/v1/processes/{}/slots/{}/attested",
            verb.process, verb.slot
        );
        let ask = |seconds| {
            let path = format!("{path}?wait={seconds}{status}{stake}{tickets}");
            let client = &client;
            async move { client.bytes(&path).await }
        };
        let tell = |available: &str| context.shell.progress(format!("waiting: {available}"));
        let bytes = watch_for(deadline, NOT_YET, ask, tell).await?;
        let attested: AttestedResult = codec::decode(&bytes).map_err(Unusable::from)?;
        let height = attested.commit.header.height;
        let checkpoint = client
            .bytes(&format!("/v1/ledger/checkpoint?height={height}"))
            .await?;
        let checkpoint: Checkpoint = codec::decode(&checkpoint).map_err(Unusable::from)?;
        Ok((bytes, check(verb, &attested, &checkpoint)?))
    })?;
    file::write(&verb.out, &bytes)?;
    let told = json!({
        "file": verb.out,
        "status": checked.status.name(),
        "process": verb.process,
        "slot": checked.slot,
        "height": checked.height,
        "stake": checked.backing.stake,
        "tickets": checked.backing.tickets,
        "bytes": bytes.len(),
    });
    context.shell.progress(
        "checked against the node's own ledger; with a checkpoint that you trust: surety certificate verify FILE --trust CHECKPOINT",
    );
    context.shell.table(&show::fields(&told), &told)
}

/// A file is kept only if it holds, as far as the node that gave it is believed.
fn check(
    verb: &Attested,
    attested: &AttestedResult,
    checkpoint: &Checkpoint,
) -> Result<Attestation, Unusable> {
    let checked = attested.check(checkpoint, root_of_parts)?;
    if attested.process != verb.process || checked.slot.0 != verb.slot {
        return Err(Unusable::Other);
    }
    let wanted = Backing {
        stake: verb.min_stake.unwrap_or(Stake::ZERO),
        tickets: verb.k.unwrap_or(0),
    };
    let least = match verb.status {
        None | Some(Least::Claimed) => Status::Claimed,
        Some(Least::Certified) => Status::Certified,
        Some(Least::Settled) => Status::Settled,
    };
    match checked.backing.suffices(wanted) && checked.status >= least {
        true => Ok(checked),
        false => Err(Unusable::Less),
    }
}
