//! Requests of our own and of others, from the first byte to the last.

use libp2p::PeerId;
use libp2p::request_response::{
    Event, InboundRequestId, Message, OutboundRequestId, ResponseChannel,
};

use super::behaviour::ExchangeEvent;
use super::event::{NetEvent, RequestToken};
use super::exchange::{ExchangeError, Frame, FrameError};
use super::handle::Counters;
use super::reach::Request;
use super::task::Net;
use super::topic::Protocol;
use super::{limits, roster};

/// A request of our own under way.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) peer: PeerId,
    /// The owner's number for it; none if the network asked by itself.
    owner: Option<u64>,
    /// What the answer may be at worst.
    bytes: usize,
}

/// A request of a peer that the owner has, or whose answer is on its way.
#[derive(Debug)]
pub(crate) struct Incoming {
    peer: PeerId,
    /// Bytes of the answer, once there is one.
    bytes: usize,
}

impl Net {
    pub(crate) fn request(&mut self, id: u64, peer: PeerId, protocol: Protocol, data: Vec<u8>) {
        let bytes = data.len();
        let limit = protocol.request_max();
        let promised: usize = self.outgoing.values().map(|request| request.bytes).sum();
        let worst = promised.saturating_add(protocol.response_max());
        let refusal = if protocol == Protocol::Peers {
            Some(ExchangeError::Unsupported)
        } else if bytes > limit {
            Some(ExchangeError::RequestTooLarge { bytes, limit })
        } else if !self.swarm.is_connected(&peer) {
            return self.seek(peer, Request { id, protocol, data });
        } else if self.outgoing.len() >= limits::REQUESTS_OUT_MAX
            || worst > limits::REQUESTS_OUT_BYTES
        {
            Some(ExchangeError::Busy)
        } else {
            None
        };
        match refusal {
            Some(error) => self.outbox.deliver(NetEvent::Response {
                request: id,
                peer,
                result: Err(error),
            }),
            None => {
                self.visit(&peer);
                self.send_request(Some(id), peer, protocol, data);
            }
        }
    }

    /// Asks a peer for others.
    pub(crate) fn ask_for_peers(&mut self, peer: PeerId) {
        let asked = self
            .outgoing
            .values()
            .any(|out| out.owner.is_none() && out.peer == peer);
        if !asked {
            self.ask_for(peer, Vec::new());
        }
    }

    /// Asks a peer for others, and first for one of them perhaps (rule N-9).
    pub(crate) fn ask_for(&mut self, peer: PeerId, sought: Vec<u8>) {
        if self.swarm.is_connected(&peer) && self.outgoing.len() < limits::REQUESTS_OUT_MAX {
            self.send_request(None, peer, Protocol::Peers, sought);
        }
    }

    fn send_request(
        &mut self,
        owner: Option<u64>,
        peer: PeerId,
        protocol: Protocol,
        data: Vec<u8>,
    ) {
        let id = self
            .swarm
            .behaviour_mut()
            .exchange(protocol)
            .send_request(&peer, Ok(data));
        let bytes = protocol.response_max();
        self.outgoing
            .insert((protocol, id), Outgoing { peer, owner, bytes });
    }

    pub(crate) fn respond(&mut self, token: RequestToken, answer: Result<Vec<u8>, ()>) {
        let RequestToken {
            protocol,
            id,
            channel,
        } = token;
        let on_their_way: usize = self.incoming.values().map(|request| request.bytes).sum();
        let answer = match answer {
            Ok(bytes) if bytes.len() > protocol.response_max() => {
                tracing::error!(
                    protocol = protocol.name(),
                    bytes = bytes.len(),
                    "an answer is above its protocol's limit"
                );
                Err(FrameError::Refused)
            }
            Ok(bytes) if on_their_way.saturating_add(bytes.len()) > limits::ANSWERS_BYTES => {
                Counters::count(&self.counters.requests_refused);
                Err(FrameError::Refused)
            }
            Ok(bytes) => Ok(bytes),
            Err(()) => Err(FrameError::Refused),
        };
        if let Some(request) = self.incoming.get_mut(&(protocol, id)) {
            request.bytes = answer.as_ref().map_or(0, Vec::len);
        }
        self.send_answer(protocol, id, channel, answer);
    }

