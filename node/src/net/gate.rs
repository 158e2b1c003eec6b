//! Who may connect.
//!
//! # Rules
//!
//! - `[N-8]` A connection is closed as soon as its key is known if the key is banned, if the peer has three
//!   connections already, or if as many peers are connected as allowed. Bootstrap peers that we dial are exempt
//!   from the last, so that strangers who take every place cannot cut a node off. Connections that have not
//!   shown a key are bounded by number.
//! - `[N-16]` Nobody dials a peer that it is connected with. So a peer that connects again, and not at the same moment as we
//!   did, has lost what we still take for a connection, perhaps by a crash: all of them are closed, and it is welcome when
//!   it dials once more. If one of several connections ends later than that, so do the others. For gossip tells a peer
//!   what we subscribe to with the first connection only: the new life of a peer would be deaf to us for ever.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use super::limits;

/// Why a connection was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the peer is banned")]
    Banned,
    #[error("all places are taken")]
    Full,
    #[error("too many connections with this peer")]
    Crowd,
    #[error("the peer's last connections have to end first")]
    Again,
    #[error("too many connections without a key yet")]
    Pending,
}

/// Admits connections, first among the behaviours so that the others never hear of a refused one.
#[derive(Debug)]
pub(crate) struct Gate {
    connections_max: usize,
    exempt: BTreeSet<PeerId>,
    bans: BTreeMap<PeerId, Instant>,
    pending: BTreeSet<ConnectionId>,
    connected: BTreeMap<PeerId, BTreeMap<ConnectionId, Instant>>,
    /// Whose connections are to be closed (rule N-16).
    stale: VecDeque<PeerId>,
    waker: Option<Waker>,
}

impl Gate {
    pub(crate) fn new(connections_max: usize, exempt: BTreeSet<PeerId>) -> Self {
        Self {
            connections_max,
            exempt,
            bans: BTreeMap::new(),
            pending: BTreeSet::new(),
            connected: BTreeMap::new(),
            stale: VecDeque::new(),
            waker: None,
        }
    }

    /// Refuses a peer until a time.
    pub(crate) fn ban(&mut self, peer: PeerId, until: Instant) {
        if !self.bans.contains_key(&peer) && self.bans.len() >= limits::BANS_MAX {
            let first = self
                .bans
                .iter()
                .min_by_key(|(_, until)| **until)
                .map(|(peer, _)| *peer);
            if let Some(first) = first {
                self.bans.remove(&first);
            }
        }
        self.bans.insert(peer, until);
    }

    /// Lifts the bans that are over.
    pub(crate) fn lift(&mut self, now: Instant) {
        self.bans.retain(|_, until| *until > now);
    }

    pub(crate) fn is_banned(&self, peer: &PeerId) -> bool {
        self.bans.contains_key(peer)
    }

    fn admit(&self, peer: &PeerId, exempt: bool) -> Result<(), Refusal> {
        if self.is_banned(peer) {
            return Err(Refusal::Banned);
        }
        match self.connected.get(peer) {
            Some(here) if here.len() >= limits::CONNECTIONS_PER_PEER => Err(Refusal::Crowd),
            None if !exempt && self.connected.len() >= self.connections_max => Err(Refusal::Full),
            _ => Ok(()),
        }
    }

    /// Whether all connections with a peer are older than what both may open at one moment.
    fn settled(&self, peer: &PeerId, now: Instant) -> bool {
        let here = self.connected.get(peer);
        here.is_some_and(|it| {
            let old = |since: &Instant| now.duration_since(*since) >= limits::AT_ONCE;
            !it.is_empty() && it.values().all(old)
        })
    }

