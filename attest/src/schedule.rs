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
//! - `[SC-8]` What a process sent (`From-Process`) is the same message if its signer signed the same again, whatever the signature:
//!   it gets no second slot. By content alone it would not be told apart from a stranger's copy that came first, and be lost.
//! - `[SC-9]` What is to have a slot is by its tags what AO's scheduler takes: `Type` or `type` says `Process` or `Message`, there is a
//!   `Data-Protocol`, and nothing ends with `+link`. A process names a module, and boots from its data or from an item.

mod kind;
mod log;

use std::collections::{BTreeMap, BTreeSet};

use surety_protocol::assignment::Assignment;
use surety_protocol::id::{Address, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::machine::Outbox;
use surety_protocol::time::{Height, Timestamp};
use surety_protocol::verified::Authentic;

use crate::effect::{Effect, Event, Gossip, Offer, Record};
use crate::guard::Guard;
use crate::log::begins;
use crate::reservation::Reservation;

use kind::{Kind, bootable, kind, sound_field};
use log::{Log, Waiting};

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

/// Whether an assignment can exclude these fields (rule SC-6).
pub fn excludable(fields: &[String]) -> bool {
    fields.len() <= EXCLUDED_MAX && fields.iter().all(|it| sound_field(it))
}

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
        if log.is_timed() {
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
        log.resume(reservation, messages, guard, out);
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
            log.queue(Waiting {
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
                if !excludable(exclude) {
                    return Err(("exclude-malformed", "what is excluded are names of fields"));
                }
                Kind::Message
            }
            Offer::Item(item) => kind(item)?,
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
            if !bootable(item) {
                return Err((
                    "on-boot-malformed",
                    "the tag On-Boot is neither Data nor the id of an item",
                ));
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
        log.admits(offer)
    }

    fn signed(&mut self, items: Vec<Authentic<Item>>, guard: &mut Guard, out: &mut Outbox<Effect>) {
        let first = items.first().map(|it| Assignment::from_item(it));
        let Some(Ok(first)) = first else { return };
        let process = first.process;
        let Some(log) = self.logs.get_mut(&process) else {
            return;
        };
        let reserved = log.take_reserved();
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
                process,
                assignment: item,
                message,
            }));
        }
        if log.is_timed() {
            self.timed.insert(process);
        }
        log.advance(process, self.now, guard, out);
    }
}
