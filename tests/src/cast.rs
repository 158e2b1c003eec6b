//! Who plays which part in a run: roles, villains and accidents, all from one plan.
//!
//! # Rules
//!
//! - `[CA-1]` The first two nodes schedule one process each, evaluate and push; the third evaluates; all verify. One of all
//!   orders blocks.
//! - `[CA-2]` A claim's fault is committed by one of those who evaluate, a double assignment by one of those who schedule, a
//!   verifier's fault by one of those who only verify, a second one's by the next of them. Villains do not crash, so that what
//!   they did stays done; everybody else may.
//! - `[CA-3]` A spammer says over and over what is altered, cut, forged, or not its own to say, to the end. It approves in the name
//!   of others before they do, and nothing itself.
//! - `[CA-4]` Whoever comes late has a genesis and an empty disk, and finds a network that has worked for a while.
//! - `[CA-6]` In a crowd there are many processes in place of two, shared among those who schedule. All begin first; then users send
//!   so many messages in a second, each to one of them.
//! - `[CA-7]` Somebody may have a ploy besides: to answer nobody, pass nothing on and tell only some what it claims (one who evaluates and does
//!   not schedule); not to hear what one operator has for the ledger (who orders blocks); to be the only one that another node
//!   reaches, to tell it half of what there is and to answer it nothing; to claim under rules that nobody has adopted and not to say
//!   what it committed; or to have a fifth of all stake, or a quarter, and never to show up. The second and the third end when the
//!   network is healed.
//! - `[CA-5]` A liar that flees unbonds all it has once the ledger has committed to its lie, and withdraws as often as it can.

use std::fmt;
use std::str::FromStr;

use surety_node::config::RoleName;
use surety_node::fault::Fault;
use surety_protocol::time::Slot;

use crate::ploy::{Plotter, Ploy};
use crate::random::Random;

/// The fewest nodes: one that lies and three that judge it.
pub const NODES_MIN: usize = 4;
/// The most nodes: above it a run takes minutes.
pub const NODES_MAX: usize = 128;
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
    /// How many times the network falls into two parts for a while.
    pub partitions: usize,
    /// How many of those who only verify come late (rule CA-4).
    pub late: usize,
    /// How many messages a spammer says until the network is healed; it goes on like that (rule CA-3).
    pub spam: u64,
    /// Whether liars take their stake out as soon as their lie counts (rule CA-5).
    pub flight: bool,
    /// What somebody does beside (rule CA-7).
    pub ploy: Option<Ploy>,
    /// What the glue does badly.
    pub weakness: Option<Weakness>,
    /// Many processes in place of two.
    pub crowd: Option<Crowd>,
}

/// Many processes of which each is seldom used (rule CA-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crowd {
    /// How many.
    pub processes: u64,
    /// How many of them begin in a second.
    pub spawns: u64,
    /// Messages that users send in a second, each to one of them, once all have begun.
    pub messages: u64,
    /// Seconds for which they do.
    pub seconds: u64,
}

impl Crowd {
    /// Milliseconds from one of so many in a second to the next, times their number.
    pub fn after(number: u64, in_a_second: u64) -> u64 {
        let after = number.saturating_mul(1_000).checked_div(in_a_second);
        after.unwrap_or(0)
    }
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
    /// Stake that is unbonded is free in the next block.
    FreeExit,
    /// Nobody tells the ledger who approved a false claim.
    ForgivenApprovers,
    /// Nobody is accused of a false trace.
    UncomparedTraces,
    /// Nodes take signatures of others for good without verifying them.
    TrustingNodes,
    /// Nodes do not listen to who has spoken already, though nobody has verified that it was he.
    HastyNodes,
    /// Where those who drew a claim do not show up, nobody else has a say.
    Uncovered,
    /// Nodes do not ask others for what gossip did not bring.
    NeverAsking,
}

