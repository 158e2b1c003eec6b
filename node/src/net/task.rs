//! The task that runs the network: one loop over commands, the swarm and the clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt as _;
use libp2p::identity::Keypair;
use libp2p::request_response::{InboundRequestId, OutboundRequestId};
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, Swarm, identify};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::behaviour::{Behaviour, BehaviourEvent};
use super::carriers::Carriers;
use super::dialer::Dialer;
use super::event::{NetEvent, Outbox};
use super::gossip::Waiting;
use super::handle::{Command, Counters};
use super::peer::Peer;
use super::reach::Reach;
use super::requests::{Incoming, Outgoing};
use super::score::Standing;
use super::topic::{Names, Protocol, Topic};
use super::{limits, record, roster};

/// The network's state; its methods stand in `gossip`, `requests`, `links` and `conduct`.
pub(crate) struct Net {
    pub(crate) names: Names,
    pub(crate) swarm: Swarm<Behaviour>,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) outbox: Outbox,
    pub(crate) listen: watch::Sender<Vec<Multiaddr>>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) target: usize,
    /// How often somebody was asked for peers, so that everybody has a turn.
    pub(crate) asked: usize,
    pub(crate) dialer: Dialer,
    pub(crate) standing: Standing,
    /// Signs this node's record.
    pub(crate) key: Keypair,
    pub(crate) reach: Reach,
    pub(crate) peers: BTreeMap<PeerId, Peer>,
    pub(crate) carriers: Carriers,
    pub(crate) waiting: Waiting,
    pub(crate) outgoing: BTreeMap<(Protocol, OutboundRequestId), Outgoing>,
    pub(crate) incoming: BTreeMap<(Protocol, InboundRequestId), Incoming>,
}

impl Net {
    /// Runs until the shutdown, or until the owner is gone.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let mut clock = tokio::time::interval(limits::TICK);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let start = Instant::now();
        let (mut refilled, mut asked) = (start, start);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                command = self.commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => break,
                },
                owner = self.outbox.flush_one() => if !owner {
                    break;
                },
                event = self.swarm.select_next_some() => self.on_swarm(event),
                _ = clock.tick() => {
                    let now = Instant::now();
                    self.dial_due(now);
                    self.give_up(now);
                    if now.duration_since(refilled) >= limits::TICK * 4 {
                        refilled = now;
                        self.refill(now);
                        self.find_carriers(now);
                    }
                    if now.duration_since(asked) >= limits::PEERS_ASK {
                        asked = now;
                        self.ask_somebody();
                    }
                }
            }
        }
        self.close().await;
    }

    /// Says goodbye, so that the peers need not find out by a time-out.
    async fn close(mut self) {
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            // An error means that it left by itself.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let closed = async {
            while self.swarm.connected_peers().next().is_some() {
                self.swarm.select_next_some().await;
            }
        };
        if tokio::time::timeout(limits::CLOSING, closed).await.is_err() {
            tracing::debug!("some connections did not close in time");
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Publish { topic, data } => self.publish(topic, data),
            Command::Report { token, acceptance } => self.report(token, acceptance),
            Command::Request {
                id,
                peer,
                protocol,
                data,
            } => self.request(id, peer, protocol, data),
            Command::Respond { token, answer } => self.respond(token, answer),
            Command::Penalize { peer, points } => self.penalize(peer, points),
            Command::Dial {
                peer,
                mut addresses,
            } => {
                addresses.retain(|address| roster::dialable(address, true));
                self.dialer.learn(peer, addresses, false, Instant::now());
            }
            Command::Locate { peer, addresses } => self.locate(peer, addresses),
            Command::Announce => self.announce(),
            Command::Carry { everybody, all } => self.carry(everybody, all),
            Command::Peers { reply } => {
                // An error means that nobody waits for it any more.
                let _ = reply.send(self.peer_list());
            }
        }
    }

    /// Gossips this node's record (rule N-17).
    fn announce(&mut self) {
        let external: Vec<Multiaddr> = self.swarm.external_addresses().cloned().collect();
        let listen = self.listen.borrow().clone();
        let addresses = if external.is_empty() {
            listen
        } else {
            external
        };
        if let Some(record) = record::sign(&self.key, &addresses) {
            self.publish(Topic::Records, record);
        }
    }

    fn on_swarm(&mut self, event: SwarmEvent<BehaviourEvent>) {
        let now = Instant::now();
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            SwarmEvent::ConnectionEstablished {
                peer_id,
                endpoint,
                num_established,
                connection_id,
                ..
            } => {
                let first = num_established.get() == 1;
                self.on_connected(peer_id, connection_id, &endpoint, first, now);
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                num_established: 0,
                cause,
                ..
            } => {
                tracing::debug!(peer = %peer_id, ?cause, "disconnected");
                self.peers.remove(&peer_id);
                self.dialer.lost(&peer_id, now);
                self.left(&peer_id);
                self.outbox
                    .deliver(NetEvent::PeerDisconnected { peer: peer_id });
            }
            SwarmEvent::OutgoingConnectionError {
                peer_id: Some(peer),
                connection_id,
                error,
            } => {
                tracing::debug!(%peer, %error, "could not connect");
                self.dialer.failed(&peer, now);
                self.missed(peer, connection_id);
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                self.listen
                    .send_modify(|addresses| addresses.push(address.clone()));
                self.outbox.deliver(NetEvent::Listening { addr: address });
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.listen
                    .send_modify(|addresses| addresses.retain(|known| *known != address));
            }
            SwarmEvent::ListenerClosed {
                addresses, reason, ..
            } => {
                tracing::warn!(?addresses, ?reason, "no longer listening");
                self.listen
                    .send_modify(|known| known.retain(|a| !addresses.contains(a)));
            }
            _ => {}
        }
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Gate(never) => match never {},
            BehaviourEvent::Gossip(event) => self.on_gossip(event),
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                self.on_identified(peer_id, info);
            }
            BehaviourEvent::Identify(_) => {}
            BehaviourEvent::Ping(event) => self.on_ping(event),
            BehaviourEvent::Assignments(event) => self.on_exchange(Protocol::Assignments, event),
            BehaviourEvent::Messages(event) => self.on_exchange(Protocol::Messages, event),
            BehaviourEvent::Claims(event) => self.on_exchange(Protocol::Claims, event),
            BehaviourEvent::Pages(event) => self.on_exchange(Protocol::Pages, event),
            BehaviourEvent::Evidence(event) => self.on_exchange(Protocol::Evidence, event),
            BehaviourEvent::Blocks(event) => self.on_exchange(Protocol::Blocks, event),
            BehaviourEvent::Peers(event) => self.on_exchange(Protocol::Peers, event),
        }
    }
}
