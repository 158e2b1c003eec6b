//! Performs the executions that the machines ask for: residents, snapshots, checks and evidence.
//!
//! # Rules
//!
//! - `[XE-1]` A job's outcome depends on the store and the engine only. Residents are a cache: without one the state is
//!   restored from the nearest snapshot and the inputs after it are replayed.
//! - `[XE-2]` Snapshots are kept at every state root, before the outcome is given.
//! - `[XE-3]` What this host cannot do is an abstention with its reason, never an outcome.
//! - `[XE-4]` Residents take at most the bytes that the node's configuration allows; beyond, those longest unused are dropped,
//!   and restored when they are needed (rule XE-1). Processes at work are not counted: there are at most as many as
//!   executions at once.

mod accuse;
mod check;
mod residents;
mod setting;

use std::sync::{Arc, Mutex, PoisonError};

use surety_attest::effect::{EvaluatedLeaf, Executed, Job};
use surety_attest::engine::{Engine, EngineError, on_deep_stack};
use surety_attest::message;
use surety_attest::state::Snapshot;
use surety_protocol::assignment::Assignment;
use surety_protocol::claim::Leaf;
use surety_protocol::execution::{Execution, ExecutionRequest, Input};
use surety_protocol::id::{AssignmentId, Digest, NetworkId, ProcessId};
use surety_protocol::time::Slot;

use crate::archive::{Archive, ArchiveError, Series};
use crate::metrics::Metrics;

use residents::{Held, Residents};
use setting::{Modules, Setting};

/// Bytes of residents unless the configuration says otherwise: some 300 processes of AOS.
pub const RESIDENT_BYTES: u64 = 1 << 30;

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

/// Executes for one node.
pub struct Executor {
    archive: Archive,
    engine: Arc<dyn Engine>,
    network: NetworkId,
    modules: Mutex<Modules>,
    residents: Mutex<Residents>,
    metrics: Arc<Metrics>,
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Executor(..)")
    }
}

impl Executor {
    /// An executor over a node's archive.
    pub fn new(archive: Archive, engine: Arc<dyn Engine>, network: NetworkId) -> Executor {
        Executor {
            archive,
            engine,
            network,
            modules: Mutex::default(),
            residents: Mutex::new(Residents::new(RESIDENT_BYTES)),
            metrics: Arc::default(),
        }
    }

