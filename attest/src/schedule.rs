//! The scheduler: gives each message of a process the next slot, and signs that once.
//!
//! # Rules
//!
//! - `[SC-1]` A process is scheduled here if its `Scheduler` tag names this scheduler's key. Slot 0 is the process item's.
//! - `[SC-2]` Slots are reserved durably, with messages and times, before they are signed: all that waits for a process, up to
//!   [`RESERVED_MAX`] at once, and one reservation of a process is in flight at a time. What a crash leaves reserved is signed
//!   again, and says the same (rule SG-2).
//! - `[SC-3]` Neither timestamps nor block heights decrease: the height decides the profile (rule PR-4). The hash chain is
//!   AO's.
//! - `[SC-4]` A message is assigned once; sent again it gets the slot that it has.
//! - `[SC-5]` What waits is bounded for each process; beyond it the answer is to try again.
//! - `[SC-6]` Any item can be assigned to a process, whoever it is for, without fields that the process does not want; at most
//!   [`EXCLUDED_MAX`] of them are named.
//! - `[SC-7]` Ticks of a process are assigned when they are due, and before any message that is assigned later (rule CR-4).

mod kind;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use surety_protocol::assignment::{Assignment, HashChain};
use surety_protocol::id::{Address, ItemId, MessageId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::machine::Outbox;
use surety_protocol::time::{Height, Slot, Timestamp};
use surety_protocol::verified::Authentic;

use crate::cron::{Clockwork, Tick};
use crate::effect::{Effect, Event, Gossip, Offer, Record};
use crate::guard::Guard;
use crate::log::{begins, subject};
use crate::reservation::{Entry, Reservation};

use kind::{Kind, kind, sound_field};

/// The code of the refusal of what has its slot (rule SC-4).
pub const ALREADY: &str = "already-scheduled";
/// Messages that may wait for a slot of one process.
pub const WAITING_MAX: usize = 1024;
/// Slots that are reserved at once.
pub const RESERVED_MAX: usize = 64;
/// Bytes of messages that may wait for a slot of one process, and that are reserved at once, but for the last.
pub const WAITING_BYTES_MAX: usize = 64 << 20;
const RESERVED_BYTES_MAX: usize = 8 << 20;
/// Processes that one scheduler serves.
pub const PROCESSES_MAX: usize = 100_000;

/// Fields that one assignment excludes.
pub const EXCLUDED_MAX: usize = 16;

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
    /// The assignments of a reservation were signed, in order.
    Signed(Vec<Authentic<Item>>),
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
    reserved: Vec<Option<Authentic<Item>>>,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
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

    /// Takes back reserved slots at the start of a node, after all signed ones (rule SC-2).
    pub fn resume(
        &mut self,
        reservation: Reservation,
        messages: Vec<Option<Authentic<Item>>>,
        guard: &mut Guard,
        out: &mut Outbox<Effect>,
    ) {
        let process = reservation.process;
        let log = self
            .logs
            .entry(process)
            .or_insert_with(|| Log::new(process));
        if reservation.slot == log.next && log.reserved.is_empty() {
            log.reserve(reservation, messages, guard, out);
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
            Input::Signed(items) => self.signed(items, guard, out),
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
        match self.admit(&offer) {
            Ok(true) => {}
            // Whoever asks is told with those who asked before.
            Ok(false) => return,
            Err((code, reason)) => {
                out.push(Effect::Notify(Event::Unscheduled {
                    message: offer.item().id().into(),
                    process: offer.process(),
                    code,
                    reason: reason.to_owned(),
                }));
                return;
            }
        }
        let process = offer.process();
        let (item, exclude) = match offer {
            Offer::Item(item) => (item, Vec::new()),
            Offer::Assign { item, exclude, .. } => (item, exclude),
        };
        if let Some(process) = process
            && let Some(log) = self.logs.get_mut(&process)
        {
            log.waiting_bytes = log.waiting_bytes.saturating_add(item.bytes().len());
            log.waiting.push_back(Waiting {
                item,
                exclude,
                wall,
                height,
            });
            log.advance(process, self.now, guard, out);
        }
    }

    /// Whether something is to get a slot here, and does not wait for it already; a process that is has a log then.
    fn admit(&mut self, offer: &Offer) -> Result<bool, (&'static str, &'static str)> {
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
            if begins(item).is_none() {
                return Err(("module-malformed", "the process names no module"));
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
        if log.assigned.contains_key(&MessageId::from(item.id())) {
            return Err((ALREADY, "the message has a slot already"));
        }
        if log.waits(item.id()) {
            return Ok(false);
        }
        // [SC-5]
        let bytes = log.waiting_bytes.saturating_add(item.bytes().len());
        if log.waiting.len() >= WAITING_MAX || bytes > WAITING_BYTES_MAX {
            return Err(("scheduler-busy", "too many messages wait for this process"));
        }
        Ok(true)
    }

    fn signed(&mut self, items: Vec<Authentic<Item>>, guard: &mut Guard, out: &mut Outbox<Effect>) {
        let first = items.first().map(|it| Assignment::from_item(it));
        let Some(Ok(first)) = first else { return };
        let process = first.process;
        let Some(log) = self.logs.get_mut(&process) else {
            return;
        };
        let reserved = std::mem::take(&mut log.reserved);
        for (item, message) in items.into_iter().zip(reserved) {
            let Ok(assignment) = Assignment::from_item(&item) else {
                return;
            };
            log.signed(&assignment, message.as_deref());
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
        }
        if log.clockwork.is_some() {
            self.timed.insert(process);
        }
        log.advance(process, self.now, guard, out);
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
            reserved: Vec::new(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            assigned: BTreeMap::new(),
        }
    }

    fn waits(&self, id: ItemId) -> bool {
        self.reserved.iter().flatten().any(|item| item.id() == id)
            || self.waiting.iter().any(|it| it.item.id() == id)
    }

    fn signed(&mut self, assignment: &Assignment, item: Option<&Item>) {
        match (&mut self.clockwork, item) {
            (None, Some(process)) if assignment.slot == Slot(0) => {
                self.clockwork = Clockwork::start(process, assignment);
            }
            (None, _) => {}
            (Some(clockwork), _) => {
                let height = Height(assignment.block_height);
                clockwork.pass(assignment.timer.as_deref(), assignment.timestamp, height);
            }
        }
        self.next = assignment.slot.next();
        self.chain = assignment.next_hash_chain();
        self.timestamp = self.timestamp.max(assignment.timestamp);
        self.height = self.height.max(Height(assignment.block_height));
        if assignment.timer.is_none() {
            self.assigned.insert(subject(assignment), assignment.slot);
        }
    }

    /// Reserves the next slots if none are in flight (rule SC-2).
    fn advance(
        &mut self,
        process: ProcessId,
        now: (Timestamp, Height),
        guard: &mut Guard,
        out: &mut Outbox<Effect>,
    ) {
        if !self.reserved.is_empty() {
            return;
        }
        let (entries, messages): (Vec<_>, Vec<_>) = self.plan(process, now).into_iter().unzip();
        if entries.is_empty() {
            return;
        }
        let reservation = Reservation {
            process,
            slot: self.next,
            hash_chain: self.chain,
            entries,
        };
        self.reserve(reservation, messages, guard, out);
    }

    /// What the next slots are for; the process' own slot is alone.
    fn plan(
        &mut self,
        process: ProcessId,
        now: (Timestamp, Height),
    ) -> Vec<(Entry, Option<Authentic<Item>>)> {
        let most = if self.next == Slot(0) {
            1
        } else {
            RESERVED_MAX
        };
        let mut clockwork = self.clockwork.clone();
        let (mut time, mut height) = (self.timestamp, self.height);
        let (mut planned, mut bytes) = (Vec::new(), 0_usize);
        while planned.len() < most && bytes < RESERVED_BYTES_MAX {
            let (wall, at) = match self.waiting.front() {
                Some(next) => (next.wall, next.height),
                None => now,
            };
            // [SC-3]
            let (then, there) = (time.max(wall), height.max(at));
            // [SC-7]
            let tick = clockwork.as_ref().and_then(|it| it.due(then, there));
            let (entry, item) = match (tick, self.waiting.is_empty()) {
                (Some(tick), _) => (tick.into(), None),
                (None, true) => break,
                (None, false) => {
                    let Some(next) = self.waiting.pop_front() else {
                        break;
                    };
                    let size = next.item.bytes().len();
                    self.waiting_bytes = self.waiting_bytes.saturating_sub(size);
                    bytes = bytes.saturating_add(size);
                    let own = ProcessId::from(next.item.id()) == process;
                    let entry = Entry {
                        height: there,
                        timestamp: then,
                        message: (!own).then(|| next.item.id().into()),
                        exclude: next.exclude,
                        timer: None,
                    };
                    (entry, Some(next.item))
                }
            };
            if let Some(clockwork) = &mut clockwork {
                clockwork.pass(entry.timer.as_deref(), entry.timestamp, entry.height);
            }
            (time, height) = (time.max(entry.timestamp), height.max(entry.height));
            planned.push((entry, item));
        }
        planned
    }

    fn reserve(
        &mut self,
        reservation: Reservation,
        messages: Vec<Option<Authentic<Item>>>,
        guard: &mut Guard,
        out: &mut Outbox<Effect>,
    ) {
        let process = reservation.process;
        match guard.clear_reservation(reservation.clone()) {
            Ok((cleared, records)) => {
                for record in records {
                    out.push(Effect::Persist(Record::Guard(record)));
                }
                out.push(Effect::Persist(Record::Reserved {
                    reservation,
                    messages: messages.clone(),
                }));
                out.push(Effect::SignAssignments(cleared));
                self.reserved = messages;
            }
            Err(reason) => {
                out.push(Effect::Notify(Event::Refused {
                    reason: reason.to_string(),
                }));
                for message in messages.into_iter().flatten() {
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

impl From<Tick> for Entry {
    fn from(tick: Tick) -> Entry {
        Entry {
            height: tick.height,
            timestamp: tick.timestamp,
            message: None,
            exclude: Vec::new(),
            timer: Some(tick.timer),
        }
    }
}