    fn send_answer(
        &mut self,
        protocol: Protocol,
        id: InboundRequestId,
        channel: ResponseChannel<Frame>,
        answer: Frame,
    ) {
        let exchange = self.swarm.behaviour_mut().exchange(protocol);
        if exchange.send_response(channel, answer).is_err() {
            // Too late: the stream is gone, and so is the request.
            self.incoming.remove(&(protocol, id));
        }
    }

    pub(crate) fn on_exchange(&mut self, protocol: Protocol, event: ExchangeEvent) {
        match event {
            Event::Message { peer, message, .. } => match message {
                Message::Request {
                    request_id,
                    request,
                    channel,
                } => {
                    self.on_request(protocol, peer, request_id, request, channel);
                }
                Message::Response {
                    request_id,
                    response,
                } => {
                    self.on_response(protocol, request_id, response);
                }
            },
            Event::OutboundFailure {
                request_id, error, ..
            } => {
                self.finish(protocol, request_id, Err(error.into()));
            }
            Event::InboundFailure { request_id, .. } | Event::ResponseSent { request_id, .. } => {
                self.incoming.remove(&(protocol, request_id));
            }
        }
    }

    fn on_request(
        &mut self,
        protocol: Protocol,
        peer: PeerId,
        id: InboundRequestId,
        request: Frame,
        channel: ResponseChannel<Frame>,
    ) {
        let refused = Err(FrameError::Refused);
        let data = match request {
            Ok(data) => data,
            Err(error) => {
                tracing::debug!(%peer, protocol = protocol.name(), %error, "a malformed request");
                self.send_answer(protocol, id, channel, refused);
                self.penalize(peer, limits::POINTS_MALFORMED);
                return;
            }
        };
        let theirs = self
            .incoming
            .values()
            .filter(|request| request.peer == peer)
            .count();
        let within_budget = theirs < limits::REQUESTS_IN_PER_PEER
            && self.incoming.len() < limits::REQUESTS_IN_MAX
            && self
                .peers
                .get_mut(&peer)
                .is_some_and(|peer| peer.spend_request());
        if !within_budget {
            Counters::count(&self.counters.requests_refused);
            self.send_answer(protocol, id, channel, refused);
            return;
        }
        if protocol == Protocol::Peers {
            let sought = match data.is_empty() {
                true => None,
                false => PeerId::from_bytes(&data).ok(),
            };
            let answer = self.roster_for(peer, sought);
            self.send_answer(protocol, id, channel, Ok(answer));
            return;
        }
        let token = RequestToken {
            protocol,
            id,
            channel,
        };
        match self.outbox.offer(NetEvent::Request {
            protocol,
            peer,
            token,
            data,
        }) {
            Ok(()) => {
                self.incoming
                    .insert((protocol, id), Incoming { peer, bytes: 0 });
                Counters::count(&self.counters.requests_received);
            }
            Err(event) => {
                Counters::count(&self.counters.requests_refused);
                if let NetEvent::Request { token, .. } = *event {
                    self.send_answer(protocol, id, token.channel, refused);
                }
            }
        }
    }

    fn on_response(&mut self, protocol: Protocol, id: OutboundRequestId, response: Frame) {
        let result = match response {
            Ok(bytes) => Ok(bytes),
            Err(FrameError::Refused) => Err(ExchangeError::Refused),
            Err(error) => {
                if let Some(peer) = self
                    .outgoing
                    .get(&(protocol, id))
                    .map(|request| request.peer)
                {
                    self.penalize(peer, limits::POINTS_MALFORMED);
                }
                Err(ExchangeError::Malformed(error))
            }
        };
        self.finish(protocol, id, result);
    }

    fn finish(
        &mut self,
        protocol: Protocol,
        id: OutboundRequestId,
        result: Result<Vec<u8>, ExchangeError>,
    ) {
        let Some(Outgoing { peer, owner, .. }) = self.outgoing.remove(&(protocol, id)) else {
            return;
        };
        if owner.is_some() {
            self.visit(&peer);
        }
        match (owner, result) {
            (Some(request), result) => {
                self.outbox.deliver(NetEvent::Response {
                    request,
                    peer,
                    result,
                });
            }
            (None, Ok(bytes)) => {
                let loopback = self.is_on_loopback(&peer);
                match roster::decode(&bytes, loopback) {
                    Some(peers) => self.learn(peers),
                    None => self.penalize(peer, limits::POINTS_MALFORMED),
                }
            }
            (None, Err(_)) => {}
        }
    }
}
