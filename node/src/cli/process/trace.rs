//! `surety process trace`: what came of a message.

use std::time::Duration;

use clap::Args;
use serde_json::Value;
use surety_protocol::id::ProcessId;
use tokio::time::Instant;

use super::read::{Place, slot_of};
use crate::cli::Context;
use crate::shell::{CliError, Table};

/// `surety process trace`
#[derive(Debug, Args)]
pub(super) struct Trace {
    /// The process
    #[arg(allow_hyphen_values = true)]
    process: ProcessId,
    /// The number of the slot, or the id of the message
    #[arg(value_name = "SLOT|MESSAGE", allow_hyphen_values = true)]
    place: Place,
    /// How deep
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=16))]
    depth: u64,
}

pub(super) fn run(context: &Context, verb: &Trace) -> Result<(), CliError> {
    let tree = context.block_on(async {
        let client = context.client()?;
        let process = &verb.process;
        let slot = match verb.place {
            Place::Slot(slot) => slot,
            Place::Message(id) => {
                let deadline = Instant::now() + Duration::ZERO;
                slot_of(&client, process, &id, deadline).await?
            }
        };
        let path = format!("/v1/processes/{process}/slots/{slot}/trace");
        Ok(client.get(&format!("{path}?depth={}", verb.depth)).await?)
    })?;
    let mut table = Table::new(["process", "slot", "action", "item"]);
    // The last is shown first, so what is below comes before what is beside.
    let mut open: Vec<(usize, &Value)> = vec![(0, &tree)];
    while let Some((depth, entry)) = open.pop() {
        let text = |name: &str| match entry.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        table.row([
            format!("{}{}", "  ".repeat(depth), text("process")),
            text("slot"),
            text("action"),
            text("item"),
        ]);
        let below = entry.get("sent").and_then(Value::as_array);
        let below = below.map(Vec::as_slice).unwrap_or_default();
        open.extend(below.iter().rev().map(|it| (depth.saturating_add(1), it)));
    }
    if tree.get("whole") == Some(&Value::Bool(false)) {
        context
            .shell
            .progress("the tree goes on; ask for a part of it");
    }
    context.shell.table(&table, &tree)
}