    /// Has all connections with a peer closed (rule N-16).
    fn close(&mut self, peer: PeerId) {
        tracing::debug!(%peer, "the peer has lost its connection");
        self.stale.push_back(peer);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        if self.pending.len() >= limits::CONNECTIONS_PENDING {
            return Err(ConnectionDenied::new(Refusal::Pending));
        }
        self.pending.insert(id);
        Ok(())
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.pending.remove(&id);
        if !self.is_banned(&peer) && self.settled(&peer, Instant::now()) {
            self.close(peer);
            return Err(ConnectionDenied::new(Refusal::Again));
        }
        self.admit(&peer, false).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let exempt = self.exempt.contains(&peer);
        self.admit(&peer, exempt).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(event) => {
                let here = self.connected.entry(event.peer_id).or_default();
                here.insert(event.connection_id, Instant::now());
            }
            FromSwarm::ConnectionClosed(event) => {
                if let Some(here) = self.connected.get_mut(&event.peer_id) {
                    here.remove(&event.connection_id);
                }
                if event.remaining_established == 0 {
                    self.connected.remove(&event.peer_id);
                } else if self.settled(&event.peer_id, Instant::now()) {
                    self.close(event.peer_id);
                }
            }
            FromSwarm::ListenFailure(event) => {
                self.pending.remove(&event.connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(peer_id) = self.stale.pop_front() {
            return Poll::Ready(ToSwarm::CloseConnection {
                peer_id,
                connection: CloseConnection::All,
            });
        }
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn bans_end_and_are_bounded() {
        let (mut gate, now, peer) = (
            Gate::new(2, BTreeSet::new()),
            Instant::now(),
            PeerId::random(),
        );
        gate.ban(peer, now + limits::BAN);
        assert_eq!(gate.admit(&peer, true), Err(Refusal::Banned));
        gate.lift(now + limits::BAN - Duration::from_millis(1));
        assert_eq!(gate.admit(&peer, true), Err(Refusal::Banned));
        gate.lift(now + limits::BAN);
        assert_eq!(gate.admit(&peer, true), Ok(()));

        gate.ban(peer, now);
        for _ in 0..limits::BANS_MAX {
            gate.ban(PeerId::random(), now + limits::BAN);
        }
        assert_eq!(gate.bans.len(), limits::BANS_MAX);
        assert!(!gate.is_banned(&peer));
    }

    #[test]
    fn places_are_counted_by_peer() {
        let (a, b, c) = (PeerId::random(), PeerId::random(), PeerId::random());
        let mut gate = Gate::new(2, BTreeSet::new());
        let connections = |count: usize| {
            let ids = (0..count).map(ConnectionId::new_unchecked);
            ids.map(|id| (id, Instant::now())).collect()
        };
        gate.connected.insert(a, connections(1));
        assert_eq!(gate.admit(&b, false), Ok(()));
        gate.connected.insert(b, connections(1));
        assert_eq!(gate.admit(&c, false), Err(Refusal::Full));
        assert_eq!(gate.admit(&c, true), Ok(()));
        // Who is inside may open another connection, but not any number.
        assert_eq!(gate.admit(&a, false), Ok(()));
        gate.connected
            .insert(a, connections(limits::CONNECTIONS_PER_PEER));
        assert_eq!(gate.admit(&a, true), Err(Refusal::Crowd));
    }

    #[test]
    fn who_connects_again_has_lost_what_is_there_unless_it_is_new() {
        let (peer, now) = (PeerId::random(), Instant::now());
        let mut gate = Gate::new(2, BTreeSet::new());
        assert!(!gate.settled(&peer, now));
        let here = gate.connected.entry(peer).or_default();
        here.insert(ConnectionId::new_unchecked(1), now);
        assert!(!gate.settled(&peer, now + limits::AT_ONCE - Duration::from_millis(1)));
        assert!(gate.settled(&peer, now + limits::AT_ONCE));
        let here = gate.connected.entry(peer).or_default();
        here.insert(ConnectionId::new_unchecked(2), now + limits::AT_ONCE);
        assert!(!gate.settled(&peer, now + limits::AT_ONCE));
    }
}