impl Weakness {
    /// All of them.
    pub const ALL: [Weakness; 12] = [
        Weakness::UnsyncedDisk,
        Weakness::Amnesia,
        Weakness::BlindVerifiers,
        Weakness::BribedJudges,
        Weakness::EndlessLoss,
        Weakness::FreeExit,
        Weakness::ForgivenApprovers,
        Weakness::UncomparedTraces,
        Weakness::TrustingNodes,
        Weakness::HastyNodes,
        Weakness::Uncovered,
        Weakness::NeverAsking,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Weakness::UnsyncedDisk => "unsynced-disk",
            Weakness::Amnesia => "amnesia",
            Weakness::BlindVerifiers => "blind-verifiers",
            Weakness::BribedJudges => "bribed-judges",
            Weakness::EndlessLoss => "endless-loss",
            Weakness::FreeExit => "free-exit",
            Weakness::ForgivenApprovers => "forgiven-approvers",
            Weakness::UncomparedTraces => "uncompared-traces",
            Weakness::TrustingNodes => "trusting-nodes",
            Weakness::HastyNodes => "hasty-nodes",
            Weakness::Uncovered => "uncovered",
            Weakness::NeverAsking => "never-asking",
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
    "not a weakness: use unsynced-disk, amnesia, blind-verifiers, bribed-judges, endless-loss, free-exit, forgiven-approvers, \
     uncompared-traces, trusting-nodes, hasty-nodes, uncovered or never-asking"
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
            partitions: 0,
            late: 0,
            spam: 0,
            flight: false,
            ploy: None,
            weakness: None,
            crowd: None,
        }
    }

    /// A run of the sweep: the seed chooses the size, among every fault and none, and which accidents there are.
    pub fn mixed(seed: u64) -> Plan {
        let mut random = Random::new(seed ^ 0x6d69_7865_6473_6565);
        let slot = Slot(random.between(1, 8));
        let mut faults = match random.below(6) {
            0 => vec![Fault::WrongState(slot)],
            1 => vec![Fault::WrongResult(slot)],
            2 => vec![Fault::DoubleAssign(slot)],
            3 => vec![Fault::Equivocate(slot)],
            _ => Vec::new(),
        };
        // One verifier at most, so that two thirds of the stake are honest even beside a liar.
        let verifier = match random.below(8) {
            0 | 1 => Some(Fault::BlindApproval(slot)),
            2 => Some(Fault::FalseAccusation(slot)),
            3 => Some(Fault::NoShow(slot)),
            4 => Some(Fault::WrongAccusation(slot)),
            _ => None,
        };
        faults.extend(verifier);
        let mut some = |chance: u64, least: u64, most: u64| {
            let number = random.between(least, most);
            if random.percent(chance) { number } else { 0 }
        };
        let size = |number: u64| usize::try_from(number).unwrap_or(0);
        let crashes = size(some(50, 1, 3));
        let loss = some(50, 1, 25);
        let partitions = size(some(25, 1, 2));
        let spam = some(25, 20, 200);
        let (most, more) = (NODES_MIN + 3, size(some(50, 0, 3)));
        // Beside a liar and a verifier with a fault four honest ones are two thirds.
        let least = NODES_MIN + faults.len();
        let nodes = (NODES_MIN + more).max(least).min(most);
        let late = size(some(20, 1, 1));
        let flight = some(30, 1, 1) > 0;
        let ploy = some(40, 1, 4).checked_sub(1).map(size);
        let ploy = ploy.and_then(|it| Ploy::CHEAP.get(it).copied());
        Plan {
            nodes,
            faults,
            crashes,
            loss,
            partitions,
            late,
            spam,
            flight,
            ploy,
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
    /// Who comes late.
    pub late: Vec<usize>,
    /// Who spams.
    pub spammer: Option<usize>,
    /// Who has a ploy.
    pub plotter: Option<Plotter>,
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
        let verifiers = plan.nodes.saturating_sub(COMPUTERS);
        let blind = COMPUTERS + one(verifiers);
        // The next of them, for each further fault.
        let judges = (COMPUTERS..plan.nodes)
            .cycle()
            .skip(blind.saturating_sub(COMPUTERS));
        let judging = plan.faults.iter().filter(|it| it.is_a_verifiers());
        let judges: Vec<usize> = judges.take(judging.count().max(1)).collect();
        let spammer = (plan.spam > 0).then(|| COMPUTERS + one(verifiers));
        // The others need two thirds of the stake to go on without them.
        let late = (COMPUTERS..plan.nodes)
            .filter(|it| *it != proposer && !judges.contains(it) && Some(*it) != spammer)
            .take(plan.late)
            .collect();
        let mut faults = vec![Vec::new(); plan.nodes];
        let mut judges = judges.into_iter();
        for fault in &plan.faults {
            let villain = match fault {
                _ if fault.is_a_verifiers() => judges.next().unwrap_or(blind),
                _ if fault.claim_slot().is_some() => liar,
                _ => double,
            };
            if let Some(faults) = faults.get_mut(villain) {
                faults.push(*fault);
            }
        }
        let mut cast = Cast {
            roles,
            faults,
            proposer,
            late,
            spammer,
            plotter: None,
        };
        let plotter = plan.ploy.and_then(|it| Plotter::choose(it, &cast, random));
        if let Some(plotter) = plotter.filter(|it| it.ploy == Ploy::Whale) {
            cast.late.retain(|it| *it != plotter.villain);
            if let Some(faults) = cast.faults.get_mut(plotter.villain) {
                faults.push(Fault::NoShow(Slot(0)));
            }
        }
        cast.plotter = plotter;
        cast
    }

    /// Whether a node plays a role.
    pub fn plays(&self, node: usize, role: RoleName) -> bool {
        self.roles.get(node).is_some_and(|it| it.contains(&role))
    }

    /// Of how many others a node has the stake.
    pub fn shares(&self, node: usize) -> u64 {
        let plotter = self.plotter.filter(|it| it.villain == node);
        plotter.map_or(1, |it| it.shares(self.roles.len()))
    }

    /// Whether a node says what is false, or does not do what it drew.
    pub fn lies(&self, node: usize) -> bool {
        let whale = self.is_whale(node);
        let faulty = self.faults.get(node).is_some_and(|it| !it.is_empty());
        (faulty && !whale) || self.spammer == Some(node)
    }

    /// Whether a node has the stake of several.
    pub fn is_whale(&self, node: usize) -> bool {
        let plotter = self.plotter.filter(|it| it.villain == node);
        plotter.is_some_and(|it| it.ploy == Ploy::Whale)
    }

    /// All whom the oracle protects: whoever says nothing false, whatever else it does.
    pub fn all_truthful(&self) -> Vec<usize> {
        let truthful = |node: &usize| !self.lies(*node) && !self.is_whale(*node);
        (0..self.faults.len()).filter(truthful).collect()
    }

    /// Whether a node does what it should.
    pub fn honest(&self, node: usize) -> bool {
        let plots = self.plotter.is_some_and(|it| it.villain == node);
        self.faults.get(node).is_none_or(Vec::is_empty) && self.spammer != Some(node) && !plots
    }

    /// All who do.
    pub fn all_honest(&self) -> Vec<usize> {
        (0..self.faults.len())
            .filter(|node| self.honest(*node))
            .collect()
    }
}
