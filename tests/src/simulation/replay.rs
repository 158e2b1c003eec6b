//! A run once more, event by event: what happens, and where the nodes stand when it stops.

use surety_node::config::RoleName;
use surety_protocol::id::ProcessId;
use surety_protocol::time::{Height, Tick};

use super::{Outcome, Simulation, nothing, sized};
use crate::cast::Plan;

/// Something that happens in a run.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// Its number among all events of the run.
    pub event: u64,
    /// When.
    pub at: Tick,
    /// To which node, or by which, if it is not everybody's.
    pub who: Option<usize>,
    /// What.
    pub what: &'a str,
}

/// Where a node stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Its roles.
    pub roles: Vec<RoleName>,
    /// Whether it does what it should.
    pub honest: bool,
    /// The height of its ledger; nothing while it is down.
    pub height: Option<Height>,
    /// Its processes.
    pub processes: Vec<Process>,
    /// What it is asking for.
    pub asks: Vec<String>,
}

/// Where a node stands with a process.
#[derive(Debug, Clone, Copy)]
pub struct Process {
    /// Which.
    pub id: ProcessId,
    /// Slots of its log here.
    pub slots: u64,
    /// Inputs evaluated here.
    pub evaluated: u64,
    /// Leaves that the ledger here has certified.
    pub certified: u64,
}

/// Runs a plan until an event, or to its end, and shows all that happens; gives what came of it and where the nodes stand.
pub fn replay(
    plan: &Plan,
    until: Option<u64>,
    see: impl FnMut(&Moment<'_>) + 'static,
) -> (Outcome, Vec<Standing>) {
    let plan = &sized(plan);
    let mut simulation = match Simulation::new(plan.clone(), Box::new(see)) {
        Ok(simulation) => simulation,
        Err(violation) => return (nothing(plan.clone(), violation), Vec::new()),
    };
    simulation.stops = until;
    simulation.shows = true;
    let violation = simulation.open().and_then(|()| simulation.run()).err();
    let standings = (0..simulation.nodes.len()).filter_map(|who| simulation.standing(who));
    let standings = standings.collect();
    (simulation.outcome(violation), standings)
}

impl Simulation {
    /// Something to watch, which the trace keeps too.
    pub(super) fn tell(&mut self, who: usize, what: &str) {
        self.trace
            .add(self.agenda.now(), "tell", who, what.as_bytes());
        self.show(Some(who), what);
    }

    /// What happens, for whoever looks.
    pub(super) fn show(&mut self, who: Option<usize>, what: &str) {
        (self.watch)(&Moment {
            event: self.trace.events(),
            at: self.agenda.now(),
            who,
            what,
        });
    }

    fn standing(&self, who: usize) -> Option<Standing> {
        let node = self.nodes.get(who)?;
        let core = node.running.as_ref().map(|it| &it.core);
        let processes = core.into_iter().flat_map(|core| {
            let logs = core.shared().logs.iter();
            logs.map(|(id, log)| Process {
                id: *id,
                slots: log.size,
                evaluated: core.evaluated(id),
                certified: core.ledger().latest(id).map_or(0, |it| it.size),
            })
        });
        Some(Standing {
            roles: node.roles.clone(),
            honest: self.cast.honest(who),
            height: core.map(|it| it.ledger().height()),
            processes: processes.collect(),
            asks: node.under_way.iter().map(|it| format!("{it:?}")).collect(),
        })
    }
}
