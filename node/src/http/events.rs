//! The stream of a node's events.
//!
//! # Rules
//!
//! - `[HE-1]` Events are numbered from one since the node started, and given in order without a hole. Where the node does not
//!   keep an event any more that a reader has not had, it says so once with an event `gap`.
//! - `[HE-2]` A reader comes back with the number of the last event that it had. A number that the node has not given yet
//!   is from before a restart: the reader is told by a `gap`, and starts at the first.
//! - `[HE-3]` A slow reader costs the node nothing but one place among the streams.

mod json;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::unfold;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::Api;
use super::problem::Problem;
use super::request::Ask;
use crate::view::Numbered;

/// How often a stream on which nothing happens says that it is alive.
const ALIVE: Duration = Duration::from_secs(15);

/// Where to start.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    after: Option<u64>,
}

/// `GET /v1/events?after=`: server-sent events, `id` their number, `event` their kind, `data` JSON. With `Last-Event-ID`, or
/// `after`, from the event after that on; without, from now on.
pub(super) async fn stream(
    State(api): State<Api>,
    headers: HeaderMap,
    Ask(asked): Ask<After>,
) -> Result<Response, Problem> {
    // A browser that comes back repeats the address as it was, so the header is newer.
    let after = match headers.get("last-event-id") {
        Some(text) => {
            let number = text.to_str().ok().and_then(|it| it.parse().ok());
            Some(number.ok_or_else(|| {
                Problem::malformed("event-id-malformed", "Last-Event-ID is not a number")
            })?)
        }
        None => asked.after,
    };
    let permit = Arc::clone(&api.streams).try_acquire_owned();
    let permit = permit.map_err(|_| Problem::busy("too many streams are open"))?;
    let reader = Reader::new(api, after, permit);
    let events = unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::new().interval(ALIVE))
        .into_response())
}

/// Somebody who reads events.
struct Reader {
    api: Api,
    /// The number of the last event given, or passed over.
    last: u64,
    /// The first number that a gap hides, if one is to be told.
    gap: Option<u64>,
    kept: VecDeque<Arc<Numbered>>,
    live: Receiver<Arc<Numbered>>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    fn new(api: Api, after: Option<u64>, permit: OwnedSemaphorePermit) -> Reader {
        let log = &api.node.handle.events;
        let (everything, live) = log.follow(0);
        let newest = everything.last().map_or(0, |it| it.number);
        let (last, restarted) = match after {
            None => (newest, false),
            // [HE-2]
            Some(after) if after > newest => (0, true),
            Some(after) => (after, false),
        };
        let mut reader = Reader {
            api,
            last,
            gap: restarted.then_some(1),
            kept: VecDeque::new(),
            live,
            _permit: permit,
        };
        reader.keep(everything);
        reader
    }

    /// Takes what the log keeps after the last event; a hole before it is to be told.
    fn keep(&mut self, kept: Vec<Arc<Numbered>>) {
        self.kept = kept
            .into_iter()
            .filter(|it| it.number > self.last)
            .collect();
        let first = self.last.saturating_add(1);
        if self.kept.front().is_some_and(|it| it.number > first) {
            self.gap = Some(first);
        }
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(first) = self.gap.take() {
                let next = self.kept.front().map_or(first, |it| it.number);
                self.last = next.saturating_sub(1);
                return Some(gap(first, self.last));
            }
            if let Some(event) = self.kept.pop_front() {
                self.last = event.number;
                return self.tell(&event).await;
            }
            let received = tokio::select! {
                received = self.live.recv() => received,
                () = self.api.shutdown.cancelled() => return None,
            };
            match received {
                Ok(event) if event.number > self.last => {
                    self.last = event.number;
                    return self.tell(&event).await;
                }
                Ok(_) => {}
                Err(RecvError::Closed) => return None,
                // The log keeps more than the live stream does.
                Err(RecvError::Lagged(_)) => {
                    let (kept, live) = self.api.node.handle.events.follow(self.last);
                    self.live = live;
                    self.keep(kept);
                }
            }
        }
    }

    async fn tell(&self, event: &Numbered) -> Option<Event> {
        let data = json::of(&self.api, event).await;
        let kind = data
            .get("kind")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        Some(
            Event::default()
                .id(event.number.to_string())
                .event(kind)
                .data(data.to_string()),
        )
    }
}

/// Events that nobody can have any more (rule HE-1), or none if the node was restarted.
fn gap(first: u64, last: u64) -> Event {
    let data = serde_json::json!({ "kind": "gap", "first": first, "last": last });
    Event::default()
        .id(last.to_string())
        .event("gap")
        .data(data.to_string())
}
