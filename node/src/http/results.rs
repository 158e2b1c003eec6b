//! Results in AO's shape.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use surety_protocol::id::ProcessId;
use surety_protocol::time::Slot;

use super::Api;
use super::problem::Problem;
use super::processes::{beyond, known};
use super::request::{Ask, At, Page, listed};
use super::work::waiting;

/// Bytes of results that one page reads; a page of large results is shorter than its limit.
const PAGE_BYTES: usize = 16 << 20;

/// How long to wait.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wait {
    wait: Option<u64>,
}

/// `GET /v1/processes/{process}/slots/{slot}/result?wait=`: the result of a slot in AO's shape: `Output`, `Messages`,
/// `Spawns`, `Assignments`, `GasUsed`, and `Error` if there is one. With `wait`, up to so many seconds for its evaluation.
pub(super) async fn get(
    State(api): State<Api>,
    At((process, slot)): At<(ProcessId, u64)>,
    Ask(asked): Ask<Wait>,
) -> Result<Response, Problem> {
    let wait = waiting(asked.wait)?;
    known(&api.now(), &process)?;
    match evaluated(&api, process, Slot(slot), wait).await? {
        Some(result) => Ok(Json(result).into_response()),
        None => {
            let view = api.now();
            let found = known(&view, &process)?;
            if slot >= found.slots {
                return Err(beyond(Slot(slot), found.slots));
            }
            let detail = format!("{} of {} slots are evaluated", found.evaluated, found.slots);
            Err(Problem::unknown("not-evaluated", detail))
        }
    }
}

/// The result of a slot as soon as it is evaluated.
pub(super) async fn evaluated(
    api: &Api,
    process: ProcessId,
    slot: Slot,
    wait: Duration,
) -> Result<Option<Value>, Problem> {
    api.until(wait, |view| async move {
        // A slot beyond what is evaluated costs no look into the store.
        if view
            .processes
            .get(&process)
            .is_none_or(|it| it.evaluated <= slot.0)
        {
            return Ok(None);
        }
        let result = api
            .read(move |archive| Ok(archive.result(&process, slot)?))
            .await?;
        Ok(result.map(|it| it.to_json()))
    })
    .await
}

/// `GET /v1/processes/{process}/results?from=&limit=`: the results of evaluated slots, from a slot on.
pub(super) async fn list(
    State(api): State<Api>,
    At(process): At<ProcessId>,
    Ask(page): Ask<Page<u64>>,
) -> Result<Response, Problem> {
    let (from, limit) = (page.from.unwrap_or(0), page.limit()?);
    let evaluated = known(&api.now(), &process)?.evaluated;
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    let end = from.saturating_add(limit).min(evaluated);
    api.read(move |archive| {
        let (mut items, mut bytes, mut next) = (Vec::new(), 0_usize, from);
        while next < end && bytes < PAGE_BYTES {
            let Some(result) = archive.result(&process, Slot(next))? else {
                return Ok(listed(items, None::<u64>));
            };
            let parts = result.parts();
            bytes = parts
                .iter()
                .fold(bytes, |sum, part| sum.saturating_add(part.len()));
            items.push(json!({ "slot": next, "result": result.to_json() }));
            next = next.saturating_add(1);
        }
        Ok(listed(items, (next < evaluated).then_some(next)))
    })
    .await
}
