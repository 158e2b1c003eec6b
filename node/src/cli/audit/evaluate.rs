//! Evaluating a log in this process, input by input.

use surety_attest::engine::{Abstain, EngineError, Resident};
use surety_attest::message;
use surety_protocol::assignment::Assignment;
use surety_protocol::claim::Leaf;
use surety_protocol::execution::Input;
use surety_protocol::history::Frontier;
use surety_protocol::id::{AssignmentId, Digest, ProfileId};
use surety_protocol::item::Item;
use surety_protocol::profiles::{Profiles, Ruling, Stride};
use surety_protocol::time::{Height, Slot};

use crate::engines::Engines;
use crate::shell::{CliError, Exit};

/// A process that is being replayed.
pub(super) struct Replayed<'a> {
    engines: &'a Engines,
    profiles: Profiles,
    process: Item,
    module: Item,
    running: Option<Running>,
    history: Frontier,
    stride: Stride,
}

/// The process, and the profile that it runs under.
struct Running {
    resident: Box<dyn Resident>,
    profile: ProfileId,
}

/// What one input gave.
pub(super) struct Step {
    pub(super) leaf: Leaf,
    /// Leaves so far.
    pub(super) size: u64,
    /// Their root.
    pub(super) history_root: Digest,
    /// The state after it, if it was asked for.
    pub(super) head: Option<Digest>,
    /// The profile under which it was evaluated.
    pub(super) ruling: Ruling,
}

impl<'a> Replayed<'a> {
    /// A process before slot 0.
    pub(super) fn new(
        engines: &'a Engines,
        profiles: Profiles,
        process: &Item,
        module: &Item,
    ) -> Replayed<'a> {
        Replayed {
            engines,
            profiles,
            process: process.clone(),
            module: module.clone(),
            running: None,
            history: Frontier::empty(),
            stride: Stride::default(),
        }
    }

    /// Inputs evaluated.
    pub(super) fn size(&self) -> u64 {
        self.history.size()
    }

    /// Evaluates the next input; `head` asks for the state after it.
    pub(super) fn step(&mut self, input: &Input, head: bool) -> Result<Step, CliError> {
        let slot = Slot(self.size());
        let message = message::message(&self.process, input).ok_or_else(|| unexecutable(slot))?;
        let stamp = Height(message.block_height);
        let height = self.stride.height(stamp);
        let mut running = self.running(input, height)?;
        let outcome = running.resident.step(&message).map_err(failed)?;
        // As every compute unit does (rule PR-2): after the process itself, and where a stride ends.
        let due = self
            .stride
            .advance(&self.profiles, slot, stamp, outcome.gas);
        let root = match due || head {
            true => Some(running.resident.state_root().map_err(failed)?),
            false => None,
        };
        let profile = running.profile;
        self.running = Some(running);
        let leaf = Leaf {
            slot,
            assignment: AssignmentId::from(input.assignment.id()),
            result_root: outcome.result.root(),
            gas: outcome.gas,
            state_root: root.filter(|_| due),
        };
        let digest = leaf.digest().map_err(|_| unexecutable(slot))?;
        self.history
            .append(digest)
            .map_err(|_| unexecutable(slot))?;
        Ok(Step {
            leaf,
            size: self.size(),
            history_root: self.history.root(),
            head: root,
            ruling: Ruling { profile, height },
        })
    }

    /// The process under the profile that holds at a height: carried on, or booted for the first input.
    fn running(&mut self, input: &Input, height: Height) -> Result<Running, CliError> {
        let holding = self.profiles.at(height);
        let before = match self.running.take() {
            Some(running) if running.profile == holding.id => return Ok(running),
            before => before,
        };
        let engine = self.engines.of(&holding.profile).map_err(failed)?;
        let program = message::program(&holding.profile, &self.process, &self.module);
        let resident = match before {
            Some(mut before) => {
                let snapshot = before.resident.snapshot().map_err(failed)?;
                engine.restore(&program, &snapshot)
            }
            None => {
                let first =
                    Assignment::from_item(&input.assignment).map_err(|_| unexecutable(Slot(0)))?;
                engine.boot(&program, message::clock(&first))
            }
        };
        Ok(Running {
            resident: resident.map_err(failed)?,
            profile: holding.id,
        })
    }
}

fn unexecutable(slot: Slot) -> CliError {
    let message = format!("slot {slot} is not executable");
    CliError::new(Exit::VerificationFailed, "log-broken", message)
        .with_help("no compute unit can have evaluated it: ask another node for the log")
}

/// The engine gives no outcome: the module's fault, or this machine's.
pub(super) fn failed(error: EngineError) -> CliError {
    let (code, help) = match &error {
        EngineError::Abstain(Abstain::Memory) => ("abstained", "try a machine with more memory"),
        EngineError::Abstain(Abstain::Profile) => (
            "profile-unknown",
            "use the version of surety that the network runs",
        ),
        EngineError::Abstain(_) => ("abstained", "try another machine"),
        _ => (
            "module-refused",
            "no node can execute this process under this profile",
        ),
    };
    CliError::new(Exit::Failure, code, error.to_string()).with_help(help)
}
