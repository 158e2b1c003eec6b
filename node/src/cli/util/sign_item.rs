//! `surety util item sign`: a data item with any tags, for whoever sends it.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use surety_protocol::id::ItemId;
use surety_protocol::item::ItemDraft;

use crate::cli::item::Content;
use crate::cli::sign::{Signer, sign};
use crate::cli::{Context, file, show};
use crate::shell::CliError;

/// `surety util item sign`
#[derive(Debug, Args)]
pub(super) struct SignItem {
    /// To whom it is addressed: a process or a wallet
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    target: Option<ItemId>,
    #[command(flatten)]
    content: Content,
    #[command(flatten)]
    signer: Signer,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn run(context: &Context, verb: &SignItem) -> Result<(), CliError> {
    let mut draft = verb.content.add_to(ItemDraft::default())?;
    draft.target = verb.target.map(|it| *it.as_bytes());
    let item = sign(&verb.signer.open()?, draft)?;
    file::write(&verb.out, item.bytes())?;
    let told = json!({
        "file": verb.out,
        "id": item.id(),
        "owner": item.owner_address(),
        "bytes": item.bytes().len(),
    });
    context.shell.table(&show::fields(&told), &told)
}
