//! Performs the executions that the machines ask for: residents, snapshots, checks and evidence.
//!
//! # Rules
//!
//! - `[XE-1]` A job's outcome depends on the store, the network's profiles and their engines only. Residents are a cache: without one the state is
//!   restored from the nearest snapshot and the inputs after it are replayed.
//! - `[XE-2]` Snapshots are kept at every state root, before the outcome is given.
//! - `[XE-3]` What this host cannot do is an abstention with its reason, never an outcome.

mod accuse;
mod check;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use surety_attest::effect::{EvaluatedLeaf, Executed, Job};
use surety_attest::engine::{Engine, EngineError, Program, Resident, StepOutcome};
use surety_attest::message;
use surety_attest::state::Snapshot;
use surety_protocol::assignment::Assignment;
use surety_protocol::claim::Leaf;
use surety_protocol::execution::{Execution, ExecutionRequest, Input};
use surety_protocol::id::{AssignmentId, Digest, ItemId, NetworkId, ProcessId, ProfileId};
use surety_protocol::item::Item;
use surety_protocol::profile::Profile;
use surety_protocol::profiles::{Holding, Profiles, Ruling, Stride};
use surety_protocol::time::{Height, Slot};
use surety_protocol::verified::Authentic;

use crate::archive::{Archive, ArchiveError};
use crate::engines::Engines;

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

/// A process as it runs: its state, for which profile, and what has come since the last state root.
struct Running {
    resident: Box<dyn Resident>,
    profile: ProfileId,
    stride: Stride,
}

/// An input that was applied.
struct Applied {
    input: Input,
    outcome: StepOutcome,
    ruling: Ruling,
    /// Whether a state root is due after it.
    due: bool,
}

/// A resident process and how many inputs it has seen, after which history.
struct Held {
    size: u64,
    history: Option<Digest>,
    running: Running,
}

/// Executes for one node.
pub struct Executor {
    archive: Archive,
    engines: Engines,
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
}

impl Setting {
    /// What is run under a profile.
    fn program(&self, profile: &Profile) -> Program {
        message::program(profile, &self.process, &self.module)
    }
}

impl Executor {
    /// An executor over a node's archive.
    pub const fn new(archive: Archive, engines: Engines, network: NetworkId) -> Executor {
        Executor {
            archive,
            engines,
            network,
            evaluated: Mutex::new(BTreeMap::new()),
            checked: Mutex::new(BTreeMap::new()),
        }
    }

    /// The engine of a profile.
    ///
    /// # Errors
    /// Abstains if this program or this machine cannot execute it.
    pub fn engine(&self, profile: &Profile) -> Result<Arc<dyn Engine>, EngineError> {
        self.engines.of(profile)
    }

    /// Performs a job under the network's profiles; blocks for as long as it takes.
    pub fn perform(&self, job: Job, profiles: &Profiles) -> Executed {
        let outcome = match &job {
            Job::Evaluate {
                process,
                from,
                count,
                stride,
            } => self
                .evaluate(profiles, process, *from, *count, *stride)
                .map(|leaves| Executed::Evaluated {
                    process: *process,
                    leaves,
                }),
            Job::Check { claim, lead } => self.check(profiles, claim, lead),
            Job::Accuse {
                claim,
                history,
                slot,
            } => self.accuse(profiles, claim, history, *slot),
            Job::AccuseScheduler {
                process,
                slot,
                first,
                second,
            } => self.accuse_scheduler(process, *slot, first, second),
            Job::AccuseClaimant(contradiction) => self.accuse_claimant(contradiction),
        };
        outcome.unwrap_or_else(|failure| Executed::Abstained {
            job: Box::new(job),
            reason: failure.to_string(),
        })
    }

    /// Executes what evidence asks for, under one of the network's profiles.
    pub fn judge(&self, request: &ExecutionRequest) -> Execution {
        match self.engines.of(&request.profile) {
            Ok(engine) => surety_attest::judge::execute(engine.as_ref(), request),
            Err(why) => Execution::Abstained(why.to_string()),
        }
    }

    /// Evaluates a message on the state of a process without effect.
    ///
    /// # Errors
    /// Why it cannot be evaluated here.
    pub fn dry_run(
        &self,
        profiles: &Profiles,
        process: &ProcessId,
        size: u64,
        message: &surety_attest::engine::Message,
    ) -> Result<StepOutcome, Failure> {
        let setting = self.setting(process)?;
        let mut running = self.running_at(profiles, &setting, process, size)?;
        let height = running.stride.height(Height(message.block_height));
        self.carry(&setting, &mut running, profiles.at(height))?;
        Ok(running.resident.dry_run(message)?)
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
        Ok(Setting {
            process: item,
            module,
        })
    }

    fn input(&self, process: &ProcessId, slot: Slot) -> Result<Input, Failure> {
        self.archive
            .input(process, slot)?
            .ok_or(Failure::Missing("input"))
    }

    /// Takes a process over to another profile: the state stays, what it may do and costs changes.
    fn carry(
        &self,
        setting: &Setting,
        running: &mut Running,
        holding: &Holding,
    ) -> Result<(), Failure> {
        if running.profile != holding.id {
            let engine = self.engines.of(&holding.profile)?;
            let snapshot = running.resident.snapshot();
            running.resident = engine.restore(&setting.program(&holding.profile), &snapshot)?;
            running.profile = holding.id;
        }
        Ok(())
    }

