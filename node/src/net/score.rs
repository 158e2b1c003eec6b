//! What a peer's conduct costs it.
//!
//! Two accounts run side by side. Gossipsub's own score decides who is in a mesh; it falls with the square of
//! the invalid messages per topic. Penalty points count everything a peer did wrong, gossip or not, and decide
//! when it is thrown out. The points are also a part of the score, so that a peer which sends garbage in
//! answers loses its place in the meshes too.
//!
//! # Rules
//!
//! - `[N-6]` A rejected message or a malformed frame costs 10 points, and the owner may add others. One point is
//!   forgiven every 6 seconds. At 100 points the peer is disconnected and its key refused for 15 minutes; then
//!   it starts again without points. No single message bans anybody.
//! - `[N-7]` Peers are not judged by their IP address: many honest ones may share it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use libp2p::PeerId;
use libp2p::gossipsub::{
    PeerScoreParams, PeerScoreThresholds, TopicScoreParams, score_parameter_decay,
};

use super::limits;
use super::topic::Topic;

/// The gossip score's parameters that do not depend on the topic.
pub(crate) fn peer_params() -> PeerScoreParams {
    PeerScoreParams {
        topic_score_cap: 50.0,
        // One penalty point is one point of score.
        app_specific_weight: 1.0,
        // [N-7]
        ip_colocation_factor_weight: 0.0,
        // Broken promises and early grafts also happen to honest nodes under load.
        behaviour_penalty_weight: -5.0,
        behaviour_penalty_threshold: 6.0,
        behaviour_penalty_decay: score_parameter_decay(Duration::from_secs(60)),
        // Being slow is no offence, and the queue towards a slow peer is bounded.
        slow_peer_weight: 0.0,
        // Scores of strangers that left are kept in memory, and gone through every second: not for long. Points and bans
        // outlast them (rule N-6).
        retain_score: Duration::from_secs(60),
        ..PeerScoreParams::default()
    }
}

/// The gossip score's thresholds. A peer that only rejected messages bring down reaches the ban (at -150) before
/// the graylist, so that its messages are still counted until then.
pub(crate) fn thresholds() -> PeerScoreThresholds {
    PeerScoreThresholds {
        gossip_threshold: -40.0,
        publish_threshold: -80.0,
        graylist_threshold: -200.0,
        accept_px_threshold: 50.0,
        opportunistic_graft_threshold: 1.0,
    }
}

/// The gossip score's parameters of a topic. All subnets of one together are worth what another topic is. Garbage
/// costs in one of them what it costs elsewhere; spread over many it costs less here, and as many points as ever (rule N-6).
pub(crate) fn topic_params(topic: Topic) -> TopicScoreParams {
    let (topic_weight, invalid) = match topic.subnet() {
        Some(_) => (0.0625, -8.0),
        None => (1.0, -0.5),
    };
    TopicScoreParams {
        topic_weight,
        // A little credit for staying and for bringing new messages, so that a single invalid one does not cost an
        // old peer its place.
        time_in_mesh_weight: 0.01,
        time_in_mesh_quantum: Duration::from_secs(1),
        time_in_mesh_cap: 300.0,
        first_message_deliveries_weight: 0.05,
        first_message_deliveries_decay: score_parameter_decay(Duration::from_secs(600)),
        first_message_deliveries_cap: 100.0,
        // Quiet topics are quiet for everybody: nobody owes a number of messages.
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: invalid,
        invalid_message_deliveries_decay: score_parameter_decay(Duration::from_secs(600)),
        ..TopicScoreParams::default()
    }
}

/// What follows from a penalty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The peer stays, with so many points.
    Stays(u32),
    /// The peer is to be disconnected and banned.
    Banned,
}

#[derive(Debug)]
struct Account {
    points: u32,
    /// Until when forgiveness is accounted for.
    since: Instant,
}

impl Account {
    fn forgive(&mut self, now: Instant) {
        while self.points > 0 && now.duration_since(self.since) >= limits::POINTS_DECAY {
            self.points -= 1;
            self.since += limits::POINTS_DECAY;
        }
    }
}

