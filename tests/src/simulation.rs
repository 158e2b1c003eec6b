//! A run: events in virtual time, until everything that was wanted has happened or something that must not has.

mod act;
mod event;
mod exchange;
mod mesh;
mod meter;
mod ploys;
mod record;
mod replay;
mod spam;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use surety_attest::effect::Offer;
use surety_node::archive::write;
use surety_node::core::{Core, Effect, Input, Write};
use surety_node::fault::Fault;
use surety_node::store::Batch;
use surety_protocol::id::{Address, Digest};
use surety_protocol::time::{Height, Tick, Timestamp};

use crate::cast::{Cast, NODES_MAX, NODES_MIN, Plan, Weakness};
use crate::clock::Agenda;
use crate::disk::Disk;
use crate::network::{Links, Weather};
use crate::node::{Heard, Node};
use crate::oracle::{Oracle, Violation};
use crate::ploy::Ploy;
use crate::random::Random;
use crate::trace::Trace;
use crate::world::{OPENING, World};
use event::Event;
use mesh::Mesh;

pub use meter::{Meter, run_metered};
pub use record::{Said, record};
pub use replay::{Moment, Standing, replay};

/// How often a core is told that time passed.
const TICK: u64 = 50;
/// How often the oracle asks whether everything is done.
const LOOK: u64 = 100;
/// How long a run goes on once everything is done: two blocks, for what should not come after.
const AFTERMATH: u64 = 1_100;
/// When accidents and loss end, if there are any.
const HEAL: Tick = OPENING.plus(3_500);
/// How long a healed network may take to finish.
const PATIENCE: u64 = 60_000;
/// How long an unsynced disk takes to make writes durable.
const LAZY_SYNC: u64 = 700;
/// The clock on the wall when a run begins.
const EPOCH: u64 = 1_750_000_000_000;

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The plan.
    pub plan: Plan,
    /// The digest over all events (rule SM-1).
    pub digest: Digest,
    /// How many events.
    pub events: u64,
    /// How many milliseconds of virtual time.
    pub virtual_ms: u64,
    /// Blocks of the ledger.
    pub blocks: u64,
    /// Slots that were given.
    pub slots: usize,
    /// Claims that were published.
    pub claims: usize,
    /// Claims that were certified.
    pub certified: usize,
    /// Lies that were told and punished.
    pub slashed: usize,
    /// Times that a node crashed.
    pub crashes: usize,
    /// What somebody did beside.
    pub ploy: Option<Ploy>,
    /// What must not happen and did.
    pub violation: Option<Violation>,
}

/// Runs a plan to its end.
pub fn run(plan: &Plan) -> Outcome {
    run_watched(plan, |_| {})
}

