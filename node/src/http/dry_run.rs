//! Asking a process what it would do.
//!
//! # Rules
//!
//! - `[HT-12]` Who asks what a message would do, or for a state, makes the node execute for nothing. A client may do so ten times a
//!   second, and twice as often at once (rule HT-10 says who is one, and who is not counted). There are two executions at once,
//!   whoever asks, beside other heavy work: nobody keeps others from proofs by it. A dry run takes at most a tenth of the gas that the profile allows an input, and no more than
//!   the process does; what would take more ends as if that were all there is.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use surety_attest::engine::Message;
use surety_protocol::assignment::Assignment;
use surety_protocol::id::{Address, ItemId, ProcessId};
use surety_protocol::limits::{TAG_BYTES_MAX, TAGS_MAX};
use surety_protocol::time::Slot;

use super::Api;
use super::arrival::executes;
use super::problem::Problem;
use super::processes::known;
use super::request::{At, Document};
use crate::archive::Archive;

/// Characters of an owner: an id, or an Ethereum address; and of an id and an anchor.
const NAME_MAX: usize = 64;

/// What is asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    #[serde(default)]
    pub(super) tags: Vec<Tag>,
    #[serde(default)]
    pub(super) data: String,
    pub(super) owner: Option<String>,
    /// What the message calls itself; else nothing.
    #[serde(skip)]
    pub(super) id: Option<String>,
    #[serde(skip)]
    pub(super) anchor: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tag {
    name: String,
    value: String,
}

impl Question {
    /// A message has no more tags than an item may have.
    fn check(&self) -> Result<(), Problem> {
        let bytes = self.tags.iter().fold(0_usize, |sum, tag| {
            sum.saturating_add(tag.name.len())
                .saturating_add(tag.value.len())
        });
        if self.tags.len() > TAGS_MAX || bytes > TAG_BYTES_MAX {
            return Err(Problem::malformed(
                "tags-too-large",
                "more tags than an item may have",
            ));
        }
        let name = |it: &String| (1..=NAME_MAX).contains(&it.len());
        if !self.owner.as_ref().is_none_or(name) {
            return Err(Problem::malformed(
                "owner-malformed",
                "expected an address as owner",
            ));
        }
        if !self.id.as_ref().is_none_or(name) || self.anchor.len() > NAME_MAX {
            return Err(Problem::malformed(
                "id-malformed",
                "expected at most 64 bytes of id and of anchor",
            ));
        }
        Ok(())
    }

    /// The message, as if it came right after the last evaluated slot.
    fn message(self, archive: &Archive, process: ProcessId, size: u64) -> Result<Message, Problem> {
        let missing = || Problem::conflict("not-evaluated", "the process is not evaluated here");
        let last = size.checked_sub(1).ok_or_else(missing)?;
        let input = archive.input(&process, Slot(last))?.ok_or_else(missing)?;
        let last = Assignment::from_item(&input.assignment).map_err(|it| Problem::internal(&it))?;
        let item = archive.item(&process.into())?.ok_or_else(missing)?;
        let owner = self.owner.unwrap_or_else(|| Address::default().to_string());
        let tags = self.tags.into_iter().map(|tag| (tag.name, tag.value));
        Ok(Message {
            id: Some(self.id.unwrap_or_else(|| ItemId::default().to_string())),
            signature: None,
            target: process.to_string(),
            from: owner.clone(),
            owner,
            forwarded_by: None,
            anchor: self.anchor,
            // Modules would believe these.
            tags: tags
                .filter(|(name, _)| name != "From" && name != "Owner")
                .collect(),
            data: self.data.into_bytes(),
            module: item.tag("Module").unwrap_or_default().to_owned(),
            block_height: last.block_height,
            timestamp: last.timestamp.0,
            epoch: Some(last.epoch),
            nonce: Some(size),
            hash_chain: Some(last.next_hash_chain().to_string()),
            cron: false,
            read_only: true,
            item_bytes: 0,
        })
    }
}

/// `POST /v1/processes/{process}/dry-run` with `{tags, data, owner}`: what a message would give on the last evaluated state,
/// without effect (rule HT-12).
pub(super) async fn post(
    State(api): State<Api>,
    At(process): At<ProcessId>,
    Document(question): Document<Question>,
) -> Result<Response, Problem> {
    answer(&api, process, question, None).await
}

/// What a message would give on the state after so many inputs; without, after all that are evaluated.
pub(super) async fn answer(
    api: &Api,
    process: ProcessId,
    question: Question,
    size: Option<u64>,
) -> Result<Response, Problem> {
    executes()?;
    question.check()?;
    let view = api.now();
    let evaluated = known(&view, &process)?.evaluated;
    let size = size.unwrap_or(evaluated).min(evaluated);
    let executor = Arc::clone(&api.node.handle.executor);
    let outcome = api
        .execute(move |archive| {
            let message = question.message(archive, process, size)?;
            let profiles = view.ledger.profiles();
            Ok(executor.dry_run(profiles, &process, size, &message)?)
        })
        .await?;
    Ok(Json(outcome.result.to_json()).into_response())
}
