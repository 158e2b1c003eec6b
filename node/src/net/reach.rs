//! Reaching a peer that is not connected: where it is, by its record or by who knows it.
//!
//! # Rules
//!
//! - `[N-18]` A request to a peer that is not connected waits until it is, for 5 s at most. The peer is dialled where its record (rule
//!   N-17) and the address book say; if there is no record, or nobody is there, four connected peers are asked for it (rule N-9),
//!   and what they say is dialled beside, six dials at most. At most 64 peers are sought at once, with 8 requests and 4 MiB each.
//!   Who was sought in vain is not sought again for 15 s. Who was found is left when it has owed no answer for 10 s, if more
//!   peers are connected than are wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use libp2p::swarm::ConnectionId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId};

use super::event::NetEvent;
use super::exchange::ExchangeError;
use super::roster::Addresses;
use super::task::Net;
use super::topic::Protocol;
use super::{limits, roster};

/// A request that waits.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) id: u64,
    pub(crate) protocol: Protocol,
    pub(crate) data: Vec<u8>,
}

/// A peer that is sought.
#[derive(Debug)]
struct Sought {
    until: Instant,
    /// Dials under way.
    dials: BTreeSet<ConnectionId>,
    asked: bool,
    requests: Vec<Request>,
}

impl Sought {
    fn bytes(&self) -> usize {
        self.requests.iter().map(|it| it.data.len()).sum()
    }
}

/// Who is sought, and what is known of where peers are.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    sought: BTreeMap<PeerId, Sought>,
    /// Who was sought in vain, and until when that is remembered.
    vain: BTreeMap<PeerId, Instant>,
    /// Where peers listen by their records.
    located: Addresses,
    /// Dials that go on although nobody waits for them any more.
    late: BTreeSet<ConnectionId>,
    /// Who is connected because it was sought, and when it was asked last.
    visited: BTreeMap<PeerId, Instant>,
}

impl Reach {
    /// Keeps a request for a peer; gives it back if there is no room, or the peer was sought in vain.
    fn keep(&mut self, peer: PeerId, request: Request, now: Instant) -> Result<(), Request> {
        let full = self.sought.len() >= limits::SOUGHT_MAX;
        if self.vain.contains_key(&peer) || (full && !self.sought.contains_key(&peer)) {
            return Err(request);
        }
        let sought = self.sought.entry(peer).or_insert(Sought {
            until: now + limits::SEEK,
            dials: BTreeSet::new(),
            asked: false,
            requests: Vec::new(),
        });
        let bytes = sought.bytes().saturating_add(request.data.len());
        if sought.requests.len() >= limits::SOUGHT_REQUESTS || bytes > limits::SOUGHT_BYTES {
            return Err(request);
        }
        sought.requests.push(request);
        Ok(())
    }

    /// Where a peer listens by its record.
    pub(crate) fn located(&self, peer: &PeerId) -> Option<&[Multiaddr]> {
        self.located.get(peer).map(Vec::as_slice)
    }

    /// Whether a peer is connected only because it was sought.
    pub(crate) fn is_visited(&self, peer: &PeerId) -> bool {
        self.visited.contains_key(peer)
    }

    /// Who has a record.
    pub(crate) fn all_located(&self) -> impl Iterator<Item = &PeerId> {
        self.located.keys()
    }
}

impl Net {
    /// Remembers where a peer listens, as its record says and the owner believes.
    pub(crate) fn locate(&mut self, peer: PeerId, mut addresses: Vec<Multiaddr>) {
        let here = self.listen.borrow().iter().all(roster::is_loopback);
        addresses.retain(|address| roster::dialable(address, here));
        self.reach.vain.remove(&peer);
        let located = &mut self.reach.located;
        let room = located.len() < limits::LOCATED_MAX || located.contains_key(&peer);
        let known = room && !addresses.is_empty();
        match known {
            true => located.insert(peer, addresses),
            false => located.remove(&peer),
        };
        self.swarm.behaviour_mut().gate.locate(peer, known);
    }

    /// Keeps a request until its peer is connected (rule N-18).
    pub(crate) fn seek(&mut self, peer: PeerId, request: Request) {
        let now = Instant::now();
        let banned = self.swarm.behaviour().gate.is_banned(&peer);
        let itself = *self.swarm.local_peer_id() == peer;
        let kept = match banned || itself {
            true => Err(request),
            false => self.reach.keep(peer, request, now),
        };
        match kept {
            Ok(()) => self.pursue(peer),
            Err(request) => self.unreached(peer, &request),
        }
    }

    /// Dials a peer that is sought; asks for it where only hearsay says where it is, or nothing.
    fn pursue(&mut self, peer: PeerId) {
        let by_record = self.reach.located(&peer).unwrap_or_default().to_vec();
        let in_book = self.dialer.addresses(&peer).to_vec();
        let sure = !by_record.is_empty();
        let begun = self.dial_sought(peer, [by_record, in_book].concat());
        if !(sure && begun) {
            self.ask_where(peer);
        }
    }

