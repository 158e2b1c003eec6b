//! Applying inputs under the profiles that hold for them.

use surety_attest::effect::EvaluatedLeaf;
use surety_attest::engine::StepOutcome;
use surety_attest::message;
use surety_protocol::claim::Leaf;
use surety_protocol::execution::Input;
use surety_protocol::id::{AssignmentId, Digest, ProcessId};
use surety_protocol::profiles::{Holding, Profiles, Ruling};
use surety_protocol::time::{Height, Slot};

use super::residents::Held;
use super::{Executor, Failure};
use crate::archive::Series;

/// An input that was applied.
pub(super) struct Applied {
    input: Input,
    outcome: StepOutcome,
    ruling: Ruling,
    /// Whether a state root is due after it.
    due: bool,
    /// The step's traces, if it was traced.
    traces: Vec<Digest>,
}

impl Executor {
    /// Takes a process over to another profile: the state stays, what it may do and costs changes.
    pub(super) fn carry(&self, held: &mut Held, holding: &Holding) -> Result<(), Failure> {
        if held.profile != holding.id {
            let engine = self.engines.of(&holding.profile)?;
            let snapshot = held.resident.snapshot()?;
            let program = held.setting.program(&holding.profile);
            held.resident = engine.restore(&program, &snapshot)?;
            held.profile = holding.id;
        }
        Ok(())
    }

    /// Applies the next input under the profile that holds for it (rule PR-4), and traces the step if there are keys for it.
    pub(super) fn apply(
        &self,
        profiles: &Profiles,
        held: &mut Held,
        process: &ProcessId,
        traced: &[Digest],
    ) -> Result<Applied, Failure> {
        let slot = Slot(held.size);
        let input = self.input(process, slot)?;
        let message = message::message(&held.setting.process, &input);
        let message = message.ok_or(Failure::Input(slot))?;
        let stamp = Height(message.block_height);
        let height = held.stride.height(stamp);
        let holding = profiles.at(height);
        self.carry(held, holding)?;
        let (outcome, traces) = match traced {
            [] => (held.resident.step(&message)?, Vec::new()),
            keys => held.resident.traced_step(&message, keys)?,
        };
        held.size = slot.next().0;
        let due = held.stride.advance(profiles, slot, stamp, outcome.gas);
        Ok(Applied {
            input,
            outcome,
            ruling: Ruling {
                profile: holding.id,
                height,
            },
            due,
            traces,
        })
    }

    /// Applies the next input, giving the leaf and, where a stride ends, the root of the state after it, which is kept, and the step's traces; under
    /// what a claim takes for the network's profiles, the state is not the process' where those are others.
    pub(super) fn step(
        &self,
        network: &Profiles,
        profiles: &Profiles,
        held: &mut Held,
        (series, process): (Series, &ProcessId),
        traced: &[Digest],
    ) -> Result<(EvaluatedLeaf, Vec<Digest>), Failure> {
        let slot = Slot(held.size);
        let Applied {
            input,
            outcome,
            ruling,
            due,
            traces,
        } = self.apply(profiles, held, process, traced)?;
        let head = match due {
            true => Some(held.resident.state_root()?),
            false => None,
        };
        if due && network.at(ruling.height).id == ruling.profile {
            // [XE-2]
            let (snapshot, tree) = (held.resident.snapshot()?, held.resident.page_tree()?);
            held.pages = snapshot.pages.len();
            self.archive
                .keep_state(series, process, held.size, &snapshot, &tree)?;
        }
        let leaf = Leaf {
            slot,
            assignment: AssignmentId::from(input.assignment.id()),
            result_root: outcome.result.root(),
            gas: outcome.gas,
            state_root: head,
        };
        let subject = match input.message {
            Some(message) => message,
            None if slot == Slot(0) => held.setting.process.clone(),
            None => input.assignment,
        };
        let evaluated = EvaluatedLeaf {
            leaf,
            head,
            ruling,
            parts: outcome.result.parts(),
            subject,
        };
        Ok((evaluated, traces))
    }
}
