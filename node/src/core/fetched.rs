//! What is asked for: of whom, and what becomes of it when it comes.

use surety_attest::effect::{Record, Want};
use surety_protocol::id::{Address, ModuleId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::machine::Outbox;
use surety_protocol::time::Tick;
use surety_protocol::verified::Authentic;

use super::checks::Brought;
use super::{Core, Effect, Fetched, Signal, Write};

impl Core {
    /// The operator that should have something: who schedules a log, or claims what is asked for.
    pub fn holder(&self, want: &Want) -> Option<Address> {
        match want {
            Want::Log { process, .. } => {
                let log = self.shared.logs.get(process)?;
                self.ledger.operator_of_item_key(&log.scheduler)
            }
            Want::Claims { claimant, .. }
            | Want::State { claimant, .. }
            | Want::Leaves { claimant, .. } => Some(*claimant),
            Want::Ends { operator } => Some(*operator),
            Want::Item(_) => None,
        }
    }

    /// Takes it as if it had been told.
    pub(super) fn fetched(&mut self, now: Tick, fetched: Fetched, out: &mut Outbox<Effect>) {
        match fetched {
            Fetched::Log(slots) => {
                for (assignment, message) in slots {
                    self.append(now, assignment, message, out);
                }
            }
            Fetched::Ends { operator, ends } => self.told_ends(operator, &ends, out),
            Fetched::Item(item) => self.got_item(now, item, out),
            Fetched::Claims { batch, claims } => {
                for claim in claims {
                    self.claim(claim, Brought::Asked);
                }
                self.batch(now, batch, out);
            }
            Fetched::Leaves {
                process,
                root,
                leaves,
            } => {
                self.shared.claims.insert_leaves(process, root, leaves);
                self.signal(now, &Signal::Material, out);
            }
            Fetched::State => self.signal(now, &Signal::Material, out),
            Fetched::Evidence(file) => self.evidence(*file, out),
            Fetched::Blocks(blocks) => {
                for block in blocks {
                    self.block(now, block, out);
                }
            }
        }
    }

    /// A data item came that was asked for.
    fn got_item(&mut self, now: Tick, item: Authentic<Item>, out: &mut Outbox<Effect>) {
        let module = ModuleId::from(item.id());
        out.push(Effect::Persist(Write::Record(Record::Item(item))));
        self.shared.modules.insert(module);
        let waiting: Vec<ProcessId> = self
            .shared
            .logs
            .iter()
            .filter(|(_, log)| log.module == module)
            .map(|(process, _)| *process)
            .collect();
        for process in waiting {
            self.signal(now, &Signal::LogGrew(process), out);
        }
        self.signal(now, &Signal::Material, out);
    }
}