    /// Dials a peer that is sought; false if that does not begin.
    fn dial_sought(&mut self, peer: PeerId, addresses: Vec<Multiaddr>) -> bool {
        let Some(sought) = self.reach.sought.get_mut(&peer) else {
            return false;
        };
        if addresses.is_empty() || sought.dials.len() >= limits::SOUGHT_DIALS {
            return false;
        }
        // Who was told of first may be told of falsely: others are not to wait for that dial to fail.
        let options = DialOpts::peer_id(peer)
            .condition(PeerCondition::Always)
            .addresses(addresses)
            .allocate_new_port()
            .build();
        let connection = options.connection_id();
        let dialing = self.swarm.dial(options).is_ok();
        if dialing {
            sought.dials.insert(connection);
        }
        dialing
    }

    /// Asks some of the connected peers where another one is, once.
    fn ask_where(&mut self, wanted: PeerId) {
        let count = self.peers.len();
        let Some(sought) = self.reach.sought.get_mut(&wanted) else {
            return;
        };
        if std::mem::replace(&mut sought.asked, true) {
            return;
        }
        let turn = self.asked.checked_rem(count).unwrap_or(0);
        let all = self.peers.keys().cycle().skip(turn);
        let asked: Vec<PeerId> = all.take(count.min(limits::SEEK_ASKED)).copied().collect();
        self.asked = self.asked.wrapping_add(asked.len());
        for peer in asked {
            self.ask_for(peer, wanted.to_bytes());
        }
    }

    /// Others said where peers are: whoever of them is sought is dialled.
    pub(crate) fn told(&mut self, peers: &Addresses) {
        for (peer, addresses) in peers {
            let sought = self.reach.sought.get(peer);
            if sought.is_some_and(|it| it.asked) {
                self.dial_sought(*peer, addresses.clone());
            }
        }
    }

    /// A peer is connected: what waited for it goes on its way.
    pub(crate) fn reached(&mut self, peer: PeerId, connection: ConnectionId) {
        self.reach.vain.remove(&peer);
        let late = self.reach.late.remove(&connection);
        let sought = self.reach.sought.remove(&peer);
        let dialled = sought
            .as_ref()
            .is_some_and(|it| it.dials.contains(&connection));
        if dialled || late {
            self.reach.visited.insert(peer, Instant::now());
        }
        let others = sought.iter().flat_map(|it| it.dials.iter().copied());
        let others = others.filter(|it| *it != connection);
        self.reach.late.extend(others);
        for Request { id, protocol, data } in sought.into_iter().flat_map(|it| it.requests) {
            self.request(id, peer, protocol, data);
        }
    }

    /// Another dial of a connected peer has come to its end.
    pub(crate) fn reached_again(&mut self, connection: &ConnectionId) {
        self.reach.late.remove(connection);
    }

    /// Something is asked of a connected peer.
    pub(crate) fn visit(&mut self, peer: &PeerId) {
        if let Some(last) = self.reach.visited.get_mut(peer) {
            *last = Instant::now();
        }
    }

    /// Leaves peers of whom nothing was asked for a while, and who owe no answer.
    fn leave(&mut self, now: Instant) {
        let spare = self.peers.len().saturating_sub(self.target);
        let idle = self.reach.visited.iter();
        let idle = idle.filter(|(_, last)| now.duration_since(**last) >= limits::VISIT);
        let idle = idle.filter(|(peer, _)| !self.owes(peer));
        let idle: Vec<PeerId> = idle.map(|(peer, _)| *peer).take(spare).collect();
        for peer in idle {
            self.reach.visited.remove(&peer);
            self.disconnect(peer);
        }
    }

    /// Whether a peer owes an answer.
    pub(crate) fn owes(&self, peer: &PeerId) -> bool {
        self.outgoing.values().any(|it| it.peer == *peer)
    }

    /// A peer is not connected any more.
    pub(crate) fn left(&mut self, peer: &PeerId) {
        self.reach.visited.remove(peer);
    }

    /// A dial has failed: whoever it was for may be elsewhere.
    pub(crate) fn missed(&mut self, peer: PeerId, connection: ConnectionId) {
        self.reach.late.remove(&connection);
        let sought = self.reach.sought.get_mut(&peer);
        if sought.is_some_and(|it| it.dials.remove(&connection)) {
            self.ask_where(peer);
        }
    }

    /// Gives up who was sought for long enough, and leaves who was found.
    pub(crate) fn give_up(&mut self, now: Instant) {
        self.leave(now);
        self.reach.vain.retain(|_, until| *until > now);
        let late: Vec<PeerId> = self
            .reach
            .sought
            .iter()
            .filter(|(_, it)| it.until <= now)
            .map(|(peer, _)| *peer)
            .collect();
        for peer in late {
            let Some(sought) = self.reach.sought.remove(&peer) else {
                continue;
            };
            // Where nobody could be asked, somebody may be there in a moment.
            let alone = sought.dials.is_empty() && self.peers.is_empty();
            if !alone && self.reach.vain.len() < limits::LOCATED_MAX {
                self.reach.vain.insert(peer, now + limits::SEEK_AGAIN);
            }
            self.reach.late.extend(sought.dials);
            for request in sought.requests {
                self.unreached(peer, &request);
            }
        }
    }

    fn unreached(&mut self, peer: PeerId, request: &Request) {
        self.outbox.deliver(NetEvent::Response {
            request: request.id,
            peer,
            result: Err(ExchangeError::NotConnected),
        });
    }
}
