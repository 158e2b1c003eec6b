//! Subnets: who hears of which processes.
//!
//! What is said of one process concerns few in a large network: whoever evaluates it, and the few who have drawn a claim of it. So it
//! is told in one of some subnets, which some of the nodes carry.
//!
//! # Rules
//!
//! - `[N-19]` Assignments and approvals are told in 16 subnets each, those of a process in that of its id's first four bits. A node carries
//!   as many of them as its owner says: those that the digest of its peer id names, four bits at a time, each once. So everybody knows
//!   which subnets a peer carries, if it carries no more than others do.
//! - `[N-20]` A node looks for four connected peers in each subnet that it carries, and for two in each other one, which it says its own
//!   things to. While there are fewer, known peers are dialled that carry it, even if as many are connected as are wanted; up to
//!   16 more than those.

use std::time::Instant;

use libp2p::PeerId;
use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::ProcessId;

use super::limits;
use super::task::Net;
use super::topic::Topic;

/// A part of what is told of processes (rule N-19).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Subnet(u8);

impl Subnet {
    /// How many there are.
    pub const COUNT: usize = 16;

    /// That of a process.
    pub const fn of(process: &ProcessId) -> Subnet {
        let [first, ..] = process.as_bytes();
        Subnet(*first >> 4)
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Subnet> {
        (0..16).map(Subnet)
    }

    const fn bit(self) -> u16 {
        1 << self.0
    }
}

impl std::fmt::Display for Subnet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Some of the subnets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Subnets(u16);

impl Subnets {
    /// All of them.
    pub const ALL: Subnets = Subnets(u16::MAX);

    /// Those that a peer carries of whom each is to carry so many (rule N-19).
    pub fn carried_by(peer: &[u8], count: usize) -> Subnets {
        if count >= Subnet::COUNT {
            return Subnets::ALL;
        }
        let named = digest(Domain::OBJECT, &[b"subnets", peer]);
        let halves = named.as_bytes().iter().flat_map(|it| [it >> 4, it & 15]);
        // Should they name too few, the others follow in order.
        let mut its = Subnets::default();
        for subnet in halves.map(Subnet).chain(Subnet::all()) {
            if its.len() >= count {
                break;
            }
            its.insert(subnet);
        }
        its
    }

    /// Whether one is among them.
    pub const fn contains(self, subnet: Subnet) -> bool {
        self.0 & subnet.bit() != 0
    }

    /// How many they are.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn insert(&mut self, subnet: Subnet) {
        self.0 |= subnet.bit();
    }

    pub(crate) const fn remove(&mut self, subnet: Subnet) {
        self.0 &= !subnet.bit();
    }
}

/// What a node carries, and what it may expect of others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Carried {
    pub(crate) here: Subnets,
    /// How many everybody carries at least.
    pub(crate) everybody: usize,
}

impl Default for Carried {
    fn default() -> Self {
        Carried {
            here: Subnets::ALL,
            everybody: Subnet::COUNT,
        }
    }
}

/// How many peers each subnet lacks (rule N-20).
#[derive(Debug)]
struct Lacking([usize; Subnet::COUNT]);

impl Lacking {
    fn of(&self, subnet: Subnet) -> usize {
        self.0.get(usize::from(subnet.0)).copied().unwrap_or(0)
    }

    fn is_nothing(&self) -> bool {
        self.0.iter().all(|it| *it == 0)
    }

    /// Whether a peer that carries these helps; if so it is counted on.
    fn takes(&mut self, its: Subnets) -> bool {
        let helps = Subnet::all().any(|it| its.contains(it) && self.of(it) > 0);
        for subnet in Subnet::all().filter(|it| helps && its.contains(*it)) {
            if let Some(lacks) = self.0.get_mut(usize::from(subnet.0)) {
                *lacks = lacks.saturating_sub(1);
            }
        }
        helps
    }
}

