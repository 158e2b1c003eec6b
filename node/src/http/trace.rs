//! What came of a message: the tree of everything that was sent because of it.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use surety_protocol::id::{Address, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::time::Slot;

use super::Api;
use super::gateway;
use super::problem::Problem;
use super::processes::{beyond, known};
use super::request::{Ask, At};
use crate::archive::{Archive, Search};

/// How deep a tree is shown.
const DEPTH_MAX: usize = 16;
/// Items in a tree.
const ITEMS_MAX: usize = 1000;

/// How deep.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Depth {
    depth: Option<usize>,
}

/// `GET /v1/processes/{process}/slots/{slot}/trace?depth=`: what the result of a slot sent, what came of that, and so on, as far as
/// this node knows; `slot` is null for what has none. Only a node with the role of a gateway answers.
pub(super) async fn get(
    State(api): State<Api>,
    At((process, slot)): At<(ProcessId, u64)>,
    Ask(asked): Ask<Depth>,
) -> Result<Response, Problem> {
    gateway::serves(&api)?;
    let slots = known(&api.now(), &process)?.slots;
    if slot >= slots {
        return Err(beyond(Slot(slot), slots));
    }
    let depth = asked.depth.unwrap_or(DEPTH_MAX).min(DEPTH_MAX);
    api.heavy(move |archive| {
        let mut left = ITEMS_MAX;
        let subject = archive.log(&process, Slot(slot), 1)?.pop();
        // A tick has no item but its assignment.
        let subject = subject.map(|(assignment, message)| message.unwrap_or(assignment));
        let sent = sent(archive, &process, Slot(slot), depth, &mut left)?;
        Ok(Json(json!({
            "item": subject.as_ref().map(|it| it.id()),
            "type": subject.as_ref().and_then(|it| it.tag("Type")),
            "action": subject.as_ref().and_then(|it| it.tag("Action")),
            "process": process,
            "slot": slot,
            "sent": sent,
            "whole": left > 0,
        }))
        .into_response())
    })
    .await
}

/// What the result of a slot sent, in its order.
fn sent(
    archive: &Archive,
    process: &ProcessId,
    slot: Slot,
    depth: usize,
    left: &mut usize,
) -> Result<Vec<Value>, Problem> {
    let Some(sender) = archive.item(&(*process).into())?.filter(|_| depth > 0) else {
        return Ok(Vec::new());
    };
    let tag = |name: &str, value: String| (name.to_owned(), vec![value]);
    let search = Search {
        // Anybody can say that an item is from a process; these are who the process trusts to.
        owners: Some(authorities(&sender)),
        tags: vec![
            tag("From-Process", process.to_string()),
            tag("From-Slot", slot.to_string()),
        ],
        limit: *left,
        ..Search::default()
    };
    let found = archive.search(&search)?;
    let mut entries = Vec::new();
    for (_, id) in found {
        let Some(item) = archive.item(&id)?.filter(|_| *left > 0) else {
            continue;
        };
        *left = left.saturating_sub(1);
        let index = item.tag("From-Index").and_then(|it| it.parse().ok());
        let index: u64 = index.unwrap_or(u64::MAX);
        let to = match item.tag("Type") {
            Some("Process") => Some(ProcessId::from(id)),
            _ => item.target().map(|it| ProcessId::new(*it)),
        };
        let place = match to {
            Some(to) => archive.slot_of(&to, &id)?,
            None => None,
        };
        let below = match (to, place) {
            (Some(to), Some(at)) => self::sent(archive, &to, at, depth.saturating_sub(1), left)?,
            _ => Vec::new(),
        };
        let entry = json!({
            "item": id,
            "type": item.tag("Type"),
            "action": item.tag("Action"),
            "process": to,
            "slot": place,
            "sent": below,
        });
        entries.push((index, entry));
    }
    entries.sort_by_key(|(index, _)| *index);
    Ok(entries.into_iter().map(|(_, entry)| entry).collect())
}

/// Whose word a process takes for what is sent in its name.
fn authorities(process: &Item) -> Vec<Address> {
    let tags = process.tags().filter(|(name, _)| *name == "Authority");
    let texts = tags.flat_map(|(_, value)| value.split(','));
    texts.filter_map(|it| it.trim().parse().ok()).collect()
}
