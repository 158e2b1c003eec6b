//! The network: gossip and bulk requests between nodes over libp2p.
//!
//! This layer knows bytes, not what they mean. Its owner validates what comes in and reports the verdict; only then
//! is a message forwarded, or its bearer penalised. The layer itself guarantees that whatever strangers send,
//! memory, queues, streams and connections stay within [`limits`].
//!
//! The rules `[N-1]` to `[N-20]` stand with the parts: [`topic`] names, [`subnet`] divides, `exchange` frames, `score` and `gate` judge
//! peers, `roster`, `dialer`, [`record`], `reach` and `carriers` find them, `behaviour` composes, [`event`] and [`handle`] face the owner.

pub mod event;
pub mod exchange;
pub mod handle;
pub mod identity;
pub mod limits;
pub mod record;
pub mod subnet;
pub mod topic;

mod behaviour;
mod carriers;
mod conduct;
mod dialer;
mod gate;
mod gossip;
mod links;
mod peer;
mod reach;
mod requests;
mod roster;
mod score;
mod task;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::time::Instant;

use libp2p::core::transport::TransportError;
use libp2p::gossipsub::{ConfigBuilderError, SubscriptionError};
use libp2p::identity::Keypair;
use libp2p::metrics::Registry;
use libp2p::multiaddr::Protocol as Part;
use libp2p::noise;
use surety_protocol::id::NetworkId;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use event::{Acceptance, MessageToken, NetEvent, RequestToken};
pub use exchange::{ExchangeError, FrameError};
pub use handle::{CommandError, Counts, NetHandle, PeerInfo};
pub use libp2p::{Multiaddr, PeerId};
pub use subnet::{Subnet, Subnets};
pub use topic::{Protocol, Topic};

/// How a node takes part in a network.
#[derive(Debug, Clone)]
pub struct NetConfig {
    /// The network; nodes of different networks do not talk.
    pub network: NetworkId,
    /// Where to listen: `/ip4/<address>/tcp/<port>` or `/ip4/<address>/udp/<port>/quic-v1`, or the same with `ip6`.
    pub listen: Vec<Multiaddr>,
    /// Where others reach this node, if that differs from where it listens.
    pub external: Vec<Multiaddr>,
    /// Peers to be connected with always, each address ending with `/p2p/<peer>`.
    pub bootstrap: Vec<Multiaddr>,
    /// The name of the software, as others see it.
    pub agent: String,
    /// Peers to be connected with; more are accepted, but not looked for.
    pub connections_target: usize,
    /// Peers connected at most.
    pub connections_max: usize,
}

impl NetConfig {
    /// A node of a network that does not listen and knows nobody yet.
    pub fn new(network: NetworkId) -> Self {
        Self {
            network,
            listen: Vec::new(),
            external: Vec::new(),
            bootstrap: Vec::new(),
            agent: concat!("surety/", env!("CARGO_PKG_VERSION")).to_owned(),
            connections_target: limits::CONNECTIONS_TARGET,
            connections_max: limits::CONNECTIONS_MAX,
        }
    }
}

