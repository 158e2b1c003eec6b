//! `/cu/state`: the memory of a process.

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde::Deserialize;
use surety_protocol::assignment::block_height_text;
use surety_protocol::id::ProcessId;
use surety_protocol::time::{Slot, Timestamp};
use surety_protocol::witness::PAGE_BYTES;

use super::log::later;
use super::number;
use crate::http::Api;
use crate::http::arrival::{aside, executes, hold};
use crate::http::problem::Problem;
use crate::http::processes::known;
use crate::http::request::{Ask, At};

/// Pages that are sent together.
const CHUNK: u32 = 64;
/// What reading a state takes of the room for answers: a chunk of it that is sent, and one that is read.
const ROOM: usize = 8 << 20;

/// Until when.
#[derive(Debug, Deserialize)]
pub(in crate::http) struct Until {
    to: Option<String>,
}

/// `GET /cu/state/{process}?to=`: the whole memory after the last evaluated input, or the last one up to a timestamp (rule HL-9);
/// which it is stands in `Last-Ordinate`, `Last-Timestamp` and `Last-Block-Height`.
pub(in crate::http) async fn get(
    State(api): State<Api>,
    At(process): At<ProcessId>,
    Ask(until): Ask<Until>,
) -> Result<Response, Problem> {
    let view = api.now();
    let evaluated = known(&view, &process)?.evaluated;
    let until: Option<u64> = number("to", until.to.as_ref())?;
    executes()?;
    let held = aside(hold(ROOM)).await?;
    let executor = Arc::clone(&api.node.handle.executor);
    let (snapshot, last) = api
        .execute(move |archive| {
            let missing = || Problem::conflict("not-evaluated", "nothing is evaluated up to then");
            let size = match until {
                None => evaluated,
                Some(time) => later(archive, &process, evaluated, Timestamp(time))?,
            };
            let last = Slot(size.checked_sub(1).ok_or_else(missing)?);
            let last = archive.assignment(&process, last)?.ok_or_else(missing)?;
            let profiles = view.ledger.profiles();
            Ok((executor.state_after(profiles, &process, size)?, last))
        })
        .await?;
    let pages = snapshot.page_count();
    let bytes = u64::from(pages).saturating_mul(PAGE_BYTES as u64);
    // The room is held until the last page is sent or the client is gone.
    let chunks = stream::unfold(
        (snapshot, held, 0),
        move |(snapshot, held, from)| async move {
            if from >= pages {
                return None;
            }
            let end = from.saturating_add(CHUNK).min(pages);
            let chunk: Vec<u8> = (from..end).flat_map(|it| *snapshot.page(it)).collect();
            Some((
                Ok::<_, io::Error>(Bytes::from(chunk)),
                (snapshot, held, end),
            ))
        },
    );
    let head = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_LENGTH, bytes.to_string()),
        (
            HeaderName::from_static("last-timestamp"),
            last.timestamp.0.to_string(),
        ),
        (
            HeaderName::from_static("last-ordinate"),
            last.slot.0.to_string(),
        ),
        (
            HeaderName::from_static("last-block-height"),
            block_height_text(last.block_height),
        ),
    ];
    Ok((head, Body::from_stream(chunks)).into_response())
}
