//! What is gossiped and what is asked for, and the names of both on the wire.
//!
//! # Rules
//!
//! - `[N-1]` A gossip topic is named `/surety/<network>/<topic>/1`, an exchange `/surety/<network>/<protocol>/1`,
//!   where `<network>` is the first 16 characters of the network's id: nodes of different networks share neither. A topic that
//!   has subnets (rule N-19) has a name for each, `<topic>-<subnet>`.
//! - `[N-2]` A gossiped message is anonymous. Its id is the first 20 bytes of the digest of topic and content, so
//!   that one content is one message, whoever sent it.

use std::collections::BTreeMap;
use std::fmt;

use libp2p::StreamProtocol;
use libp2p::gossipsub::{IdentTopic, Message, MessageId, TopicHash};
use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::NetworkId;

use super::limits;
use super::subnet::Subnet;

/// A subject of gossip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Assignments of schedulers, of the processes in a subnet.
    Assignments(Subnet),
    /// Claims of compute units, with their new leaves.
    Claims,
    /// Approvals of verifiers, of claims about them.
    Approvals(Subnet),
    /// Ledger items and blocks.
    Ledger,
    /// Where operators' nodes listen.
    Records,
}

impl Topic {
    /// Those of one subnet.
    pub const fn of_subnet(subnet: Subnet) -> [Topic; 2] {
        [Topic::Assignments(subnet), Topic::Approvals(subnet)]
    }

    /// One of each kind: those of a subnet, and those that everybody hears.
    pub const fn each(subnet: Subnet) -> [Topic; 5] {
        [
            Topic::Assignments(subnet),
            Topic::Claims,
            Topic::Approvals(subnet),
            Topic::Ledger,
            Topic::Records,
        ]
    }

    /// All topics.
    pub fn all() -> impl Iterator<Item = Topic> {
        let heard_by_all = [Topic::Claims, Topic::Ledger, Topic::Records];
        let of_subnets = Subnet::all().flat_map(Topic::of_subnet);
        heard_by_all.into_iter().chain(of_subnets)
    }

    /// The subnet that it is of, if it has any.
    pub const fn subnet(self) -> Option<Subnet> {
        match self {
            Topic::Assignments(subnet) | Topic::Approvals(subnet) => Some(subnet),
            Topic::Claims | Topic::Ledger | Topic::Records => None,
        }
    }

    /// What it is about: its name without its subnet.
    pub const fn name(self) -> &'static str {
        match self {
            Topic::Assignments(_) => "assignments",
            Topic::Claims => "claims",
            Topic::Approvals(_) => "approvals",
            Topic::Ledger => "ledger",
            Topic::Records => "records",
        }
    }
}

impl fmt::Display for Topic {
    /// Its part of the name on the wire (rule N-1).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.subnet() {
            Some(subnet) => write!(f, "{}-{subnet}", self.name()),
            None => f.write_str(self.name()),
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
pub(crate) struct Names {
    network: String,
    topics: BTreeMap<TopicHash, Topic>,
}

impl Names {
    pub(crate) fn new(network: NetworkId) -> Self {
        let mut names = Self {
            network: network.to_string().chars().take(16).collect(),
            topics: BTreeMap::new(),
        };
        for topic in Topic::all() {
            names.topics.insert(names.topic(topic).hash(), topic);
        }
        names
    }

    /// What identify announces, so that nodes of another network are recognised.
    pub(crate) fn network(&self) -> String {
        format!("/surety/{}/1", self.network)
    }

    pub(crate) fn topic(&self, topic: Topic) -> IdentTopic {
        IdentTopic::new(format!("/surety/{}/{topic}/1", self.network))
    }

    pub(crate) fn topic_of(&self, hash: &TopicHash) -> Option<Topic> {
        self.topics.get(hash).copied()
    }

    /// The name of a protocol. It starts with a slash, which is all that makes it valid.
    pub(crate) fn protocol(&self, protocol: Protocol) -> StreamProtocol {
        let name = format!("/surety/{}/{}/1", self.network, protocol.name());
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
    use surety_protocol::id::ProcessId;

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
        let third = Subnet::of(&ProcessId::new([0x30; 32]));
        assert_eq!(
            a.topic(Topic::Approvals(third)).to_string(),
            "/surety/AQEBAQEBAQEBAQEB/approvals-3/1"
        );
        assert_eq!(Topic::all().count(), 3 + 2 * Subnet::COUNT);
        for topic in Topic::all() {
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
