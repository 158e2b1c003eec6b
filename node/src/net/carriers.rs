//! Carrying subnets, and being connected with others who do.
//!
//! # Rules
//!
//! - `[N-20]` A node that has as many peers as it wants looks for six of them in each subnet that it carries, and for four in each other one,
//!   to whom it says its own things. Only operators count, whose records are known, and neither who is out of favour nor who is only
//!   visited (rule N-18). While there are fewer, those operators are dialled that carry the subnet by their peer ids, each node in an
//!   order of its own, none twice in five minutes, and about 16 beyond those that are wanted otherwise. Who carries none of them all
//!   the same is left.

use std::collections::BTreeMap;
use std::time::Instant;

use libp2p::PeerId;
use libp2p::swarm::dial_opts::DialOpts;
use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::Digest;

use super::limits;
use super::peer::Peer;
use super::subnet::{Subnet, Subnets};
use super::task::Net;
use super::topic::Topic;

/// What a node carries, and whom it has looked for.
#[derive(Debug)]
pub(crate) struct Carriers {
    here: Subnets,
    /// How many subnets everybody carries at least.
    everybody: usize,
    /// Who was dialled for the sake of subnets, and when.
    tried: BTreeMap<PeerId, Instant>,
}

impl Default for Carriers {
    fn default() -> Self {
        Carriers {
            here: Subnets::ALL,
            everybody: Subnet::COUNT,
            tried: BTreeMap::new(),
        }
    }
}

/// How many peers each subnet lacks (rule N-20).
#[derive(Debug)]
struct Lacking(BTreeMap<Subnet, usize>);

impl Lacking {
    fn is_nothing(&self) -> bool {
        self.0.values().all(|it| *it == 0)
    }

    /// Whether a peer that carries these helps.
    fn helps(&self, its: Subnets) -> bool {
        let mut lacks = self.0.iter().filter(|(_, lacks)| **lacks > 0);
        lacks.any(|(it, _)| its.contains(*it))
    }

    /// The same; and if so it is counted on.
    fn takes(&mut self, its: Subnets) -> bool {
        let helps = self.helps(its);
        for (_, lacks) in self.0.iter_mut().filter(|(it, _)| its.contains(**it)) {
            *lacks = lacks.saturating_sub(1);
        }
        helps
    }
}

