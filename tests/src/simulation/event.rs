//! What can happen in a run, and what happens then.

use std::collections::BTreeSet;
use std::sync::Arc;

use surety_attest::effect::Offer;
use surety_node::core::{Checking, Input, Signing};
use surety_protocol::execution::ExecutionRequest;
use surety_protocol::id::EvidenceId;
use surety_protocol::profiles::Profiles;

use super::{AFTERMATH, LAZY_SYNC, LOOK, PATIENCE, Simulation, TICK};
use crate::cast::Weakness;
use crate::network::{Answer, Wanted};
use crate::node::Heard;
use crate::oracle::Violation;
use crate::oracle::disk::no_refuse;

/// How long a user waits for a slot before it asks again.
const USER_PATIENCE: u64 = 700;
/// The longest pause between two tries to hand an item to a scheduler.
const DELIVERY_WAIT_MAX: u64 = 60_000;

/// Something that happens at a time.
#[derive(Debug)]
pub(super) enum Event {
    /// Time passes for a node.
    Tick { who: usize, life: u64 },
    /// Gossip arrives; repeated if the network says it twice.
    Gossip {
        to: usize,
        heard: Heard,
        repeated: bool,
    },
    /// Something heavy is done beside a node's core.
    Work { who: usize, life: u64, work: Work },
    /// What was done comes back.
    Done {
        who: usize,
        life: u64,
        input: Box<Input>,
    },
    /// A node asks the next of those who may have something.
    Ask {
        who: usize,
        life: u64,
        wanted: Wanted,
        peers: Vec<usize>,
    },
    /// The question arrives.
    Asked {
        peer: usize,
        who: usize,
        life: u64,
        wanted: Wanted,
        others: Vec<usize>,
    },
    /// The answer arrives.
    Got {
        who: usize,
        life: u64,
        wanted: Wanted,
        answer: Box<Answer>,
    },
    /// Somebody hands a node an item.
    Offer { to: usize, offer: Offer },
    /// A node hands a scheduler an item, until it has a slot; each pause is twice as long as the one before.
    Deliver {
        who: usize,
        life: u64,
        to: usize,
        offer: Offer,
        wait: u64,
    },
    /// A user wants something.
    Wish { index: usize },
    /// A node will crash after so many effects.
    Doom { who: usize, effects: u64 },
    /// A crashed node starts again.
    Restart { who: usize },
    /// The network falls into two parts, or comes together if there is nobody on one side.
    Part { side: BTreeSet<usize> },
    /// A spammer says something.
    Spam,
    /// An unsynced disk catches up.
    Sync { who: usize },
    /// Accidents and loss end.
    Heal,
    /// The oracle asks whether everything is done.
    Look,
    /// The run is over.
    End,
}

/// Something heavy.
#[derive(Debug)]
pub(super) enum Work {
    /// An execution, under these profiles.
    Job(Box<surety_attest::effect::Job>, Arc<Profiles>),
    /// An execution that evidence asks for.
    Judge(EvidenceId, Box<ExecutionRequest>),
    /// Signatures to be verified.
    Check(Checking),
    /// A signature.
    Sign(Box<Signing>),
}

impl Event {
    /// What the trace keeps: name, node, and what tells it from others of its kind.
    pub(super) fn name(&self) -> (&'static str, usize, Vec<u8>) {
        let number = |number: u64| number.to_be_bytes().to_vec();
        match self {
            Event::Tick { who, life } => ("tick", *who, number(*life)),
            Event::Gossip { to, heard, .. } => ("gossip", *to, heard.id.as_bytes().to_vec()),
            Event::Work { who, work, .. } => {
                let kind = match work {
                    Work::Job(..) => "execute",
                    Work::Judge(..) => "judge",
                    Work::Check(_) => "check",
                    Work::Sign(_) => "sign",
                };
                (kind, *who, Vec::new())
            }
            Event::Done { who, life, .. } => ("done", *who, number(*life)),
            Event::Ask { who, wanted, .. } => ("ask", *who, format!("{wanted:?}").into_bytes()),
            Event::Asked { peer, wanted, .. } => {
                ("asked", *peer, format!("{wanted:?}").into_bytes())
            }
            Event::Got { who, wanted, .. } => ("got", *who, format!("{wanted:?}").into_bytes()),
            Event::Offer { to, offer } => ("offer", *to, offer.item().id().as_bytes().to_vec()),
            Event::Deliver { to, offer, .. } => {
                ("deliver", *to, offer.item().id().as_bytes().to_vec())
            }
            Event::Wish { index } => ("wish", *index, Vec::new()),
            Event::Doom { who, effects } => ("doom", *who, number(*effects)),
            Event::Restart { who } => ("restart", *who, Vec::new()),
            Event::Part { side } => ("part", side.len(), Vec::new()),
            Event::Spam => ("spam", 0, Vec::new()),
            Event::Sync { who } => ("sync", *who, Vec::new()),
            Event::Heal => ("heal", 0, Vec::new()),
            Event::Look => ("look", 0, Vec::new()),
            Event::End => ("end", 0, Vec::new()),
        }
    }
}

