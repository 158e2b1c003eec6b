//! Processes and the slots of their logs.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use surety_protocol::id::{ItemId, MessageId, ProcessId};
use surety_protocol::time::Slot;
use surety_slashing::ledger::Ledger;

use super::Api;
use super::claims::leaf;
use super::problem::Problem;
use super::request::{Ask, At, Page, listed, paged_by};
use crate::archive::Archive;
use crate::view::{ProcessView, View};

/// Bytes of items that one page of slots reads; a page of large messages is shorter than its limit.
const PAGE_BYTES: usize = 32 << 20;

/// A process that this node follows.
pub(super) fn known<'a>(view: &'a View, process: &ProcessId) -> Result<&'a ProcessView, Problem> {
    view.processes
        .get(process)
        .ok_or_else(|| Problem::unknown("process-unknown", "this node does not follow the process"))
}

/// The log does not reach as far as the slot, as far as this node knows it.
pub(super) fn beyond(slot: Slot, slots: u64) -> Problem {
    let detail = format!("slot {slot} is not in the log yet, which has {slots} slots");
    Problem::unknown("slot-unknown", detail)
}

/// How many of a process' slots have come how far.
#[derive(Debug, Clone, Copy)]
struct Reach {
    slots: u64,
    evaluated: u64,
    claimed: u64,
    certified: u64,
    settled: u64,
}

impl Reach {
    fn of(ledger: &Ledger, process: &ProcessId, view: &ProcessView, claimed: u64) -> Reach {
        let settled = ledger.settled(process).map_or(0, |it| it.size);
        let certified = ledger.latest(process).map_or(0, |it| it.size);
        Reach {
            slots: view.slots,
            evaluated: view.evaluated,
            claimed,
            certified,
            settled,
        }
    }

    const fn status(&self, slot: Slot) -> &'static str {
        match slot.0 {
            slot if slot < self.settled => "settled",
            slot if slot < self.certified => "certified",
            slot if slot < self.claimed => "claimed",
            slot if slot < self.evaluated => "evaluated",
            _ => "assigned",
        }
    }
}

fn about(ledger: &Ledger, process: &ProcessId, view: &ProcessView) -> Value {
    let reach = Reach::of(ledger, process, view, 0);
    json!({
        "process": process,
        "module": view.module,
        "scheduler": view.scheduler,
        "slots": reach.slots,
        "evaluated": reach.evaluated,
        "certified": reach.certified,
        "settled": reach.settled,
    })
}

/// `GET /v1/processes?from=&limit=`: the processes that this node follows, by id.
pub(super) async fn list(
    State(api): State<Api>,
    Ask(page): Ask<Page<ProcessId>>,
) -> Result<Response, Problem> {
    let (limit, view) = (page.limit()?, api.now());
    let processes = view.processes.range(page.from.unwrap_or_default()..);
    let entries = processes.map(|(id, it)| (*id, about(&view.ledger, id, it)));
    Ok(paged_by(entries, limit))
}

/// `GET /v1/processes/{process}`: one process; its numbers count slots from 0.
pub(super) async fn get(
    State(api): State<Api>,
    At(process): At<ProcessId>,
) -> Result<Response, Problem> {
    let view = api.now();
    let found = known(&view, &process)?;
    Ok(Json(about(&view.ledger, &process, found)).into_response())
}

async fn reach(api: &Api, process: &ProcessId) -> Result<Reach, Problem> {
    let claimed = api.claims.reach(api, process).await?;
    let view = api.now();
    Ok(Reach::of(
        &view.ledger,
        process,
        known(&view, process)?,
        claimed,
    ))
}

/// One slot with the bytes that reading it took; nothing if it is not in the archive.
fn entry(
    archive: &Archive,
    process: &ProcessId,
    slot: Slot,
    reach: &Reach,
) -> Result<Option<(Value, usize)>, Problem> {
    let Some(input) = archive.input(process, slot)? else {
        return Ok(None);
    };
    let message = match (&input.message, slot) {
        (Some(message), _) => Some(message.id()),
        (None, Slot(0)) => Some(ItemId::from(*process)),
        (None, _) => None,
    };
    let bytes = input.message.as_ref().map_or(0, |it| it.bytes().len());
    let mut found = json!({
        "slot": slot,
        "assignment": input.assignment.id(),
        "message": message,
        "status": reach.status(slot),
    });
    if let (Some(leaf), Value::Object(found)) = (archive.leaf(process, slot)?, &mut found) {
        found.insert("gas".into(), leaf.gas.into());
        found.insert("result_root".into(), json!(leaf.result_root));
        found.insert("state_root".into(), json!(leaf.state_root));
    }
    Ok(Some((
        found,
        bytes.saturating_add(input.assignment.bytes().len()),
    )))
}

/// `GET /v1/processes/{process}/slots?from=&limit=`: the log from a slot on, and how far each slot has come: `assigned`,
/// `evaluated` (here), `claimed`, `certified` or `settled`.
pub(super) async fn slots(
    State(api): State<Api>,
    At(process): At<ProcessId>,
    Ask(page): Ask<Page<u64>>,
) -> Result<Response, Problem> {
    let (from, limit) = (page.from.unwrap_or(0), page.limit()?);
    let reach = reach(&api, &process).await?;
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    let end = from.saturating_add(limit).min(reach.slots);
    api.read(move |archive| {
        let (mut items, mut bytes, mut next) = (Vec::new(), 0_usize, from);
        while next < end && bytes < PAGE_BYTES {
            // A log that shrank ends earlier than the snapshot says.
            let Some((found, read)) = entry(archive, &process, Slot(next), &reach)? else {
                return Ok(listed(items, None::<u64>));
            };
            bytes = bytes.saturating_add(read);
            items.push(found);
            next = next.saturating_add(1);
        }
        Ok(listed(items, (next < reach.slots).then_some(next)))
    })
    .await
}

/// `GET /v1/processes/{process}/slots/{slot}`: one slot, with its leaf if it is evaluated.
pub(super) async fn slot(
    State(api): State<Api>,
    At((process, slot)): At<(ProcessId, u64)>,
) -> Result<Response, Problem> {
    one(&api, process, Slot(slot)).await
}

/// `GET /v1/processes/{process}/messages/{message}`: the slot of a message.
pub(super) async fn message(
    State(api): State<Api>,
    At((process, message)): At<(ProcessId, MessageId)>,
) -> Result<Response, Problem> {
    known(&api.now(), &process)?;
    let slot = api
        .read(move |archive| Ok(archive.slot_of(&process, &message.into())?))
        .await?;
    let slot = slot.ok_or_else(|| {
        Problem::unknown("message-unknown", "the message has no slot in this process")
    })?;
    one(&api, process, slot).await
}

async fn one(api: &Api, process: ProcessId, slot: Slot) -> Result<Response, Problem> {
    let reach = reach(api, &process).await?;
    api.read(move |archive| {
        let missing = || beyond(slot, reach.slots);
        if slot.0 >= reach.slots {
            return Err(missing());
        }
        let (mut found, _) = entry(archive, &process, slot, &reach)?.ok_or_else(missing)?;
        if let Value::Object(found) = &mut found {
            let evaluated = archive.leaf(&process, slot)?;
            found.insert("process".into(), json!(process));
            found.insert("leaf".into(), evaluated.map_or(Value::Null, |it| leaf(&it)));
        }
        Ok(Json(found).into_response())
    })
    .await
}
