//! A log as its scheduler writes it: what has slots, what is reserved, what waits.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use surety_protocol::assignment::{Assignment, HashChain};
use surety_protocol::id::{ItemId, MessageId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::machine::Outbox;
use surety_protocol::time::{Height, Slot, Timestamp};
use surety_protocol::verified::Authentic;

use super::{ALREADY, RESERVED_BYTES_MAX, RESERVED_MAX, WAITING_BYTES_MAX, WAITING_MAX};
use crate::cron::{Clockwork, Tick};
use crate::effect::{Effect, Event, Offer, Record};
use crate::guard::Guard;
use crate::log::subject;
use crate::reservation::{Entry, Reservation};

/// What waits for its slot.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) item: Authentic<Item>,
    pub(super) exclude: Vec<String>,
    pub(super) wall: Timestamp,
    pub(super) height: Height,
}

/// The log of one process.
#[derive(Debug)]
pub(super) struct Log {
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
    /// What was signed of each message that a process sent (rule SC-8).
    sent: BTreeSet<[u8; 48]>,
}

impl Log {
    pub(super) fn new(process: ProcessId) -> Log {
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
            sent: BTreeSet::new(),
        }
    }

    /// Whether the process has timers.
    pub(super) const fn is_timed(&self) -> bool {
        self.clockwork.is_some()
    }

    /// Whether something is to get a slot, and does not wait for it already; or the code of its refusal and why.
    pub(super) fn admits(&self, offer: &Offer) -> Result<bool, (&'static str, &'static str)> {
        let item = offer.item();
        // [SC-4]
        if self.assigned.contains_key(&MessageId::from(item.id())) {
            return Err((ALREADY, "the message has a slot already"));
        }
        if self.waits(item.id()) {
            return Ok(false);
        }
        // [SC-8]
        let sent = matches!(offer, Offer::Item(_)) && pushed(item);
        if sent && self.sent.contains(&item.signing_digest()) {
            return Err((ALREADY, "its sender has signed the same message before"));
        }
        // [SC-5]
        let bytes = self.waiting_bytes.saturating_add(item.bytes().len());
        if self.waiting.len() >= WAITING_MAX || bytes > WAITING_BYTES_MAX {
            return Err(("scheduler-busy", "too many messages wait for this process"));
        }
        Ok(true)
    }

    /// Lets something wait for its slot.
    pub(super) fn queue(&mut self, waiting: Waiting) {
        let bytes = waiting.item.bytes().len();
        self.waiting_bytes = self.waiting_bytes.saturating_add(bytes);
        self.note(&waiting.item);
        self.waiting.push_back(waiting);
    }

    /// What was reserved, to be signed now.
    pub(super) fn take_reserved(&mut self) -> Vec<Option<Authentic<Item>>> {
        std::mem::take(&mut self.reserved)
    }

    /// Takes back what a stop left reserved (rule SC-2).
    pub(super) fn resume(
        &mut self,
        reservation: Reservation,
        messages: Vec<Option<Authentic<Item>>>,
        guard: &mut Guard,
        out: &mut Outbox<Effect>,
    ) {
        if reservation.slot == self.next && self.reserved.is_empty() {
            for message in messages.iter().flatten() {
                self.note(message);
            }
            self.reserve(reservation, messages, guard, out);
        }
    }

    fn waits(&self, id: ItemId) -> bool {
        self.reserved.iter().flatten().any(|item| item.id() == id)
            || self.waiting.iter().any(|it| it.item.id() == id)
    }

    /// Remembers what has a slot, or will have one (rule SC-8).
    fn note(&mut self, item: &Item) {
        if pushed(item) {
            self.sent.insert(item.signing_digest());
        }
    }

    /// A slot is signed.
    pub(super) fn signed(&mut self, assignment: &Assignment, item: Option<&Item>) {
        if let Some(item) = item {
            self.note(item);
        }
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
    pub(super) fn advance(
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
                    // It may come again.
                    self.sent.remove(&message.signing_digest());
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

/// Whether an item says that a process sent it.
fn pushed(item: &Item) -> bool {
    item.tag("From-Process").is_some()
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
