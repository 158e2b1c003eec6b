//! Roles: what a node can do for the network, each a value that is told what happens and asks for effects.
//!
//! Adding a role touches one file and one line of [`build`].
//!
//! # Rules
//!
//! - `[RO-1]` A role has no thread, no socket and no clock. It is told [`Signal`]s and asks for effects.
//! - `[RO-2]` Roles of one node share one guard: whatever the role, the node never contradicts itself.

mod auditor;
mod compute;
mod gateway;
mod messenger;
mod scheduler;
mod verifier;

use std::fmt;

use surety_attest::effect::{Effect, Job};
use surety_attest::verify::Lottery;
use surety_protocol::id::{Address, NetworkId, ProcessId};
use surety_protocol::machine::Outbox;
use surety_protocol::params::Params;
use surety_protocol::time::Tick;
use surety_slashing::ledger::Ledger;

use crate::archive::{Archive, ArchiveError};
use crate::config::RoleName;
use crate::core::{Shared, Signal};
use crate::fault::Fault;

/// A role (rule RO-1).
pub trait Role: Send + Sync {
    /// Which.
    fn name(&self) -> RoleName;

    /// Whether items that want a slot are for this role.
    fn schedules(&self) -> bool {
        false
    }

    /// Whether this role has a use for every log, and not only for those of claims that it executes (rule CO-17).
    fn follows_all(&self) -> bool {
        true
    }

    /// Inputs of a process that this role has evaluated.
    fn evaluated(&self, _process: &ProcessId) -> u64 {
        0
    }

    /// Reads back what it had made durable, and asks for what a stop interrupted.
    ///
    /// # Errors
    /// If the archive is damaged.
    fn restore(
        &mut self,
        archive: &Archive,
        ledger: &Ledger,
        shared: &mut Shared,
        out: &mut Outbox<Effect>,
    ) -> Result<(), ArchiveError>;

    /// Something happened.
    fn on(&mut self, now: Tick, signal: &Signal<'_>, shared: &mut Shared, out: &mut Outbox<Effect>);
}

impl fmt::Debug for dyn Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Role({:?})", self.name())
    }
}

/// What a role needs to come into being.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The operator.
    pub operator: Address,
    /// The address of its data-item key.
    pub item_key: Address,
    /// The network.
    pub network: NetworkId,
    /// Its parameters.
    pub params: Params,
    /// The hot key, for sortition.
    pub lottery: Lottery,
    /// Faults to commit.
    pub faults: Vec<Fault>,
    /// What an auditor looks at.
    pub audit: Audit,
}

/// What an auditor looks at.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    /// The processes that it follows; all, if there are none.
    pub processes: Vec<ProcessId>,
    /// Inputs that it executes in a minute at most; 0 is any number.
    pub inputs: u64,
}

/// Has the evidence made of what signatures alone prove, as whoever looks at others does.
fn accuse_by_signatures(signal: &Signal<'_>, out: &mut Outbox<Effect>) {
    out.push(Effect::Execute(match signal {
        Signal::Double {
            process,
            slot,
            first,
            second,
        } => Job::AccuseScheduler {
            process: *process,
            slot: *slot,
            first: *first,
            second: *second,
        },
        Signal::Contradiction(contradiction) => Job::AccuseClaimant((*contradiction).clone()),
        _ => return,
    }));
}

/// The registry: one line for each role.
pub fn build(name: RoleName, setting: &Setting) -> Box<dyn Role> {
    match name {
        RoleName::Scheduler => Box::new(scheduler::SchedulerRole::new(setting)),
        RoleName::Compute => Box::new(compute::ComputeRole::new(setting)),
        RoleName::Messenger => Box::new(messenger::MessengerRole::new(setting)),
        RoleName::Verifier => Box::new(verifier::VerifierRole::new(setting)),
        RoleName::Gateway => Box::new(gateway::GatewayRole),
        RoleName::Auditor => Box::new(auditor::AuditorRole::new(setting)),
    }
}
