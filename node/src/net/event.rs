//! What the network tells its owner, through a queue that never grows beyond its bound.
//!
//! # Rules
//!
//! - `[N-15]` Gossip and requests of strangers are dropped when the queue is nearly full, gossip also when the owner
//!   has not reported on 64 MiB of it. Responses to own requests, and who is connected, are never dropped: they
//!   wait outside the queue, and there are at most as many of them as own requests and known peers.

use std::collections::VecDeque;
use std::sync::Arc;

use libp2p::gossipsub::MessageId;
use libp2p::request_response::{InboundRequestId, ResponseChannel};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::exchange::{ExchangeError, Frame};
use super::limits;
use super::topic::{Protocol, Topic};

/// What happened on the network.
#[derive(Debug)]
pub enum NetEvent {
    /// A message was gossiped. It is forwarded only if the owner reports that it accepts it, within 7 seconds.
    Gossip {
        /// Its subject.
        topic: Topic,
        /// The peer that brought it, which need not be its author.
        source: PeerId,
        /// What to report the verdict with. Dropping it means to ignore the message.
        message: MessageToken,
        /// Its bytes, at most [`limits::GOSSIP_BYTES_MAX`].
        data: Vec<u8>,
    },
    /// A peer asks for something.
    Request {
        /// What kind of thing.
        protocol: Protocol,
        /// The asking peer.
        peer: PeerId,
        /// What to answer with. Dropping it refuses.
        token: RequestToken,
        /// Its bytes, at most [`Protocol::request_max`].
        data: Vec<u8>,
    },
    /// The end of a request of the owner: exactly one per request.
    Response {
        /// The owner's own number for the request.
        request: u64,
        /// The peer that was asked.
        peer: PeerId,
        /// Its answer, at most [`Protocol::response_max`].
        result: Result<Vec<u8>, ExchangeError>,
    },
    /// A peer is connected.
    PeerConnected {
        /// The peer.
        peer: PeerId,
    },
    /// No connection with a peer is left.
    PeerDisconnected {
        /// The peer.
        peer: PeerId,
    },
    /// The node listens on an address.
    Listening {
        /// The address, with its real port.
        addr: Multiaddr,
    },
}

/// A gossiped message that waits for the owner's verdict.
#[derive(Debug)]
pub struct MessageToken {
    pub(crate) id: MessageId,
    pub(crate) source: PeerId,
    /// The message's share of the bytes that may be unjudged.
    _room: OwnedSemaphorePermit,
}

/// A request that waits for the owner's answer.
#[derive(Debug)]
pub struct RequestToken {
    pub(crate) protocol: Protocol,
    pub(crate) id: InboundRequestId,
    pub(crate) channel: ResponseChannel<Frame>,
}

/// The owner's verdict on a gossiped message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acceptance {
    /// Valid and new: forward it.
    Accept,
    /// Not worth forwarding, but nobody's fault: old, known, or not understood yet.
    Ignore,
    /// No honest node forwards this: the peer that brought it is penalised.
    Reject,
}

/// The sending end of the owner's queue.
pub(crate) struct Outbox {
    queue: mpsc::Sender<NetEvent>,
    kept: VecDeque<NetEvent>,
    unjudged: Arc<Semaphore>,
}

impl Outbox {
    pub(crate) fn new() -> (Self, mpsc::Receiver<NetEvent>) {
        let (queue, events) = mpsc::channel(limits::EVENTS);
        let unjudged = Arc::new(Semaphore::new(limits::GOSSIP_UNJUDGED_BYTES));
        (
            Self {
                queue,
                kept: VecDeque::new(),
                unjudged,
            },
            events,
        )
    }

    /// A token for a gossiped message, if there is room for its bytes.
    pub(crate) fn token(
        &self,
        id: MessageId,
        source: PeerId,
        bytes: usize,
    ) -> Option<MessageToken> {
        // Even an empty message takes some memory.
        let bytes = u32::try_from(bytes.max(64)).ok()?;
        let room = Arc::clone(&self.unjudged)
            .try_acquire_many_owned(bytes)
            .ok()?;
        Some(MessageToken {
            id,
            source,
            _room: room,
        })
    }

