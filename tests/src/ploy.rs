//! What a villain does beside signing what is false.

use std::fmt;
use std::str::FromStr;

use surety_node::config::RoleName;

use crate::cast::Cast;
use crate::random::Random;

/// A way to harm others that no signature proves (rule CA-7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ploy {
    /// To answer nobody, to pass nothing on, and to tell only some what it claims.
    Withhold,
    /// To keep what one operator has for the ledger out of the blocks.
    Censor,
    /// To be the only one that another node reaches, and to tell it half of what there is.
    Eclipse,
    /// To claim under rules that nobody has adopted.
    Skew,
    /// To have much stake, and never to show up.
    Whale,
}

impl Ploy {
    /// All of them.
    pub const ALL: [Ploy; 5] = [
        Ploy::Withhold,
        Ploy::Censor,
        Ploy::Eclipse,
        Ploy::Skew,
        Ploy::Whale,
    ];
    /// Those that leave two thirds of the stake to the honest, whatever other villains there are.
    pub const CHEAP: [Ploy; 4] = [Ploy::Withhold, Ploy::Censor, Ploy::Eclipse, Ploy::Skew];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Ploy::Withhold => "withhold",
            Ploy::Censor => "censor",
            Ploy::Eclipse => "eclipse",
            Ploy::Skew => "skew",
            Ploy::Whale => "whale",
        }
    }
}

impl fmt::Display for Ploy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no ploy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a ploy: use withhold, censor, eclipse, skew or whale")]
pub struct NotAPloy;

impl FromStr for Ploy {
    type Err = NotAPloy;

    fn from_str(text: &str) -> Result<Ploy, NotAPloy> {
        let mut all = Ploy::ALL.into_iter();
        all.find(|it| it.name() == text).ok_or(NotAPloy)
    }
}

/// Who has a ploy, and against whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plotter {
    /// What.
    pub ploy: Ploy,
    /// Who.
    pub villain: usize,
    /// Against whom, where it is against somebody.
    pub victim: usize,
}

impl Plotter {
    /// Chooses both; nothing if nobody is left to be the victim.
    pub fn choose(ploy: Ploy, cast: &Cast, random: &mut Random) -> Option<Plotter> {
        let nodes = cast.roles.len();
        let evaluates = |it: &usize| cast.plays(*it, RoleName::Compute);
        let schedules = |it: &usize| cast.plays(*it, RoleName::Scheduler);
        let all: Vec<usize> = (0..nodes).collect();
        // What only a scheduler knows nobody else can say.
        let lone = all.iter().find(|it| evaluates(it) && !schedules(it));
        let lone = *lone?;
        let (villain, victims): (usize, Vec<usize>) = match ploy {
            // Nor what only who orders blocks knows.
            Ploy::Withhold if lone == cast.proposer => return None,
            Ploy::Withhold => (lone, vec![lone]),
            // What it says nobody hears: no lies.
            Ploy::Skew if cast.lies(lone) => return None,
            Ploy::Skew => (lone, vec![lone]),
            Ploy::Whale => {
                let fits = |it: &usize| cast.honest(*it) && !evaluates(it);
                let villain = all.iter().copied().rfind(fits)?;
                (villain, all)
            }
            Ploy::Censor => {
                let others = all.into_iter().filter(|it| *it != cast.proposer);
                (cast.proposer, others.collect())
            }
            Ploy::Eclipse => {
                let fits = |it: &usize| {
                    let away = cast.late.contains(it) || *it == cast.proposer;
                    cast.honest(*it) && !away && !evaluates(it)
                };
                (lone, all.into_iter().filter(fits).collect())
            }
        };
        let victim = *random.pick(&victims)?;
        let plotter = Plotter {
            ploy,
            villain,
            victim,
        };
        let small = ploy == Ploy::Whale && plotter.shares(nodes) < 2;
        (!small).then_some(plotter)
    }

    /// Of how many others such a plotter has the stake among so many nodes.
    pub const fn shares(self, nodes: usize) -> u64 {
        match self.ploy {
            // A fifth of all, or a quarter; nobody's among less than seven.
            Ploy::Whale => (nodes as u64).saturating_add(1).div_euclid(4),
            _ => 1,
        }
    }
}
