//! Offence: a claim that a re-execution of one stretch refutes.
//!
//! # Rules
//!
//! - `[E-30]` The statement is signed by the offender's registered hot key, for this network; the profiles end with the one it
//!   names, whose id names the others too; the process item is the one it names, the module item the one that the process
//!   names.
//! - `[E-31]` The leaves are consecutive and in the claimed history. Either the stretch is slot 0 alone and has no
//!   witness, or its first leaf holds the state root to start from and the witness fits it. No leaf between the first
//!   and the last holds a state root: strides are counted from the last one, and where it is due shows only from there.
//! - `[E-32]` The inputs are those that the claim commits to: authentic assignments with the ids in the leaves, for
//!   the claimed process and slot, and the messages that they name. At most a stride of them.
//! - `[E-33]` The last leaf of the stretch, or the head state root if it is the last of the claim, is compared with
//!   the outcome. Leaves before it are not judged here: whoever finds two false leaves shows the first.
//! - `[E-34]` A state root belongs into leaf 0 and wherever a stride ends (rule PR-2); a root missing there, or standing
//!   elsewhere, is false.
//! - `[E-35]` The stretch is executed under the profile that holds at the stamp of its first input (rule PR-4). A claim that
//!   names another for a new leaf, or for its last leaf another height, is false.

use std::sync::Arc;

use surety_protocol::assignment::Assignment;
use surety_protocol::claim::{Leaf, Statement};
use surety_protocol::evidence::{FalseClaim, OffenceKind};
use surety_protocol::execution::{Execution, ExecutionRequest, Input, Start, Step};
use surety_protocol::id::{AssignmentId, EvidenceId, MessageId, ModuleId, NetworkId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::origin::Registration;
use surety_protocol::profiles::{Holding, Profiles, Stride};
use surety_protocol::time::Height;

use super::{Finding, Opened, Proven, Refused, authentic, registration};

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
) -> Result<Opened, Refused> {
    // [E-30]
    let (offender, registration) = registration(&network, &offence.registration)?;
    let claim = &offence.statement.claim;
    if offence.statement.claimant != offender || !offence.statement.signed_by(&registration.key) {
        return Err(Refused::Signature);
    }
    if claim.network != network {
        return Err(Refused::Inconsistent("the claim is of another network"));
    }
    if offence.profiles.last().id != claim.profile {
        return Err(Refused::Inconsistent("the claim names another profile"));
    }
    let process = authentic(&offence.process, "process")?;
    if ProcessId::from(process.id()) != claim.process {
        return Err(Refused::Inconsistent("the claim names another process"));
    }
    let module = authentic(&offence.module, "module")?;
    if ModuleId::from(module.id()) != claim.module
        || process.tag("Module") != Some(claim.module.to_string().as_str())
    {
        return Err(Refused::Inconsistent("the process names another module"));
    }
    let start = start(&offence)?;
    let (inputs, stamps) = inputs(&offence, &process)?;
    let holding = holding(&offence.profiles, &stamps)?;
    if u64::try_from(inputs.len()).map_or(true, |inputs| inputs > holding.profile.stride) {
        return Err(UNFIT);
    }
    let leaf = offence
        .leaves
        .last()
        .cloned()
        .ok_or(Refused::Inconsistent("no leaves"))?;
    let request = ExecutionRequest {
        profile: holding.profile.clone(),
        module: Arc::new(module),
        process: Arc::new(process),
        start,
        inputs,
    };
    let pending = PendingFalseClaim {
        evidence,
        network,
        registration,
        statement: offence.statement,
        profiles: offence.profiles,
        stamps,
        leaf,
    };
    Ok(Opened::Execute {
        request: Box::new(request),
        pending: Box::new(pending),
    })
}

/// The inputs are not those of the leaves, or more than a stride of them.
const UNFIT: Refused = Refused::Inconsistent("leaves and inputs do not fit one another");

