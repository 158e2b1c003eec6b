//! `/mu`: sending, as AO's messenger does.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use surety_protocol::id::{MessageId, ProcessId};

use super::OfProcess;
use super::scheduler::{Assign, Taken, offer};
use crate::http::Api;
use crate::http::items::authentic;
use crate::http::problem::Problem;
use crate::http::processes::known;
use crate::http::request::{Ask, At, Body, ITEM_BODY};

/// `POST /mu` with the bytes of an item, or `POST /mu?process-id=&assign=&exclude=`: 202 `{message, id}` once it has its slot.
pub(in crate::http) async fn post(
    State(api): State<Api>,
    Ask(asked): Ask<Assign>,
    Body(bytes): Body<ITEM_BODY>,
) -> Result<Response, Problem> {
    let (message, id) = match offer(&api, asked, bytes).await? {
        Taken::Item(id, _) => ("Processing DataItem", id),
        Taken::Assigned(id, _) => ("Processing Assignment", id),
    };
    let accepted = json!({ "message": message, "id": id });
    Ok((StatusCode::ACCEPTED, Json(accepted)).into_response())
}

/// `POST` and `DELETE /mu/monitor/{process}` with a signed item: that it is looked after, whatever is asked (rule HL-8).
pub(in crate::http) async fn monitor(
    State(api): State<Api>,
    At(process): At<ProcessId>,
    Body(bytes): Body<ITEM_BODY>,
) -> Result<&'static str, Problem> {
    let item = authentic(&api, bytes).await?;
    if item.target() != Some(process.as_bytes()) {
        let detail = "the item is for another process";
        return Err(Problem::malformed("target-mismatch", detail));
    }
    known(&api.now(), &process)?;
    Ok("processes are always monitored here")
}

/// `POST /mu/push/{message}/{number}?process-id=`: that a message which the result of a message sends is looked after, by its place in
/// the result: 202 `{message, id}` if there is one (rule HL-8).
pub(in crate::http) async fn push(
    State(api): State<Api>,
    At((message, number)): At<(MessageId, usize)>,
    Ask(OfProcess { process }): Ask<OfProcess>,
) -> Result<Response, Problem> {
    known(&api.now(), &process)?;
    let sent = api
        .read(move |archive| {
            let unknown = || Problem::unknown("message-unknown", "the message has no slot");
            let slot = archive.slot_of(&process, &message.into())?;
            let result = archive.result(&process, slot.ok_or_else(unknown)?)?;
            let early = || Problem::conflict("not-evaluated", "the message is not evaluated yet");
            Ok(result.ok_or_else(early)?.messages.len())
        })
        .await?;
    if number >= sent {
        let detail = format!("the result sends {sent} messages");
        return Err(Problem::unknown("message-unknown", detail));
    }
    let accepted = json!({ "message": "its messenger pushes it", "id": message });
    Ok((StatusCode::ACCEPTED, Json(accepted)).into_response())
}

/// `GET /mu`: that this is one.
pub(in crate::http) async fn about() -> &'static str {
    "ao messenger unit"
}