    /// Applies one input under the profile that holds for it (rule PR-4).
    fn apply(
        &self,
        profiles: &Profiles,
        setting: &Setting,
        running: &mut Running,
        process: &ProcessId,
        slot: Slot,
    ) -> Result<Applied, Failure> {
        let input = self.input(process, slot)?;
        let message = message::message(&setting.process, &input).ok_or(Failure::Input(slot))?;
        let stamp = Height(message.block_height);
        let height = running.stride.height(stamp);
        let holding = profiles.at(height);
        self.carry(setting, running, holding)?;
        let outcome = running.resident.step(&message)?;
        let due = running.stride.advance(profiles, slot, stamp, outcome.gas);
        Ok(Applied {
            input,
            outcome,
            ruling: Ruling {
                profile: holding.id,
                height,
            },
            due,
        })
    }

    /// Applies one input, giving the leaf and the state after it; under what a claim takes for the network's profiles, the
    /// state is not the process' where those are others.
    fn step(
        &self,
        network: &Profiles,
        profiles: &Profiles,
        setting: &Setting,
        running: &mut Running,
        process: &ProcessId,
        slot: Slot,
    ) -> Result<EvaluatedLeaf, Failure> {
        let Applied {
            input,
            outcome,
            ruling,
            due,
        } = self.apply(profiles, setting, running, process, slot)?;
        let head = running.resident.state_root();
        if due {
            // [XE-2]
            let snapshot = running.resident.snapshot();
            let truly = network.at(ruling.height).id == ruling.profile;
            let at = truly.then_some((process, slot.next().0));
            self.archive.keep_state(at, &head, &snapshot)?;
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
            ruling,
            parts: outcome.result.parts(),
            subject,
        })
    }

    fn evaluate(
        &self,
        profiles: &Profiles,
        process: &ProcessId,
        from: Slot,
        count: u64,
        stride: Stride,
    ) -> Result<Vec<EvaluatedLeaf>, Failure> {
        let setting = self.setting(process)?;
        let held = lock(&self.evaluated)
            .remove(process)
            .filter(|it| it.size == from.0);
        let mut running = match held {
            Some(held) => held.running,
            None => {
                self.archive.forget_states_after(process, from.0)?;
                self.running_at(profiles, &setting, process, from.0)?
            }
        };
        running.stride = stride;
        let mut leaves = Vec::new();
        for offset in 0..count {
            let slot = from.plus(offset);
            match self.step(profiles, profiles, &setting, &mut running, process, slot) {
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
                running,
            },
        );
        Ok(leaves)
    }

    /// The process in the state after `size` inputs, from the nearest snapshot (rule XE-1).
    fn running_at(
        &self,
        profiles: &Profiles,
        setting: &Setting,
        process: &ProcessId,
        size: u64,
    ) -> Result<Running, Failure> {
        let (mut at, mut running) = match self.archive.state_before(process, size)? {
            Some((at, snapshot)) => {
                let last = Slot(at.saturating_sub(1));
                (
                    at,
                    self.restore(profiles, setting, process, last, &snapshot)?,
                )
            }
            None => (0, self.boot(profiles, setting, process)?),
        };
        while at < size {
            self.apply(profiles, setting, &mut running, process, Slot(at))?;
            at = at.saturating_add(1);
        }
        Ok(running)
    }

    /// The process in a state that stands in the leaf of this slot, and so ends a stride.
    fn restore(
        &self,
        profiles: &Profiles,
        setting: &Setting,
        process: &ProcessId,
        last: Slot,
        snapshot: &Snapshot,
    ) -> Result<Running, Failure> {
        // What comes next may show another profile yet.
        let holding = profiles.at(self.stamp(process, last)?);
        let engine = self.engines.of(&holding.profile)?;
        Ok(Running {
            resident: engine.restore(&setting.program(&holding.profile), snapshot)?,
            profile: holding.id,
            stride: Stride::default(),
        })
    }

    fn boot(
        &self,
        profiles: &Profiles,
        setting: &Setting,
        process: &ProcessId,
    ) -> Result<Running, Failure> {
        let first = self.assignment(process, Slot(0))?;
        let holding = profiles.at(Height(first.block_height));
        let engine = self.engines.of(&holding.profile)?;
        let program = setting.program(&holding.profile);
        Ok(Running {
            resident: engine.boot(&program, message::clock(&first))?,
            profile: holding.id,
            stride: Stride::default(),
        })
    }

    /// The height that an input is stamped with.
    fn stamp(&self, process: &ProcessId, slot: Slot) -> Result<Height, Failure> {
        Ok(Height(self.assignment(process, slot)?.block_height))
    }

    fn assignment(&self, process: &ProcessId, slot: Slot) -> Result<Assignment, Failure> {
        let input = self.input(process, slot)?;
        Assignment::from_item(&input.assignment).map_err(|_| Failure::Input(slot))
    }
}

/// A cache whose user panicked is still a cache of whole residents: each is taken out while it is used.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
