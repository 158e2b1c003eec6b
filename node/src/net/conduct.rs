//! The consequences of conduct: points, bans, and the budgets of the next second.

use std::time::Instant;

use libp2p::PeerId;

use super::handle::Counters;
use super::limits;
use super::score::Verdict;
use super::task::Net;

impl Net {
    /// [N-6] Adds penalty points, and throws the peer out when it has too many.
    pub(crate) fn penalize(&mut self, peer: PeerId, points: u32) {
        let now = Instant::now();
        Counters::count(&self.counters.penalties);
        match self.standing.penalize(peer, points, now) {
            Verdict::Stays(points) => self.set_score(&peer, points),
            Verdict::Banned => {
                tracing::warn!(%peer, "a peer is banned for its conduct");
                Counters::count(&self.counters.bans);
                self.swarm.behaviour_mut().gate.ban(peer, now + limits::BAN);
                self.set_score(&peer, 0);
                self.disconnect(peer);
            }
        }
    }

    fn set_score(&mut self, peer: &PeerId, points: u32) {
        let score = i32::try_from(points).map_or(i32::MIN, |points| -points);
        self.swarm
            .behaviour_mut()
            .gossip
            .set_application_score(peer, f64::from(score));
    }

    /// Once a second: budgets, forgiveness, and what has waited long enough.
    pub(crate) fn refill(&mut self, now: Instant) {
        self.swarm.behaviour_mut().gate.lift(now);
        self.expire_waiting(now);
        for (peer, points) in self.standing.settle(now) {
            self.set_score(&peer, points);
        }
        let excess: Vec<_> = self
            .peers
            .iter_mut()
            .map(|(p, peer)| (*p, peer.refill()))
            .collect();
        for (peer, points) in excess.into_iter().filter(|(_, points)| *points > 0) {
            self.penalize(peer, points);
        }
    }

    pub(crate) fn disconnect(&mut self, peer: PeerId) {
        // An error means that it is not connected.
        let _ = self.swarm.disconnect_peer_id(peer);
    }
}
