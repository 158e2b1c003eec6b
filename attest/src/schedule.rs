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
//! - `[SC-6]` Any item can be assigned to a process, whoever it is for, without fields that the process does not want; at most
//!   [`EXCLUDED_MAX`] of them are named.
//! - `[SC-7]` Ticks of a process are assigned when they are due, and before any message that is assigned later (rule CR-4).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use surety_protocol::assignment::{Assignment, AssignmentDraft, HashChain};
use surety_protocol::id::{Address, ItemId, MessageId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::machine::Outbox;
use surety_protocol::time::{Height, Slot, Timestamp};
use surety_protocol::verified::Authentic;

use crate::cron::Clockwork;
use crate::effect::{Effect, Event, Gossip, Offer, Record};
use crate::guard::Guard;
use crate::log::subject;

/// Messages that may wait for a slot of one process.
pub const WAITING_MAX: usize = 1024;
/// Processes that one scheduler serves.
pub const PROCESSES_MAX: usize = 100_000;

/// Fields that one assignment excludes.
pub const EXCLUDED_MAX: usize = 16;
/// Bytes of a field's name.
const FIELD_BYTES_MAX: usize = 64;

/// What can happen to a scheduler.
#[derive(Debug)]
pub enum Input {
    /// Somebody wants a slot.
    Offered {
        /// What for.
        offer: Offer,
        /// The clock on the wall.
        wall: Timestamp,
        /// The height to stamp.
        height: Height,
    },
    /// Time passed.
    Time {
        /// The clock on the wall.
        wall: Timestamp,
        /// The height to stamp.
        height: Height,
    },
    /// An assignment was signed.
    Signed(Authentic<Item>),
}

/// What waits for its slot.
#[derive(Debug)]
struct Waiting {
    item: Authentic<Item>,
    exclude: Vec<String>,
    wall: Timestamp,
    height: Height,
}

#[derive(Debug)]
struct Log {
    next: Slot,
    chain: HashChain,
    timestamp: Timestamp,
    height: Height,
    clockwork: Option<Clockwork>,
    /// What is reserved and not yet signed; no item is a tick.
    reserved: Option<Option<Authentic<Item>>>,
    waiting: VecDeque<Waiting>,
    assigned: BTreeMap<MessageId, Slot>,
}

/// The scheduler of the processes that name its key.
#[derive(Debug)]
pub struct Scheduler {
    key: Address,
    logs: BTreeMap<ProcessId, Log>,
    /// Those with timers.
    timed: BTreeSet<ProcessId>,
    now: (Timestamp, Height),
}

impl Scheduler {
    /// A scheduler with the address of its data-item key.
    pub const fn new(key: Address) -> Scheduler {
        Scheduler {
            key,
            logs: BTreeMap::new(),
            timed: BTreeSet::new(),
            now: (Timestamp(0), Height(0)),
        }
    }

    /// Takes back a signed slot at the start of a node, with the process item at slot 0; in order.
    pub fn restore(&mut self, assignment: &Assignment, item: Option<&Item>) {
        if assignment.signer != self.key {
            return;
        }
        let log = self
            .logs
            .entry(assignment.process)
            .or_insert_with(|| Log::new(assignment.process));
        log.signed(assignment, item);
        if log.clockwork.is_some() {
            self.timed.insert(assignment.process);
        }
    }

    /// Takes back a reserved slot at the start of a node, after all signed ones (rule SC-2).
    pub fn resume(
        &mut self,
        draft: AssignmentDraft,
        message: Option<Authentic<Item>>,
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
            Input::Offered {
                offer,
                wall,
                height,
            } => self.offered(offer, wall, height, guard, out),
            Input::Time { wall, height } => self.time(wall, height, guard, out),
            Input::Signed(item) => self.signed(item, guard, out),
        }
    }

    /// Assigns the ticks that are due (rule SC-7), as often as the second or the height changes.
    fn time(
        &mut self,
        wall: Timestamp,
        height: Height,
        guard: &mut Guard,
        out: &mut Outbox<Effect>,
    ) {
        let (last, before) = self.now;
        self.now = (wall, height);
        if wall.0 / 1000 == last.0 / 1000 && height == before {
            return;
        }
        for process in &self.timed {
            if let Some(log) = self.logs.get_mut(process) {
                log.advance(*process, self.now, guard, out);
            }
        }
    }

    fn offered(
        &mut self,
        offer: Offer,
        wall: Timestamp,
        height: Height,
        guard: &mut Guard,
        out: &mut Outbox<Effect>,
    ) {
        if let Err((code, reason)) = self.admit(&offer) {
            out.push(Effect::Notify(Event::Unscheduled {
                message: offer.item().id().into(),
                process: offer.process(),
                code,
                reason: reason.to_owned(),
            }));
            return;
        }
        let process = offer.process();
        let (item, exclude) = match offer {
            Offer::Item(item) => (item, Vec::new()),
            Offer::Assign { item, exclude, .. } => (item, exclude),
        };
        if let Some(process) = process
            && let Some(log) = self.logs.get_mut(&process)
        {
            log.waiting.push_back(Waiting {
                item,
                exclude,
                wall,
                height,
            });
            log.advance(process, self.now, guard, out);
        }
    }

    /// Whether something gets a slot here; a process that does has a log then.
    fn admit(&mut self, offer: &Offer) -> Result<(), (&'static str, &'static str)> {
        let item = offer.item();
        let kind = match offer {
            Offer::Assign { exclude, .. } => {
                // [SC-6]
                if exclude.len() > EXCLUDED_MAX || !exclude.iter().all(|it| sound_field(it)) {
                    return Err(("exclude-malformed", "what is excluded are names of fields"));
                }
                Kind::Message
            }
            Offer::Item(item) => {
                kind(item).ok_or(("type-unsupported", "tag Type must be Process or Message"))?
            }
        };
        let process = offer
            .process()
            .ok_or(("target-missing", "a message needs a target"))?;
        if matches!(kind, Kind::Process) {
            // [SC-1]
            if item.tag("Scheduler") != Some(self.key.to_string().as_str()) {
                return Err(("wrong-scheduler", "the process names another scheduler"));
            }
            if !self.logs.contains_key(&process) && self.logs.len() >= PROCESSES_MAX {
                return Err(("scheduler-full", "too many processes are scheduled here"));
            }
            self.logs
                .entry(process)
                .or_insert_with(|| Log::new(process));
        }
        let log = self
            .logs
            .get(&process)
            .ok_or(("process-unknown", "the process is not scheduled here"))?;
        // [SC-4]
        if log.assigned.contains_key(&MessageId::from(item.id())) || log.waits(item.id()) {
            return Err(("already-scheduled", "the message has a slot already"));
        }
        // [SC-5]
        if log.waiting.len() >= WAITING_MAX {
            return Err(("scheduler-busy", "too many messages wait for this process"));
        }
        Ok(())
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
        log.signed(&assignment, message.as_deref());
        if log.clockwork.is_some() {
            self.timed.insert(process);
        }
        out.push(Effect::Persist(Record::Input {
            process,
            slot: assignment.slot,
            assignment: item.clone(),
            message: message.clone(),
        }));
        out.push(Effect::Notify(Event::Scheduled {
            message: message.as_ref().map_or(item.id(), |it| it.id()).into(),
            process,
            slot: assignment.slot,
            assignment: item.id(),
            timestamp: assignment.timestamp,
        }));
        out.push(Effect::Broadcast(Gossip::Input {
            assignment: item,
            message,
        }));
        log.advance(process, self.now, guard, out);
    }
}

