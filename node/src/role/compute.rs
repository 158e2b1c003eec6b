//! The compute role: a [`Compute`] machine fed with logs, executions, claims and blocks.

use surety_attest::compute::Compute;
use surety_attest::effect::{Effect, Executed, Job};
use surety_protocol::id::ProcessId;
use surety_protocol::machine::Outbox;
use surety_protocol::time::{Slot, Tick};
use surety_slashing::ledger::Ledger;

use super::{Role, Setting};
use crate::archive::{Archive, ArchiveError};
use crate::config::RoleName;
use crate::core::{Shared, Signal, Signed};
use crate::fault::Fault;

pub(super) struct ComputeRole {
    machine: Compute,
    /// A fault of this compute unit waits for the first process.
    fault: Option<Slot>,
}

impl ComputeRole {
    pub(super) fn new(setting: &Setting) -> ComputeRole {
        let machine = Compute::new(setting.operator, setting.network);
        let fault = setting.faults.iter().find_map(Fault::claim_slot);
        ComputeRole { machine, fault }
    }
}

impl Role for ComputeRole {
    fn name(&self) -> RoleName {
        RoleName::Compute
    }

    fn evaluated(&self, process: &ProcessId) -> u64 {
        self.machine.evaluated(process)
    }

    fn restore(
        &mut self,
        archive: &Archive,
        ledger: &Ledger,
        shared: &mut Shared,
        _out: &mut Outbox<Effect>,
    ) -> Result<(), ArchiveError> {
        for (process, log) in shared.logs.iter() {
            let mut slot = Slot(0);
            while let Some((leaf, head, ruling)) = archive.evaluated(process, slot)? {
                // What was evaluated of a branch that was given up since is evaluated again.
                let given_up = log.assignment(slot).is_some_and(|it| it != leaf.assignment);
                if slot.0 >= log.size || given_up {
                    break;
                }
                self.machine
                    .restore(*process, log.module, leaf, head, ruling);
                slot = slot.next();
            }
            // Others begin when their module comes.
            if shared.modules.contains(&log.module) {
                self.machine.follow(*process, log.module, log.size);
            }
            if let Some(segment) = ledger.latest(process) {
                self.machine
                    .resume_at(process, segment.size, segment.history_root);
            }
        }
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
            Signal::Tick { .. } => {
                self.machine.tick(now, &mut shared.guard, out);
            }
            Signal::LogGrew(process) => {
                if let Some(log) = shared.logs.get(process) {
                    let first = shared.first == Some(*process);
                    if let Some(slot) = self.fault.take_if(|_| first) {
                        self.machine.force_cut_after(*process, log.module, slot);
                    }
                    self.machine
                        .log_grew(now, *process, log.module, log.size, out);
                }
            }
            Signal::LogShrank(process) => {
                if let Some(log) = shared.logs.get(process) {
                    self.machine.log_shrank(process, log.size);
                }
            }
            Signal::Claim(claim) => self.machine.peer_claim(claim, &mut shared.guard, out),
            Signal::Executed(Executed::Evaluated { process, leaves }) => {
                let leaves = leaves.clone();
                self.machine
                    .evaluated_leaves(now, *process, leaves, &mut shared.guard, out);
            }
            Signal::Executed(Executed::Abstained { job, .. }) => {
                if let Job::Evaluate { process, .. } = job.as_ref() {
                    self.machine.abstained(now, process);
                }
            }
            Signal::Signed(Signed::Claim(claim)) => {
                self.machine.signed(claim.as_ref().clone(), out);
            }
            Signal::Block(facts) => self.machine.block(facts, out),
            _ => {}
        }
    }
}
