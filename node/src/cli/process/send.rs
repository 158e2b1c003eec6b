//! Items for processes: modules, spawns and messages, signed here.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use surety_protocol::id::{Address, ModuleId, ProcessId};
use surety_protocol::item::ItemDraft;
use surety_protocol::limits::ITEM_BYTES_MAX;

use crate::cli::item::{Content, of_type};
use crate::cli::remote::{parsed, post};
use crate::cli::sign::{Signer, sign};
use crate::cli::{Context, file, show};
use crate::client::Client;
use crate::shell::{CliError, Exit};

/// `surety process publish`
#[derive(Debug, Args)]
pub(super) struct Publish {
    /// The WebAssembly module
    file: PathBuf,
    /// The form of the module, as AO names it; without it, what the module looks like
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Memory that its processes may use, like 500-mb
    #[arg(long, default_value = "1-gb", value_name = "N-UNIT")]
    memory_limit: String,
    /// Gas that one input may take
    #[arg(long, default_value_t = 9_000_000_000_000, value_name = "GAS")]
    compute_limit: u64,
    #[command(flatten)]
    signer: Signer,
}

/// `surety process spawn`
#[derive(Debug, Args)]
pub(super) struct Spawn {
    /// The module to run
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    module: ModuleId,
    /// Who gives messages their slots; without it the node, if it schedules
    #[arg(long, value_name = "ADDRESS", allow_hyphen_values = true)]
    scheduler: Option<Address>,
    /// Whose messages of other processes are believed; without it the node, if it carries messages
    #[arg(long = "authority", value_name = "ADDRESS", allow_hyphen_values = true)]
    authorities: Vec<Address>,
    #[command(flatten)]
    content: Content,
    #[command(flatten)]
    signer: Signer,
}

/// `surety process send`
#[derive(Debug, Args)]
pub(super) struct Send {
    /// The process
    #[arg(allow_hyphen_values = true)]
    process: ProcessId,
    /// What it is to do: the value of the tag Action
    #[arg(long)]
    action: Option<String>,
    #[command(flatten)]
    content: Content,
    #[command(flatten)]
    signer: Signer,
}

pub(super) fn publish(context: &Context, verb: &Publish) -> Result<(), CliError> {
    let module = file::read(&verb.file, ITEM_BYTES_MAX)?;
    let format = match &verb.format {
        Some(format) => format.as_str(),
        None => surety_attest::engine::format(&module),
    };
    let draft = of_type("Module")
        .tag("Module-Format", format)
        .tag("Input-Encoding", "JSON-1")
        .tag("Output-Encoding", "JSON-1")
        .tag("Memory-Limit", verb.memory_limit.as_str())
        .tag("Compute-Limit", verb.compute_limit.to_string())
        .tag("Content-Type", "application/wasm")
        .carrying(module);
    let item = sign(&verb.signer.open()?, draft)?;
    context.shell.progress(format!("item {}", item.id()));
    // With the node's token: nothing pays for a module.
    let bytes = item.bytes().to_vec();
    let answer = context.block_on(post(
        context,
        "/v1/items",
        "application/octet-stream",
        bytes,
    ))?;
    context.shell.table(&show::fields(&answer), &answer)
}

pub(super) fn spawn(context: &Context, verb: &Spawn) -> Result<(), CliError> {
    context.block_on(async {
        let client = context.client()?;
        match held_as(context, &verb.module).await {
            Some(HeldAs::Other) => {
                let message = format!("{} is no module", verb.module);
                return Err(
                    CliError::new(Exit::Usage, "not-a-module", message).with_help(
                        "publish one with `surety process publish FILE`: its id is in the line `id`",
                    ),
                );
            }
            // It may be published later, or be known to others.
            Some(HeldAs::Nothing) => context.shell.progress(format!(
                "this node has no module {}: no slot is evaluated before somebody publishes it (`surety process publish FILE`)",
                verb.module
            )),
            Some(HeldAs::Module) | None => {}
        }
        let node = match (verb.scheduler, verb.authorities.is_empty()) {
            (Some(_), false) => Value::Null,
            _ => client.get("/v1/node").await?,
        };
        let scheduler = match verb.scheduler {
            Some(scheduler) => scheduler,
            None => of_role(&node, "scheduler")?.ok_or_else(|| {
                CliError::new(
                    Exit::Usage,
                    "scheduler-missing",
                    "this node does not schedule",
                )
                .with_help("name the address of a scheduler's data-item key with --scheduler")
            })?,
        };
        let mut draft = of_type("Process")
            .tag("Module", verb.module.to_string())
            .tag("Scheduler", scheduler.to_string());
        let authorities = match verb.authorities.is_empty() {
            true => of_role(&node, "messenger")?.into_iter().collect(),
            false => verb.authorities.clone(),
        };
        for authority in authorities {
            draft = draft.tag("Authority", authority.to_string());
        }
        deliver(context, &client, &verb.signer, verb.content.add_to(draft)?).await
    })
}

/// What a node has under an id.
enum HeldAs {
    Module,
    Other,
    Nothing,
}

/// What the node has under this id, if it is a gateway and can tell.
async fn held_as(context: &Context, id: &ModuleId) -> Option<HeldAs> {
    let query = format!("{{ transaction(id: \"{id}\") {{ tags {{ name value }} }} }}");
    let question = json!({ "query": query }).to_string().into_bytes();
    let answer = post(context, "/gateway/graphql", "application/json", question).await;
    let answer = answer.ok()?;
    let held = answer.pointer("/data/transaction")?;
    if held.is_null() {
        return Some(HeldAs::Nothing);
    }
    let module = json!({ "name": "Type", "value": "Module" });
    let tags = held.get("tags")?.as_array()?;
    Some(match tags.contains(&module) {
        true => HeldAs::Module,
        false => HeldAs::Other,
    })
}

/// The node's data-item key, if the node has the role for which it signs.
fn of_role(node: &Value, role: &str) -> Result<Option<Address>, CliError> {
    let roles = node.get("roles").and_then(Value::as_array);
    let has = roles.is_some_and(|roles| roles.iter().any(|it| it.as_str() == Some(role)));
    if has {
        parsed(node, "item_key").map(Some)
    } else {
        Ok(None)
    }
}

pub(super) fn send(context: &Context, verb: &Send) -> Result<(), CliError> {
    let mut draft = of_type("Message").to(*verb.process.as_bytes());
    if let Some(action) = &verb.action {
        draft = draft.tag("Action", action.as_str());
    }
    let draft = verb.content.add_to(draft)?;
    context.block_on(async { deliver(context, &context.client()?, &verb.signer, draft).await })
}

/// Signs and sends an item, and shows what became of it.
async fn deliver(
    context: &Context,
    client: &Client,
    signer: &Signer,
    draft: ItemDraft,
) -> Result<(), CliError> {
    let item = sign(&signer.open()?, draft)?;
    context.shell.progress(format!("item {}", item.id()));
    let answer = client.send_item(&item).await?;
    context.shell.table(&show::fields(&answer), &answer)
}
