//! The verifier role: a [`Verifier`] machine fed with claims, blocks and executions.

use surety_attest::effect::Effect;
use surety_attest::verify::Verifier;
use surety_protocol::machine::Outbox;
use surety_protocol::time::Tick;
use surety_slashing::ledger::Ledger;

use super::{Role, Setting, accuse_by_signatures};
use crate::archive::{Archive, ArchiveError};
use crate::config::RoleName;
use crate::core::{Shared, Signal, Signed};

pub(super) struct VerifierRole {
    machine: Verifier,
}

impl VerifierRole {
    pub(super) fn new(setting: &Setting) -> VerifierRole {
        let (params, lottery) = (setting.params.clone(), setting.lottery.clone());
        VerifierRole {
            machine: Verifier::new(setting.operator, params, lottery),
        }
    }
}

impl Role for VerifierRole {
    fn name(&self) -> RoleName {
        RoleName::Verifier
    }

    fn follows_all(&self) -> bool {
        false
    }

    fn restore(
        &mut self,
        archive: &Archive,
        _ledger: &Ledger,
        _shared: &mut Shared,
        _out: &mut Outbox<Effect>,
    ) -> Result<(), ArchiveError> {
        // Duties are drawn again from the last blocks.
        for challenge in archive.challenges()? {
            self.machine.challenged(&challenge);
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
        let Shared {
            claims,
            guard,
            logs,
            ..
        } = shared;
        match signal {
            Signal::Block(facts) => self.machine.block(facts, claims, out),
            Signal::Claim(claim) => self.machine.claim(claim, claims),
            Signal::Batch(root) => self.machine.batch(root, claims),
            Signal::Material(process) => self.machine.more(*process),
            Signal::LogGrew(process) => {
                let size = logs.get(process).map_or(0, |log| log.size);
                self.machine.grew(*process, size);
            }
            Signal::Here(process) => self.machine.here(*process),
            Signal::StepEnds => self.machine.settle(claims, out),
            Signal::Executed(executed) => {
                self.machine
                    .executed((*executed).clone(), claims, guard, out);
            }
            Signal::Approval(approval) => self.machine.compare(approval, claims, out),
            Signal::Compared { approval, holds } => {
                self.machine.compared(approval, *holds, claims, out);
            }
            Signal::Disagree { claim, committed } => {
                self.machine.disagree(*claim, *committed, out);
            }
            Signal::Signed(Signed::Approval(approval)) => {
                let process = claims
                    .any(&approval.claim)
                    .map(|it| it.statement.claim.process);
                if let Some(process) = process {
                    self.machine
                        .approved(approval.as_ref().clone(), process, out);
                }
            }
            _ => accuse_by_signatures(signal, out),
        }
    }
}
