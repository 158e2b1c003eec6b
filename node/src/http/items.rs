//! Data items: handing them in, and reading them back.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use surety_attest::effect::{Offer, Record};
use surety_protocol::id::ItemId;
use surety_protocol::item::Item;
use surety_protocol::verified::Authentic;

use super::Api;
use super::problem::Problem;
use super::request::{At, Body, ITEM_BODY};
use super::token::Trusted;
use crate::archive::write;
use crate::driver::Accepted;
use crate::store::Batch;

/// Any bytes.
const BYTES: &str = "application/octet-stream";

/// Reads an item and checks its signature; nothing of it is kept.
pub(super) async fn authentic(api: &Api, bytes: Vec<u8>) -> Result<Authentic<Item>, Problem> {
    api.read(move |_| {
        let item = Item::parse(bytes).and_then(Item::authenticate);
        item.map_err(|error| Problem::malformed(error.code(), error.to_string()))
    })
    .await
}

/// `POST /v1/items` with the bytes of one ANS-104 item: 201 if it is a module that passes the check, 200 with its slot if it
/// was scheduled here or elsewhere, 202 if it waits for a block of the ledger. A module needs the node's token (rule HT-11).
pub(super) async fn post(
    State(api): State<Api>,
    trusted: Result<Trusted, Problem>,
    Body(bytes): Body<ITEM_BODY>,
) -> Result<Response, Problem> {
    let item = authentic(&api, bytes).await?;
    let id = item.id();
    if item.tag("Type") == Some("Module") {
        trusted?;
        return module(&api, item).await;
    }
    Ok(match api.offer(Offer::Item(item)).await? {
        Accepted::Scheduled(receipt) => Json(json!({
            "id": id,
            "status": "scheduled",
            "process": receipt.process,
            "slot": receipt.slot,
            "assignment": receipt.assignment,
            "timestamp": receipt.timestamp,
        }))
        .into_response(),
        Accepted::Queued => (
            StatusCode::ACCEPTED,
            Json(json!({ "id": id, "status": "queued" })),
        )
            .into_response(),
    })
}

/// Stores a module that the engine would run.
async fn module(api: &Api, item: Authentic<Item>) -> Result<Response, Problem> {
    let id = item.id();
    let stored = json!({ "id": id, "status": "stored" });
    let here = api
        .read(move |archive| Ok(archive.item_bytes(&id)?.is_some()))
        .await?;
    if here {
        return Ok(Json(stored).into_response());
    }
    let executor = Arc::clone(&api.node.handle.executor);
    let ledger = Arc::clone(&api.now().ledger);
    api.execute(move |archive| {
        let profile = &ledger.profiles().at(ledger.height()).profile;
        executor.engine(profile)?.check(item.data())?;
        let mut batch = Batch::new();
        write::put(&mut batch, Record::Item(item))?;
        Ok(archive.write(batch)?)
    })
    .await?;
    Ok((StatusCode::CREATED, Json(stored)).into_response())
}

/// An item that is not here.
pub(super) fn missing() -> Problem {
    Problem::unknown("item-unknown", "this node does not have the item")
}

/// `GET /v1/items/{id}`: the bytes of an item.
pub(super) async fn get(State(api): State<Api>, At(id): At<ItemId>) -> Result<Response, Problem> {
    let bytes = api
        .read(move |archive| archive.item_bytes(&id)?.ok_or_else(missing))
        .await?;
    Ok(([(CONTENT_TYPE, BYTES)], bytes).into_response())
}
