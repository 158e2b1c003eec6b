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

use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::ProcessId;

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
}
