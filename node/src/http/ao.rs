//! The surfaces of AO's legacynet units, as its clients expect them: `/su`, `/cu` and `/mu`.
//!
//! # Rules
//!
//! - `[HL-1]` Errors are `{"error": text}`. A scheduler answers with 400 whatever the request has wrong, but for a body that is
//!   too large, and for a client that asks too often.
//! - `[HL-2]` A cursor of `/cu/results` is base64 of JSON with `timestamp` and `ordinate`, which clients take apart; the
//!   ordinate is the slot. `from` is exclusive and `to` inclusive, whatever the order. Results with an error are left out.
//! - `[HL-3]` A page of a log is by nonces if the request has one, else by timestamps: `from` is exclusive, `to` inclusive. The
//!   process is the first edge. A page by timestamps does not end between two slots of one timestamp.
//! - `[HL-4]` What a client left out and spells `undefined`, `null` or as nothing is left out.
//! - `[HL-5]` Nobody is sent to another node. A scheduler's routes answer for every process whose log the node follows, and hand
//!   what is for another scheduler on to it.
//! - `[HL-6]` An assignment with `base-layer` is refused: nothing here is read from Arweave. As nothing it says yes, which is how
//!   clients write it.
//! - `[HL-7]` A unit is called with a slash behind its name like without. It says who it is, and under `/metrics` what the node counts.
//! - `[HL-8]` The ticks of a process are assigned by its scheduler (rule CR-5), and what its results send is handed over until it
//!   has arrived (rule MU-8). So `/mu/monitor` and `/mu/push` begin nothing and end nothing. They check what they are given, and
//!   say that it is looked after; what ticks gave is under `/cu/cron`.
//! - `[HL-9]` `/cu/state` is the memory after the last evaluated input or, with `to`, after the last one up to then (rule XE-7);
//!   which one that is stands beside it.

pub(super) mod compute;
pub(super) mod dry_run;
pub(super) mod log;
pub(super) mod messenger;
pub(super) mod scheduler;
mod shape;
pub(super) mod state;

use axum::Json;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use surety_protocol::id::ProcessId;

use super::problem::Problem;

/// The units (rule HL-7).
pub(super) const UNITS: &[&str] = &["/su", "/cu", "/mu"];
/// What a client that leaves something out may spell (rule HL-4).
const LEFT_OUT: &[&str] = &["undefined", "null"];

/// Of which process.
#[derive(Debug, Deserialize)]
pub(super) struct OfProcess {
    #[serde(rename = "process-id")]
    process: ProcessId,
}

/// Says a problem in the words of AO's clients, where they ask (rule HL-1).
pub(super) async fn words(request: Request, next: Next) -> Response {
    let unit = request.uri().path().split('/').nth(1).unwrap_or_default();
    let (scheduler, ours) = (unit == "su", matches!(unit, "su" | "cu" | "mu"));
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Problem>().filter(|_| ours) else {
        return response;
    };
    let status = match problem.status {
        kept @ (StatusCode::PAYLOAD_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS) => kept,
        status if scheduler && status.is_client_error() => StatusCode::BAD_REQUEST,
        status => status,
    };
    let mut said = (status, Json(json!({ "error": problem.detail }))).into_response();
    if let Some(after) = response.headers().get(RETRY_AFTER) {
        said.headers_mut().insert(RETRY_AFTER, after.clone());
    }
    said
}

/// A number of a query, or that it is left out (rule HL-4).
fn number<T: std::str::FromStr>(name: &str, text: Option<&String>) -> Result<Option<T>, Problem> {
    let Some(text) = given(text) else {
        return Ok(None);
    };
    text.parse()
        .map(Some)
        .map_err(|_| Problem::malformed("query-malformed", format!("{name} is not a number")))
}

/// A part of a query, unless it is left out (rule HL-4).
fn given(text: Option<&String>) -> Option<&str> {
    let text = text.map(|it| it.trim());
    text.filter(|it| !it.is_empty() && !LEFT_OUT.contains(it))
}
