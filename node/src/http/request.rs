//! Reading requests: ids and numbers in paths, queries, pages and bounded bodies, each with its refusal.

use axum::Json;
use axum::body::HttpBody;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::arrival::{complete, hold};
use super::doors::SMALL;
use super::problem::Problem;

/// Entries of a page, unless the request says.
const PAGE: usize = 100;
/// Entries of a page at most.
const PAGE_MAX: usize = 1000;
/// Bytes of a body that carries an item: more than an item may have, so that the item's own rule speaks.
pub(crate) const ITEM_BODY: usize = 12 << 20;
/// Bytes of any other body.
pub(crate) const PLAIN_BODY: usize = 1 << 20;

/// Bytes beyond the bound that are read and dropped: a connection that is closed on data still coming loses the answer, and who
/// sends a little too much shall hear why.
const DROPPED_MAX: usize = 16 << 20;

/// The parameters of a path.
pub(crate) struct At<T>(pub(crate) T);

impl<T, S> FromRequestParts<S> for At<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(found)) => Ok(At(found)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => Err(match error.kind() {
                ErrorKind::ParseError { .. }
                | ErrorKind::ParseErrorAtIndex { .. }
                | ErrorKind::ParseErrorAtKey { .. } => {
                    Problem::malformed("number-malformed", "expected a decimal number in the path")
                }
                _ => Problem::malformed(
                    "id-malformed",
                    "expected an id of 43 characters of unpadded base64url in the path",
                ),
            }),
            Err(error) => Err(Problem::internal(&error)),
        }
    }
}

/// The parameters of a query.
pub(crate) struct Ask<T>(pub(crate) T);

impl<T, S> FromRequestParts<S> for Ask<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(found)) => Ok(Ask(found)),
            Err(error) => Err(Problem::malformed("query-malformed", error.body_text())),
        }
    }
}

/// Which part of a list is asked for (rule HT-5).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page<T> {
    /// The first entry: its id, or its place.
    pub(crate) from: Option<T>,
    limit: Option<usize>,
}

impl<T> Page<T> {
    /// How many entries are asked for.
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        limit(self.limit)
    }
}

/// A limit within its bounds.
pub(crate) fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(PAGE);
    if (1..=PAGE_MAX).contains(&limit) {
        return Ok(limit);
    }
    let detail = format!("a page has 1 to {PAGE_MAX} entries");
    Err(Problem::malformed("limit-out-of-range", detail))
}

/// A page of a list, with the `from` of the next.
pub(crate) fn listed<T: Serialize, N: Serialize>(items: Vec<T>, next: Option<N>) -> Response {
    Json(json!({ "items": items, "next": next })).into_response()
}

/// One page of entries that are all at hand; `from` names the first by its place.
pub(crate) fn paged<T: Serialize>(
    entries: impl Iterator<Item = T>,
    page: &Page<u64>,
) -> Result<Response, Problem> {
    let (from, limit) = (page.from.unwrap_or(0), page.limit()?);
    let skip = usize::try_from(from).unwrap_or(usize::MAX);
    let mut items: Vec<T> = entries.skip(skip).take(limit.saturating_add(1)).collect();
    let more = items.len() > limit;
    items.truncate(limit);
    let next = more.then(|| from.saturating_add(u64::try_from(limit).unwrap_or(u64::MAX)));
    Ok(listed(items, next))
}

/// One page of entries that are sorted by an id; `entries` start at the one that `from` names.
pub(crate) fn paged_by<K: Serialize, T: Serialize>(
    entries: impl Iterator<Item = (K, T)>,
    limit: usize,
) -> Response {
    let mut found: Vec<(K, T)> = entries.take(limit.saturating_add(1)).collect();
    let next = if found.len() > limit {
        found.pop().map(|(key, _)| key)
    } else {
        None
    };
    listed(found.into_iter().map(|(_, entry)| entry).collect(), next)
}

/// A body of at most so many bytes.
pub(crate) struct Body<const MAX: usize>(pub(crate) Vec<u8>);

impl<const MAX: usize, S: Send + Sync> FromRequest<S> for Body<MAX> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let too_large = || {
            let detail = format!("a body of more than {MAX} bytes");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail)
        };
        let declared = header(request.headers(), &CONTENT_LENGTH);
        let declared = declared
            .and_then(|it| it.parse::<usize>().ok())
            .unwrap_or(0);
        let waits = request.headers().contains_key(EXPECT);
        if declared > MAX && (waits || declared > MAX.saturating_add(DROPPED_MAX)) {
            return Err(too_large());
        }
        // Who does not say how much comes may send as much as there may be.
        let room = match request.body().size_hint().exact() {
            Some(_) => declared,
            None => MAX,
        };
        let room = if room > SMALL { room.min(MAX) } else { 0 };
        let held = hold(room).await?;
        let mut stream = request.into_body().into_data_stream();
        let (mut bytes, mut read) = (Vec::new(), 0_usize);
        while let Some(chunk) = stream.next().await {
            let truncated = |_| Problem::malformed("body-truncated", "the body ended early");
            let chunk = chunk.map_err(truncated)?;
            read = read.saturating_add(chunk.len());
            if read <= MAX {
                bytes.extend_from_slice(&chunk);
            } else if read <= MAX.saturating_add(DROPPED_MAX) {
                bytes = Vec::new();
            } else {
                break;
            }
        }
        if read.max(declared) > MAX {
            return Err(too_large());
        }
        complete(held).await?;
        Ok(Body(bytes))
    }
}

/// A JSON document.
pub(crate) struct Document<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Document<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        // A page of another origin cannot send this type without asking first (rule HT-7).
        let kind = header(request.headers(), &CONTENT_TYPE).unwrap_or_default();
        if kind.split(';').next().map(str::trim) != Some("application/json") {
            let detail = "expected a body of type application/json";
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "media-type",
                detail,
            ));
        }
        let Body(bytes) = Body::<PLAIN_BODY>::from_request(request, state).await?;
        serde_json::from_slice(&bytes)
            .map(Document)
            .map_err(|error| Problem::malformed("json-malformed", error.to_string()))
    }
}

/// Whether canonical bytes are asked for rather than JSON.
pub(crate) struct Canonical(pub(crate) bool);

impl<S: Send + Sync> FromRequestParts<S> for Canonical {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let accepted = header(&parts.headers, &ACCEPT).unwrap_or_default();
        Ok(Canonical(accepted.contains(CBOR)))
    }
}

/// The type of canonical bytes.
pub(crate) const CBOR: &str = "application/cbor";

/// Canonical bytes.
pub(crate) fn cbor(bytes: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, CBOR)], bytes).into_response()
}

fn header<'a>(
    headers: &'a axum::http::HeaderMap,
    name: &axum::http::HeaderName,
) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