/// Runs a plan to its end and tells what nodes do meanwhile.
pub fn run_watched(plan: &Plan, watch: impl FnMut(&Moment<'_>) + 'static) -> Outcome {
    let plan = sized(plan);
    match Simulation::new(plan.clone(), Box::new(watch)) {
        Ok(mut simulation) => {
            let violation = simulation.open().and_then(|()| simulation.run()).err();
            simulation.outcome(violation)
        }
        Err(violation) => nothing(plan, violation),
    }
}

/// The plan with as many nodes as a network can have.
fn sized(plan: &Plan) -> Plan {
    Plan {
        nodes: plan.nodes.clamp(NODES_MIN, NODES_MAX),
        ..plan.clone()
    }
}

/// A run that did not begin.
fn nothing(plan: Plan, violation: Violation) -> Outcome {
    Outcome {
        plan,
        digest: Digest::default(),
        events: 0,
        virtual_ms: 0,
        blocks: 0,
        slots: 0,
        claims: 0,
        certified: 0,
        slashed: 0,
        crashes: 0,
        ploy: None,
        violation: Some(violation),
    }
}

/// A run under way.
struct Simulation {
    plan: Plan,
    cast: Cast,
    world: World,
    agenda: Agenda<Event>,
    links: Links,
    random: Random,
    nodes: Vec<Node>,
    oracle: Oracle,
    trace: Trace,
    healed: bool,
    deadline: Tick,
    crashes: usize,
    done: bool,
    /// Who has taken its stake out.
    fled: BTreeSet<usize>,
    /// What the spammer has said under signatures that are for something else.
    forgeries: BTreeSet<Digest>,
    /// Digests on the ledger whose claims it has not heard yet: the claimant, the height, the digest.
    preempting: Vec<(Address, Height, Digest)>,
    /// What it has heard of late.
    overheard: VecDeque<Heard>,
    meter: Option<Meter>,
    mesh: Mesh,
    /// What was said, if it is to be kept.
    record: Option<Vec<Said>>,
    watch: Watch,
    /// Whether every event is shown, and not only what nodes tell.
    shows: bool,
    /// The event after which the run stops.
    stops: Option<u64>,
}

/// Is told what happens.
type Watch = Box<dyn FnMut(&Moment<'_>)>;

impl Simulation {
    fn new(plan: Plan, watch: Watch) -> Result<Simulation, Violation> {
        let mut random = Random::new(plan.seed);
        let cast = Cast::new(&plan, &mut random.fork());
        let world = World::new(&plan, &cast, &mut random.fork());
        let world = world.map_err(|it| Violation::new("world", it))?;
        let truthful = cast
            .all_truthful()
            .into_iter()
            .filter_map(|node| world.operators.get(node).map(|it| it.address))
            .collect();
        let blind = (0..).zip(&cast.faults).filter_map(|(node, faults)| {
            let slot = faults.iter().find_map(Fault::blind_slot)?;
            let operator: &_ = world.operators.get::<usize>(node)?;
            Some((operator.address, slot))
        });
        let blind = blind.collect();
        let synced = plan.weakness != Some(Weakness::UnsyncedDisk);
        let nodes = cast
            .roles
            .iter()
            .zip(&cast.faults)
            .map(|(roles, faults)| {
                Node::new(roles.clone(), faults.clone(), Arc::new(Disk::new(synced)))
            })
            .collect();
        Ok(Simulation {
            mesh: Mesh::new(cast.roles.len()),
            links: Links::new(Weather::with_loss(plan.loss), random.fork()),
            oracle: Oracle::new(world.genesis.profiles.clone(), truthful, blind),
            agenda: Agenda::default(),
            trace: Trace::default(),
            healed: false,
            deadline: Tick(u64::MAX),
            crashes: 0,
            done: false,
            fled: BTreeSet::new(),
            forgeries: BTreeSet::new(),
            preempting: Vec::new(),
            overheard: VecDeque::new(),
            plan,
            cast,
            world,
            random,
            nodes,
            meter: None,
            record: None,
            watch,
            shows: false,
            stops: None,
        })
    }

    /// Starts all nodes and plans what users and accidents do.
    fn open(&mut self) -> Result<(), Violation> {
        self.oracle.learn(&self.world.module);
        for who in 0..self.nodes.len() {
            if self.cast.late.contains(&who) {
                let at = OPENING.plus(self.random.below(HEAL.since(OPENING)));
                self.agenda.at(at, Event::Restart { who });
            } else {
                self.start(who)?;
            }
        }
        // The first node's operator has published the module.
        let module = self.world.module.clone();
        self.step(0, Input::Fetched(surety_node::core::Fetched::Item(module)))?;
        let proposer = self.cast.proposer;
        let joining: Vec<_> = self
            .world
            .operators
            .iter()
            .flat_map(|it| it.joining.clone())
            .collect();
        for item in joining {
            self.step(
                proposer,
                Input::Offer {
                    offer: Offer::Item(item),
                    wall: Timestamp(EPOCH),
                },
            )?;
        }
        for (index, wish) in self.world.wishes.iter().enumerate() {
            self.agenda.at(wish.at, Event::Wish { index });
        }
        let honest = self.cast.all_honest();
        for _ in 0..self.plan.crashes {
            let at = OPENING.plus(self.random.below(HEAL.since(OPENING)));
            let effects = self.random.below(12);
            if let Some(who) = self.random.pick(&honest) {
                self.agenda.at(at, Event::Doom { who: *who, effects });
            }
        }
        self.plan_partitions();
        if self.cast.spammer.is_some() {
            self.agenda.at(OPENING, Event::Spam);
        }
        self.agenda.at(HEAL.max(self.world.ends()), Event::Heal);
        Ok(())
    }

    /// Plans when the network falls apart, and how.
    fn plan_partitions(&mut self) {
        for _ in 0..self.plan.partitions {
            let at = OPENING.plus(self.random.below(HEAL.since(OPENING)));
            let side = (0..self.nodes.len())
                .filter(|_| self.random.percent(40))
                .collect();
            self.agenda.at(at, Event::Part { side });
            let whole = at.plus(self.random.between(300, 2_000));
            let side = BTreeSet::new();
            self.agenda.at(whole, Event::Part { side });
        }
    }

    fn run(&mut self) -> Result<(), Violation> {
        while !self.done {
            let Some(event) = self.agenda.take() else {
                break;
            };
            let (what, who, bytes) = event.name();
            self.trace.add(self.agenda.now(), what, who, &bytes);
            if self.shows
                && let Some(what) = event.describe()
            {
                self.show(event.whose(), &what);
            }
            self.handle(event)?;
            if self.stops.is_some_and(|it| self.trace.events() >= it) {
                break;
            }
        }
        Ok(())
    }

    fn outcome(&self, violation: Option<Violation>) -> Outcome {
        Outcome {
            plan: self.plan.clone(),
            digest: self.trace.digest(),
            events: self.trace.events(),
            virtual_ms: self.agenda.now().0,
            blocks: self.oracle.height().0,
            slots: self.oracle.slots(),
            claims: self.oracle.claims(),
            certified: self.oracle.certified(),
            slashed: self.oracle.lies().len(),
            crashes: self.crashes,
            ploy: self.cast.plotter.map(|it| it.ploy),
            violation,
        }
    }

    /// Starts a node, the first time or after a crash.
    fn start(&mut self, who: usize) -> Result<(), Violation> {
        let now = self.agenda.now();
        let (Some(node), Some(operator)) = (self.nodes.get_mut(who), self.world.operators.get(who))
        else {
            return Ok(());
        };
        let effects = node
            .start(&self.world, operator, now)
            .map_err(|it| Violation::new("restart", it))?;
        let life = node.life;
        let first = self.random.below(TICK);
        self.agenda.after(first, Event::Tick { who, life });
        self.perform(who, effects)
    }

    /// Feeds a core and performs what it asks for.
    fn step(&mut self, who: usize, input: Input) -> Result<(), Violation> {
        let (now, begin) = (self.agenda.now(), self.begin());
        let Some(running) = self.nodes.get_mut(who).and_then(|it| it.running.as_mut()) else {
            return Ok(());
        };
        let at = Tick(now.since(running.started));
        let effects = running.core.step(at, input);
        self.spend(begin);
        self.perform(who, effects)
    }

    /// Performs effects in the driver's order, and crashes where it is time (rule SM-2).
    fn perform(&mut self, who: usize, effects: Vec<Effect>) -> Result<(), Violation> {
        let mut batch = Batch::new();
        let mut rest = Vec::new();
        for effect in effects {
            let Effect::Persist(change) = effect else {
                rest.push(effect);
                continue;
            };
            self.oracle.kept(&change);
            let put = match change {
                Write::Record(record) => write::put(&mut batch, record),
                Write::Block(block) => write::put_block(&mut batch, &block),
                Write::Certified(process, size) => {
                    write::put_certified(&mut batch, &process, size);
                    Ok(())
                }
                Write::Registration {
                    operator,
                    registration,
                    item,
                } => {
                    write::put_registration(&mut batch, &operator, &registration, &item);
                    Ok(())
                }
                Write::Challenge(challenge) => write::put_challenge(&mut batch, &challenge),
                Write::Settled(case) => {
                    write::forget_challenge(&mut batch, &case);
                    Ok(())
                }
            };
            put.map_err(|it| Violation::new("archive", it))?;
        }
        if !batch.is_empty() {
            if self.crashes_now(who)? {
                return Ok(());
            }
            if let Some(node) = self.nodes.get(who) {
                if let Some(meter) = &mut self.meter {
                    meter.writes(self.agenda.now(), &batch);
                }
                let begin = self.begin();
                let written = node.archive.write(batch);
                written.map_err(|it| Violation::new("archive", it))?;
                self.spend(begin);
            }
            // What is not durable did not happen.
            if let Some(running) = self.nodes.get(who).and_then(|it| it.running.as_ref()) {
                self.oracle.observe(&running.core)?;
            }
        }
        for effect in rest {
            let told = matches!(effect, Effect::Report { .. } | Effect::Notify(_));
            if !told && self.crashes_now(who)? {
                return Ok(());
            }
            self.act(who, effect)?;
        }
        Ok(())
    }

    /// Counts an effect of a doomed node; whether the node is gone.
    fn crashes_now(&mut self, who: usize) -> Result<bool, Violation> {
        let Some(node) = self.nodes.get_mut(who) else {
            return Ok(true);
        };
        match node.doom {
            None => return Ok(node.running.is_none()),
            Some(0) => {}
            Some(left) => {
                node.doom = Some(left.saturating_sub(1));
                return Ok(false);
            }
        }
        node.crash().map_err(|it| Violation::new("archive", it))?;
        self.oracle.crashed(self.address(who));
        self.tell(who, "crashes");
        self.crashes = self.crashes.saturating_add(1);
        let down = self.random.between(100, 3_000);
        self.agenda.after(down, Event::Restart { who });
        Ok(true)
    }

    fn core(&self, who: usize) -> Option<&Core> {
        self.nodes.get(who)?.running.as_ref().map(|it| &it.core)
    }

    fn address(&self, who: usize) -> Address {
        self.world
            .operators
            .get(who)
            .map(|it| it.address)
            .unwrap_or_default()
    }

    fn node_of(&self, operator: &Address) -> Option<usize> {
        self.world
            .operators
            .iter()
            .position(|it| it.address == *operator)
    }

    /// Every node's clock on the wall is a little wrong.
    fn wall(&self, who: usize) -> Timestamp {
        let skew = u64::try_from(who).unwrap_or(0).saturating_mul(17);
        Timestamp(
            EPOCH
                .saturating_add(self.agenda.now().0)
                .saturating_add(skew),
        )
    }
}
