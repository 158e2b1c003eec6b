//! Re-executing the new leaves of a claim.

use std::sync::Arc;

use surety_attest::effect::{Executed, Finding};
use surety_protocol::claim::{Leaf, SignedClaim};
use surety_protocol::id::Digest;
use surety_protocol::time::Slot;

use super::residents::Held;
use super::setting::Setting;
use super::{Executor, Failure, Stride};
use crate::archive::Series;

/// Inputs that are replayed to reach a state before it is asked for elsewhere.
const REPLAYED_MAX: u64 = 256;

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
        let (mut held, mut stride) = match self.before(&setting, claim, lead)? {
            Ok(ready) => ready,
            Err(root) => return checked(Finding::StateMissing(root)),
        };
        let mut head = held.resident.state_root();
        for claimed in &claim.leaves {
            let slot = claimed.slot;
            if held.size != slot.0 {
                return Err(Failure::Missing("the state before the claim's leaves"));
            }
            let found = self.step(&mut held, (Series::Checked, &body.process), &mut stride)?;
            if found.leaf != *claimed {
                return checked(Finding::False(slot));
            }
            head = found.head;
        }
        if head != body.head_state_root {
            return checked(Finding::False(Slot(body.size.saturating_sub(1))));
        }
        held.history = Some(body.history_root);
        self.put(Series::Checked, &body.process, held);
        checked(Finding::True)
    }

    /// The process before the claim's new leaves; or the root of the state that is missing.
    #[allow(
        clippy::type_complexity,
        reason = "two outcomes of one step, used once"
    )]
    fn before(
        &self,
        setting: &Arc<Setting>,
        claim: &SignedClaim,
        lead: &[Leaf],
    ) -> Result<Result<(Held, Stride), Digest>, Failure> {
        let body = &claim.statement.claim;
        let Some(start) = lead.first() else {
            let held = self.boot(Arc::clone(setting), &body.process)?;
            return Ok(Ok((held, Stride { inputs: 0, gas: 0 })));
        };
        let mut stride = Stride { inputs: 0, gas: 0 };
        for leaf in lead.iter().skip(1) {
            stride.inputs = stride.inputs.saturating_add(1);
            stride.gas = stride.gas.saturating_add(leaf.gas);
        }
        let held = self.take(Series::Checked, &body.process);
        if let Some(held) = held.filter(|it| it.history == Some(body.base_root)) {
            return Ok(Ok((held, stride)));
        }
        let Some(root) = start.state_root else {
            return Err(Failure::Missing("a state root before the claim"));
        };
        let size = start.slot.next().0;
        let state = self.state_at(setting, &body.process, (size, root), REPLAYED_MAX)?;
        let Some(snapshot) = state else {
            return Ok(Err(root));
        };
        let before = Some((size, snapshot));
        let last = lead.last().map_or(size, |leaf| leaf.slot.next().0);
        let held = self.replayed(Arc::clone(setting), &body.process, before, last)?;
        Ok(Ok((held, stride)))
    }
}
