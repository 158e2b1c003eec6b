//! `surety ledger`: the stake ledger as a node shows it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use surety_protocol::block::Checkpoint;
use surety_protocol::codec;
use surety_protocol::id::Address;

use super::remote::number;
use super::{Context, file, show};
use crate::shell::{CliError, Exit};

/// Blocks that one call shows.
const BLOCKS_MAX: u64 = 1000;

/// `surety ledger`
#[derive(Debug, Args)]
pub(super) struct LedgerArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show its height and totals
    Status,
    /// Show the network's parameters
    Params,
    /// Show the network's profiles, and what operators want next
    Profiles,
    /// Show the free balance of an address
    Account {
        /// The address
        #[arg(allow_hyphen_values = true)]
        address: Address,
    },
    /// Show who was proven guilty, and what it lost
    Slashings,
    /// Show blocks
    Blocks {
        /// The first block; without it the last ones are shown
        #[arg(long, value_name = "HEIGHT")]
        from: Option<u64>,
        /// How many
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=BLOCKS_MAX))]
        limit: u64,
    },
    /// Save what a client trusts to begin with: the node's word for the last block
    Checkpoint {
        /// The file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

pub(super) fn run(context: &Context, args: LedgerArgs) -> Result<(), CliError> {
    match args.verb {
        Verb::Status => context.show("/v1/ledger"),
        Verb::Params => context.show("/v1/ledger/params"),
        Verb::Profiles => context.show("/v1/ledger/profiles"),
        Verb::Account { address } => context.show(&format!("/v1/accounts/{address}")),
        Verb::Slashings => context.show("/v1/slashings"),
        Verb::Blocks { from, limit } => blocks(context, from, limit),
        Verb::Checkpoint { out } => checkpoint(context, &out),
    }
}

fn blocks(context: &Context, from: Option<u64>, limit: u64) -> Result<(), CliError> {
    let blocks: Vec<Value> = context.block_on(async {
        let client = context.client()?;
        let height = number(&client.get("/v1/ledger").await?, "height")?;
        // The genesis is no block.
        let from = from
            .unwrap_or_else(|| height.saturating_sub(limit - 1))
            .max(1);
        let end = from.saturating_add(limit).min(height.saturating_add(1));
        let mut blocks = Vec::new();
        for height in from..end {
            blocks.push(client.get(&format!("/v1/ledger/blocks/{height}")).await?);
        }
        Ok(blocks)
    })?;
    let told = Value::Array(blocks);
    context.shell.table(&show::table(&told), &told)
}

fn checkpoint(context: &Context, out: &std::path::Path) -> Result<(), CliError> {
    let bytes =
        context.block_on(async { Ok(context.client()?.bytes("/v1/ledger/checkpoint").await?) })?;
    let checkpoint: Checkpoint = codec::decode(&bytes).map_err(|error| {
        let message = format!("the node's checkpoint is not one: {error}");
        CliError::new(Exit::Failure, "node-nonsense", message)
    })?;
    file::write(out, &bytes)?;
    let told = json!({
        "file": out,
        "network": checkpoint.network,
        "height": checkpoint.height,
        "block": checkpoint.block,
        "proposer": checkpoint.proposer,
    });
    context
        .shell
        .progress("compare the block with what others whom you trust say of this height");
    context.shell.table(&show::fields(&told), &told)
}
