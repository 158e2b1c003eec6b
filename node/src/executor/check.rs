//! Re-executing the new leaves of a claim.

use surety_attest::effect::{Executed, Finding};
use surety_protocol::claim::{Leaf, SignedClaim};
use surety_protocol::profiles::Profiles;
use surety_protocol::time::Slot;

use super::{CHECKED_MAX, Executor, Failure, Held, Running, Setting, lock};

impl Executor {
    /// Executes a claim's new leaves from the state before them and compares each, then the head.
    pub(super) fn check(
        &self,
        network: &Profiles,
        claim: &SignedClaim,
        lead: &[Leaf],
    ) -> Result<Executed, Failure> {
        let body = &claim.statement.claim;
        let id = body.id().map_err(|_| Failure::Missing("claim"))?;
        let checked = |finding| Ok(Executed::Checked { claim: id, finding });
        // Executed as the claim says, so that whatever it says falsely can be proven (rule E-35).
        let profiles = &network
            .until(&body.profile)
            .ok_or(Failure::Missing("the claim's profile"))?;
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
        let mut running = match self.before(profiles, &setting, claim, lead)? {
            Ok(ready) => ready,
            Err(root) => return checked(Finding::StateMissing(root)),
        };
        let mut head = running.resident.state_root();
        let mut height = None;
        for claimed in &claim.leaves {
            let slot = claimed.slot;
            let found = self.step(
                network,
                profiles,
                &setting,
                &mut running,
                &body.process,
                slot,
            )?;
            if found.leaf != *claimed || found.ruling.profile != body.profile {
                return checked(Finding::False(slot));
            }
            (head, height) = (found.head, Some(found.ruling.height));
        }
        if head != body.head_state_root || height != Some(body.height) {
            return checked(Finding::False(Slot(body.size.saturating_sub(1))));
        }
        let held = Held {
            size: body.size,
            history: Some(body.history_root),
            running,
        };
        let mut cache = lock(&self.checked);
        while cache.len() >= CHECKED_MAX {
            cache.pop_first();
        }
        cache.insert(body.process, held);
        checked(Finding::True)
    }

    /// The process before the claim's new leaves; or the root of the state that is missing.
    fn before(
        &self,
        profiles: &Profiles,
        setting: &Setting,
        claim: &SignedClaim,
        lead: &[Leaf],
    ) -> Result<Result<Running, surety_protocol::id::Digest>, Failure> {
        let body = &claim.statement.claim;
        let Some(start) = lead.first() else {
            return Ok(Ok(self.boot(profiles, setting, &body.process)?));
        };
        let held = lock(&self.checked).remove(&body.process);
        if let Some(held) = held.filter(|it| it.history == Some(body.base_root)) {
            return Ok(Ok(held.running));
        }
        let Some(root) = start.state_root else {
            return Err(Failure::Missing("a state root before the claim"));
        };
        let Some(snapshot) = self.archive.state(&root)? else {
            return Ok(Err(root));
        };
        let mut running = self.restore(profiles, setting, &body.process, start.slot, &snapshot)?;
        for leaf in lead.iter().skip(1) {
            self.apply(profiles, setting, &mut running, &body.process, leaf.slot)?;
        }
        Ok(Ok(running))
    }
}
