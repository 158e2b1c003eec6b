//! Who may connect.
//!
//! # Rules
//!
//! - `[N-8]` A connection is closed as soon as its key is known if the key is banned, if the peer has three
//!   connections already, or if as many peers are connected as allowed. Bootstrap peers that we dial are exempt
//!   from the last, so that strangers who take every place cannot cut a node off; and peers whose records are known
//!   (rule CO-18) have 128 places more. Connections that have not shown a key are bounded by number.
//! - `[N-21]` Of peers that come by themselves, whose records are not known and which are no bootstrap peers, 64 are let in
//!   at once, and two a second after that: whoever is thrown out comes again under another key, and none of its lives is free to those whom it visits.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Instant;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
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
    #[error("too many connections without a key yet")]
    Pending,
    #[error("too many strangers came lately")]
    Rush,
}

/// Admits connections, first among the behaviours so that the others never hear of a refused one.
#[derive(Debug)]
pub(crate) struct Gate {
    connections_max: usize,
    exempt: BTreeSet<PeerId>,
    /// Peers whose records are known.
    located: BTreeSet<PeerId>,
    bans: BTreeMap<PeerId, Instant>,
    pending: BTreeSet<ConnectionId>,
    connected: BTreeMap<PeerId, usize>,
    /// Strangers that may come in (rule N-21).
    strangers: u32,
}

impl Gate {
    pub(crate) fn new(connections_max: usize, exempt: BTreeSet<PeerId>) -> Self {
        Self {
            connections_max,
            exempt,
            located: BTreeSet::new(),
            bans: BTreeMap::new(),
            pending: BTreeSet::new(),
            connected: BTreeMap::new(),
            strangers: limits::STRANGERS_BURST,
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

    /// Lifts the bans that are over, and lets in more strangers: once a second.
    pub(crate) fn lift(&mut self, now: Instant) {
        self.bans.retain(|_, until| *until > now);
        let more = self.strangers.saturating_add(limits::STRANGERS_A_SECOND);
        self.strangers = more.min(limits::STRANGERS_BURST);
    }

    pub(crate) fn is_banned(&self, peer: &PeerId) -> bool {
        self.bans.contains_key(peer)
    }

    /// Says whether a peer's record is known.
    pub(crate) fn locate(&mut self, peer: PeerId, known: bool) {
        match known {
            true => self.located.insert(peer),
            false => self.located.remove(&peer),
        };
    }

    /// Peers that may be connected already when this one comes.
    fn places(&self, peer: &PeerId) -> usize {
        let more = match self.located.contains(peer) {
            true => limits::CONNECTIONS_LOCATED,
            false => 0,
        };
        self.connections_max.saturating_add(more)
    }

    /// Lets in a peer that comes by itself.
    fn admit_inbound(&mut self, peer: &PeerId) -> Result<(), Refusal> {
        self.admit(peer, false)?;
        let is_friend = self.located.contains(peer) || self.exempt.contains(peer);
        if is_friend || self.connected.contains_key(peer) {
            return Ok(());
        }
        let left = self.strangers.checked_sub(1).ok_or(Refusal::Rush)?;
        self.strangers = left;
        Ok(())
    }

    fn admit(&self, peer: &PeerId, exempt: bool) -> Result<(), Refusal> {
        if self.is_banned(peer) {
            return Err(Refusal::Banned);
        }
        match self.connected.get(peer) {
            Some(n) if *n >= limits::CONNECTIONS_PER_PEER => Err(Refusal::Crowd),
            None if !exempt && self.connected.len() >= self.places(peer) => Err(Refusal::Full),
            _ => Ok(()),
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
        self.admit_inbound(&peer).map_err(ConnectionDenied::new)?;
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
                let count = self.connected.entry(event.peer_id).or_default();
                *count = count.saturating_add(1);
            }
            FromSwarm::ConnectionClosed(event) => {
                if event.remaining_established == 0 {
                    self.connected.remove(&event.peer_id);
                } else {
                    self.connected
                        .insert(event.peer_id, event.remaining_established);
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

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
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
        gate.connected.insert(a, 1);
        assert_eq!(gate.admit(&b, false), Ok(()));
        gate.connected.insert(b, 1);
        assert_eq!(gate.admit(&c, false), Err(Refusal::Full));
        assert_eq!(gate.admit(&c, true), Ok(()));
        // Operators are let in where strangers have taken all places, though not any number of them.
        gate.locate(c, true);
        assert_eq!(gate.admit(&c, false), Ok(()));
        for _ in 0..limits::CONNECTIONS_LOCATED {
            gate.connected.insert(PeerId::random(), 1);
        }
        assert_eq!(gate.admit(&c, false), Err(Refusal::Full));
        gate.locate(c, false);
        // Who is inside may open another connection, but not any number.
        assert_eq!(gate.admit(&a, false), Ok(()));
        gate.connected.insert(a, limits::CONNECTIONS_PER_PEER);
        assert_eq!(gate.admit(&a, true), Err(Refusal::Crowd));
    }

    #[test]
    fn strangers_come_in_turn_and_operators_when_they_want() {
        let (bootstrap, now) = (PeerId::random(), Instant::now());
        let mut gate = Gate::new(1, [bootstrap].into());
        let come = |gate: &mut Gate| gate.admit_inbound(&PeerId::random());
        for _ in 0..limits::STRANGERS_BURST {
            assert_eq!(come(&mut gate), Ok(()));
        }
        assert_eq!(come(&mut gate), Err(Refusal::Rush));
        let (operator, friend) = (PeerId::random(), PeerId::random());
        gate.locate(operator, true);
        gate.connected.insert(friend, 1);
        assert_eq!(gate.admit_inbound(&operator), Ok(()));
        assert_eq!(gate.admit_inbound(&friend), Ok(()));
        gate.connected.clear();
        assert_eq!(gate.admit_inbound(&bootstrap), Ok(()));
        gate.lift(now);
        for _ in 0..limits::STRANGERS_A_SECOND {
            assert_eq!(come(&mut gate), Ok(()));
        }
        assert_eq!(come(&mut gate), Err(Refusal::Rush));
        // A place that is not there is not waited for.
        gate.lift(now);
        gate.connected.insert(PeerId::random(), 1);
        assert_eq!(come(&mut gate), Err(Refusal::Full));
        assert_eq!(gate.strangers, limits::STRANGERS_A_SECOND);
    }
}
