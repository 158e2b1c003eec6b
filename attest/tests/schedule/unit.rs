//! A scheduler with a disk and somebody who follows it.

use std::collections::BTreeMap;

use surety_attest::effect::{Effect, Event, Gossip, Offer, Record};
use surety_attest::guard::Guard;
use surety_attest::log::{Appended, Logs};
use surety_attest::reservation::Reservation;
use surety_attest::schedule::{Input, Scheduler};
use surety_protocol::assignment::Assignment;
use surety_protocol::id::{ItemId, ProcessId};
use surety_protocol::item::{Item, ItemKey};
use surety_protocol::machine::Outbox;
use surety_protocol::time::{Height, Slot, Timestamp};
use surety_protocol::verified::Authentic;

use super::fuse::{Crashing, Fuse};

pub(crate) const BEGIN: u64 = 1_790_000_000_000;

pub(crate) fn key() -> ItemKey {
    ItemKey::ed25519(&[1; 32])
}

pub(crate) fn user() -> ItemKey {
    ItemKey::ed25519(&[2; 32])
}

/// An assignment, with what it assigns.
type Assigned = (Authentic<Item>, Option<Authentic<Item>>);

/// A reservation, with what is to be assigned.
type Reserved = (Reservation, Vec<Option<Authentic<Item>>>);

/// A scheduler with the disk that outlives it.
pub(crate) struct Unit {
    pub(crate) scheduler: Scheduler,
    pub(crate) guard: Guard,
    /// What was made durable: the log of each slot, what the guard cleared, what is reserved.
    pub(crate) inputs: BTreeMap<(ProcessId, Slot), Assigned>,
    cleared: Vec<surety_attest::guard::GuardRecord>,
    reserved: BTreeMap<ProcessId, Reserved>,
    /// Somebody who follows.
    pub(crate) logs: Logs,
    /// All signatures ever made, by process and slot.
    signed: BTreeMap<(ProcessId, Slot), [u8; 48]>,
    pub(crate) refused: Vec<(ItemId, &'static str)>,
    /// Effects that may still be performed before everything stops; without, it does not stop.
    pub(crate) left: Fuse,
}

impl Unit {
    pub(crate) fn new() -> Unit {
        Unit {
            scheduler: Scheduler::new(key().address()),
            guard: Guard::default(),
            inputs: BTreeMap::new(),
            cleared: Vec::new(),
            reserved: BTreeMap::new(),
            logs: Logs::default(),
            signed: BTreeMap::new(),
            refused: Vec::new(),
            left: Fuse::default(),
        }
    }

    pub(crate) fn step(&mut self, input: Input) {
        let mut out = Outbox::default();
        self.scheduler.step(input, &mut self.guard, &mut out);
        self.perform(out.drain());
    }

    /// Takes several inputs before anything of them is done, as a node under load does.
    pub(crate) fn burst(&mut self, offers: Vec<Offer>, milliseconds: u64, height: u64) {
        let mut out = Outbox::default();
        for offer in offers {
            let offered = Input::Offered {
                offer,
                wall: Timestamp(BEGIN + milliseconds),
                height: Height(height),
            };
            self.scheduler.step(offered, &mut self.guard, &mut out);
        }
        self.perform(out.drain());
    }

    /// Starts again from what is durable.
    pub(crate) fn restart(&mut self) {
        self.left = Fuse::default();
        self.scheduler = Scheduler::new(key().address());
        self.guard = Guard::default();
        self.logs = Logs::default();
        for record in &self.cleared {
            self.guard.restore(record.clone());
        }
        for (assignment, message) in self.inputs.values() {
            let read = Assignment::from_item(assignment).unwrap();
            self.scheduler.restore(&read, message.as_deref());
            let message = message.clone();
            let mut out = Outbox::default();
            let horizon = Height(u64::MAX);
            let followed = self
                .logs
                .append(horizon, assignment.clone(), message, &mut out);
            assert_eq!(followed, Appended::Grew);
        }
        for (reservation, messages) in self.reserved.clone().into_values() {
            let mut out = Outbox::default();
            self.scheduler
                .resume(reservation, messages, &mut self.guard, &mut out);
            self.perform(out.drain());
        }
    }

    pub(crate) fn offer(&mut self, offer: Offer, milliseconds: u64, height: u64) {
        self.step(Input::Offered {
            offer,
            wall: Timestamp(BEGIN + milliseconds),
            height: Height(height),
        });
    }

    pub(crate) fn time(&mut self, milliseconds: u64, height: u64) {
        self.step(Input::Time {
            wall: Timestamp(BEGIN + milliseconds),
            height: Height(height),
        });
    }

    pub(crate) fn log(&self, process: ProcessId) -> Vec<Assignment> {
        let slots = self.inputs.iter().filter(|((of, _), _)| *of == process);
        slots
            .map(|(_, (item, _))| Assignment::from_item(item).unwrap())
            .collect()
    }
}

impl Crashing for Unit {
    fn fuse(&mut self) -> &mut Fuse {
        &mut self.left
    }

    fn persist(&mut self, record: Effect) {
        match record {
            Effect::Persist(Record::Guard(record)) => self.cleared.push(record),
            Effect::Persist(Record::Reserved {
                reservation,
                messages,
            }) => {
                let process = reservation.process;
                self.reserved.insert(process, (reservation, messages));
            }
            Effect::Persist(Record::Input {
                process,
                slot,
                assignment,
                message,
            }) => {
                self.reserved.remove(&process);
                let twice = self.inputs.insert((process, slot), (assignment, message));
                assert!(twice.is_none(), "a slot was written twice");
            }
            other => panic!("{other:?}"),
        }
    }

    fn act(&mut self, effect: Effect) {
        match effect {
            Effect::SignAssignments(cleared) => {
                let mut items = Vec::new();
                let signed = cleared.into_inner().sign(|draft| {
                    let item = key().sign_item(&draft.to_item_draft(None)).unwrap();
                    let is = item.signing_digest();
                    let was = self.signed.insert((draft.process, draft.slot), is);
                    assert!(
                        was.is_none_or(|was| was == is),
                        "a slot has two assignments"
                    );
                    let chain = draft.hash_chain.next(&item.id().into());
                    items.push(item);
                    Ok::<_, ()>(chain)
                });
                assert_eq!(signed, Ok(()));
                self.step(Input::Signed(items));
            }
            Effect::Broadcast(Gossip::Input {
                assignment,
                message,
                ..
            }) => {
                let mut out = Outbox::default();
                let horizon = Height(u64::MAX);
                let followed = self.logs.append(horizon, assignment, message, &mut out);
                assert_eq!(followed, Appended::Grew);
            }
            Effect::Notify(Event::Unscheduled { message, code, .. }) => {
                self.refused.push((message.into(), code));
            }
            Effect::Notify(_) => {}
            other => panic!("{other:?}"),
        }
    }
}
