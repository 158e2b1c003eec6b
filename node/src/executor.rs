//! Performs the executions that the machines ask for: residents, snapshots, checks and evidence.
//!
//! # Rules
//!
//! - `[XE-1]` A job's outcome depends on the store, the network's profiles and their engines only. Residents are a cache:
//!   without one the state is restored from the nearest snapshot and the inputs after it are replayed.
//! - `[XE-2]` Snapshots are kept at every state root that is one under the network's own profiles, before the outcome is
//!   given.
//! - `[XE-3]` What this host cannot do is an abstention with its reason, never an outcome.
//! - `[XE-4]` Residents take at most the bytes that the node's configuration allows; beyond, those longest unused are dropped,
//!   and restored when they are needed (rule XE-1). Processes at work are not counted: there are at most as many as
//!   executions at once.

mod accuse;
mod check;
mod past;
mod reach;
mod residents;
mod setting;
mod step;

use std::sync::{Arc, Mutex, PoisonError};

use surety_attest::effect::{EvaluatedLeaf, Executed, Job};
use surety_attest::engine::{Abstain, Engine, EngineError, on_deep_stack};
use surety_protocol::execution::{Execution, ExecutionRequest, Input};
use surety_protocol::id::{NetworkId, ProcessId};
use surety_protocol::profile::Profile;
use surety_protocol::profiles::{Profiles, Stride};
use surety_protocol::time::Slot;

use crate::archive::{Archive, ArchiveError, Series};
use crate::engines::Engines;
use crate::fault::Fault;
use crate::metrics::Metrics;

use residents::{Held, Residents};
use setting::Modules;

/// Bytes of residents unless the configuration says otherwise: some 170 processes of AOS.
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
    /// A state is asked for that would take too long (rule XE-7).
    #[error(
        "the state after {size} inputs takes too long: the last one before it that is kept is after {kept}"
    )]
    TooFar {
        /// The inputs after which it is asked for.
        size: u64,
        /// Those after which the last one before is kept.
        kept: u64,
    },
}

/// Executes for one node.
pub struct Executor {
    archive: Archive,
    engines: Engines,
    network: NetworkId,
    modules: Mutex<Modules>,
    residents: Mutex<Residents>,
    metrics: Arc<Metrics>,
    faults: Vec<Fault>,
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Executor(..)")
    }
}

impl Executor {
    /// An executor over a node's archive.
    pub fn new(archive: Archive, engines: Engines, network: NetworkId) -> Executor {
        Executor {
            archive,
            engines,
            network,
            modules: Mutex::default(),
            residents: Mutex::new(Residents::new(RESIDENT_BYTES)),
            metrics: Arc::default(),
            faults: Vec::new(),
        }
    }

    /// The same, committing a verifier's faults (rule FA-4).
    #[must_use]
    pub fn committing(self, faults: Vec<Fault>) -> Executor {
        Executor { faults, ..self }
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

    /// The engine of a profile.
    ///
    /// # Errors
    /// Abstains if this program or this machine cannot execute it.
    pub fn engine(&self, profile: &Profile) -> Result<Arc<dyn Engine>, EngineError> {
        self.engines.of(profile)
    }

    /// Performs a job under the network's profiles; blocks for as long as it takes.
    pub fn perform(&self, job: Job, profiles: &Profiles) -> Executed {
        let outcome = || {
            let outcome = on_deep_stack(|| self.outcome(&job, profiles));
            outcome.unwrap_or_else(|abstain| Err(EngineError::from(abstain).into()))
        };
        let outcome = match outcome() {
            // [WK-2] Its residents are gone with the worker.
            Err(Failure::Engine(EngineError::Abstain(Abstain::Worker))) => {
                let lost = lock(&self.residents).take_lost();
                drop(lost);
                outcome()
            }
            outcome => outcome,
        };
        outcome.unwrap_or_else(|failure| Executed::Abstained {
            job: Box::new(job),
            reason: failure.to_string(),
        })
    }

    fn outcome(&self, job: &Job, profiles: &Profiles) -> Result<Executed, Failure> {
        match job {
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
            Job::Check {
                claim,
                committed,
                lead,
                traced,
            } => self.check(profiles, (claim, *committed), &lead.leaves, traced),
            Job::Accuse { claim, lead, slot } => self.accuse(profiles, claim, lead, *slot),
            Job::AccuseTrace {
                claim,
                lead,
                seed,
                approval,
            } => self.accuse_trace(profiles, claim, lead, seed, approval),
            Job::AccuseScheduler {
                process,
                slot,
                first,
                second,
            } => self.accuse_scheduler(process, *slot, first, second),
            Job::AccuseClaimant(contradiction) => self.accuse_claimant(contradiction),
        }
    }

    /// Executes what evidence asks for, under one of the network's profiles.
    pub fn judge(&self, request: &ExecutionRequest) -> Execution {
        match self.engines.of(&request.profile) {
            Ok(engine) => surety_attest::judge::execute(engine.as_ref(), request),
            Err(why) => Execution::Abstained(why.to_string()),
        }
    }

    fn input(&self, process: &ProcessId, slot: Slot) -> Result<Input, Failure> {
        self.archive
            .input(process, slot)?
            .ok_or(Failure::Missing("input"))
    }

    fn evaluate(
        &self,
        profiles: &Profiles,
        process: &ProcessId,
        from: Slot,
        count: u64,
        stride: Stride,
    ) -> Result<Vec<EvaluatedLeaf>, Failure> {
        let held = self.take(Series::Evaluated, process);
        let mut held = match held.filter(|it| it.size == from.0) {
            Some(held) => held,
            None => {
                self.archive.forget_states_after(process, from.0)?;
                self.held_at(profiles, self.setting(process)?, process, from.0)?
            }
        };
        held.stride = stride;
        let mut leaves: Vec<EvaluatedLeaf> = Vec::new();
        for _ in 0..count {
            let series = (Series::Evaluated, process);
            match self.step(profiles, profiles, &mut held, series, &[]) {
                Ok((leaf, _)) => leaves.push(leaf),
                // What was evaluated before is kept; the rest is tried again. But a step that was made and whose state could not
                // be kept has no leaf, and those before it no root where they end.
                Err(_) if !leaves.is_empty() && held.size == end(from, &leaves) => break,
                Err(failure) => return Err(failure),
            }
            // [CU-7]
            if leaves.last().is_some_and(|it| it.head.is_some()) {
                break;
            }
        }
        // [CU-7]
        if let Some(last) = leaves.last_mut().filter(|it| it.head.is_none()) {
            last.head = Some(held.resident.state_root()?);
        }
        self.put(Series::Evaluated, process, held);
        Ok(leaves)
    }

    fn take(&self, series: Series, process: &ProcessId) -> Option<Held> {
        let held = lock(&self.residents).take(series, process);
        held.filter(|it| !it.resident.is_lost())
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
}

/// How many inputs there are up to the last of these leaves.
fn end(from: Slot, leaves: &[EvaluatedLeaf]) -> u64 {
    from.0
        .saturating_add(u64::try_from(leaves.len()).unwrap_or(u64::MAX))
}

/// A cache whose user panicked is still a cache of whole residents: each is taken out while it is used.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
