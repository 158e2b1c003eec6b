//! Connections: what happens when one opens, who is dialled, and who is told of whom.

use std::collections::BTreeMap;
use std::time::Instant;

use libp2p::core::ConnectedPoint;
use libp2p::swarm::ConnectionId;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::{PeerId, identify, ping};

use super::event::NetEvent;
use super::handle::PeerInfo;
use super::peer::Peer;
use super::roster::{self, Addresses};
use super::task::Net;

impl Net {
    pub(crate) fn on_connected(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        end: &ConnectedPoint,
        first: bool,
        now: Instant,
    ) {
        if first {
            self.peers
                .insert(peer, Peer::new(end.get_remote_address().clone()));
            self.dialer.connected(&peer, now);
            self.outbox.deliver(NetEvent::PeerConnected { peer });
            self.carrier_came(&peer, now);
            self.reached(peer, connection);
        } else {
            self.reached_again(&connection);
        }
    }

    pub(crate) fn on_identified(&mut self, peer: PeerId, info: identify::Info) {
        if info.protocol_version != self.names.network() {
            tracing::debug!(%peer, "a peer of another network");
            self.dialer.forget(&peer);
            self.disconnect(peer);
            return;
        }
        let Some(known) = self.peers.get_mut(&peer) else {
            return;
        };
        if known.lives_anew(&info) {
            tracing::debug!(%peer, "a peer lives anew");
            self.disconnect(peer);
            return;
        }
        known.identify(&info);
        let now = Instant::now();
        self.dialer.learn(peer, known.listen.clone(), true, now);
        // It may have come by itself, and be new in the book.
        self.dialer.connected(&peer, now);
        if self.peers.len() < self.target {
            self.ask_for_peers(peer);
        }
    }

    pub(crate) fn on_ping(&mut self, event: ping::Event) {
        let ping::Event {
            peer,
            connection,
            result,
        } = event;
        match result {
            Ok(_) | Err(ping::Failure::Unsupported) => {}
            Err(error) => self.drop_silent(peer, connection, &error),
        }
    }

    fn drop_silent(&mut self, peer: PeerId, connection: ConnectionId, error: &ping::Failure) {
        tracing::debug!(%peer, %error, "a connection is dead");
        self.swarm.close_connection(connection);
    }

    pub(crate) fn dial_due(&mut self, now: Instant) {
        for (peer, addresses) in self.dialer.due(self.peers.len(), now) {
            let banned = self.swarm.behaviour().gate.is_banned(&peer);
            // A port of its own: the listening port may still be bound to the peer's last connection.
            let options = DialOpts::peer_id(peer)
                .addresses(addresses)
                .allocate_new_port();
            if banned || self.swarm.dial(options.build()).is_err() {
                self.dialer.failed(&peer, now);
            }
        }
    }

    pub(crate) fn ask_somebody(&mut self) {
        if self.peers.len() < self.target
            && let Some(peer) = self
                .peers
                .keys()
                .nth(self.asked % self.peers.len().max(1))
                .copied()
        {
            self.asked = self.asked.wrapping_add(1);
            self.ask_for_peers(peer);
        }
    }

    pub(crate) fn learn(&mut self, peers: Addresses) {
        self.told(&peers);
        for (peer, addresses) in peers {
            self.dialer.learn(peer, addresses, false, Instant::now());
        }
    }

    pub(crate) fn is_on_loopback(&self, peer: &PeerId) -> bool {
        self.peers
            .get(peer)
            .is_some_and(|peer| roster::is_loopback(&peer.remote))
    }

    /// The answer to a peer that asks for others, and for one of them perhaps.
    pub(crate) fn roster_for(&self, asker: PeerId, sought: Option<PeerId>) -> Vec<u8> {
        let connected = self.peers.iter();
        let mut known: Addresses = connected
            .map(|(peer, known)| (*peer, known.listen.clone()))
            .collect();
        if let Some(sought) = sought
            && let Some(located) = self.reach.located(&sought)
        {
            let by_itself = known.get(&sought).is_some_and(|it| !it.is_empty());
            if !by_itself {
                known.insert(sought, located.to_vec());
            }
        }
        roster::encode(&known, sought, asker, self.is_on_loopback(&asker))
    }

    pub(crate) fn peer_list(&self) -> Vec<PeerInfo> {
        let gossip = &self.swarm.behaviour().gossip;
        let topics: BTreeMap<_, _> = gossip
            .all_peers()
            .map(|(peer, topics)| {
                (
                    *peer,
                    topics
                        .iter()
                        .filter_map(|topic| self.names.topic_of(topic))
                        .collect(),
                )
            })
            .collect();
        let list = self.peers.iter().map(|(peer, known)| {
            let score = gossip.peer_score(peer).unwrap_or_default();
            known.info(*peer, score, topics.get(peer).cloned().unwrap_or_default())
        });
        list.collect()
    }
}