/// The profile of the stretch (rule E-35).
fn holding<'a>(profiles: &'a Profiles, stamps: &[Height]) -> Result<&'a Holding, Refused> {
    let first = stamps.first().ok_or(UNFIT)?;
    Ok(profiles.at(*first))
}

/// Where the stretch starts (rule E-31).
fn start(offence: &FalseClaim) -> Result<Start, Refused> {
    let claim = &offence.statement.claim;
    let mut entries = Vec::with_capacity(offence.leaves.len());
    for leaf in &offence.leaves {
        entries.push((leaf.slot.0, leaf.digest()?));
    }
    let consecutive = entries.windows(2).all(|pair| match pair {
        [(a, _), (b, _)] => a.checked_add(1) == Some(*b),
        _ => false,
    });
    if entries.is_empty()
        || !consecutive
        || offence.path.size != claim.size
        || offence.path.root_from_many(&entries) != Some(claim.history_root)
    {
        return Err(Refused::History);
    }
    let first = offence.leaves.first().ok_or(Refused::History)?;
    let stretch = offence
        .leaves
        .len()
        .saturating_sub(usize::from(offence.witness.is_some()));
    if stretch == 0 || stretch != offence.inputs.len() {
        return Err(UNFIT);
    }
    if offence
        .leaves
        .iter()
        .skip(1)
        .rev()
        .skip(1)
        .any(|leaf| leaf.state_root.is_some())
    {
        return Err(Refused::Inconsistent("the stretch passes a state root"));
    }
    match &offence.witness {
        // Leaf 0 always holds a root, from which whatever follows starts.
        None if first.slot.0 == 0 && stretch == 1 => Ok(Start::Genesis),
        None => Err(Refused::Inconsistent("the state before is missing")),
        Some(witness) => {
            let root = first
                .state_root
                .ok_or(Refused::Inconsistent("the first leaf holds no state root"))?;
            Ok(Start::Witness {
                root,
                witness: Box::new(witness.clone()),
            })
        }
    }
}

/// The inputs, bound to the leaves (rule E-32), with their stamps.
fn inputs(offence: &FalseClaim, process: &Item) -> Result<(Vec<Input>, Vec<Height>), Refused> {
    let skip = usize::from(offence.witness.is_some());
    let mut inputs = Vec::with_capacity(offence.inputs.len());
    let mut stamps = Vec::with_capacity(offence.inputs.len());
    for (leaf, input) in offence.leaves.iter().skip(skip).zip(&offence.inputs) {
        let item = authentic(&input.assignment, "assignment")?;
        let assignment = Assignment::from_item(&item).map_err(|_| Refused::Item("assignment"))?;
        if AssignmentId::from(item.id()) != leaf.assignment
            || assignment.slot != leaf.slot
            || assignment.process != ProcessId::from(process.id())
        {
            return Err(Refused::Inconsistent(
                "an assignment is not the one in its leaf",
            ));
        }
        let message = match (&input.message, assignment.message) {
            (None, None) => None,
            (Some(bytes), Some(named)) => {
                let message = authentic(bytes, "message")?;
                if MessageId::from(message.id()) != named {
                    return Err(Refused::Inconsistent("a message is not the one assigned"));
                }
                Some(message)
            }
            _ => return Err(Refused::Inconsistent("a message is missing or unasked for")),
        };
        stamps.push(Height(assignment.block_height));
        inputs.push(Input {
            assignment: item,
            message,
        });
    }
    Ok((inputs, stamps))
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
        let (steps, state_root) = match execution {
            Execution::Done { steps, state_root } => (steps, state_root),
            Execution::Invalid(why) => return Err(Refused::Execution(why.clone())),
            Execution::Abstained(why) => return Err(Refused::Abstained(why.clone())),
        };
        let last = steps
            .last()
            .ok_or(Refused::Execution("nothing was executed".into()))?;
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
