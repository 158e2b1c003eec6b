//! Performs the executions that the machines ask for: residents, snapshots, checks and evidence.
//!
//! # Rules
//!
//! - `[XE-1]` A job's outcome depends on the store and the engine only. Residents are a cache: without one the state is
//!   restored from the nearest snapshot and the inputs after it are replayed.
//! - `[XE-2]` Snapshots are kept at every state root, before the outcome is given.
//! - `[XE-3]` What this host cannot do is an abstention with its reason, never an outcome.

mod accuse;
mod check;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use surety_attest::effect::{EvaluatedLeaf, Executed, Job};
use surety_attest::engine::{Engine, EngineError, Program, Resident, on_deep_stack};
use surety_attest::message;
use surety_protocol::assignment::Assignment;
use surety_protocol::claim::Leaf;
use surety_protocol::execution::{Execution, ExecutionRequest, Input};
use surety_protocol::id::{AssignmentId, Digest, ItemId, NetworkId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::time::Slot;
use surety_protocol::verified::Authentic;

use crate::archive::{Archive, ArchiveError};

/// Processes kept resident for checks; those that a compute unit evaluates are kept besides.
const CHECKED_MAX: usize = 16;

/// Why a job has no outcome.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The store failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The engine abstained, or refuses the module.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Something is not here yet.
    #[error("{0} is not here")]
    Missing(&'static str),
    /// An item that is here cannot be an input.
    #[error("slot {0} is not executable")]
    Input(Slot),
}

/// A resident process and how many inputs it has seen, after which history.
struct Held {
    size: u64,
    history: Option<Digest>,
    resident: Box<dyn Resident>,
}

/// Executes for one node.
pub struct Executor {
    archive: Archive,
    engine: Arc<dyn Engine>,
    network: NetworkId,
    evaluated: Mutex<BTreeMap<ProcessId, Held>>,
    checked: Mutex<BTreeMap<ProcessId, Held>>,
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Executor(..)")
    }
}

/// The items that a process is made of.
struct Setting {
    process: Authentic<Item>,
    module: Authentic<Item>,
    program: Program,
}

impl Executor {
    /// An executor over a node's archive.
    pub const fn new(archive: Archive, engine: Arc<dyn Engine>, network: NetworkId) -> Executor {
        Executor {
            archive,
            engine,
            network,
            evaluated: Mutex::new(BTreeMap::new()),
            checked: Mutex::new(BTreeMap::new()),
        }
    }

    /// The engine.
    pub fn engine(&self) -> &dyn Engine {
        self.engine.as_ref()
    }

    /// Performs a job; blocks for as long as it takes.
    pub fn perform(&self, job: Job) -> Executed {
        let outcome = on_deep_stack(|| self.outcome(&job));
        let outcome = outcome.unwrap_or_else(|abstain| Err(EngineError::from(abstain).into()));
        outcome.unwrap_or_else(|failure| Executed::Abstained {
            job: Box::new(job),
            reason: failure.to_string(),
        })
    }

    fn outcome(&self, job: &Job) -> Result<Executed, Failure> {
        match job {
            Job::Evaluate {
                process,
                from,
                count,
                inputs_since_root,
                gas_since_root,
            } => self
                .evaluate(process, *from, *count, *inputs_since_root, *gas_since_root)
                .map(|leaves| Executed::Evaluated {
                    process: *process,
                    leaves,
                }),
            Job::Check { claim, lead } => self.check(claim, lead),
            Job::Accuse {
                claim,
                history,
                slot,
            } => self.accuse(claim, history, *slot),
            Job::AccuseScheduler {
                process,
                slot,
                first,
                second,
            } => self.accuse_scheduler(process, *slot, first, second),
            Job::AccuseClaimant(contradiction) => self.accuse_claimant(contradiction),
        }
    }

    /// Executes what evidence asks for.
    pub fn judge(&self, request: &ExecutionRequest) -> Execution {
        surety_attest::judge::execute(self.engine.as_ref(), request)
    }

    /// Evaluates a message on the state of a process without effect.
    ///
    /// # Errors
    /// Why it cannot be evaluated here.
    pub fn dry_run(
        &self,
        process: &ProcessId,
        size: u64,
        message: &surety_attest::engine::Message,
    ) -> Result<surety_attest::engine::StepOutcome, Failure> {
        let setting = self.setting(process)?;
        let mut resident = self.resident_at(&setting, process, size)?;
        Ok(resident.dry_run(message)?)
    }

