//! What is kept about a connected peer, and what it may still spend this second.
//!
//! # Rules
//!
//! - `[N-16]` Nodes say with their agent which of their lives this is. A peer that is heard of in another life than before has
//!   lost what we still take for connections, perhaps by a crash: all of them are closed, and it dials again. For gossip
//!   tells a peer what we subscribe to with the first connection only: its new life would be deaf to us for ever.

use libp2p::{Multiaddr, PeerId, identify};

use super::handle::PeerInfo;
use super::subnet::{Subnet, Subnets};
use super::topic::Topic;
use super::{limits, roster};

/// What stands between an agent and its life.
const LIFE: char = '#';

/// An agent as it is said, with the life that says it.
pub(crate) fn with_life(agent: &str, life: u64) -> String {
    format!("{agent}{LIFE}{life:016x}")
}

/// An agent, and its life if it says one.
fn split_life(said: &str) -> (&str, Option<String>) {
    match said.rsplit_once(LIFE) {
        Some((agent, life)) => (agent, Some(life.chars().take(16).collect())),
        None => (said, None),
    }
}

/// A connected peer.
#[derive(Debug)]
pub(crate) struct Peer {
    /// The other end of the first connection.
    pub(crate) remote: Multiaddr,
    /// Where it says that it listens; only addresses that may be dialled.
    pub(crate) listen: Vec<Multiaddr>,
    /// Where it hears assignments.
    assignments: Subnets,
    /// Where it hears approvals.
    approvals: Subnets,
    agent: String,
    life: Option<String>,
    gossip: u32,
    requests: u32,
}

impl Peer {
    pub(crate) fn new(remote: Multiaddr) -> Self {
        Self {
            remote,
            listen: Vec::new(),
            assignments: Subnets::default(),
            approvals: Subnets::default(),
            agent: String::new(),
            life: None,
            gossip: 0,
            requests: 0,
        }
    }

    pub(crate) fn identify(&mut self, info: &identify::Info) {
        let on_loopback = roster::is_loopback(&self.remote);
        let plain = |address: &Multiaddr| match roster::split(address) {
            Some((_, rest)) => rest,
            None => address.clone(),
        };
        let addresses = info.listen_addrs.iter().map(plain);
        self.listen = addresses
            .filter(|address| roster::dialable(address, on_loopback))
            .take(limits::ADDRESSES_PER_PEER)
            .collect();
        // The name ends in logs and on screens.
        let (agent, life) = split_life(&info.agent_version);
        self.life = life;
        let printable = agent.chars().filter(|c| c.is_ascii_graphic() || *c == ' ');
        self.agent = printable.take(limits::AGENT_CHARS).collect();
    }

    /// Whether what a peer says of itself is of another life than what it said before (rule N-16).
    pub(crate) fn lives_anew(&self, info: &identify::Info) -> bool {
        let (_, life) = split_life(&info.agent_version);
        self.life.is_some() && life.is_some() && self.life != life
    }

    /// It hears a topic from now on, or no more.
    pub(crate) const fn hears(&mut self, topic: Topic, hears: bool) {
        let (subnets, subnet) = match topic {
            Topic::Assignments(subnet) => (&mut self.assignments, subnet),
            Topic::Approvals(subnet) => (&mut self.approvals, subnet),
            Topic::Claims | Topic::Ledger | Topic::Records => return,
        };
        match hears {
            true => subnets.insert(subnet),
            false => subnets.remove(subnet),
        }
    }

    /// Whether it hears everything that is told in a subnet.
    pub(crate) const fn carries(&self, subnet: Subnet) -> bool {
        self.assignments.contains(subnet) && self.approvals.contains(subnet)
    }

    /// Counts a gossiped message; false if it is above the budget.
    pub(crate) fn spend_gossip(&mut self) -> bool {
        self.gossip = self.gossip.saturating_add(1);
        self.gossip <= limits::GOSSIP_PER_SECOND
    }

    /// Counts a request; false if it is above the budget.
    pub(crate) fn spend_request(&mut self) -> bool {
        self.requests = self.requests.saturating_add(1);
        self.requests <= limits::REQUESTS_IN_PER_SECOND
    }

    /// Starts the next second; gives the penalty for the last one.
    pub(crate) fn refill(&mut self) -> u32 {
        let excess = self.gossip.saturating_sub(limits::GOSSIP_PER_SECOND);
        (self.gossip, self.requests) = (0, 0);
        excess / limits::GOSSIP_EXCESS_PER_POINT
    }

    pub(crate) fn info(&self, peer: PeerId, score: f64, topics: Vec<Topic>) -> PeerInfo {
        let addresses = match self.listen.as_slice() {
            [] => vec![self.remote.clone()],
            listen => listen.to_vec(),
        };
        // A rounded score is for people to read; the conversion saturates.
        PeerInfo {
            peer,
            addresses,
            agent: self.agent.clone(),
            score: score as i64,
            topics,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_costs_points_and_a_full_second_does_not() {
        let mut peer = Peer::new(Multiaddr::empty());
        assert!((0..limits::GOSSIP_PER_SECOND).all(|_| peer.spend_gossip()));
        assert_eq!(peer.refill(), 0);
        assert!((0..limits::GOSSIP_PER_SECOND).all(|_| peer.spend_gossip()));
        assert!((0..limits::GOSSIP_EXCESS_PER_POINT).all(|_| !peer.spend_gossip()));
        assert_eq!(peer.refill(), 1);
        assert!((0..limits::REQUESTS_IN_PER_SECOND).all(|_| peer.spend_request()));
        assert!(!peer.spend_request());
        assert_eq!(peer.refill(), 0);
        assert!(peer.spend_gossip() && peer.spend_request());
    }
}