    /// Queues something that may be lost, or gives it back.
    pub(crate) fn offer(&mut self, event: NetEvent) -> Result<(), Box<NetEvent>> {
        if !self.kept.is_empty() || self.queue.capacity() <= limits::EVENTS_RESERVED {
            return Err(Box::new(event));
        }
        self.queue
            .try_send(event)
            .map_err(|error| Box::new(error.into_inner()))
    }

    /// Queues something that must arrive.
    pub(crate) fn deliver(&mut self, event: NetEvent) {
        if let NetEvent::PeerDisconnected { peer } = &event {
            // The owner has not heard of the connection yet: it need not hear of its end.
            let connected =
                |kept: &NetEvent| matches!(kept, NetEvent::PeerConnected { peer: p } if p == peer);
            if let Some(at) = self.kept.iter().position(connected) {
                self.kept.remove(at);
                return;
            }
        }
        if !self.kept.is_empty() {
            self.kept.push_back(event);
        } else if let Err(error) = self.queue.try_send(event) {
            self.kept.push_back(error.into_inner());
        }
    }

    /// Moves one kept event to the queue as soon as there is room, or waits if nothing is kept; false as soon as the
    /// owner is gone. May be cancelled at any time.
    pub(crate) async fn flush_one(&mut self) -> bool {
        if self.kept.is_empty() {
            self.queue.closed().await;
            return false;
        }
        let Ok(place) = self.queue.reserve().await else {
            return false;
        };
        if let Some(event) = self.kept.pop_front() {
            place.send(event);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(request: u64) -> NetEvent {
        NetEvent::Response {
            request,
            peer: PeerId::random(),
            result: Err(ExchangeError::Timeout),
        }
    }

    #[tokio::test]
    async fn what_may_be_lost_makes_way_for_what_must_arrive() {
        let (mut outbox, mut events) = Outbox::new();
        let offered = (0..limits::EVENTS as u64).take_while(|n| outbox.offer(response(*n)).is_ok());
        assert_eq!(offered.count(), limits::EVENTS - limits::EVENTS_RESERVED);
        let count = limits::EVENTS_RESERVED as u64 + 10;
        for n in 0..count {
            outbox.deliver(response(1_000_000 + n));
        }
        assert_eq!(outbox.kept.len(), 10);
        let mut last = None;
        while !outbox.kept.is_empty() {
            last = events.recv().await;
            assert!(last.is_some() && outbox.flush_one().await);
        }
        while let Ok(event) = events.try_recv() {
            last = Some(event);
        }
        let Some(NetEvent::Response { request, .. }) = last else {
            panic!()
        };
        assert_eq!(request, 1_000_000 + count - 1);
    }

    #[tokio::test]
    async fn a_stalled_owner_costs_two_events_per_peer_at_most() {
        let (mut outbox, _events) = Outbox::new();
        for n in 0..limits::EVENTS as u64 {
            outbox.deliver(response(n));
        }
        let peer = PeerId::random();
        for _ in 0..100 {
            outbox.deliver(NetEvent::PeerDisconnected { peer });
            outbox.deliver(NetEvent::PeerConnected { peer });
        }
        assert!(matches!(
            outbox.kept.make_contiguous(),
            [
                NetEvent::PeerDisconnected { .. },
                NetEvent::PeerConnected { .. }
            ]
        ));
    }

    #[tokio::test]
    async fn unjudged_bytes_are_bounded_until_their_tokens_are_gone() {
        let (outbox, _events) = Outbox::new();
        let token = |bytes| outbox.token(MessageId::new(b"id"), PeerId::random(), bytes);
        let whole = token(limits::GOSSIP_UNJUDGED_BYTES).unwrap();
        assert!(token(1).is_none());
        drop(whole);
        assert!(token(1).is_some());
    }
}
