//! The messenger: carries what processes send to the processes that it is for.
//!
//! # Rules
//!
//! - `[MU-1]` A messenger pushes for the processes whose first `Authority` tag names its key, so that of many messengers one
//!   pushes, and the receiver trusts it; and for those that name none and that its key schedules.
//! - `[MU-2]` Each message of a result is signed once, made durable, and only then sent. After a crash the same bytes are
//!   sent again, and the scheduler knows them: at most once, and never lost.
//! - `[MU-3]` Of what a process asks for, `Data-Protocol`, `Type`, `Variant`, `From-Process`, `From-Module` and `Assignments` are not
//!   believed; the messenger sets them. Besides it says `Pushed-For`, `From-Slot` and `From-Index`.
//! - `[MU-4]` A message to something that is no process (a wallet) is done once it is durable: it stays in the outbox, and goes on
//!   its way if a log begins that it is for.
//! - `[MU-5]` When the log of a process that was spawned begins, its parent is told, once: `Action: Spawned`, `Process`, and the
//!   tags of the spawn that are not about the process. Until the notice is durable, the spawn stays in the outbox.
//! - `[MU-6]` A spawn that names no `Scheduler` has its parent's.
//! - `[MU-7]` Assignments that a process asks for are durable until the log has them; at most [`ASSIGNMENTS_MAX`] of one result,
//!   without the fields that it says are to be excluded (rule SC-6). Items of a base layer cannot be had here.
//! - `[MU-8]` What was handed over and has not arrived is handed over again after ten seconds, then ever more seldom, and at every
//!   start. A scheduler knows what it has, so this doubles nothing. What has no room in memory, or was in vain for long, stays in the
//!   outbox and is read back, process by process: nothing is left out, and nobody takes the room of others.

