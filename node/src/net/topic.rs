//! What is gossiped and what is asked for, and the names of both on the wire.
//!
//! # Rules
//!
//! - `[N-1]` A gossip topic is named `/surety/<network>/<topic>/1`, an exchange `/surety/<network>/<protocol>/1`,
//!   where `<network>` is the first 16 characters of the network's id: nodes of different networks share neither.
//! - `[N-2]` A gossiped message is anonymous. Its id is the first 20 bytes of the digest of topic and content, so
//!   that one content is one message, whoever sent it.

use libp2p::StreamProtocol;
use libp2p::gossipsub::{IdentTopic, Message, MessageId, TopicHash};
use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::NetworkId;

use super::limits;

/// A subject of gossip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Assignments of schedulers.
    Assignments,
    /// Claims of compute units, with their new leaves.
    Claims,
    /// Approvals of verifiers.
    Approvals,
    /// Ledger items and blocks.
    Ledger,
    /// Where operators' nodes listen.
    Records,
}

impl Topic {
    /// All topics.
    pub const ALL: [Topic; 5] = [
        Topic::Assignments,
        Topic::Claims,
        Topic::Approvals,
        Topic::Ledger,
        Topic::Records,
    ];

    /// The topic's part of its name.
    pub const fn name(self) -> &'static str {
        match self {
            Topic::Assignments => "assignments",
            Topic::Claims => "claims",
            Topic::Approvals => "approvals",
            Topic::Ledger => "ledger",
            Topic::Records => "records",
        }
    }
}

/// A kind of request and response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// Assignments of a process.
    Assignments,
    /// Messages and other data items.
    Messages,
    /// Claims behind a digest on the ledger.
    Claims,
    /// Memory pages.
    Pages,
    /// Evidence files.
    Evidence,
    /// Ledger blocks.
    Blocks,
    /// Addresses of other peers. The network layer asks and answers these itself; its owner cannot.
    Peers,
}

impl Protocol {
    /// All protocols.
    pub const ALL: [Protocol; 7] = [
        Protocol::Assignments,
        Protocol::Messages,
        Protocol::Claims,
        Protocol::Pages,
        Protocol::Evidence,
        Protocol::Blocks,
        Protocol::Peers,
    ];

    /// The protocol's part of its name.
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::Assignments => "get-assignments",
            Protocol::Messages => "get-messages",
            Protocol::Claims => "get-claims",
            Protocol::Pages => "get-pages",
            Protocol::Evidence => "get-evidence",
            Protocol::Blocks => "get-blocks",
            Protocol::Peers => "get-peers",
        }
    }

    /// The most bytes of a request.
    pub const fn request_max(self) -> usize {
        match self {
            // An item may be handed to its scheduler.
            Protocol::Messages => limits::REQUEST_ITEM_MAX,
            _ => limits::REQUEST_MAX,
        }
    }

    /// The most bytes of a response.
    pub const fn response_max(self) -> usize {
        match self {
            Protocol::Assignments | Protocol::Messages | Protocol::Claims | Protocol::Blocks => {
                limits::RESPONSE_RUN_MAX
            }
            Protocol::Pages => limits::RESPONSE_PAGES_MAX,
            Protocol::Evidence => limits::RESPONSE_EVIDENCE_MAX,
            Protocol::Peers => limits::RESPONSE_PEERS_MAX,
        }
    }
}

/// The names of one network on the wire (rule N-1).
#[derive(Debug, Clone)]
pub(crate) struct Names(String);

impl Names {
    pub(crate) fn new(network: NetworkId) -> Self {
        Self(network.to_string().chars().take(16).collect())
    }

    /// What identify announces, so that nodes of another network are recognised.
    pub(crate) fn network(&self) -> String {
        format!("/surety/{}/1", self.0)
    }

    pub(crate) fn topic(&self, topic: Topic) -> IdentTopic {
        IdentTopic::new(format!("/surety/{}/{}/1", self.0, topic.name()))
    }

    pub(crate) fn topic_of(&self, hash: &TopicHash) -> Option<Topic> {
        Topic::ALL
            .into_iter()
            .find(|topic| self.topic(*topic).hash() == *hash)
    }

    /// The name of a protocol. It starts with a slash, which is all that makes it valid.
    pub(crate) fn protocol(&self, protocol: Protocol) -> StreamProtocol {
        let name = format!("/surety/{}/{}/1", self.0, protocol.name());
        StreamProtocol::try_from_owned(name).unwrap_or(StreamProtocol::new("/surety/invalid"))
    }
}

/// The id of a gossiped message (rule N-2).
pub(crate) fn message_id(message: &Message) -> MessageId {
    let digest = digest(
        Domain::OBJECT,
        &[message.topic.as_str().as_bytes(), &message.data],
    );
    MessageId::new(
        digest
            .as_bytes()
            .first_chunk::<20>()
            .map_or(&[][..], |id| &id[..]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_by_network_and_subject() {
        let a = Names::new(NetworkId::new([1; 32]));
        let b = Names::new(NetworkId::new([2; 32]));
        assert_eq!(
            a.topic(Topic::Claims).to_string(),
            "/surety/AQEBAQEBAQEBAQEB/claims/1"
        );
        assert_eq!(
            a.protocol(Protocol::Pages).as_ref(),
            "/surety/AQEBAQEBAQEBAQEB/get-pages/1"
        );
        for topic in Topic::ALL {
            assert_eq!(a.topic_of(&a.topic(topic).hash()), Some(topic));
            assert_eq!(a.topic_of(&b.topic(topic).hash()), None);
        }
    }

    #[test]
    fn the_id_of_a_message_is_its_topic_and_content() {
        let names = Names::new(NetworkId::new([1; 32]));
        let message = |topic, data: &[u8], sender: Option<u64>| Message {
            source: sender.map(|_| libp2p::PeerId::random()),
            data: data.to_vec(),
            sequence_number: sender,
            topic: names.topic(topic).hash(),
        };
        let id = message_id(&message(Topic::Claims, b"x", None));
        assert_eq!(id.0.len(), 20);
        assert_eq!(id, message_id(&message(Topic::Claims, b"x", Some(7))));
        assert_ne!(id, message_id(&message(Topic::Claims, b"y", None)));
        assert_ne!(id, message_id(&message(Topic::Ledger, b"x", None)));
    }
}
