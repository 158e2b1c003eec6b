//! What stands before every handler: bounds, counters, and headers against browsers that guess (rules HT-2, HT-7).

use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Api;
use super::listener::Visitor;
use super::problem::Problem;
use crate::metrics::HttpLabel;

/// How long a request may take until its answer begins; longer than anything here waits on purpose.
const LATEST: Duration = Duration::from_secs(40);

/// Bounds how many requests are under way, and for how long. Who asks whether the node is well is never refused.
pub(super) async fn limit(State(api): State<Api>, request: Request, next: Next) -> Response {
    let visitor = request.extensions().get::<ConnectInfo<Visitor>>();
    let _under_way = visitor.map(|it| it.0.request());
    let path = request.uri().path();
    if path.starts_with("/health/") || path == "/metrics" {
        return next.run(request).await;
    }
    let Ok(_permit) = api.under_way.try_acquire() else {
        return Problem::busy("too many requests are under way").into_response();
    };
    match tokio::time::timeout(LATEST, next.run(request)).await {
        Ok(response) => response,
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
