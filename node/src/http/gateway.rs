//! `/gateway`: data items as AO's clients read them from Arweave's gateways. Only a node with that role answers.
//!
//! # Rules
//!
//! - `[GW-1]` The data of an item has the content type that the item names if it is one that runs nothing in a browser, and
//!   may do nothing there.
//! - `[GW-2]` The tags that AO's units read come as headers, named in lower case. Others do not: strangers wrote them, and
//!   headers mean something.
//! - `[GW-3]` Queries are Arweave's GraphQL. What one may say and read is bounded: its fragments count wherever they stand. The block
//!   of a message is that of its assignment, and what has none is in no range of blocks.

mod block;
mod extent;
mod graphql;
mod transaction;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use surety_protocol::id::{ItemId, base64url};
use surety_protocol::item::Item;

use super::Api;
use super::items::missing;
use super::problem::Problem;
use super::request::At;
use crate::config::RoleName;

pub(super) use graphql::{Queries, query};

/// Any bytes.
const BYTES: &str = "application/octet-stream";
/// Types that a browser shows without running anything in them (rule GW-1).
const HARMLESS: &[&str] = &[
    "application/cbor",
    "application/json",
    "application/wasm",
    "audio/mpeg",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/csv",
    "text/plain",
    "text/plain; charset=utf-8",
    "video/mp4",
];
/// Tags that come as headers (rule GW-2).
const TOLD: &[&str] = &[
    "action",
    "authority",
    "block-height",
    "compute-limit",
    "cron-interval",
    "data-protocol",
    "epoch",
    "exclude",
    "from-module",
    "from-process",
    "hash-chain",
    "input-encoding",
    "memory-limit",
    "message",
    "module",
    "module-format",
    "name",
    "nonce",
    "on-boot",
    "output-encoding",
    "process",
    "pushed-for",
    "scheduler",
    "sdk",
    "time-to-live",
    "timestamp",
    "type",
    "url",
    "variant",
];

/// Whether this node has the role.
pub(super) fn serves(api: &Api) -> Result<(), Problem> {
    match api.node.roles.contains(&RoleName::Gateway) {
        true => Ok(()),
        false => Err(Problem::unknown(
            "not-a-gateway",
            "this node is not a gateway",
        )),
    }
}

async fn item(api: &Api, id: ItemId) -> Result<Item, Problem> {
    serves(api)?;
    api.read(move |archive| Ok(archive.item(&id)?.ok_or_else(missing)?.into_inner()))
        .await
}

/// `GET /gateway/{id}` and `GET /gateway/raw/{id}`: the data of an item, and in headers the tags that AO's units read.
pub(super) async fn data(State(api): State<Api>, At(id): At<ItemId>) -> Result<Response, Problem> {
    let item = item(&api, id).await?;
    let named = item
        .tag("Content-Type")
        .map(str::to_ascii_lowercase)
        .unwrap_or_default();
    let kind = HARMLESS
        .iter()
        .find(|it| **it == named)
        .copied()
        .unwrap_or(BYTES);
    let head = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ];
    Ok((head, told(&item), item.data().to_vec()).into_response())
}

fn told(item: &Item) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in item.tags() {
        let name = name.to_ascii_lowercase();
        let Some(name) = TOLD.iter().find(|it| **it == name) else {
            continue;
        };
        // A value that cannot stand in a header is left out.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    headers
}

/// `GET /gateway/tx/{id}`: an item as Arweave shows a transaction, without its data.
pub(super) async fn tx(State(api): State<Api>, At(id): At<ItemId>) -> Result<Response, Problem> {
    let item = item(&api, id).await?;
    let tags: Vec<_> = item
        .tags()
        .map(|(name, value)| json!({ "name": base64url(name.as_bytes()), "value": base64url(value.as_bytes()) }))
        .collect();
    Ok(Json(json!({
        "format": 2,
        "id": item.id(),
        "last_tx": item.anchor().map(|it| base64url(it)).unwrap_or_default(),
        "owner": base64url(item.owner()),
        "tags": tags,
        "target": item.target().map(|it| base64url(it)).unwrap_or_default(),
        "quantity": "0",
        "data": "",
        "data_size": item.data().len().to_string(),
        "reward": "0",
        "signature": base64url(item.signature()),
    }))
    .into_response())
}

/// `GET /gateway/info`: what a client asks to see whether a gateway is well, with the ledger's height.
pub(super) async fn info(State(api): State<Api>) -> Result<Response, Problem> {
    serves(&api)?;
    let ledger = &api.now().ledger;
    let height = ledger.height();
    Ok(Json(json!({
        "network": api.node.network,
        "version": 5,
        "release": 1,
        "height": height,
        "blocks": height.0.saturating_add(1),
        "current": ledger.head(),
    }))
    .into_response())
}
