//! The node itself: who it is, whether it is well, and what it counts.

use std::fmt::Write;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use surety_protocol::origin::origin;

use super::chain::profile;
use super::problem::Problem;
use super::{Api, OPENAPI, ROUTES};
use crate::metrics::CONTENT_TYPE as OPENMETRICS;

/// Blocks that a node may be behind and still be ready.
const BEHIND_MAX: u64 = 10;
/// Peers in one answer; a node has fewer.
const PEERS_MAX: usize = 1000;

/// `GET /`: the routes, for people.
pub(super) async fn root() -> String {
    let mut text = concat!("surety ", env!("CARGO_PKG_VERSION"), "\n\n").to_owned();
    for (method, path) in ROUTES {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{:5}{path}", method.to_ascii_uppercase());
    }
    text
}

/// `GET /v1/openapi.json`: the description of all routes.
pub(super) async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

/// `GET /v1/node`: who the node is, and how much it has signed since it was started. `origin` is the process id of the ledger,
/// which is the network's id.
pub(super) async fn about(State(api): State<Api>) -> Result<Response, Problem> {
    let (node, net) = (&api.node, &api.node.handle.net);
    let ledger = &api.now().ledger;
    let peers = net.peers().await.map_or(0, |it| it.len());
    let metrics = &api.node.handle.metrics;
    let about = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "network": node.network,
        "origin": origin(&node.network),
        "operator": node.operator,
        "item_key": node.item_key,
        "peer_id": net.local_peer_id().to_string(),
        "listen": listen(&api),
        "roles": node.roles,
        "profile": profile(ledger.profiles().at(ledger.height())),
        "height": ledger.height(),
        "peers": peers,
        "claims_signed": metrics.claims_signed.get(),
        "approvals_signed": metrics.approvals_signed.get(),
    });
    Ok(Json(about).into_response())
}

/// Where the node listens for peers, each address with its peer id.
fn listen(api: &Api) -> Vec<String> {
    let net = &api.node.handle.net;
    let peer = net.local_peer_id();
    net.listen_addresses()
        .iter()
        .map(|it| format!("{it}/p2p/{peer}"))
        .collect()
}

/// `GET /v1/peers`: the connected peers.
pub(super) async fn peers(State(api): State<Api>) -> Result<Response, Problem> {
    let stopped = |_| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "node-stopping",
            "no network",
        )
    };
    let peers = api.node.handle.net.peers().await.map_err(stopped)?;
    let items: Vec<Value> = peers
        .into_iter()
        .take(PEERS_MAX)
        .map(|it| {
            let addresses: Vec<String> = it.addresses.iter().map(ToString::to_string).collect();
            let topics: Vec<String> = it.topics.iter().map(ToString::to_string).collect();
            json!({
                "peer_id": it.peer.to_string(),
                "addresses": addresses,
                "agent": it.agent,
                "score": it.score,
                "topics": topics,
            })
        })
        .collect();
    Ok(Json(json!({ "items": items, "next": null })).into_response())
}

/// `GET /health/live`: the process answers.
pub(super) async fn live() -> Response {
    Json(json!({ "live": true })).into_response()
}

/// `GET /health/ready`: 200 if the node can serve its users, else 503 with the reasons.
pub(super) async fn ready(State(api): State<Api>) -> Response {
    let handle = &api.node.handle;
    let mut reasons = Vec::new();
    // The driver keeps the other end.
    if api.shutdown.is_cancelled() || handle.view.has_changed().is_err() {
        reasons.push("node-stopping");
    }
    let ledger = &api.now().ledger;
    if ledger.height().0 == 0 {
        reasons.push("no-block-yet");
    }
    if handle.metrics.blocks_behind.get() > BEHIND_MAX {
        reasons.push("ledger-behind");
    }
    let own = api.node.operator;
    let others = ledger.proposer() != own || ledger.operators().any(|(it, _)| *it != own);
    if others && handle.net.peers().await.map_or(0, |it| it.len()) == 0 {
        reasons.push("no-peer");
    }
    let ready = reasons.is_empty();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(json!({ "ready": ready, "reasons": reasons }))).into_response()
}

/// `GET /metrics`: counters and gauges as OpenMetrics text.
pub(super) async fn metrics(State(api): State<Api>) -> Response {
    (
        [(CONTENT_TYPE, OPENMETRICS)],
        api.node.handle.metrics.render(),
    )
        .into_response()
}
