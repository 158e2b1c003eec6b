//! The messenger role: a [`Messenger`] machine fed with the results that this node's compute role evaluates.

use surety_attest::effect::{Effect, Executed};
use surety_attest::push::Messenger;
use surety_attest::result::ProcessResult;
use surety_protocol::id::ProcessId;
use surety_protocol::item::Item;
use surety_protocol::machine::Outbox;
use surety_protocol::time::{Slot, Tick};
use surety_slashing::ledger::Ledger;

use super::{Role, Setting};
use crate::archive::{Archive, ArchiveError};
use crate::config::RoleName;
use crate::core::{Shared, Signal, Signed};

pub(super) struct MessengerRole {
    machine: Messenger,
}

impl MessengerRole {
    pub(super) fn new(setting: &Setting) -> MessengerRole {
        MessengerRole {
            machine: Messenger::new(setting.item_key),
        }
    }

    fn push(
        &mut self,
        now: Tick,
        process: ProcessId,
        slot: Slot,
        subject: &Item,
        parts: &[impl AsRef<[u8]>],
        out: &mut Outbox<Effect>,
    ) {
        if let Some(result) = ProcessResult::from_parts(parts) {
            self.machine
                .result(now, process, slot, subject, &result, out);
        }
    }
}

impl Role for MessengerRole {
    fn name(&self) -> RoleName {
        RoleName::Messenger
    }

    fn restore(
        &mut self,
        archive: &Archive,
        _ledger: &Ledger,
        shared: &mut Shared,
        out: &mut Outbox<Effect>,
    ) -> Result<(), ArchiveError> {
        for (process, log) in shared.logs.iter() {
            let Some(item) = archive.item(&(*process).into())? else {
                continue;
            };
            let next = archive.pushed(process)?;
            self.machine.process(&item, log.module, next);
            if self.machine.next(process).is_none() {
                continue;
            }
            let mut slot = next;
            while let Some(parts) = archive.parts(process, slot)? {
                let Some(input) = archive.input(process, slot)? else {
                    break;
                };
                let subject = match input.message {
                    Some(message) => message,
                    None if slot == Slot(0) => item.clone(),
                    None => input.assignment,
                };
                self.push(Tick(0), *process, slot, &subject, &parts, out);
                slot = slot.next();
            }
        }
        // What no log is known to have may not have arrived: the scheduler knows what it has.
        let logs = &shared.logs;
        archive.awaited(|process| {
            if logs.get(&process).is_some() {
                self.machine.resume(process);
            }
        })?;
        Ok(())
    }

    fn on(
        &mut self,
        now: Tick,
        signal: &Signal<'_>,
        shared: &mut Shared,
        out: &mut Outbox<Effect>,
    ) {
        match signal {
            Signal::Executed(Executed::Evaluated { process, leaves }) => {
                let Some(module) = shared.logs.get(process).map(|log| log.module) else {
                    return;
                };
                for leaf in leaves {
                    if leaf.leaf.slot == Slot(0) {
                        self.machine.process(&leaf.subject, module, Slot(0));
                    }
                    self.push(
                        now,
                        *process,
                        leaf.leaf.slot,
                        &leaf.subject,
                        &leaf.parts,
                        out,
                    );
                }
            }
            Signal::Signed(Signed::Message { source, item }) => {
                self.machine.signed(now, *source, item.clone(), out);
            }
            Signal::Recalled(recalled) => {
                let logs = &shared.logs;
                self.machine
                    .recalled(now, recalled, |it| logs.get(it).is_some(), out);
            }
            Signal::LogBegan(item) => self.machine.began(item, out),
            Signal::Known { process, item } => self.machine.known(*process, *item, out),
            Signal::Arrived { process, item } => self.machine.arrived(*process, *item),
            Signal::Tick { .. } => {
                let logs = &shared.logs;
                self.machine
                    .tick(now, |process| logs.get(process).is_some(), out);
            }
            _ => {}
        }
    }
}