/// Whether a text is the name of a field: letters, digits and hyphens.
fn sound_field(name: &str) -> bool {
    let letter = |it: u8| it.is_ascii_alphanumeric() || it == b'-';
    (1..=FIELD_BYTES_MAX).contains(&name.len()) && name.bytes().all(letter)
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
            clockwork: None,
            reserved: None,
            waiting: VecDeque::new(),
            assigned: BTreeMap::new(),
        }
    }

    fn waits(&self, id: ItemId) -> bool {
        let reserved = self.reserved.as_ref().and_then(Option::as_ref);
        reserved.is_some_and(|item| item.id() == id)
            || self.waiting.iter().any(|it| it.item.id() == id)
    }

    fn signed(&mut self, assignment: &Assignment, item: Option<&Item>) {
        match (&mut self.clockwork, item) {
            (None, Some(process)) if assignment.slot == Slot(0) => {
                self.clockwork = Clockwork::start(process, assignment);
            }
            (None, _) => {}
            (Some(clockwork), _) => clockwork.pass(assignment),
        }
        self.next = assignment.slot.next();
        self.chain = assignment.next_hash_chain();
        self.timestamp = self.timestamp.max(assignment.timestamp);
        self.height = self.height.max(Height(assignment.block_height));
        if assignment.timer.is_none() {
            self.assigned.insert(subject(assignment), assignment.slot);
        }
    }

    /// Reserves the next slot if none is in flight (rule SC-2).
    fn advance(
        &mut self,
        process: ProcessId,
        now: (Timestamp, Height),
        guard: &mut Guard,
        out: &mut Outbox<Effect>,
    ) {
        if self.reserved.is_some() {
            return;
        }
        // [SC-7]
        let (wall, height) = match self.waiting.front() {
            Some(next) => (next.wall, next.height),
            None => now,
        };
        // [SC-3]
        let (time, height) = (self.timestamp.max(wall), self.height.max(height));
        let tick = self.clockwork.as_ref().and_then(|it| it.due(time, height));
        if let Some(tick) = tick {
            let draft = AssignmentDraft {
                block_height: tick.height.0,
                timestamp: tick.timestamp,
                timer: Some(tick.timer),
                ..self.draft(process)
            };
            return self.reserve(draft, None, guard, out);
        }
        let Some(next) = self.waiting.pop_front() else {
            return;
        };
        let Waiting { item, exclude, .. } = next;
        let is_process = ProcessId::from(item.id()) == process;
        let draft = AssignmentDraft {
            block_height: height.0,
            timestamp: time,
            message: (!is_process).then(|| item.id().into()),
            exclude,
            ..self.draft(process)
        };
        self.reserve(draft, Some(item), guard, out);
    }

    /// The next slot, which nothing has yet.
    const fn draft(&self, process: ProcessId) -> AssignmentDraft {
        AssignmentDraft {
            process,
            epoch: 0,
            slot: self.next,
            hash_chain: self.chain,
            block_height: self.height.0,
            timestamp: self.timestamp,
            message: None,
            exclude: Vec::new(),
            timer: None,
        }
    }

    fn reserve(
        &mut self,
        draft: AssignmentDraft,
        message: Option<Authentic<Item>>,
        guard: &mut Guard,
        out: &mut Outbox<Effect>,
    ) {
        let process = draft.process;
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
                if let Some(message) = message {
                    out.push(Effect::Notify(Event::Unscheduled {
                        message: message.id().into(),
                        process: Some(process),
                        code: "guard-refused",
                        reason: reason.to_string(),
                    }));
                }
            }
        }
    }
}