mod draft;
mod undelivered;

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;
use surety_protocol::id::{Address, ItemId, ModuleId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::machine::Outbox;
use surety_protocol::time::{Slot, Tick};
use surety_protocol::verified::Authentic;

use crate::effect::{Assign, Effect, Event, Recalled, Record, Source};
use crate::result::ProcessResult;
use crate::schedule::excludable;

use draft::{NOTICES, Sending};
use undelivered::Undelivered;

pub use undelivered::Parcel;

/// Assignments of one result.
pub const ASSIGNMENTS_MAX: usize = 128;

/// What a messenger knows of a process.
#[derive(Debug, Clone)]
struct Sender {
    module: ModuleId,
    scheduler: String,
    next: Slot,
    /// The last message of every result whose messages are not all signed yet.
    last: VecDeque<Source>,
}

/// The messenger of one node.
#[derive(Debug)]
pub struct Messenger {
    key: Address,
    senders: BTreeMap<ProcessId, Sender>,
    undelivered: Undelivered,
}

impl Messenger {
    /// A messenger with the address of its data-item key.
    pub fn new(key: Address) -> Messenger {
        Messenger {
            key,
            senders: BTreeMap::new(),
            undelivered: Undelivered::default(),
        }
    }

    /// Looks at a process that this node follows (rule MU-1); `next` is the first slot that is not pushed.
    pub fn process(&mut self, process: &Item, module: ModuleId, next: Slot) {
        let authority = process.tag("Authority").and_then(|it| it.split(',').next());
        let pusher = authority.or_else(|| process.tag("Scheduler"));
        if pusher.map(str::trim) == Some(self.key.to_string().as_str()) {
            let id = ProcessId::from(process.id());
            self.senders.entry(id).or_insert(Sender {
                module,
                scheduler: process.tag("Scheduler").unwrap_or_default().to_owned(),
                next,
                last: VecDeque::new(),
            });
        }
    }

    /// The first slot of a process that is not pushed, if this messenger pushes for it.
    pub fn next(&self, process: &ProcessId) -> Option<Slot> {
        self.senders.get(process).map(|it| it.next)
    }

    /// A result of a process; `cause` is what it answers: a message, the process itself, or the assignment of a tick.
    pub fn result(
        &mut self,
        now: Tick,
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
        let pushed_for = cause.tag("Pushed-For").map(str::to_owned);
        let pushed_for = pushed_for.unwrap_or_else(|| cause.id().to_string());
        let sending = Sending {
            module: sender.module,
            scheduler: &sender.scheduler,
            pushed_for: &pushed_for,
        };
        let places = (0..).map(|index| Source {
            process,
            slot,
            index,
        });
        let messages = result.messages.iter().map(|it| (it, false));
        let spawns = result.spawns.iter().map(|it| (it, true));
        let drafts: Vec<_> = places
            .zip(messages.chain(spawns))
            .filter_map(|(source, (value, spawn))| {
                let draft = match spawn {
                    true => sending.spawn(source, value)?,
                    false => sending.message(source, value)?,
                };
                // What no item can be is not sent, nor what no scheduler takes (rule SC-9).
                draft.check().ok()?;
                let links = |it: &String| it.ends_with("+link");
                if draft
                    .tags
                    .iter()
                    .any(|(name, value)| links(name) || links(value))
                {
                    return None;
                }
                Some((source, draft))
            })
            .collect();
        // [MU-7]
        let assignments = assignments(&result.assignments);
        for assign in &assignments {
            out.push(Effect::Persist(Record::Assign(assign.clone())));
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
        for assign in assignments {
            self.hand_over(now, Parcel::Assign(assign), out);
        }
    }

    /// The log of a process begins: whoever spawned it is told (rule MU-5), and what was sent to it before goes on its way (rule
    /// MU-4).
    pub fn began(&mut self, process: &Item, out: &mut Outbox<Effect>) {
        self.resume(process.id().into());
        self.notify(process, out);
    }

    /// Signs the notice of a process that was spawned for its parent.
    fn notify(&self, process: &Item, out: &mut Outbox<Effect>) {
        let Some(of) = Source::named_by(process).filter(|_| process.owner_address() == self.key)
        else {
            return;
        };
        let (Some(sender), Some(index)) =
            (self.senders.get(&of.process), of.index.checked_add(NOTICES))
        else {
            return;
        };
        let source = Source { index, ..of };
        let sending = Sending {
            module: sender.module,
            scheduler: &sender.scheduler,
            pushed_for: process.tag("Pushed-For").unwrap_or_default(),
        };
        let draft = sending.notice(source, process);
        out.push(Effect::SignMessage { source, draft });
    }

    /// A message was signed (rule MU-2).
    pub fn signed(
        &mut self,
        now: Tick,
        source: Source,
        item: Authentic<Item>,
        out: &mut Outbox<Effect>,
    ) {
        out.push(Effect::Persist(Record::Outbox {
            source,
            item: item.clone(),
            spawn: spawn_of(source, &item),
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
        self.hand_over(now, Parcel::Item(item), out);
    }

    /// There is something in the outbox for a process that is known now.
    pub fn resume(&mut self, process: ProcessId) {
        self.undelivered.leave(Some(process), Tick(0));
    }

    /// A page of the outbox: what may not have arrived is handed over again (rule MU-8). `begun` are the processes whose log is here.
    pub fn recalled(
        &mut self,
        now: Tick,
        recalled: &Recalled,
        begun: impl Fn(&ProcessId) -> bool,
        out: &mut Outbox<Effect>,
    ) {
        self.undelivered.turned(recalled);
        for parcel in &recalled.parcels {
            match parcel {
                // [MU-5]
                Parcel::Item(item)
                    if item.tag("Type") == Some("Process") && begun(&item.id().into()) =>
                {
                    self.notify(item, out);
                }
                _ => self.hand_over(now, parcel.clone(), out),
            }
        }
    }

    fn hand_over(&mut self, now: Tick, parcel: Parcel, out: &mut Outbox<Effect>) {
        let effect = parcel.hand_over();
        if self.undelivered.insert(now, parcel) {
            out.push(effect);
        }
    }

    /// An item has a slot of a process.
    pub fn arrived(&mut self, process: ProcessId, item: ItemId) {
        drop(self.undelivered.arrived(item, process));
    }

    /// A scheduler says that it has an item already: it arrived, and this node had forgotten.
    pub fn known(&mut self, process: ProcessId, item: ItemId, out: &mut Outbox<Effect>) {
        let source = match self.undelivered.arrived(item, process) {
            None => return,
            // [MU-5]
            Some(Parcel::Item(item)) if item.tag("Type") == Some("Process") => {
                return self.notify(&item, out);
            }
            Some(Parcel::Item(item)) => Source::named_by(&item),
            Some(Parcel::Assign(_)) => None,
        };
        out.push(Effect::Persist(Record::Arrived {
            process,
            item,
            source,
        }));
    }

    /// Time passed (rule MU-8).
    pub fn tick(
        &mut self,
        now: Tick,
        known: impl Fn(&ProcessId) -> bool,
        out: &mut Outbox<Effect>,
    ) {
        for parcel in self.undelivered.due(now, &known) {
            out.push(parcel.hand_over());
        }
        for (process, after) in self.undelivered.recall(now, known) {
            out.push(Effect::Recall { process, after });
        }
    }
}

/// What an item gives notice of, if it does: the place of the spawn, and the process.
fn spawn_of(source: Source, item: &Item) -> Option<(Source, ItemId)> {
    let index = source.index.checked_sub(NOTICES)?;
    Some((
        Source { index, ..source },
        item.tag("Process")?.parse().ok()?,
    ))
}

/// What is to be assigned to which process, without which fields (rule MU-7).
fn assignments(asked: &[Value]) -> Vec<Assign> {
    let all = asked.iter().flat_map(|it| {
        let item = it.get("Message").and_then(Value::as_str);
        let item: Option<ItemId> = item.and_then(|it| it.parse().ok());
        let item = item.filter(|_| !it.get("BaseLayer").is_some_and(wanted));
        let exclude = excluded(it.get("Exclude"));
        let to = it.get("Processes").and_then(Value::as_array);
        let to = to.map(Vec::as_slice).unwrap_or_default();
        to.iter().filter_map(move |to| {
            Some(Assign {
                process: to.as_str()?.parse().ok()?,
                item: item?,
                exclude: exclude.clone()?,
            })
        })
    });
    all.take(ASSIGNMENTS_MAX).collect()
}

/// Whether Lua means something by a value.
fn wanted(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false)) && value.as_str() != Some("")
}

/// The fields that are to be excluded; nothing if they are no names of fields.
fn excluded(asked: Option<&Value>) -> Option<Vec<String>> {
    let names = match asked {
        None | Some(Value::Null) => Vec::new(),
        // Lua knows no empty list.
        Some(Value::Object(fields)) if fields.is_empty() => Vec::new(),
        Some(Value::Array(names)) => {
            let names = names.iter().map(|it| it.as_str().map(str::to_owned));
            names.collect::<Option<Vec<_>>>()?
        }
        Some(_) => return None,
    };
    excludable(&names).then_some(names)
}
