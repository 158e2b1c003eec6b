//! As much of AO's legacynet units as its clients need to send items and to read results.
//!
//! # Rules
//!
//! - `[HL-1]` Errors are `{"error": text}`, as those clients expect.
//! - `[HL-2]` A cursor of `/cu/results` is base64 of JSON with `timestamp` and `ordinate`, which clients take apart; the
//!   ordinate is the slot. `from` is exclusive and `to` inclusive, whatever the order. Results with an error are left out.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use surety_protocol::assignment::Assignment;
use surety_protocol::id::{ItemId, MessageId, ProcessId, base64url, from_base64url};
use surety_protocol::time::{Slot, Timestamp};

use super::Api;
use super::items::authentic;
use super::problem::Problem;
use super::request::{Ask, At, Body, ITEM_BODY};
use super::results::evaluated;
use crate::archive::Archive;
use crate::driver::{Accepted, wall};

/// How long a client waits for an evaluation.
const PATIENCE: Duration = Duration::from_secs(15);
/// Results of a page, unless the client says.
const PAGE: usize = 25;
/// Results of a page at most.
const PAGE_MAX: usize = 1000;
/// Bytes of results in a page.
const PAGE_BYTES: usize = 16 << 20;

/// A refusal in the words of those clients (rule HL-1).
pub(super) struct Refusal(StatusCode, String);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Refusal {
        Refusal(problem.status, problem.detail)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

/// The extractor's refusal must speak the same words.
type Given<T> = Result<T, Problem>;

/// Offers an item; gives its id and when it was taken.
async fn offer(api: &Api, body: Given<Body<ITEM_BODY>>) -> Result<(ItemId, Timestamp), Refusal> {
    // A scheduler answers nearly every refusal with 400.
    let refused = |problem: Problem| match problem.status {
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::SERVICE_UNAVAILABLE => Refusal::from(problem),
        status if status.is_server_error() => Refusal::from(problem),
        _ => Refusal(StatusCode::BAD_REQUEST, problem.detail),
    };
    let Body(bytes) = body.map_err(refused)?;
    let item = authentic(api, bytes).await.map_err(refused)?;
    let id = item.id();
    match api.node.handle.offer(item).await {
        Ok(Accepted::Scheduled(receipt)) => Ok((id, receipt.timestamp)),
        Ok(Accepted::Queued) => Ok((id, wall())),
        Err(error) => Err(refused(error.into())),
    }
}

/// `POST /su` with the bytes of an item: 200 `{id, timestamp}` once it has its slot.
pub(super) async fn schedule(
    State(api): State<Api>,
    body: Given<Body<ITEM_BODY>>,
) -> Result<Response, Refusal> {
    let (id, timestamp) = offer(&api, body).await?;
    Ok(Json(json!({ "id": id, "timestamp": timestamp })).into_response())
}

/// `POST /mu` with the bytes of an item: 202 `{message, id}` once it has its slot.
pub(super) async fn send(
    State(api): State<Api>,
    body: Given<Body<ITEM_BODY>>,
) -> Result<Response, Refusal> {
    let (id, _) = offer(&api, body).await?;
    let accepted = json!({ "message": "accepted", "id": id });
    Ok((StatusCode::ACCEPTED, Json(accepted)).into_response())
}

/// Of which process.
#[derive(Debug, Deserialize)]
pub(super) struct OfProcess {
    #[serde(rename = "process-id")]
    process: ProcessId,
}

/// `GET /cu/result/{message}?process-id=`: the result of a message, as soon as it is evaluated.
pub(super) async fn result(
    State(api): State<Api>,
    message: Given<At<MessageId>>,
    asked: Given<Ask<OfProcess>>,
) -> Result<Response, Refusal> {
    let (At(message), Ask(OfProcess { process })) = (message?, asked?);
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
        let text = format!("message {message} has no slot in process {process}");
        Refusal(StatusCode::NOT_FOUND, text)
    };
    let slot = slot.ok_or_else(unknown)?;
    let rest = PATIENCE.saturating_sub(started.elapsed());
    match evaluated(&api, process, slot, rest).await? {
        Some(result) => Ok(Json(result).into_response()),
        None => {
            let text = format!("message {message} is not evaluated yet");
            Err(Refusal(StatusCode::GATEWAY_TIMEOUT, text))
        }
    }
}

/// Which results.
#[derive(Debug, Deserialize)]
pub(super) struct Results {
    from: Option<String>,
    to: Option<String>,
    limit: Option<usize>,
    sort: Option<String>,
}

/// `GET /cu/results/{process}?from=&to=&limit=&sort=`: evaluated results, oldest first unless `sort=DESC`.
pub(super) async fn results(
    State(api): State<Api>,
    process: Given<At<ProcessId>>,
    asked: Given<Ask<Results>>,
) -> Result<Response, Refusal> {
    let (At(process), Ask(asked)) = (process?, asked?);
    let evaluated = api
        .now()
        .processes
        .get(&process)
        .map_or(0, |it| it.evaluated);
    let limit = asked.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let newest_first = asked
        .sort
        .as_deref()
        .is_some_and(|it| it.eq_ignore_ascii_case("DESC"));
    let first = asked
        .from
        .as_deref()
        .map_or(Ok(0), |it| ordinate(it).map(|it| it + 1))?;
    let end = asked
        .to
        .as_deref()
        .map_or(Ok(evaluated), |it| ordinate(it).map(|it| it + 1))?;
    let end = end.min(evaluated);
    let page = api
        .read(move |archive| page(archive, process, first..end, limit, newest_first))
        .await?;
    Ok(Json(page).into_response())
}

fn page(
    archive: &Archive,
    process: ProcessId,
    slots: std::ops::Range<u64>,
    limit: usize,
    newest_first: bool,
) -> Result<Value, Problem> {
    let sort = if newest_first { "DESC" } else { "ASC" };
    let (mut edges, mut bytes, mut more) = (Vec::new(), 0_usize, false);
    let mut left = slots;
    while let Some(slot) = if newest_first {
        left.next_back()
    } else {
        left.next()
    } {
        let Some(result) = archive.result(&process, Slot(slot))? else {
            continue;
        };
        if result.error.is_some() {
            continue;
        }
        if edges.len() >= limit || bytes >= PAGE_BYTES {
            more = true;
            break;
        }
        bytes = result
            .parts()
            .iter()
            .fold(bytes, |sum, it| sum.saturating_add(it.len()));
        let input = archive.input(&process, Slot(slot))?;
        let assignment = input.and_then(|it| Assignment::from_item(&it.assignment).ok());
        let timestamp = assignment.map_or(Timestamp(0), |it| it.timestamp);
        let cursor = json!({
            "timestamp": timestamp,
            "ordinate": slot.to_string(),
            "cron": null,
            "sort": sort,
        });
        edges.push(json!({
            "node": result.to_json(),
            "cursor": base64(cursor.to_string().as_bytes()),
        }));
    }
    Ok(json!({ "pageInfo": { "hasNextPage": more }, "edges": edges }))
}

/// The slot that a cursor names.
fn ordinate(cursor: &str) -> Result<u64, Refusal> {
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
    read.ok_or_else(|| Refusal(StatusCode::BAD_REQUEST, "the cursor is malformed".into()))
}

/// The alphabet that `atob` reads, with its padding.
fn base64(bytes: &[u8]) -> String {
    let mut text = base64url(bytes).replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}
