//! `/cu`: results, as AO's compute unit gives them.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use surety_protocol::id::{MessageId, ProcessId, base64url, from_base64url};
use surety_protocol::time::{Slot, Timestamp};

use super::log::later;
use super::{OfProcess, given, number};
use crate::archive::Archive;
use crate::driver::wall;
use crate::http::Api;
use crate::http::problem::Problem;
use crate::http::request::{Ask, At};
use crate::http::results::evaluated;

/// How long a client waits for an evaluation.
const PATIENCE: Duration = Duration::from_secs(15);
/// Results of a page, unless the client says.
const PAGE: usize = 25;
/// Results of a page at most.
const PAGE_MAX: usize = 1000;
/// The same of ticks, unless the client says.
const CRON_PAGE: usize = 500;
/// Slots that one page looks at.
const LOOKED_MAX: usize = 20_000;
/// Bytes of results in a page.
const PAGE_BYTES: usize = 16 << 20;

/// `GET /cu`: the time, and who computes here.
pub(in crate::http) async fn about(State(api): State<Api>) -> Response {
    let address = api.node.item_key;
    Json(json!({ "address": address, "timestamp": wall() })).into_response()
}

/// `GET /cu/result/{message}?process-id=`: the result of a message, as soon as it is evaluated.
pub(in crate::http) async fn result(
    State(api): State<Api>,
    At(message): At<MessageId>,
    Ask(OfProcess { process }): Ask<OfProcess>,
) -> Result<Response, Problem> {
    let started = tokio::time::Instant::now();
    let slot = api
        .until(PATIENCE, |view| {
            let (known, api) = (view.processes.contains_key(&process), &api);
            async move {
                if !known {
                    return Ok(None);
                }
                api.read(move |archive| Ok(archive.slot_of(&process, &message.into())?))
                    .await
            }
        })
        .await?;
    let unknown = || {
        let detail = format!("message {message} has no slot in process {process}");
        Problem::unknown("message-unknown", detail)
    };
    let slot = slot.ok_or_else(unknown)?;
    let rest = PATIENCE.saturating_sub(started.elapsed());
    match evaluated(&api, process, slot, rest).await? {
        Some(result) => Ok(Json(result).into_response()),
        None => {
            let view = api.now();
            let (done, of) = view
                .processes
                .get(&process)
                .map_or((0, 0), |it| (it.evaluated, it.slots));
            let detail = format!(
                "message {message} is input {slot} and not evaluated yet: {done} of {of} inputs are"
            );
            let status = StatusCode::GATEWAY_TIMEOUT;
            Err(Problem::new(status, "not-evaluated", detail))
        }
    }
}

/// Which results.
#[derive(Debug, Deserialize)]
pub(in crate::http) struct Results {
    from: Option<String>,
    to: Option<String>,
    limit: Option<String>,
    sort: Option<String>,
}

/// `GET /cu/results/{process}?from=&to=&limit=&sort=`: evaluated results, oldest first unless `sort=DESC`.
pub(in crate::http) async fn results(
    State(api): State<Api>,
    At(process): At<ProcessId>,
    Ask(asked): Ask<Results>,
) -> Result<Response, Problem> {
    connection(&api, process, &asked, PAGE, false).await
}

/// `GET /cu/cron/{process}?from=&to=&limit=&sort=`: the results of ticks alone.
pub(in crate::http) async fn cron(
    State(api): State<Api>,
    At(process): At<ProcessId>,
    Ask(asked): Ask<Results>,
) -> Result<Response, Problem> {
    connection(&api, process, &asked, CRON_PAGE, true).await
}

