//! Offence: a claim that a re-execution of one stretch refutes.
//!
//! # Rules
//!
//! - `[E-30]` The statement is signed by the offender's registered hot key, for this network; the profiles end with the one it
//!   names, whose id names the others too; the process item is the one it names, the module item the one that the process
//!   names.
//! - `[E-33]` The last leaf of the stretch, or the head state root if it is the last of the claim, is compared with
//!   the outcome. Leaves before it are not judged here: whoever finds two false leaves shows the first.
//! - `[E-34]` A state root belongs into leaf 0 and wherever a stride ends (rule PR-2); a root missing there, or standing
//!   elsewhere, is false.
//! - `[E-35]` The stretch is executed under the profile that holds at the stamp of its first input (rule PR-4). A claim that
//!   names another for a new leaf, or for its last leaf another height, is false.

use surety_protocol::claim::{Leaf, Statement};
use surety_protocol::evidence::{FalseClaim, OffenceKind};
use surety_protocol::execution::{Execution, ExecutionRequest, Step};
use surety_protocol::id::{EvidenceId, NetworkId};
use surety_protocol::origin::Registration;
use surety_protocol::profiles::{Profiles, Stride};
use surety_protocol::time::Height;

use super::stretch::{self, Outcome};
use super::{Finding, Proven, Refused, registration};

/// A false claim whose execution has not come back.
#[derive(Debug)]
pub struct PendingFalseClaim {
    evidence: EvidenceId,
    network: NetworkId,
    registration: Registration,
    statement: Statement,
    profiles: Profiles,
    /// The stamps of the inputs.
    stamps: Vec<Height>,
    leaf: Leaf,
}

pub(super) fn open(
    evidence: EvidenceId,
    network: NetworkId,
    offence: FalseClaim,
) -> Result<(ExecutionRequest, PendingFalseClaim), Refused> {
    // [E-30]
    let (offender, registration) = registration(&network, &offence.registration)?;
    let claim = &offence.statement.claim;
    if offence.statement.claimant != offender || !offence.statement.signed_by(&registration.key) {
        return Err(Refused::Signature);
    }
    if claim.network != network {
        return Err(Refused::Inconsistent("the claim is of another network"));
    }
    let opened = stretch::open(offence.stretch, claim, Vec::new())?;
    let pending = PendingFalseClaim {
        evidence,
        network,
        registration,
        statement: offence.statement,
        profiles: opened.profiles,
        stamps: opened.stamps,
        leaf: opened.leaf,
    };
    Ok((opened.request, pending))
}

impl PendingFalseClaim {
    /// The profiles under which the file is judged.
    pub const fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// Judges by the outcome of the execution (rules E-33 to E-35).
    ///
    /// # Errors
    /// Why it proves nothing.
    pub fn judge(self, execution: &Execution) -> Result<Proven, Refused> {
        let Outcome {
            steps,
            last,
            state_root,
            ..
        } = Outcome::of(execution)?;
        let leaf = &self.leaf;
        let claim = &self.statement.claim;
        let height = self.stamps.first().copied().unwrap_or_default();
        let is_head = leaf.slot.0.checked_add(1) == Some(claim.size);
        let is_new = leaf.slot.0 >= claim.first_new;
        let expected = self.due(steps)?.then_some(*state_root);
        let finding = if is_new && self.profiles.at(height).id != claim.profile
            || is_head && claim.height != height
        {
            Finding::Profile
        } else if leaf.result_root != last.result_root {
            Finding::Result
        } else if leaf.gas != last.gas {
            Finding::Gas
        } else if leaf.state_root != expected {
            Finding::StateRoot
        } else if is_head && claim.head_state_root != *state_root {
            Finding::HeadStateRoot
        } else {
            return Err(Refused::Innocent);
        };
        Ok(Proven {
            evidence: self.evidence,
            network: self.network,
            kind: OffenceKind::FalseClaim,
            offender: self.statement.claimant,
            registration: self.registration,
            process: claim.process,
            slot: leaf.slot,
            claim: Some(claim.id()?),
            finding,
        })
    }

    /// Whether a state root is due after the last input (rule E-34). Where one was due before, and none stands (rule E-31), there is
    /// the lie, and not here: whoever goes on from there as if it stood has counted right.
    fn due(&self, steps: &[Step]) -> Result<bool, Refused> {
        let mut stride = Stride::default();
        let mut due = false;
        for (stamp, step) in self.stamps.iter().zip(steps) {
            if due {
                return Err(Refused::Inconsistent(
                    "a state root was due before the last leaf",
                ));
            }
            due = stride.advance(&self.profiles, self.leaf.slot, *stamp, step.gas);
        }
        Ok(due)
    }
}