    /// The same with another bound of its residents' bytes, counting in a node's metrics.
    #[must_use]
    pub fn bounded(self, resident_bytes: u64, metrics: Arc<Metrics>) -> Executor {
        Executor {
            residents: Mutex::new(Residents::new(resident_bytes)),
            metrics,
            ..self
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
        let mut held = self.held_at(setting, process, size)?;
        Ok(held.resident.dry_run(message)?)
    }

    fn input(&self, process: &ProcessId, slot: Slot) -> Result<Input, Failure> {
        self.archive
            .input(process, slot)?
            .ok_or(Failure::Missing("input"))
    }

    /// Applies the next input, giving the leaf and the state after it.
    fn step(
        &self,
        held: &mut Held,
        (series, process): (Series, &ProcessId),
        stride: &mut Stride,
    ) -> Result<EvaluatedLeaf, Failure> {
        let slot = Slot(held.size);
        let input = self.input(process, slot)?;
        let setting = &held.setting;
        let message = message::message(&setting.process, &input).ok_or(Failure::Input(slot))?;
        let outcome = held.resident.step(&message)?;
        held.size = slot.next().0;
        let head = held.resident.state_root();
        let due = stride.advance(self.engine.as_ref(), slot, outcome.gas);
        if due {
            // [XE-2]
            let (snapshot, tree) = (held.resident.snapshot(), held.resident.page_tree());
            held.pages = snapshot.pages.len();
            self.archive
                .keep_state(series, process, held.size, &snapshot, &tree)?;
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
        let held = self.take(Series::Evaluated, process);
        let mut held = match held.filter(|it| it.size == from.0) {
            Some(held) => held,
            None => {
                self.archive.forget_states_after(process, from.0)?;
                self.held_at(self.setting(process)?, process, from.0)?
            }
        };
        let mut stride = Stride { inputs, gas };
        let mut leaves = Vec::new();
        for _ in 0..count {
            match self.step(&mut held, (Series::Evaluated, process), &mut stride) {
                Ok(leaf) => leaves.push(leaf),
                // What was evaluated before is kept; the rest is tried again.
                Err(_) if !leaves.is_empty() => break,
                Err(failure) => return Err(failure),
            }
        }
        // A step that was made and whose state could not be kept has no leaf.
        let evaluated = u64::try_from(leaves.len()).unwrap_or(u64::MAX);
        if held.size == from.0.saturating_add(evaluated) {
            self.put(Series::Evaluated, process, held);
        }
        Ok(leaves)
    }

    fn take(&self, series: Series, process: &ProcessId) -> Option<Held> {
        lock(&self.residents).take(series, process)
    }

    /// Keeps a process for its next job; what goes for it is dropped when nobody waits.
    fn put(&self, series: Series, process: &ProcessId, held: Held) {
        let gone = {
            let mut residents = lock(&self.residents);
            let gone = residents.put(series, process, held);
            let count = u64::try_from(residents.count()).unwrap_or(u64::MAX);
            self.metrics.residents.set(count);
            self.metrics.resident_bytes.set(residents.bytes());
            gone
        };
        drop(gone);
    }

    /// The process in the state after `size` inputs, from the nearest snapshot (rule XE-1).
    fn held_at(
        &self,
        setting: Arc<Setting>,
        process: &ProcessId,
        size: u64,
    ) -> Result<Held, Failure> {
        let before = self
            .archive
            .state_before(Series::Evaluated, process, size)?;
        self.replayed(setting, process, before, size)
    }

    /// The process from a state, or from its boot, brought to the state after `size` inputs.
    fn replayed(
        &self,
        setting: Arc<Setting>,
        process: &ProcessId,
        before: Option<(u64, Snapshot)>,
        size: u64,
    ) -> Result<Held, Failure> {
        let mut held = match before {
            Some((at, snapshot)) => self.restored(setting, at, &snapshot)?,
            None => self.boot(setting, process)?,
        };
        while held.size < size {
            let slot = Slot(held.size);
            let input = self.input(process, slot)?;
            let message = message::message(&held.setting.process, &input);
            held.resident.step(&message.ok_or(Failure::Input(slot))?)?;
            held.size = held.size.saturating_add(1);
        }
        Ok(held)
    }

    fn restored(
        &self,
        setting: Arc<Setting>,
        size: u64,
        snapshot: &Snapshot,
    ) -> Result<Held, Failure> {
        self.metrics.wakes.inc();
        Ok(Held {
            size,
            history: None,
            resident: self.engine.restore(&setting.program, snapshot)?,
            pages: snapshot.pages.len(),
            setting,
        })
    }

    fn boot(&self, setting: Arc<Setting>, process: &ProcessId) -> Result<Held, Failure> {
        let first = self.input(process, Slot(0))?;
        let first =
            Assignment::from_item(&first.assignment).map_err(|_| Failure::Input(Slot(0)))?;
        let resident = self.engine.boot(&setting.program, message::clock(&first))?;
        Ok(Held {
            size: 0,
            history: None,
            pages: resident.snapshot().pages.len(),
            resident,
            setting,
        })
    }

    /// The state with a root that a process has after `size` inputs: as it is kept, or from an earlier one by replay of at
    /// most `inputs_max` inputs (rule SK-4); nothing if that is too far, or gives another state.
    fn state_at(
        &self,
        setting: &Arc<Setting>,
        process: &ProcessId,
        (size, root): (u64, Digest),
        inputs_max: u64,
    ) -> Result<Option<Snapshot>, Failure> {
        if let Some(snapshot) = self.archive.state(&root)? {
            return Ok(Some(snapshot));
        }
        let mut before = None;
        for series in [Series::Evaluated, Series::Checked] {
            let found = self.archive.state_before(series, process, size)?;
            let found = found.filter(|(at, _)| size - at <= inputs_max);
            before = before.into_iter().chain(found).max_by_key(|(at, _)| *at);
        }
        if before.is_none() && size > inputs_max {
            return Ok(None);
        }
        let held = self.replayed(Arc::clone(setting), process, before, size);
        let mut held = match held {
            // Not all inputs are here.
            Err(Failure::Missing(_)) => return Ok(None),
            held => held?,
        };
        Ok((held.resident.state_root() == root).then(|| held.resident.snapshot()))
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
