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
    /// The operators that should have something: who claims what is asked for, or schedules a log.
    pub fn holders(&self, want: &Want) -> Vec<Address> {
        match want {
            Want::Log { process, .. } => {
                let log = self.shared.logs.get(process);
                let scheduler = log.and_then(|it| self.ledger.operator_of_item_key(&it.scheduler));
                let claimants = self.claimants_of(process);
                claimants.iter().copied().chain(scheduler).collect()
            }
            // [XC-8]
            Want::Claims { .. } if !self.shared.height.0.is_multiple_of(2) => Vec::new(),
            Want::Claims { claimant, .. }
            | Want::State { claimant, .. }
            | Want::Leaves { claimant, .. } => vec![*claimant],
            Want::Ends { operator } => vec![*operator],
            Want::Item(item) => self.claimants_of_module(&ModuleId::from(*item)),
        }
    }

    /// Takes it as if it had been told.
    pub(super) fn fetched(&mut self, now: Tick, fetched: Fetched, out: &mut Outbox<Effect>) {
        match fetched {
            Fetched::Log(slots) => {
                let before = self.shorter();
                for (assignment, message) in slots {
                    self.append(now, assignment, message, out);
                }
                // An answer is a page; the next one need not wait for a block.
                self.go_on(&before, out);
            }
            Fetched::Ends { operator, ends } => self.told_ends(operator, &ends, out),
            Fetched::Item(item) => self.got_item(now, item, out),
            Fetched::Claims { batch, claims } => {
                for claim in claims {
                    self.claim(claim, Brought::Asked, out);
                }
                self.batch(now, batch, out);
            }
            Fetched::Leaves {
                process,
                root,
                lead,
            } => {
                if self.shared.claims.insert_leaves(process, root, lead) {
                    self.signal(now, &Signal::Material(process), out);
                }
            }
            Fetched::State(process) => self.signal(now, &Signal::Here(process), out),
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
            self.signal(now, &Signal::Here(process), out);
        }
    }
}
