//! Along which links gossip goes.
//!
//! # Rules
//!
//! - `[NW-6]` Among more than 16 nodes gossip goes along a mesh: those who carry a topic stand in a circle, another one for each subnet, and
//!   pass on to those who stand 1, 3, 9, 27 and so on places from them. Who does not carry it speaks to four of them. Whom a
//!   villain has eclipsed is linked with the villain.

use surety_node::net::{Subnet, Topic};
use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::Digest;

use super::Simulation;

/// The most nodes that all hear one another.
const ALL_LINKED: usize = 16;
/// To how many one speaks who does not carry a topic.
const SPOKEN_TO: usize = 4;

/// The order in which nodes stand for each subnet, and for what has none.
#[derive(Debug)]
pub(super) struct Mesh {
    of_all: Vec<usize>,
    of_subnets: Vec<(Subnet, Vec<usize>)>,
}

impl Mesh {
    pub(super) fn new(nodes: usize) -> Mesh {
        let circle = |name: &str| {
            let place = |node: &usize| -> Digest {
                digest(Domain::OBJECT, &[name.as_bytes(), &node.to_be_bytes()])
            };
            let mut all: Vec<usize> = (0..nodes).collect();
            all.sort_by_cached_key(place);
            all
        };
        let named = |subnet: Subnet| (subnet, circle(&subnet.to_string()));
        Mesh {
            of_all: circle("all"),
            of_subnets: Subnet::all().map(named).collect(),
        }
    }

    fn of(&self, topic: Topic) -> &[usize] {
        let mut subnets = self.of_subnets.iter();
        let its = subnets.find(|(it, _)| topic.subnet() == Some(*it));
        its.map_or(&self.of_all, |(_, circle)| circle)
    }
}

impl Simulation {
    /// Who carries a topic.
    pub(super) fn carriers(&self, topic: Topic) -> Vec<usize> {
        let all = (0..).zip(&self.nodes);
        let carriers = all.filter(|(_, node)| node.carries(topic));
        carriers.map(|(who, _)| who).collect()
    }

    /// Who hears what a node says or passes on (rule NW-6).
    pub(super) fn linked(&self, who: usize, topic: Topic) -> Vec<usize> {
        if self.nodes.len() <= ALL_LINKED {
            return self.carriers(topic);
        }
        let carries = |it: &usize| self.nodes.get(*it).is_some_and(|it| it.carries(topic));
        let circle = self.mesh.of(topic).iter().copied();
        let circle: Vec<usize> = circle.filter(carries).collect();
        let there = |place: usize| circle.get(place.checked_rem(circle.len())?).copied();
        let mut linked: Vec<usize> = match circle.iter().position(|it| *it == who) {
            Some(here) => {
                let far = (0_u32..).map(|it| 3_usize.saturating_pow(it));
                let far = far.take_while(|it| it.saturating_mul(2) <= circle.len());
                let both = far.flat_map(|it| [it, circle.len().saturating_sub(it)]);
                let places = both.map(|it| here.saturating_add(it));
                places.filter_map(there).collect()
            }
            None => {
                let apart = |it: usize| it.saturating_mul(circle.len()) / SPOKEN_TO;
                let places = (0..SPOKEN_TO).map(|it| who.saturating_add(apart(it)));
                places.filter_map(there).collect()
            }
        };
        linked.extend(self.eclipse(who).filter(carries));
        linked.sort_unstable();
        linked.dedup();
        linked
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use surety_node::net::Subnets;

    use super::*;
    use crate::cast::Plan;
    use crate::ploy::Ploy;

    fn simulation(nodes: usize) -> Simulation {
        let plan = Plan {
            nodes,
            ..Plan::quiet(1)
        };
        Simulation::new(plan, Box::new(|_| {})).unwrap()
    }

    /// All carriers hear of it, whoever says it, and nobody else does.
    fn reaches_all(simulation: &Simulation, topic: Topic) {
        let carriers: BTreeSet<usize> = simulation.carriers(topic).into_iter().collect();
        for who in 0..simulation.nodes.len() {
            let mut reached = BTreeSet::from([who]);
            for _ in 0..5 {
                let next = reached.iter();
                let next = next.flat_map(|it| simulation.linked(*it, topic));
                reached = next.chain(reached.iter().copied()).collect();
            }
            assert!(reached.is_superset(&carriers), "from {who}");
            reached.remove(&who);
            assert!(reached.is_subset(&carriers), "from {who}");
            let linked = simulation.linked(who, topic);
            assert!(linked.len() <= 16);
            if simulation.nodes.len() > ALL_LINKED && !carriers.contains(&who) {
                assert_eq!(linked.len(), carriers.len().min(SPOKEN_TO), "from {who}");
            }
        }
    }

    #[test]
    fn everybody_is_reached_in_a_few_steps() {
        for nodes in [4, 16, 17, 100] {
            let simulation = simulation(nodes);
            assert_eq!(simulation.carriers(Topic::Claims).len(), nodes);
            reaches_all(&simulation, Topic::Claims);
        }
    }

    #[test]
    fn whoever_carries_a_subnet_is_reached() {
        let subnet = Subnet::all().next().unwrap();
        for carriers in [2, 6, 9, 40] {
            let mut simulation = simulation(64);
            for node in simulation.nodes.iter_mut().skip(carriers) {
                node.carried = Subnets::default();
            }
            let topic = Topic::Approvals(subnet);
            assert_eq!(simulation.carriers(topic).len(), carriers);
            reaches_all(&simulation, topic);
        }
    }

    #[test]
    fn an_eclipse_leaves_a_node_its_villain() {
        let plan = Plan {
            nodes: 64,
            ploy: Some(Ploy::Eclipse),
            ..Plan::quiet(1)
        };
        let simulation = Simulation::new(plan, Box::new(|_| {})).unwrap();
        let plot = simulation.plots(Ploy::Eclipse).unwrap();
        let heard_by = |who| simulation.linked(who, Topic::Claims);
        assert!(heard_by(plot.villain).contains(&plot.victim));
        assert!(heard_by(plot.victim).contains(&plot.villain));
    }
}
