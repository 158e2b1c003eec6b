//! Re-executing the new leaves of a claim.

use surety_attest::effect::{Executed, Finding};
use surety_attest::engine::Resident;
use surety_protocol::claim::{Leaf, SignedClaim};
use surety_protocol::time::Slot;

use super::{CHECKED_MAX, Executor, Failure, Held, Setting, Stride, lock};

impl Executor {
    /// Executes a claim's new leaves from the state before them and compares each, then the head.
    pub(super) fn check(&self, claim: &SignedClaim, lead: &[Leaf]) -> Result<Executed, Failure> {
        let body = &claim.statement.claim;
        let id = body.id().map_err(|_| Failure::Missing("claim"))?;
        let checked = |finding| Ok(Executed::Checked { claim: id, finding });
        if self.engine.profile().id().ok() != Some(body.profile) {
            // What another profile gives, this node cannot tell.
            return Err(Failure::Missing("the claim's profile"));
        }
        let setting = self.setting(&body.process)?;
        if surety_protocol::id::ItemId::from(body.module) != setting.module.id() {
            return Err(Failure::Missing("a claim of the process' own module"));
        }
        if body.fork != 0 {
            return Err(Failure::Missing("the claim's fork of the log"));
        }
        // Every input must be here, and be the claimed one, before anything is executed. If the log here is another branch
        // than the claim's, this node cannot tell.
        for claimed in &claim.leaves {
            let input = self.input(&body.process, claimed.slot)?;
            if input.assignment.id() != claimed.assignment.into() {
                return Err(Failure::Missing("the claim's branch of the log"));
            }
        }
        if self.archive.hashpath(&body.process, body.size)? != Some(body.hashpath) {
            return Err(Failure::Missing("the claim's hashpath"));
        }
        let (mut resident, mut stride) = match self.before(&setting, claim, lead)? {
            Ok(ready) => ready,
            Err(root) => return checked(Finding::StateMissing(root)),
        };
        let mut head = resident.state_root();
        for claimed in &claim.leaves {
            let slot = claimed.slot;
            let found = self.step(
                &setting,
                resident.as_mut(),
                &body.process,
                slot,
                &mut stride,
            )?;
            if found.leaf != *claimed {
                return checked(Finding::False(slot));
            }
            head = found.head;
        }
        if head != body.head_state_root {
            return checked(Finding::False(Slot(body.size.saturating_sub(1))));
        }
        let held = Held {
            size: body.size,
            history: Some(body.history_root),
            resident,
        };
        let mut cache = lock(&self.checked);
        while cache.len() >= CHECKED_MAX {
            cache.pop_first();
        }
        cache.insert(body.process, held);
        checked(Finding::True)
    }

    /// The process before the claim's new leaves; or the root of the state that is missing.
    #[allow(
        clippy::type_complexity,
        reason = "two outcomes of one step, used once"
    )]
    fn before(
        &self,
        setting: &Setting,
        claim: &SignedClaim,
        lead: &[Leaf],
    ) -> Result<Result<(Box<dyn Resident>, Stride), surety_protocol::id::Digest>, Failure> {
        let body = &claim.statement.claim;
        let Some(start) = lead.first() else {
            let resident = self.boot(setting, &body.process)?;
            return Ok(Ok((resident, Stride { inputs: 0, gas: 0 })));
        };
        let mut stride = Stride { inputs: 0, gas: 0 };
        for leaf in lead.iter().skip(1) {
            stride.inputs = stride.inputs.saturating_add(1);
            stride.gas = stride.gas.saturating_add(leaf.gas);
        }
        let held = lock(&self.checked).remove(&body.process);
        if let Some(held) = held.filter(|it| it.history == Some(body.base_root)) {
            return Ok(Ok((held.resident, stride)));
        }
        let Some(root) = start.state_root else {
            return Err(Failure::Missing("a state root before the claim"));
        };
        let Some(snapshot) = self.archive.state(&root)? else {
            return Ok(Err(root));
        };
        let mut resident = self.engine.restore(&setting.program, &snapshot)?;
        for leaf in lead.iter().skip(1) {
            let input = self.input(&body.process, leaf.slot)?;
            let message = surety_attest::message::message(&setting.process, &input)
                .ok_or(Failure::Input(leaf.slot))?;
            resident.step(&message)?;
        }
        Ok(Ok((resident, stride)))
    }
}