impl Carriers {
    /// What a peer carries at least.
    fn of(&self, peer: &PeerId) -> Subnets {
        Subnets::carried_by(&peer.to_bytes(), self.everybody)
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
        self.carriers.here = here;
        self.carriers.everybody = everybody;
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

    /// A peer that was dialled for the sake of subnets has come, and will say what it carries.
    pub(crate) fn carrier_came(&mut self, peer: &PeerId, now: Instant) {
        if let Some(at) = self.carriers.tried.get_mut(peer) {
            *at = now;
        }
    }

    /// Dials operators in subnets that lack them, and leaves those that turned out to carry none (rule N-20).
    pub(crate) fn find_carriers(&mut self, now: Instant) {
        let everybody = self.carriers.everybody;
        // Below the target others are dialled (rule N-12); and where everybody carries all, any peer does.
        let few = self.target == 0 || self.peers.len() < self.target;
        if few || everybody >= Subnet::COUNT {
            return;
        }
        for peer in self.disappointing(now) {
            // Nobody counts on it any more.
            let before = now.checked_sub(limits::SEEK).unwrap_or(now);
            self.carriers.tried.insert(peer, before);
            self.disconnect(peer);
        }
        for peer in self.choose_carriers(now) {
            let addresses = self.reach.located(&peer).unwrap_or_default().to_vec();
            let options = DialOpts::peer_id(peer).addresses(addresses);
            if let Err(error) = self.swarm.dial(options.allocate_new_port().build()) {
                tracing::debug!(%peer, %error, "a carrier is not dialled");
            }
            self.carriers.tried.insert(peer, now);
        }
    }

    /// Who was dialled for the sake of subnets, and does not carry those that it should.
    fn disappointing(&self, now: Instant) -> Vec<PeerId> {
        let tried = self.carriers.tried.iter();
        let settled = tried.filter(|(_, at)| now.duration_since(**at) >= limits::SUBNET_SETTLED);
        let disappoints = |peer: &PeerId| {
            let its = self.carriers.of(peer);
            let carries =
                |here: &Peer| Subnet::all().any(|it| its.contains(it) && here.carries(it));
            let here = self.peers.get(peer).is_some_and(|here| !carries(here));
            here && !self.owes(peer) && !self.dialer.is_bootstrap(peer)
        };
        let all = settled.map(|(peer, _)| *peer);
        let spare = self.peers.len().saturating_sub(self.target);
        all.filter(|peer| disappoints(peer)).take(spare).collect()
    }

    fn choose_carriers(&mut self, now: Instant) -> Vec<PeerId> {
        let mut lacking = self.lacking();
        let (peers, tried) = (&self.peers, &mut self.carriers.tried);
        tried.retain(|peer, at| {
            peers.contains_key(peer) || now.duration_since(*at) < limits::SUBNET_TRIED
        });
        let found = tried.keys().filter(|it| peers.contains_key(*it)).count();
        // Who has just been dialled may come, and say what it carries in a moment.
        let (mut coming, carriers) = (0_usize, &self.carriers);
        for (peer, at) in &carriers.tried {
            let its = carriers.of(peer);
            let here = peers.get(peer);
            let told = here.is_some_and(|it| Subnet::all().any(|subnet| it.carries(subnet)));
            if now.duration_since(*at) < limits::SEEK && !told {
                lacking.takes(its);
                coming = coming.saturating_add(usize::from(here.is_none()));
            }
        }
        // Beyond those that are wanted otherwise.
        let others = peers.len().saturating_sub(found);
        let most = limits::SUBNET_DIALLED.saturating_add(self.target.saturating_sub(others));
        let room = most.saturating_sub(found.saturating_add(coming));
        if room == 0 || lacking.is_nothing() {
            return Vec::new();
        }
        let local = self.swarm.local_peer_id();
        let gate = &self.swarm.behaviour().gate;
        let known = self.reach.all_located().filter(|it| {
            let here = *it == local || peers.contains_key(*it);
            !here && !carriers.tried.contains_key(*it) && !gate.is_banned(it)
        });
        let helpful = known.filter(|peer| lacking.helps(carriers.of(peer)));
        let local = local.to_bytes();
        let mut helpful: Vec<(Digest, PeerId)> =
            helpful.map(|peer| (turn(&local, peer), *peer)).collect();
        helpful.sort_unstable();
        let chosen = helpful.into_iter().map(|(_, peer)| peer);
        let chosen = chosen.filter(|peer| lacking.takes(carriers.of(peer)));
        chosen.take(room.min(limits::DIALS)).collect()
    }

    fn lacking(&self) -> Lacking {
        let gossip = &self.swarm.behaviour().gossip;
        let counts = |peer: &&PeerId| {
            let score = gossip.peer_score(peer);
            let stays = self.reach.located(peer).is_some() && !self.reach.is_visited(peer);
            stays && score.is_none_or(|it| it >= 0.0)
        };
        let operators: Vec<&Peer> = self
            .peers
            .iter()
            .filter(|(peer, _)| counts(peer))
            .map(|(_, peer)| peer)
            .collect();
        let lacking = Subnet::all().map(|subnet| {
            let carriers = operators.iter().filter(|it| it.carries(subnet)).count();
            let wanted = match self.carriers.here.contains(subnet) {
                true => limits::SUBNET_MESH,
                false => limits::SUBNET_PEERS,
            };
            (subnet, wanted.saturating_sub(carriers))
        });
        Lacking(lacking.collect())
    }
}

/// When it is a peer's turn to be dialled by this one: another order for everybody.
fn turn(local: &[u8], peer: &PeerId) -> Digest {
    let parts: [&[u8]; 3] = [b"turn", local, &peer.to_bytes()];
    digest(Domain::OBJECT, &parts)
}

#[cfg(test)]
mod tests {
    use surety_protocol::id::ProcessId;

    use super::*;

    #[test]
    fn who_is_counted_on_is_not_looked_for_twice() {
        let third = Subnet::of(&ProcessId::new([0x30; 32]));
        let mut lacking = Lacking(Subnet::all().map(|it| (it, 0)).collect());
        assert!(!lacking.takes(Subnets::ALL));
        lacking.0.insert(third, 2);
        let (mut only, mut others) = (Subnets::default(), Subnets::ALL);
        only.insert(third);
        others.remove(third);
        assert!(!lacking.takes(others));
        assert!(lacking.takes(only) && lacking.takes(Subnets::ALL));
        assert!(!lacking.takes(only) && !lacking.takes(Subnets::ALL));
    }
}
