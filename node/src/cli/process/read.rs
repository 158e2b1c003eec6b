//! What a node shows of a process.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use surety_protocol::id::{IdError, ItemId, ProcessId};
use tokio::time::Instant;

use crate::cli::item::{Content, of_type};
use crate::cli::remote::{number, post, wait_for};
use crate::cli::{Context, show};
use crate::client::Client;
use crate::shell::{CliError, Exit};

/// A slot by its number, or by the message that has it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    Slot(u64),
    Message(ItemId),
}

/// Why a text is no place in a log.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlaceError {
    /// A number, but of no slot.
    #[error("a slot is a whole number, from 0 on")]
    Slot,
    /// Neither.
    #[error("neither the number of a slot nor the id of a message: {0}")]
    Message(IdError),
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Place, PlaceError> {
        match (slot(text), text.parse::<ItemId>()) {
            (Ok(slot), _) => Ok(Place::Slot(slot)),
            (_, Ok(message)) => Ok(Place::Message(message)),
            // A number that is no id either was meant as a slot.
            (Err(wrong), _) if text.parse::<f64>().is_ok() => Err(wrong),
            (_, Err(error)) => Err(PlaceError::Message(error)),
        }
    }
}

/// Reads the number of a slot.
pub(super) fn slot(text: &str) -> Result<u64, PlaceError> {
    text.parse().map_err(|_| PlaceError::Slot)
}

/// `surety process result`
#[derive(Debug, Args)]
pub(super) struct ResultOf {
    /// The process
    #[arg(allow_hyphen_values = true)]
    process: ProcessId,
    /// The number of the slot, or the id of the message
    #[arg(value_name = "SLOT|MESSAGE", allow_hyphen_values = true)]
    place: Place,
    /// Wait until it is evaluated, at most so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u64,
}

/// `surety process results` and `surety process assignments`
#[derive(Debug, Args)]
pub(super) struct Listed {
    /// The process
    #[arg(allow_hyphen_values = true)]
    process: ProcessId,
    /// The first slot
    #[arg(long, value_name = "SLOT", default_value_t = 0)]
    from: u64,
    /// How many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1000))]
    limit: u64,
}

/// `surety process dry-run`
#[derive(Debug, Args)]
pub(super) struct DryRun {
    /// The process
    #[arg(allow_hyphen_values = true)]
    process: ProcessId,
    /// What it would be to do: the value of the tag Action
    #[arg(long)]
    action: Option<String>,
    #[command(flatten)]
    content: Content,
    /// Who would have sent it
    #[arg(long, value_name = "ADDRESS", allow_hyphen_values = true)]
    owner: Option<String>,
}

pub(super) fn result(context: &Context, verb: &ResultOf) -> Result<(), CliError> {
    let deadline = Instant::now() + Duration::from_secs(verb.wait);
    let result = context.block_on(async {
        let client = context.client()?;
        let process = &verb.process;
        let slot = match verb.place {
            Place::Slot(slot) => slot,
            Place::Message(id) => slot_of(&client, process, &id, deadline).await?,
        };
        let path = format!("/v1/processes/{process}/slots/{slot}/result");
        wait_for(deadline, &["not-evaluated", "slot-unknown"], |seconds| {
            let path = format!("{path}?wait={seconds}");
            let client = &client;
            async move { client.get(&path).await }
        })
        .await
    })?;
    context.shell.table(&show::fields(&result), &result)
}

/// The slot of a message, which it may still have to be given.
pub(super) async fn slot_of(
    client: &Client,
    process: &ProcessId,
    message: &ItemId,
    deadline: Instant,
) -> Result<u64, CliError> {
    let path = format!("/v1/processes/{process}/messages/{message}");
    let found = wait_for(deadline, &["message-unknown"], |_| client.get(&path)).await?;
    number(&found, "slot")
}

pub(super) fn listed(context: &Context, verb: &Listed, what: &str) -> Result<(), CliError> {
    let Listed {
        process,
        from,
        limit,
    } = verb;
    context.show(&format!(
        "/v1/processes/{process}/{what}?from={from}&limit={limit}"
    ))
}

pub(super) fn dry_run(context: &Context, verb: &DryRun) -> Result<(), CliError> {
    let mut draft = of_type("Message");
    if let Some(action) = &verb.action {
        draft = draft.tag("Action", action.as_str());
    }
    let draft = verb.content.add_to(draft)?;
    let tags: Vec<Value> = draft
        .tags
        .iter()
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    let data = String::from_utf8(draft.data).map_err(|_| {
        CliError::new(
            Exit::Usage,
            "data-not-text",
            "the data of a dry run must be text",
        )
        .with_help("processes read data as text; send it as a message if it is not")
    })?;
    let mut question = json!({ "tags": tags, "data": data });
    if let (Some(owner), Value::Object(question)) = (&verb.owner, &mut question) {
        question.insert("owner".into(), owner.as_str().into());
    }
    let path = format!("/v1/processes/{}/dry-run", verb.process);
    let body = serde_json::to_vec(&question)?;
    let result = context.block_on(post(context, &path, "application/json", body))?;
    context.shell.table(&show::fields(&result), &result)
}