/// Why the network could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// The machine gives no randomness.
    #[error("no randomness: {0}")]
    Random(getrandom::Error),
    /// A bootstrap address does not end with `/p2p/<peer>`.
    #[error("the bootstrap address {0} does not end with /p2p/<peer id>")]
    BootstrapWithoutPeer(Multiaddr),
    /// A bootstrap address is not one that can be dialled.
    #[error("the bootstrap address {0} is not ip4 or ip6 with tcp, or with udp and quic-v1")]
    BootstrapAddress(Multiaddr),
    /// An external address is not one that can be dialled.
    #[error("the external address {0} is not ip4 or ip6 with tcp, or with udp and quic-v1")]
    ExternalAddress(Multiaddr),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: Multiaddr,
        /// What the system said.
        #[source]
        error: TransportError<std::io::Error>,
    },
    /// The gossip parameters contradict each other.
    #[error("gossip parameters")]
    GossipConfig(#[source] ConfigBuilderError),
    /// The gossip could not be set up.
    #[error("gossip: {0}")]
    Gossip(&'static str),
    /// A topic cannot be subscribed to.
    #[error("subscription")]
    Subscription(#[source] SubscriptionError),
    /// The key cannot be used.
    #[error("the node's key")]
    Noise(#[source] noise::Error),
}

/// Starts the network on the current tokio runtime. The task ends when `shutdown` is cancelled, when every handle is
/// dropped, or when the receiver of events is; it closes its connections first. The UDP port may stay bound for
/// about a second longer, while the last packets of closed QUIC connections are awaited.
///
/// # Errors
/// See [`NetError`]. Nothing runs then.
pub fn spawn(
    config: NetConfig,
    keypair: Keypair,
    shutdown: CancellationToken,
) -> Result<(NetHandle, mpsc::Receiver<NetEvent>, JoinHandle<()>), NetError> {
    let names = topic::Names::new(config.network);
    let local = keypair.public().to_peer_id();
    let mut dialer = dialer::Dialer::new(local, config.connections_target);
    let mut exempt = BTreeSet::new();
    for address in &config.bootstrap {
        let (peer, rest) = roster::split(address)
            .ok_or_else(|| NetError::BootstrapWithoutPeer(address.clone()))?;
        if !roster::dialable(&rest, true) {
            return Err(NetError::BootstrapAddress(address.clone()));
        }
        dialer.bootstrap(peer, rest, Instant::now());
        exempt.insert(peer);
    }
    let mut traffic = Registry::with_prefix("surety");
    let key = keypair.clone();
    let mut swarm = behaviour::swarm(&config, &names, keypair, exempt, &mut traffic)?;
    for address in config.listen {
        let listening = probe(&address).map_err(TransportError::Other);
        let listening = listening.and_then(|()| swarm.listen_on(address.clone()));
        if let Err(error) = listening {
            return Err(NetError::Listen { address, error });
        }
    }
    for address in config.external {
        let plain = match roster::split(&address) {
            Some((peer, rest)) if peer == local => rest,
            _ => address.clone(),
        };
        if !roster::dialable(&plain, true) {
            return Err(NetError::ExternalAddress(address));
        }
        swarm.add_external_address(plain);
    }
    let (commands, receiver) = mpsc::channel(limits::COMMANDS);
    let (outbox, events) = event::Outbox::new();
    let (listen, listening) = watch::channel(Vec::new());
    let counters = Arc::new(handle::Counters::default());
    let handle = NetHandle {
        commands,
        local,
        listen: listening,
        counters: Arc::clone(&counters),
        traffic: Arc::new(traffic),
    };
    let net = task::Net {
        names,
        swarm,
        commands: receiver,
        outbox,
        listen,
        counters,
        target: config.connections_target,
        asked: 0,
        dialer,
        standing: score::Standing::default(),
        key,
        reach: reach::Reach::default(),
        peers: BTreeMap::new(),
        carriers: carriers::Carriers::default(),
        waiting: gossip::Waiting::default(),
        outgoing: BTreeMap::new(),
        incoming: BTreeMap::new(),
    };
    Ok((handle, events, tokio::spawn(net.run(shutdown))))
}

/// Fails if another program listens on a TCP port. The transport sets `SO_REUSEPORT`, with which the system would give
/// both of them a share of the connections.
fn probe(address: &Multiaddr) -> std::io::Result<()> {
    let mut parts = address.iter();
    let host = match parts.next() {
        Some(Part::Ip4(ip)) => IpAddr::from(ip),
        Some(Part::Ip6(ip)) => IpAddr::from(ip),
        _ => return Ok(()),
    };
    match parts.next() {
        Some(Part::Tcp(port)) if port != 0 => TcpListener::bind((host, port)).map(drop),
        _ => Ok(()),
    }
}
