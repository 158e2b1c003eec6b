//! Whole nodes over 127.0.0.1. Everything waits for an event or a state with a deadline; nothing sleeps.

mod gossiping;
mod linking;
mod rogue;
mod serving;
mod subnets;

use std::time::Duration;

use super::*;

const DEADLINE: Duration = Duration::from_secs(60);
const NETWORK: NetworkId = NetworkId::new([9; 32]);

pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future)
        .await
        .expect("nothing happened in time")
}

#[derive(Clone, Copy)]
pub(crate) enum Transport {
    Tcp,
    Quic,
}

impl Transport {
    fn any_port(self) -> Multiaddr {
        let address = match self {
            Transport::Tcp => "/ip4/127.0.0.1/tcp/0",
            Transport::Quic => "/ip4/127.0.0.1/udp/0/quic-v1",
        };
        address.parse().unwrap()
    }
}

/// A node and its owner's ends.
pub(crate) struct Node {
    pub(crate) handle: NetHandle,
    pub(crate) events: mpsc::Receiver<NetEvent>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

pub(crate) fn config(transport: Transport, bootstrap: &[&Node]) -> NetConfig {
    NetConfig {
        listen: vec![transport.any_port()],
        bootstrap: bootstrap.iter().map(|node| node.address()).collect(),
        // Only who is named in `bootstrap` is dialled, unless a test wants more.
        connections_target: 0,
        ..NetConfig::new(NETWORK)
    }
}

impl Node {
    pub(crate) async fn start(seed: u8, config: NetConfig) -> Self {
        let shutdown = CancellationToken::new();
        let start = || {
            let keypair = identity::keypair_of(&mut [seed; 32]).unwrap();
            spawn(config.clone(), keypair, shutdown.clone())
        };
        // The port of a node that stopped just now may still be bound.
        let (handle, events, task) = soon(async {
            loop {
                match start() {
                    Err(NetError::Listen { .. }) => tokio::task::yield_now().await,
                    other => return other.unwrap(),
                }
            }
        })
        .await;
        let mut node = Node {
            handle,
            events,
            shutdown,
            task,
        };
        node.until(|event| matches!(event, NetEvent::Listening { .. }))
            .await;
        node
    }

    pub(crate) fn id(&self) -> PeerId {
        self.handle.local_peer_id()
    }

    /// The first listening address, with the peer.
    fn address(&self) -> Multiaddr {
        self.handle
            .listen_addresses()
            .remove(0)
            .with(Part::P2p(self.id()))
    }

    async fn stop(self) -> Multiaddr {
        let address = self.address();
        self.shutdown.cancel();
        soon(self.task).await.unwrap();
        address
    }

    async fn next(&mut self) -> NetEvent {
        soon(self.events.recv())
            .await
            .expect("the network has stopped")
    }

    /// Skips events until one fits.
    async fn until(&mut self, fits: impl Fn(&NetEvent) -> bool) -> NetEvent {
        loop {
            let event = self.next().await;
            if fits(&event) {
                return event;
            }
        }
    }

    pub(crate) async fn connected(&mut self, other: PeerId) {
        self.until(|e| matches!(e, NetEvent::PeerConnected { peer } if *peer == other))
            .await;
    }

    async fn disconnected(&mut self, other: PeerId) {
        self.until(|e| matches!(e, NetEvent::PeerDisconnected { peer } if *peer == other))
            .await;
    }

    /// The next gossiped message.
    async fn gossip(&mut self) -> (Topic, PeerId, MessageToken, Vec<u8>) {
        match self
            .until(|event| matches!(event, NetEvent::Gossip { .. }))
            .await
        {
            NetEvent::Gossip {
                topic,
                source,
                message,
                data,
            } => (topic, source, message, data),
            _ => unreachable!(),
        }
    }

    async fn request(&mut self) -> (Protocol, PeerId, RequestToken, Vec<u8>) {
        match self
            .until(|event| matches!(event, NetEvent::Request { .. }))
            .await
        {
            NetEvent::Request {
                protocol,
                peer,
                token,
                data,
            } => (protocol, peer, token, data),
            _ => unreachable!(),
        }
    }

    async fn response(&mut self, id: u64) -> Result<Vec<u8>, ExchangeError> {
        let ours = |event: &NetEvent| matches!(event, NetEvent::Response { request, .. } if *request == id);
        match self.until(ours).await {
            NetEvent::Response { result, .. } => result,
            _ => unreachable!(),
        }
    }

    /// Waits until so many peers are connected and subscribe to everything.
    async fn subscribed(&self, count: usize) {
        let all = |p: &&PeerInfo| p.topics.len() == Topic::all().count();
        self.sees(|peers| peers.iter().filter(all).count() >= count)
            .await;
    }

    /// Waits until the peers are as told.
    async fn sees(&self, told: impl Fn(&[PeerInfo]) -> bool) {
        soon(async {
            while !told(&self.handle.peers().await.unwrap()) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}