    fn setting(&self, process: &ProcessId) -> Result<Setting, Failure> {
        let item = self
            .archive
            .item(&(*process).into())?
            .ok_or(Failure::Missing("process"))?;
        let module: ItemId = item
            .tag("Module")
            .and_then(|it| it.parse().ok())
            .ok_or(Failure::Missing("module"))?;
        let module = self
            .archive
            .item(&module)?
            .ok_or(Failure::Missing("module"))?;
        let program = message::program(self.engine.profile(), &item, &module);
        Ok(Setting {
            process: item,
            module,
            program,
        })
    }

    fn input(&self, process: &ProcessId, slot: Slot) -> Result<Input, Failure> {
        self.archive
            .input(process, slot)?
            .ok_or(Failure::Missing("input"))
    }

    /// Applies one input, giving the leaf and the state after it.
    fn step(
        &self,
        setting: &Setting,
        resident: &mut dyn Resident,
        process: &ProcessId,
        slot: Slot,
        stride: &mut Stride,
    ) -> Result<EvaluatedLeaf, Failure> {
        let input = self.input(process, slot)?;
        let message = message::message(&setting.process, &input).ok_or(Failure::Input(slot))?;
        let outcome = resident.step(&message)?;
        let head = resident.state_root();
        let due = stride.advance(self.engine.as_ref(), slot, outcome.gas);
        if due {
            // [XE-2]
            let snapshot = resident.snapshot();
            self.archive
                .keep_state(process, slot.next().0, &head, &snapshot)?;
        }
        let leaf = Leaf {
            slot,
            assignment: AssignmentId::from(input.assignment.id()),
            result_root: outcome.result.root(),
            gas: outcome.gas,
            state_root: due.then_some(head),
        };
        let subject = input.message.unwrap_or_else(|| setting.process.clone());
        Ok(EvaluatedLeaf {
            leaf,
            head,
            parts: outcome.result.parts(),
            subject,
        })
    }

    fn evaluate(
        &self,
        process: &ProcessId,
        from: Slot,
        count: u64,
        inputs: u64,
        gas: u64,
    ) -> Result<Vec<EvaluatedLeaf>, Failure> {
        let setting = self.setting(process)?;
        let held = lock(&self.evaluated)
            .remove(process)
            .filter(|it| it.size == from.0);
        let mut resident = match held {
            Some(held) => held.resident,
            None => {
                self.archive.forget_states_after(process, from.0)?;
                self.resident_at(&setting, process, from.0)?
            }
        };
        let mut stride = Stride { inputs, gas };
        let mut leaves = Vec::new();
        for offset in 0..count {
            let slot = from.plus(offset);
            match self.step(&setting, resident.as_mut(), process, slot, &mut stride) {
                Ok(leaf) => leaves.push(leaf),
                // What was evaluated before is kept; the rest is tried again.
                Err(_) if !leaves.is_empty() => break,
                Err(failure) => return Err(failure),
            }
        }
        let size = from
            .0
            .saturating_add(u64::try_from(leaves.len()).unwrap_or(0));
        lock(&self.evaluated).insert(
            *process,
            Held {
                size,
                history: None,
                resident,
            },
        );
        Ok(leaves)
    }

    /// The process in the state after `size` inputs, from the nearest snapshot (rule XE-1).
    fn resident_at(
        &self,
        setting: &Setting,
        process: &ProcessId,
        size: u64,
    ) -> Result<Box<dyn Resident>, Failure> {
        let (mut at, mut resident) = match self.archive.state_before(process, size)? {
            Some((at, snapshot)) => (at, self.engine.restore(&setting.program, &snapshot)?),
            None => (0, self.boot(setting, process)?),
        };
        while at < size {
            let input = self.input(process, Slot(at))?;
            let message =
                message::message(&setting.process, &input).ok_or(Failure::Input(Slot(at)))?;
            resident.step(&message)?;
            at = at.saturating_add(1);
        }
        Ok(resident)
    }

    fn boot(&self, setting: &Setting, process: &ProcessId) -> Result<Box<dyn Resident>, Failure> {
        let first = self.input(process, Slot(0))?;
        let first =
            Assignment::from_item(&first.assignment).map_err(|_| Failure::Input(Slot(0)))?;
        Ok(self.engine.boot(&setting.program, message::clock(&first))?)
    }
}

/// What has come since the last state root.
struct Stride {
    inputs: u64,
    gas: u64,
}

impl Stride {
    /// Counts an input; whether a state root is due after it.
    fn advance(&mut self, engine: &dyn Engine, slot: Slot, gas: u64) -> bool {
        self.inputs = self.inputs.saturating_add(1);
        self.gas = self.gas.saturating_add(gas);
        let due = slot == Slot(0) || engine.profile().ends_stride(self.inputs, self.gas);
        if due {
            *self = Stride { inputs: 0, gas: 0 };
        }
        due
    }
}

/// A cache whose user panicked is still a cache of whole residents: each is taken out while it is used.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
