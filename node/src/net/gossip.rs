//! Messages that come in and go out by gossip.

use std::collections::VecDeque;
use std::time::Instant;

use libp2p::PeerId;
use libp2p::gossipsub::{self, Message, MessageAcceptance, MessageId, PublishError};

use super::event::{Acceptance, MessageToken, NetEvent};
use super::handle::Counters;
use super::limits;
use super::task::Net;
use super::topic::Topic;

/// Published messages that nobody subscribes to yet.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    messages: VecDeque<(Topic, Vec<u8>, Instant)>,
    bytes: usize,
}

impl Waiting {
    /// Keeps a message; gives the number of older ones that had to go.
    fn push(&mut self, topic: Topic, data: Vec<u8>, now: Instant) -> usize {
        self.bytes = self.bytes.saturating_add(data.len());
        self.messages.push_back((topic, data, now));
        let mut dropped = 0;
        while self.messages.len() > limits::WAITING_MESSAGES || self.bytes > limits::WAITING_BYTES {
            self.pop();
            dropped += 1;
        }
        dropped
    }

    fn pop(&mut self) {
        if let Some((_, data, _)) = self.messages.pop_front() {
            self.bytes = self.bytes.saturating_sub(data.len());
        }
    }

    /// Takes the messages of a topic, oldest first.
    fn take(&mut self, wanted: Topic) -> Vec<Vec<u8>> {
        let (taken, left) = self
            .messages
            .drain(..)
            .partition::<Vec<_>, _>(|(t, ..)| *t == wanted);
        self.messages = left.into();
        let taken: Vec<_> = taken.into_iter().map(|(_, data, _)| data).collect();
        self.bytes = self.bytes.saturating_sub(taken.iter().map(Vec::len).sum());
        taken
    }

    /// Drops what waited too long; gives its number.
    fn expire(&mut self, now: Instant) -> usize {
        let mut dropped = 0;
        while let Some((.., since)) = self.messages.front()
            && now.duration_since(*since) >= limits::WAITING_TIME
        {
            self.pop();
            dropped += 1;
        }
        dropped
    }
}

impl Net {
    pub(crate) fn publish(&mut self, topic: Topic, data: Vec<u8>) {
        let name = self.names.topic(topic).hash();
        match self
            .swarm
            .behaviour_mut()
            .gossip
            .publish(name, data.clone())
        {
            Ok(_) => Counters::count(&self.counters.gossip_published),
            // Somebody was faster with the same content.
            Err(PublishError::Duplicate) => {}
            Err(PublishError::NoPeersSubscribedToTopic) => {
                let dropped = self.waiting.push(topic, data, Instant::now());
                self.unpublished(dropped);
            }
            Err(error) => {
                tracing::debug!(%topic, %error, "a message could not be published");
                self.unpublished(1);
            }
        }
    }

    fn unpublished(&self, count: usize) {
        (0..count).for_each(|_| Counters::count(&self.counters.gossip_unpublished));
    }

    pub(crate) fn expire_waiting(&mut self, now: Instant) {
        let dropped = self.waiting.expire(now);
        self.unpublished(dropped);
    }

    pub(crate) fn report(&mut self, token: MessageToken, acceptance: Acceptance) {
        let verdict = match acceptance {
            Acceptance::Accept => MessageAcceptance::Accept,
            Acceptance::Ignore => MessageAcceptance::Ignore,
            Acceptance::Reject => MessageAcceptance::Reject,
        };
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        gossip.report_message_validation_result(&token.id, &token.source, verdict);
        if acceptance == Acceptance::Reject {
            self.penalize(token.source, limits::POINTS_REJECTED);
        }
    }

    pub(crate) fn on_gossip(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            } => {
                self.on_message(propagation_source, message_id, message);
            }
            gossipsub::Event::Subscribed { peer_id, topic } => {
                let Some(topic) = self.names.topic_of(&topic) else {
                    return;
                };
                if let Some(peer) = self.peers.get_mut(&peer_id) {
                    peer.hears(topic, true);
                }
                for data in self.waiting.take(topic) {
                    self.publish(topic, data);
                }
            }
            gossipsub::Event::Unsubscribed { peer_id, topic } => {
                let topic = self.names.topic_of(&topic);
                if let (Some(topic), Some(peer)) = (topic, self.peers.get_mut(&peer_id)) {
                    peer.hears(topic, false);
                }
            }
            gossipsub::Event::GossipsubNotSupported { peer_id } => {
                tracing::debug!(peer = %peer_id, "a peer does not gossip");
            }
            gossipsub::Event::SlowPeer { peer_id, .. } => {
                tracing::debug!(peer = %peer_id, "a peer is too slow for the gossip");
            }
        }
    }

    fn on_message(&mut self, source: PeerId, id: MessageId, message: Message) {
        let ignore = MessageAcceptance::Ignore;
        let Some(topic) = self.names.topic_of(&message.topic) else {
            return;
        };
        if message.data.len() > limits::GOSSIP_BYTES_MAX {
            let gossip = &mut self.swarm.behaviour_mut().gossip;
            gossip.report_message_validation_result(&id, &source, MessageAcceptance::Reject);
            self.penalize(source, limits::POINTS_REJECTED);
            return;
        }
        let within_budget = self
            .peers
            .get_mut(&source)
            .is_none_or(|peer| peer.spend_gossip());
        let token = self.outbox.token(id.clone(), source, message.data.len());
        let sent = match token.filter(|_| within_budget) {
            Some(token) => {
                let data = message.data;
                self.outbox
                    .offer(NetEvent::Gossip {
                        topic,
                        source,
                        message: token,
                        data,
                    })
                    .is_ok()
            }
            None => false,
        };
        if sent {
            Counters::count(&self.counters.gossip_received);
        } else {
            Counters::count(&self.counters.gossip_dropped);
            let gossip = &mut self.swarm.behaviour_mut().gossip;
            gossip.report_message_validation_result(&id, &source, ignore);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_in_number_bytes_and_time() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        for _ in 0..limits::WAITING_MESSAGES {
            assert_eq!(waiting.push(Topic::Claims, vec![0; 10], now), 0);
        }
        assert_eq!(waiting.push(Topic::Ledger, vec![0; 10], now), 1);
        assert_eq!(
            waiting.push(Topic::Ledger, vec![0; limits::WAITING_BYTES], now),
            256
        );
        assert_eq!(
            (waiting.messages.len(), waiting.bytes),
            (1, limits::WAITING_BYTES)
        );
        assert_eq!(waiting.take(Topic::Claims).len(), 0);
        assert_eq!(waiting.take(Topic::Ledger).len(), 1);
        assert_eq!(waiting.bytes, 0);

        waiting.push(Topic::Claims, vec![1], now);
        waiting.push(Topic::Claims, vec![2], now + limits::WAITING_TIME / 2);
        assert_eq!(waiting.expire(now + limits::WAITING_TIME), 1);
        assert_eq!(waiting.take(Topic::Claims), [[2]]);
    }
}
