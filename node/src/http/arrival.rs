//! A request from when its head is here until its answer begins: when it is under way, and what it may take (rules HT-2, HT-9).
//!
//! Every request is served in the scope of its arrival, so that whoever reads a body or waits says so in one place.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use http_body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task_local;
use tokio::time::timeout;

use super::Api;
use super::doors::{Counted, Held, SMALL, Visitor, lock};
use super::problem::Problem;

/// How long who comes waits for a place among the requests under way.
const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 1_000 });

task_local! {
    static ARRIVAL: Arc<Arrival>;
}

/// A request that has come.
pub(super) struct Arrival {
    api: Api,
    /// None where a test drives the router without a connection.
    visitor: Option<Visitor>,
    place: Mutex<Option<Place>>,
    /// Room for its body, until the answer is there.
    body: Mutex<Option<Held>>,
}

/// One of the places of requests under way.
struct Place {
    _permit: OwnedSemaphorePermit,
    _under_way: Option<Counted>,
}

impl Arrival {
    /// Serves a request. It is under way at once, unless a body has to come first.
    pub(super) async fn serve(
        api: Api,
        visitor: Option<Visitor>,
        method: &Method,
        served: impl Future<Output = Response>,
    ) -> Result<Response, Problem> {
        let arrival = Arc::new(Arrival {
            api,
            visitor,
            place: Mutex::new(None),
            body: Mutex::new(None),
        });
        // Only these have a body that anybody reads.
        if *method != Method::POST && *method != Method::DELETE {
            arrival.enter().await?;
        }
        let closed = arrival.visitor.as_ref().map(Visitor::closed);
        let served = async {
            let response = ARRIVAL.scope(Arc::clone(&arrival), served).await;
            arrival.carry(response).await
        };
        match closed {
            None => served.await,
            Some(closed) => tokio::select! {
                biased;
                response = served => response,
                () = closed.cancelled() => Err(gave_way()),
            },
        }
    }

    fn taken(&self, permit: OwnedSemaphorePermit) -> Place {
        Place {
            _permit: permit,
            _under_way: self.visitor.as_ref().map(Visitor::under_way),
        }
    }

    async fn enter(&self) -> Result<(), Problem> {
        let busy = || Problem::busy("too many requests are under way");
        // Those that waited for something come back all at once, and are gone at once.
        let permit = timeout(PATIENCE, Arc::clone(&self.api.under_way).acquire_owned());
        let permit = permit.await.map_err(|_| busy())?.map_err(|_| busy())?;
        *lock(&self.place) = Some(self.taken(permit));
        Ok(())
    }

    async fn hold(&self, bytes: usize) -> Result<Option<Held>, Problem> {
        let Some(visitor) = self.visitor.as_ref().filter(|_| bytes > 0) else {
            return Ok(None);
        };
        let held = visitor.hold(bytes).await;
        let busy = || Problem::busy("too many bytes are on their way");
        held.map(Some).ok_or_else(busy)
    }

    /// An answer that takes room while it goes.
    async fn carry(&self, response: Response) -> Result<Response, Problem> {
        let size = response.body().size_hint().exact().unwrap_or(0);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size <= SMALL {
            return Ok(response);
        }
        // Its place bounds how many answers wait for room.
        lock(&self.body).take();
        let held = self.hold(size).await?;
        Ok(response.map(|inner| {
            Body::new(Carried {
                inner,
                rest: Bytes::new(),
                _held: held,
            })
        }))
    }
}

/// The body of the request that is served is here: it is under way from now on, and keeps the room that its body takes.
///
/// # Errors
/// 503 if too many are under way.
pub(super) async fn complete(body: Option<Held>) -> Result<(), Problem> {
    let Ok(arrival) = ARRIVAL.try_with(Arc::clone) else {
        return Ok(());
    };
    *lock(&arrival.body) = body;
    arrival.enter().await
}

/// What who gave way is told: what it had sent may have been taken.
fn gave_way() -> Problem {
    let detail = "others needed the connection; what was sent may still be taken";
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", detail)
}

/// Room for bytes of the request that is served, which may have to wait for others to give way (rule HT-9).
///
/// # Errors
/// 503 if there is none in time.
pub(super) async fn hold(bytes: usize) -> Result<Option<Held>, Problem> {
    match ARRIVAL.try_with(Arc::clone) {
        Ok(arrival) => arrival.hold(bytes).await,
        Err(_) => Ok(None),
    }
}

/// Counts the request that is served among those that make the node execute (rule HT-12).
///
/// # Errors
/// 429 if its client sends too many of them.
pub(super) fn executes() -> Result<(), Problem> {
    let Ok(arrival) = ARRIVAL.try_with(Arc::clone) else {
        return Ok(());
    };
    match &arrival.visitor {
        Some(visitor) => arrival.api.clients.executes(visitor.client()),
        None => Ok(()),
    }
}

/// Waits for something: the request that is served is not under way until then (rule HT-8).
pub(super) async fn aside<T>(something: impl Future<Output = T>) -> T {
    let Ok(arrival) = ARRIVAL.try_with(Arc::clone) else {
        return something.await;
    };
    let left = lock(&arrival.place).take().is_some();
    let waiting = arrival.visitor.as_ref().map(Visitor::waiting);
    let found = something.await;
    drop(waiting);
    if left {
        let permit = Arc::clone(&arrival.api.under_way).acquire_owned().await;
        // The semaphore is never closed.
        if let Ok(permit) = permit {
            let place = arrival.taken(permit);
            *lock(&arrival.place) = Some(place);
        }
    }
    found
}

/// A body that takes room until it is sent: in small parts, since what is given away is out of sight.
struct Carried {
    inner: Body,
    rest: Bytes,
    _held: Option<Held>,
}

impl HttpBody for Carried {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                other => return Poll::Ready(other),
            }
        }
        let part = self.rest.len().min(SMALL);
        let part = self.rest.split_to(part);
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    /// Only who asks once more is told that it ends: until then its last part may not be sent.
    fn is_end_stream(&self) -> bool {
        false
    }

    fn size_hint(&self) -> SizeHint {
        let rest = u64::try_from(self.rest.len()).unwrap_or(u64::MAX);
        let inner = self.inner.size_hint().exact();
        inner.map_or_else(SizeHint::default, |it| {
            SizeHint::with_exact(it.saturating_add(rest))
        })
    }
}
