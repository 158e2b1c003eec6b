//! The logs of processes as this node knows them: assignments in order, gaps asked for, forks noticed.
//!
//! # Rules
//!
//! - `[LO-1]` An input enters a log if its assignment is signed by the scheduler that the process names, continues the hash
//!   chain, turns neither the clock nor the block height back, and comes with the message that it names.
//! - `[LO-2]` What comes early waits, at most [`AHEAD_MAX`] inputs for each process; the gap is asked for.
//! - `[LO-3]` A second assignment for a known slot, with other signing bytes, is not dropped, nor one for a slot that waits or
//!   was just given up: the pair is evidence. The log keeps the one that the next assignment continues.
//! - `[LO-4]` A log is followed from slot 0: its process item comes with the first assignment.
//! - `[LO-5]` An input that is stamped with a height beyond the horizon, up to which profiles are settled, is not taken; it is
//!   when it comes again later.
//! - `[LO-6]` A tick enters a log when it is due and not otherwise, and nothing enters before a tick that is due (rule CR-5).
//! - `[LO-7]` A message enters a log once: a scheduler that assigns it again has ended the log there, and nobody's message is executed
//!   twice.

mod subject;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use surety_protocol::assignment::{Assignment, HashChain};
use surety_protocol::hashpath::Hashpath;
use surety_protocol::id::{Address, AssignmentId, MessageId, ModuleId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::machine::Outbox;
use surety_protocol::time::{Height, Slot, Timestamp};
use surety_protocol::verified::Authentic;

use crate::cron::{Clockwork, Position};
use crate::effect::{Effect, Record, Want};

pub use subject::{assigns, begins, kind, subject};

/// Inputs kept ahead of a gap.
pub const AHEAD_MAX: usize = 256;
/// Processes that one node follows.
pub const PROCESSES_MAX: usize = 100_000;
/// Slots whose assignment is kept to notice a second one.
const RECENT_MAX: u64 = 64;

/// What came of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// The log grew, maybe by more than this input.
    Grew,
    /// Known, or of a process that is not.
    Nothing,
    /// By the scheduler, and not next: the log has at least so many slots elsewhere.
    Ahead(u64),
    /// Not by the scheduler, malformed, or contradicting the log.
    Refused(&'static str),
    /// The last slot was given up: the scheduler went on from another assignment of it.
    Shrank,
}

/// Two assignments that a scheduler signed for one slot (rule LO-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Double {
    /// The slot.
    pub slot: Slot,
    /// The assignment that came first.
    pub first: AssignmentId,
    /// The other.
    pub second: AssignmentId,
}

/// An input that came before those before it.
#[derive(Debug)]
struct Early {
    item: Authentic<Item>,
    message: Option<Authentic<Item>>,
    /// Whether a second assignment of its slot has come.
    doubled: bool,
}

/// The log of one process.
#[derive(Debug)]
pub struct Log {
    /// Who may assign.
    pub scheduler: Address,
    /// What is executed.
    pub module: ModuleId,
    /// Slots known.
    pub size: u64,
    /// The hashpath after them.
    pub hashpath: Hashpath,
    chain: HashChain,
    timestamp: Timestamp,
    height: Height,
    clockwork: Option<Clockwork>,
    /// All that has a slot (rule LO-7).
    messages: BTreeSet<MessageId>,
    recent: BTreeMap<Slot, Entry>,
    ahead: BTreeMap<Slot, Early>,
    /// The last slot that was given up, and what was there.
    given_up: Option<(Slot, Entry)>,
    /// What was noticed and not asked for yet.
    doubles: Vec<Double>,
}

#[derive(Debug, Clone)]
struct Entry {
    id: AssignmentId,
    message: Option<MessageId>,
    signing: [u8; 48],
    /// The log before this slot, to go back to.
    chain: HashChain,
    hashpath: Hashpath,
    timestamp: Timestamp,
    height: Height,
    ticks: Option<Position>,
    /// Whether a second assignment of this slot has come.
    doubled: bool,
}

/// All logs that a node follows.
#[derive(Debug, Default)]
pub struct Logs {
    logs: BTreeMap<ProcessId, Log>,
}

impl Logs {
    /// A process' log.
    pub fn get(&self, process: &ProcessId) -> Option<&Log> {
        self.logs.get(process)
    }

    /// How many logs there are.
    pub fn len(&self) -> usize {
        self.logs.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.logs.is_empty()
    }

    /// The second assignments that were noticed since this was asked last (rule LO-3).
    pub fn doubles(&mut self, process: &ProcessId) -> Vec<Double> {
        let log = self.logs.get_mut(process);
        log.map(|it| std::mem::take(&mut it.doubles))
            .unwrap_or_default()
    }

    /// The logs of the processes after one.
    pub fn after(&self, process: Option<ProcessId>) -> impl Iterator<Item = (&ProcessId, &Log)> {
        let after = process.map_or(Bound::Unbounded, Bound::Excluded);
        self.logs.range((after, Bound::Unbounded))
    }

    /// All logs.
    pub fn iter(&self) -> impl Iterator<Item = (&ProcessId, &Log)> {
        self.logs.iter()
    }