/// The penalty points of all peers, connected or not (rule N-6).
#[derive(Debug, Default)]
pub(crate) struct Standing(BTreeMap<PeerId, Account>);

impl Standing {
    pub(crate) fn penalize(&mut self, peer: PeerId, points: u32, now: Instant) -> Verdict {
        if !self.0.contains_key(&peer) && self.0.len() >= limits::STANDING_MAX {
            self.make_room(now);
        }
        let account = self.0.entry(peer).or_insert(Account {
            points: 0,
            since: now,
        });
        account.forgive(now);
        if account.points == 0 {
            account.since = now;
        }
        // [N-6] no single report bans: not even one with more points than a ban takes
        let first = account.points == 0;
        account.points = account.points.saturating_add(points);
        if first {
            account.points = account.points.min(limits::POINTS_BAN - 1);
        }
        if account.points >= limits::POINTS_BAN {
            self.0.remove(&peer);
            return Verdict::Banned;
        }
        Verdict::Stays(account.points)
    }

    /// Forgives what time forgives, and gives everybody's points; those without are forgotten and given once more,
    /// with 0.
    pub(crate) fn settle(&mut self, now: Instant) -> Vec<(PeerId, u32)> {
        let points = self.0.iter_mut().map(|(peer, account)| {
            account.forgive(now);
            (*peer, account.points)
        });
        let points = points.collect();
        self.0.retain(|_, account| account.points > 0);
        points
    }

    fn make_room(&mut self, now: Instant) {
        self.settle(now);
        if self.0.len() < limits::STANDING_MAX {
            return;
        }
        let least = self
            .0
            .iter()
            .min_by_key(|(_, account)| account.points)
            .map(|(peer, _)| *peer);
        if let Some(peer) = least {
            self.0.remove(&peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_valid() {
        let mut params = peer_params();
        for topic in Topic::all() {
            let name = libp2p::gossipsub::IdentTopic::new(topic.to_string());
            params.topics.insert(name.hash(), topic_params(topic));
        }
        params.validate().unwrap();
        thresholds().validate().unwrap();
    }

    #[test]
    fn the_tenth_garbage_bans_and_the_first_never_does() {
        let (mut standing, now, peer) = (Standing::default(), Instant::now(), PeerId::random());
        for n in 1..10 {
            let verdict = standing.penalize(peer, limits::POINTS_REJECTED, now);
            assert_eq!(verdict, Verdict::Stays(10 * n));
        }
        assert_eq!(
            standing.penalize(peer, limits::POINTS_REJECTED, now),
            Verdict::Banned
        );
        // A ban clears the account; and one report, however heavy, stays below it.
        assert_eq!(standing.penalize(peer, u32::MAX, now), Verdict::Stays(99));
        assert_eq!(standing.penalize(peer, 1, now), Verdict::Banned);
    }

    #[test]
    fn time_forgives() {
        let (mut standing, start, peer) = (Standing::default(), Instant::now(), PeerId::random());
        standing.penalize(peer, 10, start);
        let almost = start + limits::POINTS_DECAY * 3 - Duration::from_millis(1);
        assert_eq!(standing.settle(almost), vec![(peer, 8)]);
        // The fraction of a step is not lost.
        assert_eq!(
            standing.settle(almost + Duration::from_millis(1)),
            vec![(peer, 7)]
        );
        assert_eq!(
            standing.settle(start + limits::POINTS_DECAY * 100),
            vec![(peer, 0)]
        );
        assert_eq!(standing.settle(start + limits::POINTS_DECAY * 100), vec![]);
    }

    #[test]
    fn strangers_do_not_fill_the_memory_nor_push_out_the_worst() {
        let (mut standing, now, worst) = (Standing::default(), Instant::now(), PeerId::random());
        standing.penalize(worst, 90, now);
        for _ in 0..limits::STANDING_MAX + 10 {
            standing.penalize(PeerId::random(), 1, now);
        }
        assert_eq!(standing.0.len(), limits::STANDING_MAX);
        assert_eq!(standing.penalize(worst, 10, now), Verdict::Banned);
    }
}
