//! A peer that speaks the protocols' names and nothing else right.

use std::io;

use futures::StreamExt as _;
use futures::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::request_response::{self, Codec, Event, Message, ProtocolSupport};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{StreamProtocol, Swarm, SwarmBuilder, identify, tcp, yamux};

use super::*;

/// Writes bytes as they are, without a frame.
#[derive(Clone, Default)]
struct Raw;

impl Codec for Raw {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        io.read_to_end(&mut bytes).await.map(|_| bytes)
    }

    async fn read_response<T: AsyncRead + Unpin + Send>(
        &mut self,
        name: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<Vec<u8>> {
        self.read_request(name, io).await
    }

    async fn write_request<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        bytes: Vec<u8>,
    ) -> io::Result<()> {
        io.write_all(&bytes).await
    }

    async fn write_response<T: AsyncWrite + Unpin + Send>(
        &mut self,
        name: &StreamProtocol,
        io: &mut T,
        bytes: Vec<u8>,
    ) -> io::Result<()> {
        self.write_request(name, io, bytes).await
    }
}

#[derive(NetworkBehaviour)]
struct Rogue {
    identify: identify::Behaviour,
    blocks: request_response::Behaviour<Raw>,
}

fn rogue() -> Swarm<Rogue> {
    let names = topic::Names::new(NETWORK);
    SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(
            tcp::Config::default(),
            noise::Config::new,
            yamux::Config::default,
        )
        .unwrap()
        .with_behaviour(|key| Rogue {
            identify: identify::Behaviour::new(identify::Config::new(
                names.network(),
                key.public(),
            )),
            blocks: request_response::Behaviour::new(
                [(names.protocol(Protocol::Blocks), ProtocolSupport::Full)],
                request_response::Config::default(),
            ),
        })
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(DEADLINE))
        .build()
}

/// Runs the rogue, which answers every request with the same bytes, until it is told to stop.
async fn answering(mut swarm: Swarm<Rogue>, bytes: Vec<u8>, stop: CancellationToken) {
    loop {
        let event = tokio::select! {
            () = stop.cancelled() => return,
            event = swarm.select_next_some() => event,
        };
        if let SwarmEvent::Behaviour(RogueEvent::Blocks(Event::Message {
            message: Message::Request { channel, .. },
            ..
        })) = event
        {
            let _ = swarm
                .behaviour_mut()
                .blocks
                .send_response(channel, bytes.clone());
        }
    }
}

#[tokio::test]
async fn an_answer_that_breaks_the_rules_is_an_error_and_ends_in_a_ban() {
    let limit = limits::RESPONSE_RUN_MAX;
    let over = u32::try_from(limit + 1).unwrap().to_be_bytes();
    let too_large = FrameError::TooLarge {
        announced: limit + 1,
        limit,
    };
    for (bytes, expected, bans) in [
        (
            [&[0][..], &over].concat(),
            ExchangeError::Malformed(too_large),
            true,
        ),
        (
            vec![7, 7, 7],
            ExchangeError::Malformed(FrameError::Status(7)),
            true,
        ),
        // Cut short: a broken stream looks the same, so it costs nothing.
        (vec![0, 0, 0, 0, 9, 1], ExchangeError::Disconnected, false),
        (vec![], ExchangeError::Refused, false),
    ] {
        let mut node = Node::start(1, config(Transport::Tcp, &[])).await;
        let mut swarm = rogue();
        let peer = *swarm.local_peer_id();
        swarm.dial(node.address()).unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(answering(swarm, bytes, stop.clone()));
        node.connected(peer).await;
        let mut count = 0;
        while node.handle.counts().bans == 0 && (bans || count < 20) {
            node.handle
                .request(count, peer, Protocol::Blocks, vec![1])
                .await
                .unwrap();
            assert_eq!(node.response(count).await, Err(expected));
            count += 1;
        }
        if bans {
            assert!((10..15).contains(&count), "{count}");
            node.disconnected(peer).await;
        }
        assert_eq!(node.handle.counts().bans, u64::from(bans));
        stop.cancel();
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_request_that_breaks_the_rules_never_reaches_the_owner_and_ends_in_a_ban() {
    let mut node = Node::start(1, config(Transport::Tcp, &[])).await;
    let mut swarm = rogue();
    swarm.dial(node.address()).unwrap();
    let (id, rogue_id) = (node.id(), *swarm.local_peer_id());
    let mut refused = 0;
    soon(async {
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::ConnectionEstablished { .. } => {
                    // An empty stream and one cut short cost nothing; an announcement above the limit does.
                    for bytes in [vec![], vec![0, 0, 1], vec![0, 0, 0, 2, 1]] {
                        swarm.behaviour_mut().blocks.send_request(&id, bytes);
                    }
                    for _ in 0..12 {
                        swarm
                            .behaviour_mut()
                            .blocks
                            .send_request(&id, vec![255; 100]);
                    }
                }
                SwarmEvent::Behaviour(RogueEvent::Blocks(Event::Message {
                    message: Message::Response { response, .. },
                    ..
                })) => refused += usize::from(response == [1]),
                SwarmEvent::ConnectionClosed { .. } => return,
                _ => {}
            }
        }
    })
    .await;
    assert!(refused <= 12);
    node.disconnected(rogue_id).await;
    let counts = node.handle.counts();
    assert_eq!((counts.bans, counts.requests_received), (1, 0));
    assert!((10..=12).contains(&counts.penalties), "{counts:?}");
    // The node is well: it serves others.
    let mut other = Node::start(2, config(Transport::Tcp, &[&node])).await;
    other.connected(id).await;
    other
        .handle
        .request(1, id, Protocol::Blocks, vec![1])
        .await
        .unwrap();
    let (.., token, data) = node.request().await;
    node.handle.respond(token, Ok(data)).await.unwrap();
    assert_eq!(other.response(1).await, Ok(vec![1]));
}
