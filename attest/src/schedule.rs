//! The scheduler: gives each message of a process the next slot, and signs that once.
//!
//! # Rules
//!
//! - `[SC-1]` A process is scheduled here if its `Scheduler` tag names this scheduler's key. Slot 0 is the process item's.
//! - `[SC-2]` A slot is reserved durably, with message and draft, before it is signed. One slot of a process is in
//!   flight at a time, so a crash leaves at most one reserved slot, which is signed again with the same bytes.
//! - `[SC-3]` Neither timestamps nor block heights decrease: the height decides the profile (rule PR-4). The hash chain is
//!   AO's.
//! - `[SC-4]` A message is assigned once; sent again it gets the slot that it has.
//! - `[SC-5]` What waits is bounded for each process; beyond it the answer is to try again.

use std::collections::{BTreeMap, VecDeque};

use surety_protocol::assignment::{Assignment, AssignmentDraft, HashChain};
use surety_protocol::id::{Address, ItemId, MessageId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::machine::Outbox;
use surety_protocol::time::{Height, Slot, Timestamp};
use surety_protocol::verified::Authentic;

use crate::effect::{Effect, Event, Gossip, Record};
use crate::guard::Guard;

/// Messages that may wait for a slot of one process.
pub const WAITING_MAX: usize = 1024;
/// Processes that one scheduler serves.
pub const PROCESSES_MAX: usize = 100_000;

/// What can happen to a scheduler.
#[derive(Debug)]
pub enum Input {
    /// Somebody wants a slot.
    Item {
        /// A process or a message.
        item: Authentic<Item>,
        /// The clock on the wall.
        wall: Timestamp,
        /// The height to stamp.
        height: Height,
    },
    /// An assignment was signed.
    Signed(Authentic<Item>),
}

#[derive(Debug)]
struct Log {
    next: Slot,
    chain: HashChain,
    timestamp: Timestamp,
    height: Height,
    /// What is reserved and not yet signed.
    reserved: Option<Authentic<Item>>,
    waiting: VecDeque<(Authentic<Item>, Timestamp, Height)>,
    assigned: BTreeMap<MessageId, Slot>,
}

/// The scheduler of the processes that name its key.
#[derive(Debug)]
pub struct Scheduler {
    key: Address,
    logs: BTreeMap<ProcessId, Log>,
}

impl Scheduler {
    /// A scheduler with the address of its data-item key.
    pub const fn new(key: Address) -> Scheduler {
        Scheduler {
            key,
            logs: BTreeMap::new(),
        }
    }

    /// Takes back a signed slot at the start of a node; in order.
    pub fn restore(&mut self, assignment: &Assignment) {
        if assignment.signer != self.key {
            return;
        }
        let log = self
            .logs
            .entry(assignment.process)
            .or_insert_with(|| Log::new(assignment.process));
        log.signed(assignment);
    }

    /// Takes back a reserved slot at the start of a node, after all signed ones (rule SC-2).
    pub fn resume(
        &mut self,
        draft: AssignmentDraft,
        message: Authentic<Item>,
        guard: &mut Guard,
        out: &mut Outbox<Effect>,
    ) {
        let log = self
            .logs
            .entry(draft.process)
            .or_insert_with(|| Log::new(draft.process));
        if draft.slot == log.next && log.reserved.is_none() {
            log.reserve(draft, message, guard, out);
        }
    }

    /// Whether this process is scheduled here.
    pub fn schedules(&self, process: &ProcessId) -> bool {
        self.logs.contains_key(process)
    }

    /// One input; needs the guard that all of a node's signing shares.
    pub fn step(&mut self, input: Input, guard: &mut Guard, out: &mut Outbox<Effect>) {
        match input {
            Input::Item { item, wall, height } => self.item(item, wall, height, guard, out),
            Input::Signed(item) => self.signed(item, guard, out),
        }
    }

    fn item(
        &mut self,
        item: Authentic<Item>,
        wall: Timestamp,
        height: Height,
        guard: &mut Guard,
        out: &mut Outbox<Effect>,
    ) {
        let message = MessageId::from(item.id());
        let refuse = |code, reason: &str, out: &mut Outbox<Effect>| {
            let reason = reason.to_owned();
            out.push(Effect::Notify(Event::Unscheduled {
                message,
                code,
                reason,
            }));
        };
        let process = match kind(&item) {
            Some(Kind::Process) => {
                // [SC-1]
                if item.tag("Scheduler") != Some(self.key.to_string().as_str()) {
                    return refuse(
                        "wrong-scheduler",
                        "the process names another scheduler",
                        out,
                    );
                }
                let process = ProcessId::from(item.id());
                if !self.logs.contains_key(&process) && self.logs.len() >= PROCESSES_MAX {
                    return refuse(
                        "scheduler-full",
                        "too many processes are scheduled here",
                        out,
                    );
                }
                self.logs
                    .entry(process)
                    .or_insert_with(|| Log::new(process));
                process
            }
            Some(Kind::Message) => match item.target() {
                Some(target) => ProcessId::new(*target),
                None => return refuse("target-missing", "a message needs a target", out),
            },
            None => {
                return refuse(
                    "type-unsupported",
                    "tag Type must be Process or Message",
                    out,
                );
            }
        };
        let Some(log) = self.logs.get_mut(&process) else {
            return refuse("process-unknown", "the process is not scheduled here", out);
        };
        // [SC-4]
        if log.assigned.contains_key(&message) || log.waits(item.id()) {
            return refuse("already-scheduled", "the message has a slot already", out);
        }
        // [SC-5]
        if log.waiting.len() >= WAITING_MAX {
            return refuse(
                "scheduler-busy",
                "too many messages wait for this process",
                out,
            );
        }
        log.waiting.push_back((item, wall, height));
        log.advance(process, guard, out);
    }

    fn signed(&mut self, item: Authentic<Item>, guard: &mut Guard, out: &mut Outbox<Effect>) {
        let Ok(assignment) = Assignment::from_item(&item) else {
            return;
        };
        let process = assignment.process;
        let Some(log) = self.logs.get_mut(&process) else {
            return;
        };
        let Some(message) = log.reserved.take() else {
            return;
        };
        log.signed(&assignment);
        out.push(Effect::Persist(Record::Input {
            process,
            slot: assignment.slot,
            assignment: item.clone(),
            message: Some(message.clone()),
        }));
        out.push(Effect::Notify(Event::Scheduled {
            message: message.id().into(),
            process,
            slot: assignment.slot,
            assignment: item.id(),
            timestamp: assignment.timestamp,
        }));
        out.push(Effect::Broadcast(Gossip::Input {
            assignment: item,
            message: Some(message),
        }));
        log.advance(process, guard, out);
    }
}

enum Kind {
    Process,
    Message,
}

fn kind(item: &Item) -> Option<Kind> {
    item.tag("Data-Protocol")
        .filter(|protocol| *protocol == "ao")?;
    match item.tag("Type")? {
        "Process" => Some(Kind::Process),
        "Message" => Some(Kind::Message),
        _ => None,
    }
}

impl Log {
    fn new(process: ProcessId) -> Log {
        Log {
            next: Slot(0),
            chain: HashChain::start(&process),
            timestamp: Timestamp(0),
            height: Height(0),
            reserved: None,
            waiting: VecDeque::new(),
            assigned: BTreeMap::new(),
        }
    }

    fn waits(&self, id: ItemId) -> bool {
        self.reserved.as_ref().is_some_and(|item| item.id() == id)
            || self.waiting.iter().any(|(item, _, _)| item.id() == id)
    }

    fn signed(&mut self, assignment: &Assignment) {
        self.next = assignment.slot.next();
        self.chain = assignment.next_hash_chain();
        self.timestamp = self.timestamp.max(assignment.timestamp);
        self.height = self.height.max(Height(assignment.block_height));
        let message = assignment
            .message
            .unwrap_or(MessageId::new(*assignment.process.as_bytes()));
        self.assigned.insert(message, assignment.slot);
    }

    /// Reserves the next slot if none is in flight (rule SC-2).
    fn advance(&mut self, process: ProcessId, guard: &mut Guard, out: &mut Outbox<Effect>) {
        if self.reserved.is_some() {
            return;
        }
        let Some((item, wall, height)) = self.waiting.pop_front() else {
            return;
        };
        let is_process = ProcessId::from(item.id()) == process;
        let draft = AssignmentDraft {
            process,
            epoch: 0,
            slot: self.next,
            hash_chain: self.chain,
            // [SC-3]
            block_height: self.height.max(height).0,
            timestamp: self.timestamp.max(wall),
            message: (!is_process).then(|| item.id().into()),
            exclude: Vec::new(),
        };
        self.reserve(draft, item, guard, out);
    }

    fn reserve(
        &mut self,
        draft: AssignmentDraft,
        message: Authentic<Item>,
        guard: &mut Guard,
        out: &mut Outbox<Effect>,
    ) {
        match guard.clear_assignment(draft.clone()) {
            Ok((cleared, record)) => {
                out.push(Effect::Persist(Record::Guard(record)));
                out.push(Effect::Persist(Record::Reserved {
                    draft,
                    message: message.clone(),
                }));
                out.push(Effect::SignAssignment(cleared));
                self.reserved = Some(message);
            }
            Err(reason) => {
                out.push(Effect::Notify(Event::Refused {
                    reason: reason.to_string(),
                }));
                out.push(Effect::Notify(Event::Unscheduled {
                    message: message.id().into(),
                    code: "guard-refused",
                    reason: reason.to_string(),
                }));
            }
        }
    }
}