    /// Takes an input from anywhere (rules LO-1 to LO-6).
    pub fn append(
        &mut self,
        horizon: Height,
        item: Authentic<Item>,
        message: Option<Authentic<Item>>,
        out: &mut Outbox<Effect>,
    ) -> Appended {
        let Ok(assignment) = Assignment::from_item(&item) else {
            return Appended::Refused("not an assignment");
        };
        // [LO-5]
        if Height(assignment.block_height) > horizon {
            return Appended::Nothing;
        }
        let process = assignment.process;
        if !self.logs.contains_key(&process) {
            if assignment.slot != Slot(0) {
                out.push(Effect::Fetch(Want::Log {
                    process,
                    from: Slot(0),
                }));
                return Appended::Nothing;
            }
            if self.logs.len() >= PROCESSES_MAX {
                return Appended::Nothing;
            }
            let Some(first) = &message else {
                // A large one does not travel with its assignment.
                out.push(Effect::Fetch(Want::Log {
                    process,
                    from: Slot(0),
                }));
                return Appended::Nothing;
            };
            match Log::start(process, first) {
                Some(log) => self.logs.insert(process, log),
                None => return Appended::Refused("slot 0 comes with what is not its process item"),
            };
        }
        let Some(log) = self.logs.get_mut(&process) else {
            return Appended::Nothing;
        };
        let outcome = log.take(assignment, item, message, out);
        if log.size == 0 {
            self.logs.remove(&process);
        }
        outcome
    }
}

impl Log {
    /// The assignment of a slot that can still turn out to be another.
    pub fn assignment(&self, slot: Slot) -> Option<AssignmentId> {
        self.recent.get(&slot).map(|it| it.id)
    }

    fn start(process: ProcessId, item: &Item) -> Option<Log> {
        let (scheduler, module) = begins(item).filter(|_| ProcessId::from(item.id()) == process)?;
        Some(Log {
            scheduler,
            module,
            size: 0,
            hashpath: Hashpath::start(process),
            chain: HashChain::start(&process),
            timestamp: Timestamp(0),
            height: Height(0),
            clockwork: None,
            messages: BTreeSet::new(),
            recent: BTreeMap::new(),
            ahead: BTreeMap::new(),
            given_up: None,
            doubles: Vec::new(),
        })
    }

    fn take(
        &mut self,
        assignment: Assignment,
        item: Authentic<Item>,
        message: Option<Authentic<Item>>,
        out: &mut Outbox<Effect>,
    ) -> Appended {
        if assignment.signer != self.scheduler {
            return Appended::Refused("not signed by the process' scheduler");
        }
        if !assigns(&assignment, message.as_ref().map(|message| message.id())) {
            return Appended::Refused("assigns not one message or tick, or comes with another");
        }
        // A large one does not travel with its assignment.
        let alone = message.is_none() && assignment.timer.is_none();
        if alone && assignment.slot.0 >= self.size {
            return Appended::Ahead(assignment.slot.next().0);
        }
        if assignment.slot.0 < self.size {
            return self.compare(&assignment, &item, message, out);
        }
        if assignment.slot.0 > self.size {
            let known = assignment.slot.next().0;
            self.wait(&assignment, item, message, out);
            return Appended::Ahead(known);
        }
        if let Some(fork) = self.rewind(&assignment) {
            self.wait(&assignment, item, message, out);
            return fork;
        }
        if !self.continued_by(&assignment) {
            return Appended::Refused("does not continue the log");
        }
        self.push(&assignment, &item, message, out);
        self.drain(out);
        Appended::Grew
    }

    /// Whether an assignment is the next of this log (rule LO-1).
    fn continued_by(&self, next: &Assignment) -> bool {
        next.hash_chain == self.chain
            && next.timestamp >= self.timestamp
            && Height(next.block_height) >= self.height
            // [LO-7]
            && next.message.is_none_or(|it| !self.messages.contains(&it))
            // [LO-6]
            && match &self.clockwork {
                Some(clockwork) => clockwork.admits(next),
                None => next.timer.is_none(),
            }
    }

