//! The log of a process from a node: items that prove themselves (rule RP-1).

use std::collections::BTreeMap;
use std::ops::Range;

use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;
use surety_attest::log::kind;
use surety_protocol::assignment::Assignment;
use surety_protocol::claim::Leaf;
use surety_protocol::execution::Input;
use surety_protocol::id::{AssignmentId, Digest, ItemId, MessageId, ModuleId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::time::Slot;
use surety_protocol::verified::Authentic;

use super::Mismatch;
use super::claims::Word;
use crate::cli::audit::chain::Chain;
use crate::cli::remote::{list, number, parsed};
use crate::client::Client;
use crate::shell::{CliError, Exit};

/// Items fetched at once.
const FETCHES: usize = 16;
/// Slots that are asked for together without their items.
const SAID: u64 = 1000;
/// Slots of which one can ask what is said of them: 120 MB or so.
const SAID_MAX: usize = 1_000_000;

/// The log of one process, read from its start.
pub(super) struct Source {
    pub(super) process: Authentic<Item>,
    pub(super) module: Authentic<Item>,
    id: ProcessId,
    chain: Chain,
}

/// One slot: its input, and what the node says came of it.
pub(super) struct Entry {
    pub(super) input: Input,
    told: Value,
}

impl Source {
    /// Fetches what every slot needs.
    pub(super) async fn open(client: &Client, id: ProcessId) -> Result<Source, CliError> {
        let process = item(client, id.into()).await?;
        if kind(&process) != Some("Process") {
            let message = format!("item {id} is no process");
            return Err(
                CliError::new(Exit::Usage, "process-wrong", message).with_help(
                    "the id of a process is what `surety process spawn` prints as `process`",
                ),
            );
        }
        let named = |name: &'static str| process.tag(name).ok_or_else(|| broken(0, name));
        let module: ModuleId = named("Module")?.parse().map_err(|_| broken(0, "Module"))?;
        let scheduler = named("Scheduler")?
            .parse()
            .map_err(|_| broken(0, "Scheduler"))?;
        let module = item(client, module.into()).await?;
        Ok(Source {
            process,
            module,
            id,
            chain: Chain::before(Slot(0), id, scheduler),
        })
    }

    /// What the node says of slots, without their items.
    pub(super) async fn said(
        &self,
        client: &Client,
        slots: &Range<u64>,
    ) -> Result<BTreeMap<u64, Word>, CliError> {
        let (mut said, mut from) = (BTreeMap::new(), slots.start);
        while from < slots.end {
            if said.len() >= SAID_MAX {
                let message = format!("the log has more than {SAID_MAX} slots");
                return Err(CliError::new(Exit::Usage, "slots-many", message)
                    .with_help("compare it stretch by stretch, with --slots"));
            }
            let left = slots.end.saturating_sub(from).min(SAID);
            let path = format!("/v1/processes/{}/slots?from={from}&limit={left}", self.id);
            let page = client.get(&path).await?;
            let page = list(&page);
            if page.is_empty() {
                break;
            }
            for told in page {
                // One after the other, as in a log.
                if from >= slots.end || number(told, "slot")? != from {
                    return Err(broken(from, "what is told of it"));
                }
                said.insert(from, Word::of(told));
                from = from.saturating_add(1);
            }
        }
        Ok(said)
    }

    /// The next slots; none where the log ends.
    pub(super) async fn page(
        &mut self,
        client: &Client,
        from: u64,
        limit: u64,
    ) -> Result<Vec<Entry>, CliError> {
        let path = format!("/v1/processes/{}/slots?from={from}&limit={limit}", self.id);
        let told = client.get(&path).await?;
        let entries: Vec<Entry> = stream::iter(list(&told).to_vec())
            .map(|told| fetch(client, told))
            .buffered(FETCHES)
            .try_collect()
            .await?;
        for entry in &entries {
            self.check(&entry.input)?;
        }
        Ok(entries)
    }

    /// Whether an input is the next of the log.
    fn check(&mut self, input: &Input) -> Result<(), CliError> {
        let slot = self.chain.slot();
        let wrong = |why: &'static str| broken(slot.0, why);
        let assignment =
            Assignment::from_item(&input.assignment).map_err(|_| wrong("the assignment"))?;
        self.chain.take(&assignment).map_err(wrong)?;
        let message = input.message.as_ref().map(|it| MessageId::from(it.id()));
        if message != assignment.message.filter(|_| slot.0 > 0) {
            return Err(wrong("the message"));
        }
        Ok(())
    }
}

/// Fetches the items of one slot.
async fn fetch(client: &Client, told: Value) -> Result<Entry, CliError> {
    let assignment = item(client, parsed(&told, "assignment")?).await?;
    // At slot 0 the process item itself is the input, and is at hand.
    let read = Assignment::from_item(&assignment)
        .ok()
        .filter(|it| it.slot.0 > 0);
    let message = match read.and_then(|it| it.message) {
        Some(id) => Some(item(client, id.into()).await?),
        None => None,
    };
    Ok(Entry {
        input: Input {
            assignment,
            message,
        },
        told,
    })
}

/// Fetches an item and checks that it is the one.
async fn item(client: &Client, id: ItemId) -> Result<Authentic<Item>, CliError> {
    let bytes = client.bytes(&format!("/v1/items/{id}")).await?;
    let item = Item::parse(bytes)
        .and_then(Item::authenticate)
        .ok()
        .filter(|it| it.id() == id);
    item.ok_or_else(|| {
        let message = format!("what the node gives for item {id} is not that item");
        CliError::new(Exit::VerificationFailed, "item-forged", message)
            .with_help("do not believe this node; ask another one")
    })
}

fn broken(slot: u64, what: &str) -> CliError {
    let message =
        format!("the log that the node gives is broken at slot {slot}: {what} does not fit");
    CliError::new(Exit::VerificationFailed, "log-broken", message)
        .with_help("a scheduler may have signed two logs: ask another node, and see /v1/slashings")
}

impl Entry {
    /// Whether the node says what came of it: of what it did not evaluate it says nothing.
    pub(super) fn is_said(&self) -> bool {
        Word::of(&self.told).is_said()
    }

    /// What the node says of the slot and the messages do not give.
    pub(super) fn compare(&self, leaf: &Leaf) -> Option<Mismatch> {
        let said = Some(&self.told).filter(|_| self.is_said())?;
        difference(said, leaf).map(|(field, claimed, replayed)| Mismatch {
            slot: leaf.slot.0,
            by: "the node".into(),
            claim: None,
            field,
            claimed,
            replayed,
        })
    }
}

/// The first field of a leaf, as JSON, that differs: its name, what is said, and what is so.
pub(super) fn difference(told: &Value, leaf: &Leaf) -> Option<(&'static str, String, String)> {
    let assignment: Option<AssignmentId> = parsed(told, "assignment").ok();
    let result: Option<Digest> = parsed(told, "result_root").ok();
    let gas = number(told, "gas").ok();
    let root: Option<Digest> = parsed(told, "state_root").ok();
    let or_none = |root: Option<Digest>| root.map_or("none".to_owned(), |it| it.to_string());
    let said = |name: &str| match told.get(name) {
        Some(Value::String(text)) => text.clone(),
        other => other.unwrap_or(&Value::Null).to_string(),
    };
    if assignment != Some(leaf.assignment) {
        return Some((
            "assignment",
            said("assignment"),
            leaf.assignment.to_string(),
        ));
    }
    if result != Some(leaf.result_root) {
        return Some((
            "result root",
            said("result_root"),
            leaf.result_root.to_string(),
        ));
    }
    if gas != Some(leaf.gas) {
        return Some(("gas", said("gas"), leaf.gas.to_string()));
    }
    if root != leaf.state_root {
        return Some(("state root", or_none(root), or_none(leaf.state_root)));
    }
    None
}
