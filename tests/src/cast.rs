//! Who plays which part in a run: roles, villains and accidents, all from one plan.
//!
//! # Rules
//!
//! - `[CA-1]` The first two nodes schedule one process each, evaluate and push; the third evaluates; all verify. One of all
//!   orders blocks.
//! - `[CA-2]` A claim's fault is committed by one of those who evaluate, a double assignment by one of those who schedule.
//!   Villains do not crash, so that what they did stays done; everybody else may.

use std::fmt;
use std::str::FromStr;

use surety_node::config::RoleName;
use surety_node::fault::Fault;
use surety_protocol::time::Slot;

use crate::random::Random;

/// The fewest nodes: one that lies and three that judge it.
pub const NODES_MIN: usize = 4;
/// The most nodes: above it a run takes minutes.
pub const NODES_MAX: usize = 64;
/// Nodes that schedule.
pub const SCHEDULERS: usize = 2;
/// Nodes that evaluate.
const COMPUTERS: usize = 3;

/// Everything that decides a run (rule SM-1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Decides keys, times and what the network does.
    pub seed: u64,
    /// How many nodes.
    pub nodes: usize,
    /// Messages that users send to each process.
    pub messages: u64,
    /// What villains do.
    pub faults: Vec<Fault>,
    /// Of a hundred messages between nodes so many are lost, until the network is healed.
    pub loss: u64,
    /// How many times a node crashes.
    pub crashes: usize,
    /// What the glue does badly.
    pub weakness: Option<Weakness>,
}

/// A protection of the glue that is switched off, so that something must go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// Writes are durable only some time after they were made, as if nothing were synced.
    UnsyncedDisk,
    /// A restarted node has lost what it signed, evaluated and reserved.
    Amnesia,
    /// Verifiers find every claim true without executing it.
    BlindVerifiers,
    /// Judges say without executing that evidence is not executable.
    BribedJudges,
    /// The network never heals.
    EndlessLoss,
}

impl Weakness {
    /// All of them.
    pub const ALL: [Weakness; 5] = [
        Weakness::UnsyncedDisk,
        Weakness::Amnesia,
        Weakness::BlindVerifiers,
        Weakness::BribedJudges,
        Weakness::EndlessLoss,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Weakness::UnsyncedDisk => "unsynced-disk",
            Weakness::Amnesia => "amnesia",
            Weakness::BlindVerifiers => "blind-verifiers",
            Weakness::BribedJudges => "bribed-judges",
            Weakness::EndlessLoss => "endless-loss",
        }
    }
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no weakness.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a weakness: use unsynced-disk, amnesia, blind-verifiers, bribed-judges or endless-loss"
)]
pub struct NotAWeakness;

impl FromStr for Weakness {
    type Err = NotAWeakness;

    fn from_str(text: &str) -> Result<Weakness, NotAWeakness> {
        Weakness::ALL
            .into_iter()
            .find(|it| it.name() == text)
            .ok_or(NotAWeakness)
    }
}

impl Plan {
    /// A run in which nothing goes wrong.
    pub const fn quiet(seed: u64) -> Plan {
        Plan {
            seed,
            nodes: NODES_MIN,
            messages: 16,
            faults: Vec::new(),
            loss: 0,
            crashes: 0,
            weakness: None,
        }
    }

    /// A run of the sweep: the seed chooses among every fault and none, crashes and none, a lossy network and a good one.
    pub fn mixed(seed: u64) -> Plan {
        let mut random = Random::new(seed ^ 0x6d69_7865_6473_6565);
        let slot = Slot(random.between(1, 8));
        let faults = match random.below(6) {
            0 => vec![Fault::WrongState(slot)],
            1 => vec![Fault::WrongResult(slot)],
            2 => vec![Fault::DoubleAssign(slot)],
            3 => vec![Fault::Equivocate(slot)],
            _ => Vec::new(),
        };
        let crashes = if random.percent(50) {
            random.between(1, 3)
        } else {
            0
        };
        let loss = if random.percent(50) {
            random.between(1, 25)
        } else {
            0
        };
        let crashes = usize::try_from(crashes).unwrap_or(0);
        Plan {
            faults,
            crashes,
            loss,
            ..Plan::quiet(seed)
        }
    }
}

/// Who plays what.
#[derive(Debug, Clone)]
pub struct Cast {
    /// The roles of each node.
    pub roles: Vec<Vec<RoleName>>,
    /// What each node commits.
    pub faults: Vec<Vec<Fault>>,
    /// Who orders blocks.
    pub proposer: usize,
}

impl Cast {
    /// Gives everybody a part (rules CA-1, CA-2).
    pub fn new(plan: &Plan, random: &mut Random) -> Cast {
        let roles = (0..plan.nodes)
            .map(|node| {
                let mut roles = vec![RoleName::Verifier];
                if node < COMPUTERS {
                    roles.insert(0, RoleName::Compute);
                }
                if node < SCHEDULERS {
                    roles.insert(0, RoleName::Scheduler);
                    roles.push(RoleName::Messenger);
                }
                roles
            })
            .collect();
        let mut one = |of: usize| {
            let drawn = random.below(u64::try_from(of).unwrap_or(1));
            usize::try_from(drawn).unwrap_or(0)
        };
        let (liar, double, proposer) = (one(COMPUTERS), one(SCHEDULERS), one(plan.nodes));
        let mut faults = vec![Vec::new(); plan.nodes];
        for fault in &plan.faults {
            let villain = if fault.claim_slot().is_some() {
                liar
            } else {
                double
            };
            if let Some(faults) = faults.get_mut(villain) {
                faults.push(*fault);
            }
        }
        Cast {
            roles,
            faults,
            proposer,
        }
    }

    /// Whether a node does what it should.
    pub fn honest(&self, node: usize) -> bool {
        self.faults.get(node).is_none_or(Vec::is_empty)
    }

    /// All who do.
    pub fn all_honest(&self) -> Vec<usize> {
        (0..self.faults.len())
            .filter(|node| self.honest(*node))
            .collect()
    }
}