impl Event {
    /// What a reader of the run wants to know.
    pub(super) fn describe(&self) -> Option<String> {
        let (name, ..) = self.name();
        Some(match self {
            Event::Tick { .. } | Event::Look => return None,
            Event::Gossip {
                heard, repeated, ..
            } => {
                let again = if *repeated { " again" } else { "" };
                let (topic, origin, from) = (heard.topic.name(), heard.origin, heard.from);
                format!(
                    "hears {topic} {} of node {origin} from node {from}{again}",
                    heard.id
                )
            }
            Event::Done { input, .. } => {
                let input = format!("{input:?}");
                let end = input.find(['(', ' ', '{']).unwrap_or(input.len());
                format!("has done its work: {}", input.get(..end).unwrap_or(&input))
            }
            Event::Ask { wanted, peers, .. } => {
                format!("asks node {:?} for {wanted:?}", peers.first())
            }
            Event::Asked { who, wanted, .. } => format!("is asked by node {who} for {wanted:?}"),
            Event::Got { wanted, .. } => format!("gets {wanted:?}"),
            Event::Offer { offer, .. } => format!("is handed {}", offer.item().id()),
            Event::Deliver { to, offer, .. } => {
                format!("hands node {to} {}", offer.item().id())
            }
            Event::Doom { effects, .. } => format!("is to crash after {effects} effects"),
            Event::Part { side } if side.is_empty() => "the network is whole again".into(),
            Event::Part { side } => format!("the network falls apart: {side:?} and the others"),
            _ => name.to_owned(),
        })
    }

    /// The node that it is about, if it is about one.
    pub(super) fn whose(&self) -> Option<usize> {
        let (_, who, _) = self.name();
        let everybody = matches!(
            self,
            Event::Wish { .. } | Event::Part { .. } | Event::Spam | Event::Heal | Event::End
        );
        (!everybody).then_some(who)
    }
}

