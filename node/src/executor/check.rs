//! Re-executing the new leaves of a claim.

use std::collections::BTreeMap;
use std::sync::Arc;

use surety_attest::effect::{Executed, Finding, Traced};
use surety_protocol::claim::{Claim, Leaf, SignedClaim};
use surety_protocol::id::Digest;
use surety_protocol::profiles::Profiles;
use surety_protocol::time::{Height, Slot};

use super::reach::Target;
use super::residents::Held;
use super::setting::Setting;
use super::{Executor, Failure};
use crate::archive::Series;
use crate::fault::{self, Fault};

/// Inputs that are replayed to reach a state before it is asked for elsewhere.
const REPLAYED_MAX: u64 = 256;

impl Executor {
    /// Executes a claim's new leaves from the state before them and compares each, then the head; one step is traced.
    pub(super) fn check(
        &self,
        network: &Profiles,
        (claim, committed): (&SignedClaim, Height),
        lead: &[Leaf],
        traced: &Traced,
    ) -> Result<Executed, Failure> {
        let body = &claim.statement.claim;
        let id = body.id().map_err(|_| Failure::Missing("claim"))?;
        let checked = |finding| {
            Ok(Executed::Checked {
                claim: id,
                committed,
                finding,
            })
        };
        if let Some(fault) = self.fault(body) {
            tracing::warn!(%fault, process = %body.process, claim = %id, "judging without looking");
            return match fault {
                // What it would have seen, it makes up.
                Fault::BlindApproval(_) => checked(Finding::True(fault::made_up(&traced.keys))),
                Fault::FalseAccusation(slot) => checked(Finding::False(slot)),
                _ => Err(Failure::Missing("the will to look")),
            };
        }
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
        // So must those since the last state root before them: whoever judges executes what the leaves name.
        for claimed in lead.iter().skip(1) {
            let input = self.input(&body.process, claimed.slot)?;
            if input.assignment.id() != claimed.assignment.into() {
                return Err(Failure::Missing("the claim's branch of the log"));
            }
        }
        if self.archive.hashpath(&body.process, body.size)? != Some(body.hashpath) {
            return Err(Failure::Missing("the claim's hashpath"));
        }
        let mut held = match self.before(profiles, &setting, claim, lead)? {
            Ok(ready) => ready,
            Err(root) => return checked(Finding::StateMissing(root)),
        };
        let (mut height, mut traces) = (None, BTreeMap::new());
        for claimed in &claim.leaves {
            let slot = claimed.slot;
            if held.size != slot.0 {
                return Err(Failure::Missing("the state before the claim's leaves"));
            }
            let series = (Series::Checked, &body.process);
            let keys = match slot == traced.slot {
                true => traced.keys.as_slice(),
                false => &[],
            };
            let (found, of_it) = self.step(network, profiles, &mut held, series, keys)?;
            traces.extend(keys.iter().copied().zip(of_it));
            if found.leaf != *claimed || found.ruling.profile != body.profile {
                return checked(Finding::False(slot));
            }
            height = Some(found.ruling.height);
        }
        if held.resident.state_root()? != body.head_state_root || height != Some(body.height) {
            return checked(Finding::False(Slot(body.size.saturating_sub(1))));
        }
        held.history = Some(body.history_root);
        self.put(Series::Checked, &body.process, held);
        checked(Finding::True(traces))
    }

    /// The fault that a claim is to suffer (rule FA-4).
    fn fault(&self, claim: &Claim) -> Option<Fault> {
        let new = claim.first_new..claim.size;
        let concerned = |it: &&Fault| match it {
            Fault::BlindApproval(slot) | Fault::FalseAccusation(slot) => new.contains(&slot.0),
            Fault::NoShow(slot) => slot.0 < new.end,
            _ => false,
        };
        self.faults.iter().find(concerned).copied()
    }

    /// The process before the claim's new leaves; or the root of the state that is missing.
    fn before(
        &self,
        profiles: &Profiles,
        setting: &Arc<Setting>,
        claim: &SignedClaim,
        lead: &[Leaf],
    ) -> Result<Result<Held, Digest>, Failure> {
        let body = &claim.statement.claim;
        let Some(start) = lead.first() else {
            let held = self.boot(profiles, Arc::clone(setting), &body.process)?;
            return Ok(Ok(held));
        };
        let held = self.take(Series::Checked, &body.process);
        if let Some(held) = held.filter(|it| it.history == Some(body.base_root)) {
            return Ok(Ok(held));
        }
        let Some(root) = start.state_root else {
            return Err(Failure::Missing("a state root before the claim"));
        };
        let size = start.slot.next().0;
        let target = Target {
            size,
            root,
            base: body.first_new,
        };
        let state = self.state_at(profiles, setting, &body.process, target, REPLAYED_MAX)?;
        let Some(snapshot) = state else {
            return Ok(Err(root));
        };
        let before = Some((size, snapshot));
        let last = lead.last().map_or(size, |leaf| leaf.slot.next().0);
        let setting = Arc::clone(setting);
        let held = self.replayed(profiles, setting, &body.process, before, last)?;
        // Nor has a root been due among them that the leaves leave out: strides, and profiles, would be others than they say.
        if held.stride.inputs() != last.saturating_sub(size) {
            return Err(Failure::Missing("a state root where one was due"));
        }
        Ok(Ok(held))
    }
}