    fn push(
        &mut self,
        assignment: &Assignment,
        item: &Authentic<Item>,
        message: Option<Authentic<Item>>,
        out: &mut Outbox<Effect>,
    ) {
        let mut entry = Entry {
            id: assignment.id,
            message: assignment.timer.is_none().then(|| subject(assignment)),
            signing: item.signing_digest(),
            chain: self.chain,
            hashpath: self.hashpath,
            timestamp: self.timestamp,
            height: self.height,
            ticks: self.clockwork.as_ref().map(Clockwork::position),
            doubled: false,
        };
        // What else was signed for this slot, and waited or was given up.
        let slot = assignment.slot;
        if let Some(other) = self.ahead.remove(&slot) {
            entry.doubled |= other.doubled;
            if !entry.doubled && other.item.signing_digest() != entry.signing {
                self.doubled(slot, other.item.id().into(), &mut entry);
                out.push(Effect::Persist(Record::Item(other.item)));
            }
        }
        if let Some((_, other)) = self.given_up.take_if(|(at, _)| *at == slot) {
            entry.doubled |= other.doubled;
            if !entry.doubled && other.signing != entry.signing {
                self.doubled(slot, other.id, &mut entry);
            }
        }
        self.messages.extend(entry.message);
        self.recent.insert(slot, entry);
        while self.recent.len() as u64 > RECENT_MAX {
            self.recent.pop_first();
        }
        self.size = assignment.slot.next().0;
        self.chain = assignment.next_hash_chain();
        self.hashpath = self.hashpath.extend(assignment.id);
        self.timestamp = assignment.timestamp;
        self.height = Height(assignment.block_height);
        match (&mut self.clockwork, &message) {
            (None, Some(process)) if assignment.slot == Slot(0) => {
                self.clockwork = Clockwork::start(process, assignment);
            }
            (None, _) => {}
            (Some(clockwork), _) => {
                let timer = assignment.timer.as_deref();
                clockwork.pass(timer, self.timestamp, self.height);
            }
        }
        out.push(Effect::Persist(Record::Input {
            process: assignment.process,
            slot: assignment.slot,
            assignment: item.clone(),
            message,
        }));
        out.push(Effect::Persist(Record::Hashpath {
            process: assignment.process,
            size: self.size,
            hashpath: self.hashpath,
        }));
    }

    /// Notes that another assignment came before this entry of a slot.
    fn doubled(&mut self, slot: Slot, first: AssignmentId, entry: &mut Entry) {
        entry.doubled = true;
        let second = entry.id;
        self.doubles.push(Double {
            slot,
            first,
            second,
        });
    }

    /// Keeps what comes before those before it.
    fn wait(
        &mut self,
        assignment: &Assignment,
        item: Authentic<Item>,
        message: Option<Authentic<Item>>,
        out: &mut Outbox<Effect>,
    ) {
        let slot = assignment.slot;
        let doubled = match self.ahead.get(&slot) {
            Some(other) if other.item.signing_digest() != item.signing_digest() => {
                if !other.doubled {
                    // Evidence needs both.
                    for item in [&other.item, &item] {
                        out.push(Effect::Persist(Record::Item(item.clone())));
                    }
                    self.doubles.push(Double {
                        slot,
                        first: other.item.id().into(),
                        second: assignment.id,
                    });
                }
                true
            }
            other => other.is_some_and(|it| it.doubled),
        };
        let early = Early {
            item,
            message,
            doubled,
        };
        self.ahead.insert(slot, early);
        while self.ahead.len() > AHEAD_MAX {
            self.ahead.pop_last();
        }
    }

    /// Appends what waited for this.
    fn drain(&mut self, out: &mut Outbox<Effect>) {
        while let Some(early) = self.ahead.remove(&Slot(self.size)) {
            let Early {
                item,
                message,
                doubled,
            } = early;
            let slot = Slot(self.size);
            match Assignment::from_item(&item) {
                Ok(next) if self.continued_by(&next) => self.push(&next, &item, message, out),
                _ => break,
            }
            if let Some(entry) = self.recent.get_mut(&slot) {
                entry.doubled |= doubled;
            }
        }
        self.ahead = self.ahead.split_off(&Slot(self.size));
    }

    /// A second assignment for a known slot (rule LO-3).
    fn compare(
        &mut self,
        assignment: &Assignment,
        item: &Authentic<Item>,
        message: Option<Authentic<Item>>,
        out: &mut Outbox<Effect>,
    ) -> Appended {
        let Some(entry) = self.recent.get_mut(&assignment.slot) else {
            return Appended::Nothing;
        };
        if entry.signing == item.signing_digest() {
            return Appended::Nothing;
        }
        if std::mem::replace(&mut entry.doubled, true) {
            // One pair is evidence enough; a third is not passed on.
            return Appended::Nothing;
        }
        let first = entry.id;
        // Both are kept as items: they are evidence, and the log may turn out to go on from this one.
        out.push(Effect::Persist(Record::Item(item.clone())));
        if let Some(message) = message {
            out.push(Effect::Persist(Record::Item(message)));
        }
        self.doubles.push(Double {
            slot: assignment.slot,
            first,
            second: assignment.id,
        });
        Appended::Nothing
    }

    /// If the next assignment does not continue this log but the scheduler's other branch, the last slot is given up
    /// and asked for again.
    fn rewind(&mut self, next: &Assignment) -> Option<Appended> {
        if next.hash_chain == self.chain {
            return None;
        }
        let last = Slot(self.size.checked_sub(1)?);
        let entry = self.recent.remove(&last)?;
        if let Some(message) = &entry.message {
            self.messages.remove(message);
        }
        self.given_up = Some((last, entry.clone()));
        self.size = last.0;
        self.chain = entry.chain;
        self.hashpath = entry.hashpath;
        self.timestamp = entry.timestamp;
        self.height = entry.height;
        if let (Some(clockwork), Some(ticks)) = (&mut self.clockwork, entry.ticks) {
            clockwork.rewind(ticks);
        }
        Some(Appended::Shrank)
    }
}
