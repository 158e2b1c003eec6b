//! The messenger: carries what processes send to the processes that it is for.
//!
//! # Rules
//!
//! - `[MU-1]` A messenger pushes for the processes whose first `Authority` tag names its key, so that of many messengers one
//!   pushes, and the receiver trusts it.
//! - `[MU-2]` Each message of a result is signed once, made durable, and only then sent. After a crash the same bytes are
//!   sent again, and the scheduler knows them: at most once, and never lost.
//! - `[MU-3]` Of what a process asks for, `Data-Protocol`, `Type`, `Variant`, `From-Process`, `From-Module` and `Assignments` are not
//!   believed; the messenger sets them. Besides it says `Pushed-For`, `From-Slot` and `From-Index`.
//! - `[MU-4]` A message to something that is no process (a wallet) is done once it is durable.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;
use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::{Address, ModuleId, ProcessId};
use surety_protocol::item::{Item, ItemDraft};
use surety_protocol::machine::Outbox;
use surety_protocol::time::Slot;
use surety_protocol::verified::Authentic;

use crate::effect::{Effect, Event, Offer, Record, Source};
use crate::result::ProcessResult;

/// Tags that a process cannot set on what it sends (rule MU-3).
const OURS: [&str; 9] = [
    "Data-Protocol",
    "Type",
    "Variant",
    "From-Process",
    "From-Module",
    "Assignments",
    "Pushed-For",
    "From-Slot",
    "From-Index",
];

/// What a messenger knows of a process.
#[derive(Debug, Clone)]
struct Sender {
    module: ModuleId,
    next: Slot,
    /// The last message of every result whose messages are not all signed yet.
    last: VecDeque<Source>,
}

/// The messenger of one node.
#[derive(Debug)]
pub struct Messenger {
    key: Address,
    senders: BTreeMap<ProcessId, Sender>,
}

impl Messenger {
    /// A messenger with the address of its data-item key.
    pub const fn new(key: Address) -> Messenger {
        Messenger {
            key,
            senders: BTreeMap::new(),
        }
    }

    /// Looks at a process that this node follows (rule MU-1); `next` is the first slot that is not pushed.
    pub fn process(&mut self, process: &Item, module: ModuleId, next: Slot) {
        let authority = process.tag("Authority").and_then(|it| it.split(',').next());
        if authority.map(str::trim) == Some(self.key.to_string().as_str()) {
            let id = ProcessId::from(process.id());
            self.senders.entry(id).or_insert(Sender {
                module,
                next,
                last: VecDeque::new(),
            });
        }
    }

    /// The first slot of a process that is not pushed, if this messenger pushes for it.
    pub fn next(&self, process: &ProcessId) -> Option<Slot> {
        self.senders.get(process).map(|it| it.next)
    }

    /// A result of a process; `cause` is the message that it answers.
    pub fn result(
        &mut self,
        process: ProcessId,
        slot: Slot,
        cause: &Item,
        result: &ProcessResult,
        out: &mut Outbox<Effect>,
    ) {
        let Some(sender) = self.senders.get_mut(&process) else {
            return;
        };
        if slot != sender.next {
            return;
        }
        sender.next = slot.next();
        let pushed_for = cause
            .tag("Pushed-For")
            .map_or_else(|| cause.id().to_string(), str::to_owned);
        let kinds = [(&result.messages, "Message"), (&result.spawns, "Process")];
        let mut index = 0;
        let mut drafts = Vec::new();
        for (outbox, kind) in kinds {
            for value in outbox {
                let source = Source {
                    process,
                    slot,
                    index,
                };
                index += 1;
                if let Some(draft) = draft(source, sender.module, kind, &pushed_for, value) {
                    drafts.push((source, draft));
                }
            }
        }
        // [MU-2] The position moves on only when everything that this result sends is durable.
        match drafts.last() {
            Some((last, _)) => sender.last.push_back(*last),
            None if sender.last.is_empty() => {
                out.push(Effect::Persist(Record::Pushed {
                    process,
                    next: sender.next,
                }));
            }
            None => {}
        }
        for (source, draft) in drafts {
            out.push(Effect::SignMessage { source, draft });
        }
    }

    /// A message was signed (rule MU-2).
    pub fn signed(&mut self, source: Source, item: Authentic<Item>, out: &mut Outbox<Effect>) {
        out.push(Effect::Persist(Record::Outbox {
            source,
            item: item.clone(),
        }));
        if let Some(sender) = self.senders.get_mut(&source.process)
            && sender.last.front() == Some(&source)
        {
            sender.last.pop_front();
            let next = sender.last.front().map_or(sender.next, |it| it.slot);
            out.push(Effect::Persist(Record::Pushed {
                process: source.process,
                next,
            }));
        }
        out.push(Effect::Notify(Event::Pushed {
            source,
            item: item.id(),
        }));
        out.push(Effect::Deliver(Offer::Item(item)));
    }
}

/// The item that an outbox entry asks for.
fn draft(
    source: Source,
    module: ModuleId,
    kind: &str,
    pushed_for: &str,
    value: &Value,
) -> Option<ItemDraft> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let target: Option<[u8; 32]> = match text("Target") {
        Some(target) => Some(*target.parse::<ProcessId>().ok()?.as_bytes()),
        None if kind == "Process" => None,
        None => return None,
    };
    let asked = value
        .get("Tags")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut tags: Vec<(String, String)> = Vec::new();
    for tag in asked {
        let name = tag.get("name").and_then(Value::as_str)?;
        let value = match tag.get("value")? {
            Value::String(value) => value.clone(),
            other => other.to_string(),
        };
        // A data item has no empty tags.
        if !OURS.contains(&name) && !name.is_empty() && !value.is_empty() {
            tags.push((name.to_owned(), value));
        }
    }
    let ours = [
        ("Data-Protocol", "ao".to_owned()),
        ("Variant", "ao.TN.1".to_owned()),
        ("Type", kind.to_owned()),
        ("From-Process", source.process.to_string()),
        ("From-Module", module.to_string()),
        ("Pushed-For", pushed_for.to_owned()),
        ("From-Slot", source.slot.to_string()),
        ("From-Index", source.index.to_string()),
    ];
    tags.extend(ours.map(|(name, value)| (name.to_owned(), value)));
    let data = match value.get("Data") {
        Some(Value::String(data)) => data.clone().into_bytes(),
        Some(Value::Null) | None => b" ".to_vec(),
        Some(other) => other.to_string().into_bytes(),
    };
    Some(ItemDraft {
        target,
        anchor: Some(anchor(source, text("Anchor"))),
        tags,
        data,
    })
}

/// The anchor that the process chose, or one that is different for every place in every outbox.
fn anchor(source: Source, asked: Option<&str>) -> [u8; 32] {
    asked
        .and_then(|asked| asked.as_bytes().try_into().ok())
        .unwrap_or_else(|| {
            let index = source.index.to_be_bytes();
            let slot = source.slot.0.to_be_bytes();
            *digest(Domain::OBJECT, &[source.process.as_bytes(), &slot, &index]).as_bytes()
        })
}
