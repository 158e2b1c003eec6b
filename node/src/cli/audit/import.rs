//! `surety audit import`: logs of processes as schedulers of AO publish them, checked and evaluated from their bytes alone.
//!
//! # Rules
//!
//! - `[IM-1]` A file is a data item or a bundle, and what an item without a type carries is read too: a message's own bundle is no
//!   part of a log. Every item has to be authentic. In which order they come, and how often, does not matter.
//! - `[IM-2]` What one key has assigned of a process is a log: its slots follow one another without a hole, each assigned once, each
//!   with the hash chain that continues the one before it, neither timestamps nor block heights decreasing.
//! - `[IM-3]` Whether that key is the one that the process names is said, and no reason to refuse: AO's routers give processes to
//!   others. Of a log that does not begin with slot 0, the first hash chain is believed.
//! - `[IM-4]` A log is evaluated if it begins with slot 0, up to the first message that is not among the items. AO's results say
//!   nothing of gas or state, so there is nothing to compare: the root is told. It is that of nodes if the module is the item that
//!   the process names: a process may look at the module's id and tags.

mod log;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use surety_protocol::id::Address;
use surety_protocol::item::{Item, ItemDraft, ItemKey};
use surety_protocol::profile::Profile;
use surety_protocol::profiles::Profiles;

use self::log::{Log, Logs, Unsound};
use super::evaluate::Replayed;
use crate::cli::{Context, file, show};
use crate::engines::Engines;
use crate::shell::{CliError, Exit};

/// Bytes of a file.
const FILE_MAX: usize = 256 << 20;

/// `surety audit import`
#[derive(Debug, Args)]
pub(super) struct Import {
    /// Files with bundles or items: assignments, and the processes and messages that they assign
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Only the logs that this scheduler signed
    #[arg(long, value_name = "ADDRESS", allow_hyphen_values = true)]
    signer: Option<Address>,
    /// The module of the processes, as WebAssembly or as an item, to evaluate them
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
}

pub(super) fn run(context: &Context, verb: &Import) -> Result<(), CliError> {
    let mut logs = Logs::default();
    for path in &verb.files {
        let bytes = file::read(path, FILE_MAX)?;
        logs.add(&bytes)
            .map_err(|why| refused(&format!("{}: {why}", path.display())))?;
    }
    let module = verb.module.as_deref().map(|it| file::read(it, FILE_MAX));
    let module = module.transpose()?.map(module_of).transpose()?;
    let mut told = Vec::new();
    for log in logs.checked(verb.signer) {
        let log = log.map_err(|why| refused(&why.to_string()))?;
        let mut entry = log.told();
        if let Some(module) = &module {
            evaluated(context, &log, module, &mut entry)?;
        }
        told.push(entry);
    }
    if told.is_empty() {
        return Err(refused("there is no assignment in these files"));
    }
    let told = json!({ "items": told });
    context.shell.table(&show::table(&told), &told)
}

/// A module, which is an item or becomes one that no process names.
fn module_of(wasm: Vec<u8>) -> Result<Item, CliError> {
    if let Ok(item) = Item::parse(wasm.as_slice())
        && item.tag("Type") == Some("Module")
    {
        return Ok(item);
    }
    let draft = ItemDraft::default()
        .tag("Type", "Module")
        .tag("Module-Format", surety_attest::engine::format(&wasm))
        .carrying(wasm);
    let signed = ItemKey::ed25519(&[0; 32]).sign_item(&draft);
    signed
        .map(|it| it.into_inner())
        .map_err(|why| refused(&format!("the module: {why}")))
}

/// Evaluates as much of a log as is there (rule IM-4).
fn evaluated(
    context: &Context,
    log: &Log,
    module: &Item,
    entry: &mut Value,
) -> Result<(), CliError> {
    let Some(process) = log.process() else {
        return Ok(());
    };
    let profiles = Profiles::of(Profile::v1()).map_err(|why| refused(&why.to_string()))?;
    let engines = Engines::wasm();
    let mut replayed = Replayed::new(&engines, profiles, process, module);
    let inputs = log.whole();
    let last = inputs.len().checked_sub(1);
    let mut head = None;
    for (index, input) in inputs.iter().enumerate() {
        let step = replayed.step(input, Some(index) == last)?;
        head = step.head;
        if step.size % 64 == 0 {
            let shell = &context.shell;
            shell.progress(format!("{} slots are evaluated", step.size));
        }
    }
    if let Value::Object(entry) = entry {
        let named = process.tag("Module") == Some(module.id().to_string().as_str());
        entry.insert("module_named_by_process".into(), named.into());
        entry.insert("evaluated".into(), replayed.size().into());
        entry.insert("state_root".into(), json!(head));
    }
    Ok(())
}

fn refused(why: &str) -> CliError {
    CliError::new(Exit::VerificationFailed, "log-broken", why)
        .with_help("it is not what one scheduler has signed; get it from another source")
}

impl From<Unsound> for CliError {
    fn from(why: Unsound) -> CliError {
        refused(&why.to_string())
    }
}
