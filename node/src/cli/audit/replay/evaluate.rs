//! Evaluating a log in this process, input by input.

use surety_attest::engine::{Abstain, Engine, EngineError, Program, Resident};
use surety_attest::message;
use surety_protocol::assignment::Assignment;
use surety_protocol::claim::Leaf;
use surety_protocol::execution::Input;
use surety_protocol::history::Frontier;
use surety_protocol::id::{AssignmentId, Digest};
use surety_protocol::item::Item;
use surety_protocol::time::Slot;

use crate::shell::{CliError, Exit};

/// A process that is being replayed.
pub(super) struct Replayed<'a> {
    engine: &'a dyn Engine,
    process: Item,
    program: Program,
    resident: Option<Box<dyn Resident>>,
    history: Frontier,
    inputs: u64,
    gas: u64,
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
}

impl<'a> Replayed<'a> {
    /// A process before slot 0.
    pub(super) fn new(engine: &'a dyn Engine, process: &Item, module: &Item) -> Replayed<'a> {
        Replayed {
            program: message::program(engine.profile(), process, module),
            engine,
            process: process.clone(),
            resident: None,
            history: Frontier::empty(),
            inputs: 0,
            gas: 0,
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
        let mut resident = match self.resident.take() {
            Some(resident) => resident,
            None => self.boot(input)?,
        };
        let outcome = resident.step(&message).map_err(failed)?;
        self.inputs = self.inputs.saturating_add(1);
        self.gas = self.gas.saturating_add(outcome.gas);
        // As every compute unit does (rule PR-2): after the process itself, and where a stride ends.
        let due = slot == Slot(0) || self.engine.profile().ends_stride(self.inputs, self.gas);
        if due {
            (self.inputs, self.gas) = (0, 0);
        }
        let root = (due || head).then(|| resident.state_root());
        self.resident = Some(resident);
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
        })
    }

    fn boot(&self, first: &Input) -> Result<Box<dyn Resident>, CliError> {
        let first = Assignment::from_item(&first.assignment).map_err(|_| unexecutable(Slot(0)))?;
        self.engine
            .boot(&self.program, message::clock(&first))
            .map_err(failed)
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
        EngineError::Abstain(_) => ("abstained", "try another machine"),
        _ => (
            "module-refused",
            "no node can execute this process under this profile",
        ),
    };
    CliError::new(Exit::Failure, code, error.to_string()).with_help(help)
}
