//! `/cu/dry-run`: asking a process what it would do, as AO's compute unit is asked.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use surety_protocol::id::{MessageId, ProcessId};

use super::given;
use crate::http::Api;
use crate::http::dry_run::{self, Question, Tag};
use crate::http::problem::Problem;
use crate::http::request::{Ask, Document};

/// Of which process, and after which of its messages.
#[derive(Debug, Deserialize)]
pub(in crate::http) struct Place {
    #[serde(rename = "process-id")]
    process: ProcessId,
    to: Option<String>,
}

/// A message as clients write one; what else they write of it, only an item could prove.
#[derive(Debug, Deserialize)]
pub(in crate::http) struct Sketch {
    #[serde(rename = "Id")]
    id: Option<String>,
    #[serde(rename = "Owner")]
    owner: Option<String>,
    #[serde(rename = "Tags", default)]
    tags: Vec<Tag>,
    #[serde(rename = "Data", default)]
    data: Value,
    #[serde(rename = "Anchor")]
    anchor: Option<String>,
}

/// `POST /cu/dry-run?process-id=&to=` with `{Id, Owner, Tags, Data, Anchor}`: what the message would give on the last evaluated
/// state, or on that after a message, without effect.
pub(in crate::http) async fn post(
    State(api): State<Api>,
    Ask(place): Ask<Place>,
    Document(sketch): Document<Sketch>,
) -> Result<Response, Problem> {
    let process = place.process;
    let size = match given(place.to.as_ref()) {
        None => None,
        Some(text) => {
            let refused = |_| Problem::malformed("query-malformed", "to is not a message id");
            let message: MessageId = text.parse().map_err(refused)?;
            let found = api
                .read(move |archive| Ok(archive.slot_of(&process, &message.into())?))
                .await?;
            let unknown = || Problem::unknown("message-unknown", "the message has no slot");
            Some(found.ok_or_else(unknown)?.0.saturating_add(1))
        }
    };
    let question = Question {
        tags: sketch.tags,
        data: text(sketch.data),
        owner: sketch.owner.filter(|it| !it.is_empty()),
        id: sketch.id.filter(|it| !it.is_empty()),
        anchor: sketch.anchor.unwrap_or_default(),
    };
    dry_run::answer(&api, process, question, size).await
}

/// Data that is no text is its JSON.
fn text(data: Value) -> String {
    match data {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    }
}
