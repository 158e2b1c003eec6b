//! `/su`: logs as AO's scheduler shows them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use surety_protocol::assignment::{Assignment, block_height_text};
use surety_protocol::id::{ItemId, ProcessId};
use surety_protocol::time::{Slot, Timestamp};

use super::{number, shape};
use crate::archive::{Archive, LogSlot};
use crate::driver::wall;
use crate::http::Api;
use crate::http::problem::Problem;
use crate::http::processes::known;
use crate::http::request::{Ask, At};

/// Edges of a page, unless the client says.
const PAGE: usize = 100;
/// Edges of a page at most, but for those that share the last one's timestamp.
const PAGE_MAX: usize = 1000;
/// Bytes of items in a page.
const PAGE_BYTES: usize = 16 << 20;
/// What edges of one timestamp may exceed the greatest page by; beyond, only nonces lead on.
const EXCESS: usize = 4;

/// `GET /su` and `GET /su/`: the time, and who schedules here.
pub(in crate::http) async fn about(State(api): State<Api>) -> Response {
    let address = api.node.item_key;
    Json(json!({ "timestamp": wall().0.to_string(), "address": address })).into_response()
}

/// `GET /su/timestamp`: the time, and the block height.
pub(in crate::http) async fn timestamp(State(api): State<Api>) -> Response {
    let height = block_height_text(api.now().ledger.height().0);
    Json(json!({ "timestamp": wall().0.to_string(), "block_height": height })).into_response()
}

/// `GET /su/health`: nothing, as long as the node answers.
pub(in crate::http) async fn health() -> StatusCode {
    StatusCode::OK
}

fn missing() -> Problem {
    Problem::unknown("item-unknown", "there is no such item in the log")
}

/// One slot, as it travels.
fn one(archive: &Archive, process: &ProcessId, slot: Slot) -> Result<LogSlot, Problem> {
    let mut found = archive.log(process, slot, 1)?;
    found.pop().ok_or_else(missing)
}

/// `GET /su/processes/{process}`: the item of a process, and when it began.
pub(in crate::http) async fn process(
    State(api): State<Api>,
    At(process): At<ProcessId>,
) -> Result<Response, Problem> {
    known(&api.now(), &process)?;
    api.read(move |archive| {
        let (assignment, item) = one(archive, &process, Slot(0))?;
        let item = item.ok_or_else(missing)?;
        let read = Assignment::from_item(&assignment).map_err(|it| Problem::internal(&it))?;
        Ok(Json(shape::process(&process, &item, &read)).into_response())
    })
    .await
}

/// `GET /su/{process}/latest`: the last slot of a log.
pub(in crate::http) async fn latest(
    State(api): State<Api>,
    At(process): At<ProcessId>,
) -> Result<Response, Problem> {
    let slots = known(&api.now(), &process)?.slots;
    let last = Slot(slots.checked_sub(1).ok_or_else(missing)?);
    api.read(move |archive| {
        let (assignment, message) = one(archive, &process, last)?;
        Ok(Json(shape::slot(&assignment, message.as_deref(), false)).into_response())
    })
    .await
}

/// Which part of a log.
#[derive(Debug, Deserialize)]
pub(in crate::http) struct Part {
    #[serde(rename = "process-id")]
    process: Option<ProcessId>,
    from: Option<String>,
    to: Option<String>,
    #[serde(rename = "from-nonce")]
    from_nonce: Option<String>,
    #[serde(rename = "to-nonce")]
    to_nonce: Option<String>,
    limit: Option<String>,
    #[serde(rename = "show-anchor")]
    show_anchor: Option<String>,
}

/// By what a page begins and ends (rule HL-3).
enum Span {
    Nonces(Option<i64>, Option<i64>),
    Times(Option<u64>, Option<u64>),
}

impl Part {
    fn span(&self) -> Result<Span, Problem> {
        let nonces = (
            number("from-nonce", self.from_nonce.as_ref())?,
            number("to-nonce", self.to_nonce.as_ref())?,
        );
        Ok(match nonces {
            (None, None) => Span::Times(
                number("from", self.from.as_ref())?,
                number("to", self.to.as_ref())?,
            ),
            (from, to) => Span::Nonces(from, to),
        })
    }
}