async fn connection(
    api: &Api,
    process: ProcessId,
    asked: &Results,
    limit: usize,
    ticks: bool,
) -> Result<Response, Problem> {
    let evaluated = api.now().processes.get(&process).map(|it| it.evaluated);
    let evaluated = evaluated.unwrap_or(0);
    let limit = number("limit", asked.limit.as_ref())?.unwrap_or(limit);
    let sort = given(asked.sort.as_ref()).unwrap_or_default();
    let newest_first = sort.eq_ignore_ascii_case("DESC");
    let place = |cursor: Option<&String>| given(cursor).map(Place::read).transpose();
    let (from, to) = (place(asked.from.as_ref())?, place(asked.to.as_ref())?);
    let page = api
        .read(move |archive| {
            let past = |place: Place| place.past(archive, &process, evaluated);
            let first = from.map_or(Ok(0), past)?;
            let end = to.map_or(Ok(evaluated), past)?;
            let page = Page {
                process,
                slots: first..end.min(evaluated),
                limit: limit.clamp(1, PAGE_MAX),
                newest_first,
                ticks,
            };
            page.read(archive)
        })
        .await?;
    Ok(Json(page).into_response())
}

/// Where a page begins or ends.
enum Place {
    Slot(u64),
    Time(Timestamp),
}

impl Place {
    /// A cursor, or a timestamp.
    fn read(text: &str) -> Result<Place, Problem> {
        match text.parse() {
            Ok(time) => Ok(Place::Time(Timestamp(time))),
            Err(_) => ordinate(text).map(Place::Slot),
        }
    }

    /// The first slot after it.
    fn past(self, archive: &Archive, process: &ProcessId, slots: u64) -> Result<u64, Problem> {
        match self {
            Place::Slot(slot) => Ok(slot.saturating_add(1)),
            Place::Time(time) => later(archive, process, slots, time),
        }
    }
}

/// Which results.
struct Page {
    process: ProcessId,
    slots: std::ops::Range<u64>,
    limit: usize,
    newest_first: bool,
    /// Those of ticks alone.
    ticks: bool,
}

impl Page {
    fn read(mut self, archive: &Archive) -> Result<Value, Problem> {
        let sort = if self.newest_first { "DESC" } else { "ASC" };
        let (mut edges, mut bytes, mut looked, mut more) = (Vec::new(), 0_usize, 0_usize, false);
        while let Some(slot) = match self.newest_first {
            true => self.slots.next_back(),
            false => self.slots.next(),
        } {
            if looked >= LOOKED_MAX {
                more = true;
                break;
            }
            looked = looked.saturating_add(1);
            let assignment = archive.assignment(&self.process, Slot(slot))?;
            let timer = assignment.as_ref().and_then(|it| it.timer.as_deref());
            if self.ticks && timer.is_none() {
                continue;
            }
            let Some(result) = archive.result(&self.process, Slot(slot))? else {
                continue;
            };
            if result.error.is_some() {
                continue;
            }
            if edges.len() >= self.limit || bytes >= PAGE_BYTES {
                more = true;
                break;
            }
            bytes = result
                .parts()
                .iter()
                .fold(bytes, |sum, it| sum.saturating_add(it.len()));
            let timestamp = assignment.as_ref().map_or(Timestamp(0), |it| it.timestamp);
            let cursor = json!({
                "timestamp": timestamp,
                "ordinate": slot.to_string(),
                "cron": timer,
                "sort": sort,
            });
            edges.push(json!({
                "node": result.to_json(),
                "cursor": base64(cursor.to_string().as_bytes()),
            }));
        }
        Ok(json!({ "pageInfo": { "hasNextPage": more }, "edges": edges }))
    }
}

/// The slot that a cursor names.
fn ordinate(cursor: &str) -> Result<u64, Problem> {
    let text = cursor
        .trim_end_matches('=')
        .replace('+', "-")
        .replace('/', "_");
    let read = from_base64url(&text)
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
        .and_then(|cursor| match cursor.get("ordinate")? {
            Value::String(text) => text.parse().ok(),
            number => number.as_u64(),
        })
        // One more is still a slot.
        .filter(|slot: &u64| *slot < u64::MAX);
    read.ok_or_else(|| Problem::malformed("cursor-malformed", "the cursor is malformed"))
}

/// The alphabet that `atob` reads, with its padding.
fn base64(bytes: &[u8]) -> String {
    let mut text = base64url(bytes).replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}
