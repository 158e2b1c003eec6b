//! The router driven without a socket, over a store in memory and a ledger made by hand. Nothing sleeps: what waits, waits
//! for a snapshot or an event that the test makes.

mod about;
mod compute;
mod gateway;
mod items;
mod log;
mod processes;
mod proofs;
mod shape;
mod socket;
mod stage;
mod stream;
mod token;
mod units;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
use serde_json::Value;
use tower::ServiceExt;

use stage::Stage;

/// An answer, read whole.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap().to_str().unwrap()
    }

    /// Checks that this is a problem with everything that one has.
    #[track_caller]
    fn is_problem(&self, status: u16, code: &str) {
        let body = self.json();
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(self.status, status);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(body["type"], "about:blank");
        assert_eq!(body["status"], status);
        assert_eq!(body["title"], self.status.canonical_reason().unwrap());
        assert!(!body["detail"].as_str().unwrap().is_empty());
        assert_eq!(body.as_object().unwrap().len(), 5);
    }
}

async fn read(response: Response) -> Answer {
    let (head, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    Answer {
        status: head.status,
        headers: head.headers,
        bytes,
    }
}

impl Stage {
    async fn ask(&self, request: Request<Body>) -> Answer {
        read(self.router().oneshot(request).await.unwrap()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.ask(Request::post(path).body(body.into()).unwrap())
            .await
    }

    async fn post_json(&self, path: &str, body: &Value) -> Answer {
        let request = Request::post(path).header("content-type", "application/json");
        self.ask(request.body(body.to_string().into()).unwrap())
            .await
    }
}
