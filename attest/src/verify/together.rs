//! Comparing the trace proofs of a claim that others have executed with one another (rule VE-11).

use surety_protocol::approval::Approval;
use surety_protocol::id::ClaimId;
use surety_protocol::machine::Outbox;
use surety_protocol::time::Height;

use super::{Stage, Verifier};
use crate::effect::{Effect, Event};

/// Proofs of one claim that are compared: more than its certificate needs with the standard parameters.
const HEARD_MAX: usize = 128;

impl Verifier {
    /// Keeps the proof of an approval that counts, if this verifier is to compare those of its claim.
    pub(super) fn hear(&mut self, approval: &Approval) {
        let Some(duty) = self.duties.get_mut(&approval.claim) else {
            return;
        };
        let waits = duty.stage == Stage::Drawn && duty.committed == approval.committed;
        if waits && duty.plan.looks && duty.heard.len() < HEARD_MAX {
            duty.heard
                .insert(approval.verifier, approval.trace.signature);
        }
    }

    /// A claim was certified before this verifier's turn to execute it came.
    pub(super) fn spared(&mut self, id: &ClaimId, out: &mut Outbox<Effect>) {
        let Some(duty) = self.duties.get_mut(id) else {
            return;
        };
        if duty.stage != Stage::Drawn {
            return;
        }
        duty.stage = Stage::Done;
        let heard = std::mem::take(&mut duty.heard);
        let proofs = heard
            .into_iter()
            .filter_map(|(verifier, proof)| Some((duty.plan.key_of(&verifier)?, proof)));
        let proofs: Vec<_> = proofs.collect();
        if proofs.len() > 1 {
            out.push(Effect::VerifyTogether {
                claim: *id,
                committed: duty.committed,
                proofs,
            });
        }
    }

    /// The trace proofs of a claim are not all of one trace: somebody has not executed it, and whoever executes it sees who.
    pub fn disagree(&mut self, id: ClaimId, committed: Height, out: &mut Outbox<Effect>) {
        let duty = self.duties.get_mut(&id);
        let Some(duty) = duty.filter(|it| it.committed == committed && it.stage == Stage::Done)
        else {
            return;
        };
        duty.stage = Stage::Lacking;
        duty.from = self.height;
        let (process, claimant) = (duty.process, duty.claimant);
        self.waiting.insert(process, claimant, committed, id);
        self.stirred.insert(process);
        out.push(Effect::Notify(Event::Disagree { process, claim: id }));
    }
}
