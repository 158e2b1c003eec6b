//! The composed libp2p node: transports, gossip, exchanges, and who is let in.
//!
//! # Rules
//!
//! - `[N-13]` QUIC, or TCP with noise and yamux. A peer whose identify protocol version is not this network's is
//!   disconnected.
//! - `[N-14]` Gossip is forwarded only after the owner accepted it. Own messages go to every subscribed peer.

use std::collections::BTreeSet;
use std::time::Duration;

use libp2p::gossipsub::{
    ConfigBuilder, IdentityTransform, MaxCountSubscriptionFilter, MessageAuthenticity,
    ValidationMode, WhitelistSubscriptionFilter,
};
use libp2p::identity::Keypair;
use libp2p::metrics::Registry;
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{PeerId, Swarm, SwarmBuilder, gossipsub, identify, noise, ping, tcp, yamux};

use super::exchange::{ByteCodec, Frame};
use super::gate::Gate;
use super::topic::{Names, Protocol, Topic, message_id};
use super::{NetConfig, NetError, limits, score};

type Filter = MaxCountSubscriptionFilter<WhitelistSubscriptionFilter>;
pub(crate) type Gossip = gossipsub::Behaviour<IdentityTransform, Filter>;
pub(crate) type Exchange = request_response::Behaviour<ByteCodec>;
pub(crate) type ExchangeEvent = request_response::Event<Frame, Frame>;

/// Everything that runs on a connection. The gate stands first: a refused connection never reaches the others.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) gate: Gate,
    pub(crate) gossip: Gossip,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    assignments: Exchange,
    messages: Exchange,
    claims: Exchange,
    pages: Exchange,
    evidence: Exchange,
    blocks: Exchange,
    peers: Exchange,
}

impl Behaviour {
    fn new(
        config: &NetConfig,
        names: &Names,
        keypair: &Keypair,
        exempt: BTreeSet<PeerId>,
    ) -> Result<Self, NetError> {
        let exchange = |protocol| {
            let config = request_response::Config::default()
                .with_request_timeout(limits::EXCHANGE_TIMEOUT)
                .with_max_concurrent_streams(limits::EXCHANGE_STREAMS);
            let name = (names.protocol(protocol), ProtocolSupport::Full);
            Exchange::with_codec(ByteCodec::new(protocol), [name], config)
        };
        let agent: String = config.agent.chars().take(limits::AGENT_CHARS).collect();
        let agent = super::peer::with_life(&agent, new_life()?);
        let identify = identify::Config::new(names.network(), keypair.public())
            .with_agent_version(agent)
            .with_push_listen_addr_updates(true)
            .with_cache_size(0);
        let ping = ping::Config::new()
            .with_interval(limits::PING)
            .with_timeout(limits::PING);
        Ok(Self {
            gate: Gate::new(config.connections_max, exempt),
            gossip: gossip(names)?,
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::new(ping),
            assignments: exchange(Protocol::Assignments),
            messages: exchange(Protocol::Messages),
            claims: exchange(Protocol::Claims),
            pages: exchange(Protocol::Pages),
            evidence: exchange(Protocol::Evidence),
            blocks: exchange(Protocol::Blocks),
            peers: exchange(Protocol::Peers),
        })
    }

    pub(crate) fn exchange(&mut self, protocol: Protocol) -> &mut Exchange {
        match protocol {
            Protocol::Assignments => &mut self.assignments,
            Protocol::Messages => &mut self.messages,
            Protocol::Claims => &mut self.claims,
            Protocol::Pages => &mut self.pages,
            Protocol::Evidence => &mut self.evidence,
            Protocol::Blocks => &mut self.blocks,
            Protocol::Peers => &mut self.peers,
        }
    }
}

fn gossip(names: &Names) -> Result<Gossip, NetError> {
    let config = ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        // [N-14]
        .validate_messages()
        .flood_publish(true)
        .message_id_fn(message_id)
        .max_transmit_size(limits::GOSSIP_FRAME_MAX)
        .max_control_message_size(limits::GOSSIP_CONTROL_MAX)
        .duplicate_cache_time(limits::GOSSIP_SEEN)
        .history_length(limits::GOSSIP_HISTORY)
        .history_gossip(3)
        .heartbeat_interval(limits::GOSSIP_HEARTBEAT)
        .heartbeat_initial_delay(Duration::from_millis(100))
        .connection_handler_queue_len(limits::GOSSIP_QUEUE)
        .publish_queue_duration(Duration::from_secs(10))
        .forward_queue_duration(Duration::from_secs(5))
        // A mesh of six reaches fifty nodes in three hops; two nodes are a mesh too.
        .mesh_n(6)
        .mesh_n_low(4)
        .mesh_n_high(12)
        .mesh_outbound_min(2)
        .gossip_lazy(6)
        // One of each topic may come from a peer that carries all.
        .max_ihave_messages_heartbeat(Topic::all().count().saturating_mul(2))
        .build()
        .map_err(NetError::GossipConfig)?;
    let filter = MaxCountSubscriptionFilter {
        filter: WhitelistSubscriptionFilter(
            Topic::all()
                .map(|topic| names.topic(topic).hash())
                .collect(),
        ),
        max_subscribed_topics: Topic::all().count(),
        max_subscriptions_per_request: 100,
    };
    let anonymous = MessageAuthenticity::Anonymous;
    let mut gossip = Gossip::new_with_subscription_filter(anonymous, config, filter)
        .map_err(NetError::Gossip)?;
    gossip
        .with_peer_score(score::peer_params(), score::thresholds())
        .map_err(|_| NetError::Gossip("peer score"))?;
    for topic in Topic::all() {
        let name = names.topic(topic);
        gossip
            .set_topic_params(name.clone(), score::topic_params(topic))
            .map_err(NetError::Gossip)?;
        gossip.subscribe(&name).map_err(NetError::Subscription)?;
    }
    Ok(gossip)
}

/// A number that no other life of this node has (rule N-16).
fn new_life() -> Result<u64, NetError> {
    let mut life = [0; 8];
    getrandom::fill(&mut life).map_err(NetError::Random)?;
    Ok(u64::from_be_bytes(life))
}

/// Builds the node; it does not listen yet.
pub(crate) fn swarm(
    config: &NetConfig,
    names: &Names,
    keypair: Keypair,
    exempt: BTreeSet<PeerId>,
    traffic: &mut Registry,
) -> Result<Swarm<Behaviour>, NetError> {
    let behaviour = Behaviour::new(config, names, &keypair, exempt)?;
    let builder = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(
            tcp::Config::default().nodelay(true),
            noise::Config::new,
            yamux::Config::default,
        )
        .map_err(NetError::Noise)?
        .with_quic()
        .with_bandwidth_metrics(traffic);
    let Ok(builder) = builder.with_behaviour(|_| behaviour);
    Ok(builder
        .with_swarm_config(|config| {
            // Peers stay connected while nothing is said: the gate and the pings end connections.
            config.with_idle_connection_timeout(Duration::from_secs(24 * 3600))
        })
        .build())
}
