//! Along which links gossip goes.
//!
//! # Rules
//!
//! - `[NW-6]` Among more than 16 nodes gossip goes along a mesh: those who carry a topic stand in a circle, another one for each subnet, and
//!   pass on to those who stand 1, 3, 9, 27 and so on places from them. Who does not carry it speaks to four of them.

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
        match circle.iter().position(|it| *it == who) {
            Some(here) => {
                let far = (0_u32..).map(|it| 3_usize.saturating_pow(it));
                let far = far.take_while(|it| it.saturating_mul(2) <= circle.len());
                let both = far.flat_map(|it| [it, circle.len().saturating_sub(it)]);
                let mut linked: Vec<usize> = both
                    .filter_map(|it| there(here.saturating_add(it)))
                    .collect();
                linked.sort_unstable();
                linked.dedup();
                linked
            }
            None => {
                let apart = circle.len().div_ceil(SPOKEN_TO);
                let places = (0..SPOKEN_TO).map(|it| who.saturating_add(it.saturating_mul(apart)));
                places.filter_map(there).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::cast::Plan;

    #[test]
    fn everybody_is_reached_in_a_few_steps() {
        for nodes in [4, 16, 17, 100] {
            let plan = Plan {
                nodes,
                ..Plan::quiet(1)
            };
            let simulation = Simulation::new(plan, Box::new(|_| {})).unwrap();
            for who in 0..nodes {
                let mut reached = BTreeSet::from([who]);
                for _ in 0..5 {
                    let next = reached.iter();
                    let next = next.flat_map(|it| simulation.linked(*it, Topic::Claims));
                    reached = next.chain(reached.iter().copied()).collect();
                }
                assert_eq!(reached.len(), nodes, "from {who}");
                assert!(simulation.linked(who, Topic::Claims).len() <= 16);
            }
        }
    }
}
