//! The scheduler role: a [`Scheduler`] machine fed with what users and messengers offer.

use surety_attest::effect::Effect;
use surety_attest::schedule::{Input, Scheduler};
use surety_protocol::assignment::Assignment;
use surety_protocol::id::Address;
use surety_protocol::machine::Outbox;
use surety_protocol::time::{Slot, Tick};
use surety_slashing::ledger::Ledger;

use super::{Role, Setting};
use crate::archive::{Archive, ArchiveError, LOG_PAGE_MAX};
use crate::config::RoleName;
use crate::core::{Shared, Signal, Signed};

pub(super) struct SchedulerRole {
    key: Address,
    machine: Scheduler,
}

impl SchedulerRole {
    pub(super) const fn new(setting: &Setting) -> SchedulerRole {
        SchedulerRole {
            key: setting.item_key,
            machine: Scheduler::new(setting.item_key),
        }
    }
}

impl Role for SchedulerRole {
    fn name(&self) -> RoleName {
        RoleName::Scheduler
    }

    fn schedules(&self) -> bool {
        true
    }

    fn restore(
        &mut self,
        archive: &Archive,
        _ledger: &Ledger,
        shared: &mut Shared,
        out: &mut Outbox<Effect>,
    ) -> Result<(), ArchiveError> {
        let ours: Vec<_> = shared
            .logs
            .iter()
            .filter(|(_, log)| log.scheduler == self.key)
            .map(|(process, log)| (*process, log.size))
            .collect();
        for (process, size) in ours {
            let mut from = Slot(0);
            while from.0 < size {
                let slots = archive.log(&process, from, LOG_PAGE_MAX)?;
                if slots.is_empty() {
                    break;
                }
                for (item, message) in &slots {
                    if let Ok(assignment) = Assignment::from_item(item) {
                        self.machine.restore(&assignment, message.as_deref());
                    }
                }
                from = from.plus(u64::try_from(slots.len()).unwrap_or(0));
            }
        }
        for process in archive.reserved_processes()? {
            if let Some((reservation, messages)) = archive.reserved(&process)? {
                self.machine
                    .resume(reservation, messages, &mut shared.guard, out);
            }
        }
        Ok(())
    }

    fn on(
        &mut self,
        _now: Tick,
        signal: &Signal<'_>,
        shared: &mut Shared,
        out: &mut Outbox<Effect>,
    ) {
        let input = match signal {
            Signal::Offered {
                offer,
                wall,
                height,
            } => Input::Offered {
                offer: (*offer).clone(),
                wall: *wall,
                height: *height,
            },
            Signal::Tick { wall, height } => Input::Time {
                wall: *wall,
                height: *height,
            },
            Signal::Signed(Signed::Assignments(items)) => Input::Signed(items.clone()),
            _ => return,
        };
        self.machine.step(input, &mut shared.guard, out);
    }
}