/// `GET /su/{id}?process-id=&from=&to=&from-nonce=&to-nonce=&limit=&show-anchor`: the log of a process, or with the id of a
/// message or an assignment its slot. Without `process-id` the id is a process: some clients do not send it.
pub(in crate::http) async fn get(
    State(api): State<Api>,
    At(id): At<ItemId>,
    Ask(part): Ask<Part>,
) -> Result<Response, Problem> {
    let process = part.process.unwrap_or(ProcessId::from(id));
    let slots = known(&api.now(), &process)?.slots;
    let any_anchor = part.show_anchor.is_some();
    if ProcessId::from(id) != process {
        return api
            .read(move |archive| {
                let slot = archive.slot_of(&process, &id)?.ok_or_else(missing)?;
                let (assignment, message) = one(archive, &process, slot)?;
                Ok(Json(shape::slot(&assignment, message.as_deref(), any_anchor)).into_response())
            })
            .await;
    }
    let span = part.span()?;
    let limit = number("limit", part.limit.as_ref())?.unwrap_or(PAGE);
    let limit = limit.clamp(1, PAGE_MAX);
    api.read(move |archive| {
        let page = page(archive, &process, slots, &span, limit, any_anchor)?;
        Ok(Json(page).into_response())
    })
    .await
}

fn page(
    archive: &Archive,
    process: &ProcessId,
    slots: u64,
    span: &Span,
    limit: usize,
    any_anchor: bool,
) -> Result<Value, Problem> {
    let (first, end) = match *span {
        Span::Nonces(after, last) => {
            let next = |nonce: i64| u64::try_from(nonce.saturating_add(1)).unwrap_or(0);
            (after.map_or(0, next), last.map_or(slots, next).min(slots))
        }
        Span::Times(after, last) => {
            let later = |time: u64| later(archive, process, slots, Timestamp(time));
            (after.map_or(Ok(0), later)?, last.map_or(Ok(slots), later)?)
        }
    };
    let by_nonce = matches!(span, Span::Nonces(..));
    let (mut edges, mut bytes, mut last) = (Vec::new(), 0_usize, None);
    let mut slot = first;
    while slot < end {
        // A log that shrank ends earlier than the snapshot says.
        let Some((item, message)) = archive.log(process, Slot(slot), 1)?.pop() else {
            slot = end;
            break;
        };
        let read = Assignment::from_item(&item).map_err(|it| Problem::internal(&it))?;
        let full = edges.len() >= limit || bytes >= PAGE_BYTES;
        let same = !by_nonce && last == Some(read.timestamp);
        let excess = edges.len() >= PAGE_MAX * EXCESS || bytes >= PAGE_BYTES * EXCESS;
        if full && (!same || excess) {
            break;
        }
        let cursor = match by_nonce {
            true => slot.to_string(),
            false => read.timestamp.0.to_string(),
        };
        let node = shape::slot(&item, message.as_deref(), any_anchor);
        edges.push(json!({ "node": node, "cursor": cursor }));
        let size = message.map_or(0, |it| it.bytes().len());
        bytes = bytes
            .saturating_add(size)
            .saturating_add(item.bytes().len());
        last = Some(read.timestamp);
        slot = slot.saturating_add(1);
    }
    let more = slot < end;
    Ok(json!({ "page_info": { "has_next_page": more }, "edges": edges }))
}

/// The first slot that is later than a time, or the number of slots. Timestamps never decrease (rule LO-1).
pub(super) fn later(
    archive: &Archive,
    process: &ProcessId,
    slots: u64,
    time: Timestamp,
) -> Result<u64, Problem> {
    let (mut low, mut high) = (0, slots);
    while low < high {
        let middle = low.midpoint(high);
        let found = archive.assignment(process, Slot(middle))?;
        if found.is_some_and(|it| it.timestamp <= time) {
            low = middle.saturating_add(1);
        } else {
            high = middle;
        }
    }
    Ok(low)
}