impl Net {
    /// Carries so many subnets, or all, where everybody carries so many (rule N-19).
    pub(crate) fn carry(&mut self, everybody: usize, all: bool) {
        let local = self.swarm.local_peer_id().to_bytes();
        let here = match all {
            true => Subnets::ALL,
            false => Subnets::carried_by(&local, everybody),
        };
        self.carried = Carried { here, everybody };
        for subnet in Subnet::all() {
            for topic in Topic::of_subnet(subnet) {
                let name = self.names.topic(topic);
                let gossip = &mut self.swarm.behaviour_mut().gossip;
                match here.contains(subnet) {
                    // Whoever has subscribed already stays so; the filter lets all topics through.
                    true => drop(gossip.subscribe(&name)),
                    false => drop(gossip.unsubscribe(&name)),
                }
            }
        }
        tracing::debug!(subnets = here.len(), "carries");
    }

    fn lacking(&self) -> Lacking {
        let mut lacking = Lacking([0; Subnet::COUNT]);
        for (subnet, lacks) in Subnet::all().zip(&mut lacking.0) {
            let carriers = self.peers.values();
            let carriers = carriers.filter(|it| it.subnets.contains(subnet)).count();
            let wanted = match self.carried.here.contains(subnet) {
                true => limits::SUBNET_MESH,
                false => limits::SUBNET_PEERS,
            };
            *lacks = wanted.saturating_sub(carriers);
        }
        lacking
    }

    /// Dials peers in subnets that lack them (rule N-20).
    pub(crate) fn dial_carriers(&mut self, now: Instant) {
        let most = self.target.saturating_add(limits::SUBNET_DIALLED);
        let everybody = self.carried.everybody;
        // Where everybody carries all, any peer does; and below the target whoever is known is dialled (rule N-12).
        let few = self.target == 0 || self.peers.len() < self.target;
        if everybody >= Subnet::COUNT || few || self.peers.len() >= most {
            return;
        }
        let mut lacking = self.lacking();
        if lacking.is_nothing() {
            return;
        }
        let mut helps = |peer: &PeerId| {
            let its = Subnets::carried_by(&peer.to_bytes(), everybody);
            lacking.takes(its)
        };
        let due = self.dialer.due_for(&mut helps, now);
        self.dial_each(due, now);
        // Who is in no book yet is next.
        let unknown = self.reach.all_located();
        let unknown = unknown.filter(|(peer, _)| self.dialer.addresses(peer).is_empty());
        let unknown = unknown.filter(|(peer, _)| helps(peer));
        let unknown = unknown.map(|(peer, addresses)| (*peer, addresses.clone()));
        let unknown: Vec<_> = unknown.take(limits::DIALS).collect();
        for (peer, addresses) in unknown {
            self.dialer.learn(peer, addresses, false, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bits_of_a_process_are_its_subnet() {
        let of = |first| Subnet::of(&ProcessId::new([first; 32]));
        assert_eq!(of(0x0f), Subnet(0));
        assert_eq!(of(0x10), Subnet(1));
        assert_eq!(of(0xff), Subnet(15));
        assert_eq!(Subnet::all().count(), Subnet::COUNT);
    }

    #[test]
    fn who_carries_more_carries_what_it_carried() {
        let mut carriers = [0_usize; Subnet::COUNT];
        for peer in 0..1_000_u32 {
            let peer = peer.to_be_bytes();
            let mut before = Subnets::default();
            for count in 0..=Subnet::COUNT {
                let its = Subnets::carried_by(&peer, count);
                assert_eq!(its.len(), count);
                assert!(Subnet::all().all(|it| !before.contains(it) || its.contains(it)));
                before = its;
            }
            assert_eq!(before, Subnets::ALL);
            let four = Subnets::carried_by(&peer, 4);
            for (subnet, count) in Subnet::all().zip(&mut carriers) {
                *count += usize::from(four.contains(subnet));
            }
        }
        // A quarter of them each, give or take.
        assert!(
            carriers.iter().all(|it| (190..310).contains(it)),
            "{carriers:?}"
        );
    }

    #[test]
    fn who_is_counted_on_is_not_looked_for_twice() {
        let mut lacking = Lacking([0; Subnet::COUNT]);
        assert!(lacking.is_nothing() && !lacking.takes(Subnets::ALL));
        lacking.0[3] = 2;
        let mut third = Subnets::default();
        third.insert(Subnet(3));
        let mut other = Subnets::ALL;
        other.remove(Subnet(3));
        assert!(!lacking.takes(other));
        assert!(lacking.takes(third) && lacking.takes(Subnets::ALL));
        assert!(!lacking.takes(third) && lacking.is_nothing());
    }
}
