//! What stands before every handler: bounds, counters, and headers against browsers that guess (rules HT-2, HT-7).

use std::time::Duration;

use axum::body::HttpBody;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Api;
use super::arrival::Arrival;
use super::doors::Visitor;
use super::problem::Problem;
use crate::metrics::HttpLabel;

/// How long a request may take until its answer begins; longer than anything here waits on purpose.
const LATEST: Duration = Duration::from_secs(40);
/// How much longer it may take if its body has to come.
const BODY: Duration = Duration::from_secs(300);

/// Bounds how many requests are under way, and for how long. Who asks whether the node is well is never refused.
pub(super) async fn limit(State(api): State<Api>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path.starts_with("/health/") || path == "/metrics" {
        return next.run(request).await;
    }
    let visitor = request.extensions().get::<ConnectInfo<Visitor>>();
    let visitor = visitor.map(|it| it.0.clone());
    if let Some(visitor) = &visitor {
        let client = api.clients.client(visitor.end(), request.headers());
        visitor.asks(client);
        if let Err(refused) = api.clients.count(client) {
            return refused.into_response();
        }
    }
    let latest = match request.body().is_end_stream() {
        true => LATEST,
        false => LATEST.saturating_add(BODY),
    };
    let method = request.method().clone();
    let served = Arrival::serve(api, visitor, &method, next.run(request));
    match tokio::time::timeout(latest, served).await {
        Ok(answered) => answered.unwrap_or_else(Problem::into_response),
        Err(_) => {
            let detail = "the request took too long";
            Problem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", detail).into_response()
        }
    }
}

/// Counts answers by surface and status.
pub(super) async fn count(State(api): State<Api>, request: Request, next: Next) -> Response {
    let surface = surface(request.uri().path());
    let response = next.run(request).await;
    let label = HttpLabel {
        surface,
        status: response.status().as_u16(),
    };
    api.node
        .handle
        .metrics
        .http_requests
        .get_or_create(&label)
        .inc();
    response
}

/// Browsers are told not to guess what an answer is.
pub(super) async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response
        .headers_mut()
        .insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The first segment of a path, from a closed set.
fn surface(path: &str) -> &'static str {
    let first = path.split('/').nth(1).unwrap_or_default();
    let known = ["su", "cu", "mu", "gateway", "v1"];
    known.into_iter().find(|it| *it == first).unwrap_or("other")
}
