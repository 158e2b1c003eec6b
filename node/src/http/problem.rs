//! What a refused request is told (rule HT-3).

use std::any::Any;
use std::borrow::Cow;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use surety_attest::engine::EngineError;

use crate::archive::{ArchiveError, SearchError};
use crate::driver::OfferError;
use crate::executor::Failure;

/// Characters of a detail; what comes from elsewhere is cut.
const DETAIL_MAX: usize = 400;
/// Characters of a code that comes from elsewhere.
const CODE_MAX: usize = 64;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// For programs; it never changes its meaning.
    pub(crate) code: Cow<'static, str>,
    /// For people.
    pub(crate) detail: String,
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Problem {
        Problem {
            status,
            code: code.into(),
            detail: detail.into(),
        }
    }

    /// The request is malformed.
    pub(crate) fn malformed(code: &'static str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// There is no such thing here.
    pub(crate) fn unknown(code: &'static str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// It cannot be answered now.
    pub(crate) fn conflict(code: &'static str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::CONFLICT, code, detail)
    }

    /// A bound is reached (rule HT-2).
    pub(crate) fn busy(detail: &'static str) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)
    }

    /// The node itself failed; why stands in its log.
    pub(crate) fn internal(error: &dyn std::fmt::Display) -> Problem {
        tracing::error!(%error, "a request failed");
        let detail = "the node failed; its log says why";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let detail: String = self.detail.chars().take(DETAIL_MAX).collect();
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": detail,
        });
        let head = [(CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, head, body.to_string()).into_response();
        let later = [
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::TOO_MANY_REQUESTS,
        ];
        if later.contains(&self.status) {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // For surfaces that say it in other words.
        response.extensions_mut().insert(Problem { detail, ..self });
        response
    }
}

impl From<ArchiveError> for Problem {
    fn from(error: ArchiveError) -> Problem {
        Problem::internal(&error)
    }
}

impl From<SearchError> for Problem {
    fn from(error: SearchError) -> Problem {
        match error {
            SearchError::Archive(error) => error.into(),
            broad @ SearchError::TooBroad => Problem::conflict("too-broad", broad.to_string()),
        }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Problem {
        match failure {
            Failure::Archive(error) => error.into(),
            Failure::Engine(error) => error.into(),
            far @ Failure::TooFar { .. } => Problem::conflict("state-too-far", far.to_string()),
            missing => Problem::conflict("not-evaluated", missing.to_string()),
        }
    }
}

impl From<EngineError> for Problem {
    /// The engine refuses a module, or this machine cannot tell.
    fn from(error: EngineError) -> Problem {
        let (status, code) = match error {
            EngineError::Abstain(_) => (StatusCode::SERVICE_UNAVAILABLE, "engine-abstained"),
            _ => (StatusCode::UNPROCESSABLE_ENTITY, "module-refused"),
        };
        Problem::new(status, code, error.to_string())
    }
}

impl From<OfferError> for Problem {
    fn from(error: OfferError) -> Problem {
        // Another node may have chosen the code.
        let kebab = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
        let sound =
            !error.code.is_empty() && error.code.len() <= CODE_MAX && error.code.chars().all(kebab);
        let code = if sound {
            Cow::Owned(error.code)
        } else {
            Cow::Borrowed("refused")
        };
        let status = match code.as_ref() {
            "already-scheduled" => StatusCode::CONFLICT,
            "process-unknown" | "scheduler-unknown" => StatusCode::NOT_FOUND,
            "not-a-scheduler" => StatusCode::MISDIRECTED_REQUEST,
            "ledger-refused" => StatusCode::UNPROCESSABLE_ENTITY,
            "guard-refused" => StatusCode::CONFLICT,
            "scheduler-unreachable" => StatusCode::BAD_GATEWAY,
            "scheduler-busy" | "scheduler-full" | "node-stopping" => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            "timeout" => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::BAD_REQUEST,
        };
        Problem::new(status, code, error.reason)
    }
}

/// No route has this path.
pub(super) async fn unknown_route(uri: Uri) -> Problem {
    Problem::unknown("route-unknown", format!("nothing is at {}", uri.path()))
}

/// The path has other methods.
pub(super) async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{method} is not a method of {}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
}

/// A handler panicked: a fault of this program, which other requests do not feel.
pub(super) fn panicked(cause: Box<dyn Any + Send + 'static>) -> Response {
    let text = cause.downcast_ref::<&str>().copied();
    let text = text.or_else(|| cause.downcast_ref::<String>().map(String::as_str));
    Problem::internal(&text.unwrap_or("a handler panicked")).into_response()
}
