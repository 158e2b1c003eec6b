//! `/su`: giving a slot, as AO's scheduler does.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use surety_attest::effect::Offer;
use surety_protocol::id::{ItemId, ProcessId};
use surety_protocol::time::Timestamp;

use super::{LEFT_OUT, given};
use crate::driver::{Accepted, wall};
use crate::http::Api;
use crate::http::items::authentic;
use crate::http::problem::Problem;
use crate::http::request::{Ask, Body, ITEM_BODY};

/// An item that is to be an input of a process.
#[derive(Debug, Deserialize)]
pub(in crate::http) struct Assign {
    #[serde(rename = "process-id")]
    process: Option<ProcessId>,
    assign: Option<ItemId>,
    exclude: Option<String>,
    #[serde(rename = "base-layer")]
    base_layer: Option<String>,
}

impl Assign {
    /// Nothing of the base layer can be assigned (rule HL-6).
    fn above_base_layer(&self) -> Result<(), Problem> {
        let no = |it: &str| it == "false" || LEFT_OUT.contains(&it);
        if self.base_layer.as_deref().is_none_or(no) {
            return Ok(());
        }
        let detail = "base-layer is not supported: nothing here is read from Arweave; hand the item in, then assign it";
        Err(Problem::malformed("base-layer-unsupported", detail))
    }
}

/// What a scheduler took.
pub(super) enum Taken {
    /// An item, when.
    Item(ItemId, Timestamp),
    /// An item of somebody else, as an input of a process; the id is the assignment's.
    Assigned(ItemId, Timestamp),
}

/// Offers what a request has: the item in its body, or the one that it names.
pub(super) async fn offer(api: &Api, asked: Assign, bytes: Vec<u8>) -> Result<Taken, Problem> {
    asked.above_base_layer()?;
    let (process, id) = match (asked.process, asked.assign) {
        (None, None) => {
            let item = authentic(api, bytes).await?;
            let id = item.id();
            return Ok(match api.offer(Offer::Item(item)).await? {
                Accepted::Scheduled(receipt) => Taken::Item(id, receipt.timestamp),
                Accepted::Queued => Taken::Item(id, wall()),
            });
        }
        (Some(process), Some(id)) => (process, id),
        _ => {
            return Err(Problem::malformed(
                "query-malformed",
                "process-id and assign belong together",
            ));
        }
    };
    let unknown = || Problem::unknown("item-unknown", "the item to assign is not here");
    let item = api
        .read(move |archive| archive.item(&id)?.ok_or_else(unknown))
        .await?;
    let fields = given(asked.exclude.as_ref()).unwrap_or_default().split(',');
    let fields = fields.map(str::trim).filter(|it| !it.is_empty());
    let offer = Offer::Assign {
        process,
        item,
        exclude: fields.map(str::to_owned).collect(),
    };
    match api.offer(offer).await? {
        Accepted::Scheduled(receipt) => Ok(Taken::Assigned(
            receipt.assignment.into(),
            receipt.timestamp,
        )),
        Accepted::Queued => Err(Problem::internal(&"an assignment was queued")),
    }
}

/// `POST /su` with the bytes of an item, or `POST /su?process-id=&assign=&exclude=`: 200 `{id, timestamp}` once it has its slot.
/// The second id is that of the assignment.
pub(in crate::http) async fn post(
    State(api): State<Api>,
    Ask(asked): Ask<Assign>,
    Body(bytes): Body<ITEM_BODY>,
) -> Result<Response, Problem> {
    let (Taken::Item(id, timestamp) | Taken::Assigned(id, timestamp)) =
        offer(&api, asked, bytes).await?;
    Ok(Json(json!({ "id": id, "timestamp": timestamp })).into_response())
}
