//! What an evidence file gives to execute: a stretch of a process, bound to a claim.
//!
//! # Rules
//!
//! - `[E-31]` The leaves are consecutive and in the claimed history. Either the stretch is slot 0 alone and has no
//!   witness, or its first leaf holds the state root to start from and the witness fits it. No leaf between the first
//!   and the last holds a state root: strides are counted from the last one, and where it is due shows only from there.
//! - `[E-32]` The inputs are those that the claim commits to: assignments with the ids in the leaves, by the scheduler that the
//!   process names, for the claimed process and slot, and the messages that they name. At most a stride of them.

use std::sync::Arc;

use surety_protocol::assignment::Assignment;
use surety_protocol::claim::{Claim, Leaf};
use surety_protocol::evidence::Stretch;
use surety_protocol::execution::{Execution, ExecutionRequest, Input, Start, Step};
use surety_protocol::id::{AssignmentId, Digest, MessageId, ModuleId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::profiles::Profiles;
use surety_protocol::time::Height;

use super::{Refused, authentic};

/// A stretch that was read, and is to be executed.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) request: ExecutionRequest,
    pub(super) profiles: Profiles,
    /// The stamps of the inputs.
    pub(super) stamps: Vec<Height>,
    /// The leaf of the last input.
    pub(super) leaf: Leaf,
}

/// The inputs are not those of the leaves, or more than a stride of them.
const UNFIT: Refused = Refused::Inconsistent("leaves and inputs do not fit one another");

/// Reads a stretch of a claim (rules E-30 to E-32); the last step is to be traced under these keys.
pub(super) fn open(
    stretch: Stretch,
    claim: &Claim,
    traced: Vec<Digest>,
) -> Result<Opened, Refused> {
    if stretch.profiles.last().id != claim.profile {
        return Err(Refused::Inconsistent("the claim names another profile"));
    }
    let process = authentic(&stretch.process, "process")?;
    if ProcessId::from(process.id()) != claim.process {
        return Err(Refused::Inconsistent("the claim names another process"));
    }
    let module = authentic(&stretch.module, "module")?;
    if ModuleId::from(module.id()) != claim.module
        || process.tag("Module") != Some(claim.module.to_string().as_str())
    {
        return Err(Refused::Inconsistent("the process names another module"));
    }
    let start = start(&stretch, claim)?;
    let (inputs, stamps) = inputs(&stretch, &process)?;
    // [E-35]
    let holding = stretch.profiles.at(*stamps.first().ok_or(UNFIT)?);
    if u64::try_from(inputs.len()).map_or(true, |inputs| inputs > holding.profile.stride) {
        return Err(UNFIT);
    }
    let leaf = stretch.leaves.last().cloned();
    Ok(Opened {
        request: ExecutionRequest {
            profile: holding.profile.clone(),
            module: Arc::new(module),
            process: Arc::new(process),
            start,
            inputs,
            traced,
        },
        leaf: leaf.ok_or(Refused::Inconsistent("no leaves"))?,
        profiles: stretch.profiles,
        stamps,
    })
}

/// Where the stretch starts (rule E-31).
fn start(stretch: &Stretch, claim: &Claim) -> Result<Start, Refused> {
    let mut entries = Vec::with_capacity(stretch.leaves.len());
    for leaf in &stretch.leaves {
        entries.push((leaf.slot.0, leaf.digest()?));
    }
    let consecutive = entries.windows(2).all(|pair| match pair {
        [(a, _), (b, _)] => a.checked_add(1) == Some(*b),
        _ => false,
    });
    if entries.is_empty()
        || !consecutive
        || stretch.path.size != claim.size
        || stretch.path.root_from_many(&entries) != Some(claim.history_root)
    {
        return Err(Refused::History);
    }
    let first = stretch.leaves.first().ok_or(Refused::History)?;
    let before = usize::from(stretch.witness.is_some());
    let executed = stretch.leaves.len().saturating_sub(before);
    if executed == 0 || executed != stretch.inputs.len() {
        return Err(UNFIT);
    }
    let mut between = stretch.leaves.iter().skip(1).rev().skip(1);
    if between.any(|leaf| leaf.state_root.is_some()) {
        return Err(Refused::Inconsistent("the stretch passes a state root"));
    }
    match &stretch.witness {
        // Leaf 0 always holds a root, from which whatever follows starts.
        None if first.slot.0 == 0 && executed == 1 => Ok(Start::Genesis),
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
fn inputs(stretch: &Stretch, process: &Item) -> Result<(Vec<Input>, Vec<Height>), Refused> {
    let skip = usize::from(stretch.witness.is_some());
    let mut inputs = Vec::with_capacity(stretch.inputs.len());
    let mut stamps = Vec::with_capacity(stretch.inputs.len());
    for (leaf, input) in stretch.leaves.iter().skip(skip).zip(&stretch.inputs) {
        let item = authentic(&input.assignment, "assignment")?;
        let assignment = Assignment::from_item(&item).map_err(|_| Refused::Item("assignment"))?;
        if process.tag("Scheduler") != Some(item.owner_address().to_string().as_str()) {
            return Err(Refused::Inconsistent(
                "an assignment is not the scheduler's",
            ));
        }
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

/// What executing a stretch gave.
pub(super) struct Outcome<'a> {
    pub(super) steps: &'a [Step],
    pub(super) last: &'a Step,
    pub(super) state_root: &'a Digest,
    pub(super) traces: &'a [Digest],
}

impl<'a> Outcome<'a> {
    /// The outcome of an execution that came to its end.
    pub(super) fn of(execution: &'a Execution) -> Result<Outcome<'a>, Refused> {
        match execution {
            Execution::Done {
                steps,
                state_root,
                traces,
            } => Ok(Outcome {
                last: steps
                    .last()
                    .ok_or(Refused::Execution("nothing was executed".into()))?,
                steps,
                state_root,
                traces,
            }),
            Execution::Invalid(why) => Err(Refused::Execution(why.clone())),
            Execution::Abstained(why) => Err(Refused::Abstained(why.clone())),
            Execution::Differed => Err(Refused::Differed),
        }
    }
}
