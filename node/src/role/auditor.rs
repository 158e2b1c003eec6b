//! The auditor role: an [`Auditor`] machine fed with the claims that are heard, and with those that were known at the start and can
//! still be challenged.

use surety_attest::audit::Auditor;
use surety_attest::effect::Effect;
use surety_protocol::machine::Outbox;
use surety_protocol::time::Tick;
use surety_slashing::ledger::Ledger;

use super::{Role, Setting, accuse_by_signatures};
use crate::archive::{Archive, ArchiveError};
use crate::config::RoleName;
use crate::core::{Shared, Signal};

pub(super) struct AuditorRole {
    machine: Auditor,
}

impl AuditorRole {
    pub(super) fn new(setting: &Setting) -> AuditorRole {
        let audit = &setting.audit;
        let follows = audit.processes.iter().copied().collect();
        let inputs = (audit.inputs > 0).then_some(audit.inputs);
        AuditorRole {
            machine: Auditor::new(setting.operator, follows, inputs),
        }
    }
}

impl Role for AuditorRole {
    fn name(&self) -> RoleName {
        RoleName::Auditor
    }

    fn restore(
        &mut self,
        archive: &Archive,
        ledger: &Ledger,
        shared: &mut Shared,
        out: &mut Outbox<Effect>,
    ) -> Result<(), ArchiveError> {
        for challenge in archive.challenges()? {
            self.machine.challenged(&challenge);
        }
        // What is settled nobody can challenge.
        for claim in shared.claims.all() {
            let body = &claim.statement.claim;
            let settled = ledger.settled(&body.process).map_or(0, |it| it.size);
            if body.size > settled {
                self.machine.claim(claim, &shared.claims, out);
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
        let claims = &shared.claims;
        match signal {
            Signal::Tick { .. } => self.machine.tick(now, claims, out),
            Signal::Block(facts) => self.machine.block(facts.height, claims, out),
            Signal::Claim(claim) => self.machine.claim(claim, claims, out),
            Signal::Material(_) | Signal::Here(_) | Signal::LogGrew(_) => {
                self.machine.more(claims, out)
            }
            Signal::Executed(executed) => {
                self.machine.executed((*executed).clone(), claims, out);
            }
            _ => accuse_by_signatures(signal, out),
        }
    }
}