impl Simulation {
    pub(super) fn handle(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Tick { who, life } if self.lives(who, life) => {
                self.agenda.after(TICK, Event::Tick { who, life });
                self.step(who, Input::Tick(self.wall(who)))
            }
            Event::Gossip {
                to,
                heard,
                repeated,
            } => self.hear(to, heard, repeated),
            Event::Work { who, life, work } if self.lives(who, life) => self.work(who, work),
            Event::Done { who, life, input } if self.lives(who, life) => self.step(who, *input),
            Event::Ask {
                who,
                life,
                wanted,
                peers,
            } if self.lives(who, life) => {
                self.ask(who, life, wanted, peers);
                Ok(())
            }
            Event::Asked {
                peer,
                who,
                life,
                wanted,
                others,
            } => self.asked(peer, who, life, wanted, others),
            Event::Got {
                who,
                life,
                wanted,
                answer,
            } if self.lives(who, life) => self.got(who, &wanted, *answer),
            Event::Offer { to, offer } => {
                let wall = self.wall(to);
                self.step(to, Input::Offer { offer, wall })
            }
            Event::Deliver {
                who,
                life,
                to,
                offer,
                wait,
            } if self.lives(who, life) => {
                self.deliver(who, life, to, offer, wait);
                Ok(())
            }
            Event::Wish { index } => {
                self.wish(index);
                Ok(())
            }
            Event::Doom { who, effects } if !self.healed => {
                if let Some(node) = self.nodes.get_mut(who).filter(|it| it.running.is_some()) {
                    node.doom = Some(effects);
                    // Nobody syncs a disk right before it fails.
                    self.agenda.after(LAZY_SYNC, Event::Sync { who });
                }
                Ok(())
            }
            Event::Restart { who } => self.restart(who),
            Event::Part { side } => {
                if !self.healed {
                    self.links.part(side);
                }
                Ok(())
            }
            Event::Spam => self.spam(),
            Event::Sync { who } => {
                if let Some(node) = self.nodes.get(who) {
                    node.disk.sync();
                }
                Ok(())
            }
            Event::Heal => {
                self.heal();
                Ok(())
            }
            Event::Look => self.look(),
            Event::End => self.end(),
            // Of a life that is over.
            _ => Ok(()),
        }
    }

    /// Whether an event is for what a node is now (rule SN-1).
    fn lives(&self, who: usize, life: u64) -> bool {
        self.nodes
            .get(who)
            .is_some_and(|it| it.life == life && it.running.is_some())
    }

    fn restart(&mut self, who: usize) -> Result<(), Violation> {
        self.tell(who, "starts again");
        if self.plan.weakness == Some(Weakness::Amnesia)
            && let Some(node) = self.nodes.get(who)
        {
            node.forget().map_err(|it| Violation::new("archive", it))?;
        }
        self.start(who)
    }

    fn deliver(&mut self, who: usize, life: u64, to: usize, offer: Offer, wait: u64) {
        if self.oracle.has_slot(offer.item().id()) || wait > DELIVERY_WAIT_MAX {
            return;
        }
        if let Some(delay) = self.links.between(who, to) {
            self.agenda.after(
                delay,
                Event::Offer {
                    to,
                    offer: offer.clone(),
                },
            );
        }
        let again = Event::Deliver {
            who,
            life,
            to,
            offer,
            wait: wait.saturating_mul(2),
        };
        self.agenda.after(wait, again);
    }

    /// Users ask again until their message has a slot.
    fn wish(&mut self, index: usize) {
        let Some(wish) = self.world.wishes.get(index) else {
            return;
        };
        if self.oracle.has_slot(wish.item.id()) {
            return;
        }
        let (item, scheduler) = (wish.item.clone(), wish.scheduler);
        let all: Vec<usize> = (0..self.nodes.len()).collect();
        let other = self.random.pick(&all).copied().unwrap_or(scheduler);
        let to = if self.random.percent(50) {
            scheduler
        } else {
            other
        };
        if let Some(delay) = self.links.carry() {
            let offer = Offer::Item(item);
            self.agenda.after(delay, Event::Offer { to, offer });
        }
        self.agenda.after(USER_PATIENCE, Event::Wish { index });
    }

    fn heal(&mut self) {
        self.healed = true;
        if self.plan.weakness == Some(Weakness::EndlessLoss) {
            self.links.sever();
        } else {
            self.links.heal();
        }
        for node in &mut self.nodes {
            node.doom = None;
        }
        self.deadline = self.agenda.now().plus(PATIENCE);
        self.agenda.after(LOOK, Event::Look);
    }

    fn look(&mut self) -> Result<(), Violation> {
        let missing = self.missing();
        match missing {
            None => self.agenda.after(AFTERMATH, Event::End),
            Some(what) if self.agenda.now() >= self.deadline => {
                return Err(Violation::new("liveness", what));
            }
            Some(_) => self.agenda.after(LOOK, Event::Look),
        }
        Ok(())
    }

    fn missing(&self) -> Option<String> {
        if let Some(wish) = self
            .world
            .wishes
            .iter()
            .find(|it| !self.oracle.has_slot(it.item.id()))
        {
            return Some(format!("message {} of a user has no slot", wish.item.id()));
        }
        let honest = self.cast.all_honest();
        let cores: Vec<_> = honest.iter().filter_map(|who| self.core(*who)).collect();
        if cores.len() < honest.len() {
            return Some("a node is down".into());
        }
        self.oracle.missing(&cores)
    }

    fn end(&mut self) -> Result<(), Violation> {
        // A lie may have been told since nothing was missing any more.
        if self.missing().is_some() {
            return self.look();
        }
        self.done = true;
        let honest = self.cast.all_honest();
        for node in honest.iter().filter_map(|who| self.nodes.get(*who)) {
            if let Some(running) = &node.running {
                no_refuse(&node.archive, running.core.ledger())?;
            }
        }
        let first = honest.first().and_then(|who| self.core(*who));
        first.map_or(Ok(()), |core| self.oracle.conclude(core.ledger()))
    }
}
