//! What the owner tells the network.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use libp2p::metrics::Registry;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::{mpsc, oneshot, watch};

use super::event::{Acceptance, MessageToken, RequestToken};
use super::limits;
use super::topic::{Protocol, Topic};

/// Why a command was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The network has stopped.
    #[error("the network has stopped")]
    Stopped,
    /// The message is larger than gossip carries.
    #[error("a message of {bytes} bytes, more than the limit of {limit}", limit = limits::GOSSIP_BYTES_MAX)]
    TooLarge {
        /// Bytes of the message.
        bytes: usize,
    },
}

/// What is known of a connected peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerInfo {
    /// The peer.
    pub peer: PeerId,
    /// Where it listens, as far as it said; else the other end of the connection.
    pub addresses: Vec<Multiaddr>,
    /// The software that it says to run; printable characters only.
    pub agent: String,
    /// Its gossip score, rounded towards zero; penalty points are part of it.
    pub score: i64,
    /// The topics that it subscribes to.
    pub topics: Vec<Topic>,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: AtomicU64,)* }

        /// What happened since the start.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Counts { $($(#[$doc])* pub $name: u64,)* }

        impl Counters {
            fn read(&self) -> Counts {
                Counts { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Messages handed to the owner.
    gossip_received,
    /// Messages dropped because the owner was slow or their peer sent too many.
    gossip_dropped,
    /// Messages published.
    gossip_published,
    /// Published messages lost because nobody subscribed in time or every queue was full.
    gossip_unpublished,
    /// Requests handed to the owner.
    requests_received,
    /// Requests refused because the owner was slow or their peer sent too many.
    requests_refused,
    /// Reports of misconduct.
    penalties,
    /// Peers banned.
    bans,
}

impl Counters {
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Debug)]
pub(crate) enum Command {
    Publish {
        topic: Topic,
        data: Vec<u8>,
    },
    Report {
        token: MessageToken,
        acceptance: Acceptance,
    },
    Request {
        id: u64,
        peer: PeerId,
        protocol: Protocol,
        data: Vec<u8>,
    },
    Respond {
        token: RequestToken,
        answer: Result<Vec<u8>, ()>,
    },
    Penalize {
        peer: PeerId,
        points: u32,
    },
    Dial {
        peer: PeerId,
        addresses: Vec<Multiaddr>,
    },
    Locate {
        peer: PeerId,
        addresses: Vec<Multiaddr>,
    },
    Announce,
    Carry {
        everybody: usize,
        all: bool,
    },
    Peers {
        reply: oneshot::Sender<Vec<PeerInfo>>,
    },
}

/// The owner's end of the network. Every call waits while the network's queue of commands is full; the network never
/// waits for its owner, so it always drains.
#[derive(Debug, Clone)]
pub struct NetHandle {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) local: PeerId,
    pub(crate) listen: watch::Receiver<Vec<Multiaddr>>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) traffic: Arc<Registry>,
}

impl NetHandle {
    /// The metrics of what went over the wire, by direction and transport.
    pub fn traffic(&self) -> Arc<Registry> {
        Arc::clone(&self.traffic)
    }

    async fn send(&self, command: Command) -> Result<(), CommandError> {
        self.commands
            .send(command)
            .await
            .map_err(|_| CommandError::Stopped)
    }

    /// Gossips a message. If nobody subscribes yet it waits for the first who does, bounded in time and number. The
    /// owner does not receive its own message, and what was gossiped in the last minute is not gossiped again.
    ///
    /// # Errors
    /// Too large, or stopped.
    pub async fn publish(&self, topic: Topic, data: Vec<u8>) -> Result<(), CommandError> {
        if data.len() > limits::GOSSIP_BYTES_MAX {
            return Err(CommandError::TooLarge { bytes: data.len() });
        }
        self.send(Command::Publish { topic, data }).await
    }

    /// Reports the verdict on a gossiped message.
    ///
    /// # Errors
    /// Stopped.
    pub async fn report(
        &self,
        token: MessageToken,
        acceptance: Acceptance,
    ) -> Result<(), CommandError> {
        self.send(Command::Report { token, acceptance }).await
    }

    /// Asks a peer, which is connected to if it is not yet and can be found; exactly one [`Response`](super::NetEvent::Response) with this id follows.
    ///
    /// # Errors
    /// Stopped. Everything else comes with the response.
    pub async fn request(
        &self,
        id: u64,
        peer: PeerId,
        protocol: Protocol,
        data: Vec<u8>,
    ) -> Result<(), CommandError> {
        self.send(Command::Request {
            id,
            peer,
            protocol,
            data,
        })
        .await
    }

    /// Answers a peer's request, or refuses it. An answer above the protocol's limit is sent as a refusal.
    ///
    /// # Errors
    /// Stopped. An answer that comes too late is dropped.
    pub async fn respond(
        &self,
        token: RequestToken,
        answer: Result<Vec<u8>, ()>,
    ) -> Result<(), CommandError> {
        self.send(Command::Respond { token, answer }).await
    }

    /// Gives a peer penalty points for something that only the owner could see. 100 ban, but never in one report.
    ///
    /// # Errors
    /// Stopped.
    pub async fn penalize(&self, peer: PeerId, points: u32) -> Result<(), CommandError> {
        self.send(Command::Penalize { peer, points }).await
    }

    /// Tells where a peer listens; it is dialled when connections are wanted.
    ///
    /// # Errors
    /// Stopped.
    pub async fn dial(&self, peer: PeerId, addresses: Vec<Multiaddr>) -> Result<(), CommandError> {
        self.send(Command::Dial { peer, addresses }).await
    }

    /// Says where a peer listens by its record; it is dialled there when it is asked for something.
    ///
    /// # Errors
    /// Stopped.
    pub async fn locate(
        &self,
        peer: PeerId,
        addresses: Vec<Multiaddr>,
    ) -> Result<(), CommandError> {
        self.send(Command::Locate { peer, addresses }).await
    }

    /// Gossips this node's own record, if it listens anywhere.
    ///
    /// # Errors
    /// Stopped.
    pub async fn announce(&self) -> Result<(), CommandError> {
        self.send(Command::Announce).await
    }

    /// Carries so many subnets as everybody is to, or all of them (rule N-19). At first it is all.
    ///
    /// # Errors
    /// Stopped.
    pub async fn carry(&self, everybody: usize, all: bool) -> Result<(), CommandError> {
        self.send(Command::Carry { everybody, all }).await
    }

    /// The connected peers.
    ///
    /// # Errors
    /// Stopped.
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, CommandError> {
        let (reply, peers) = oneshot::channel();
        self.send(Command::Peers { reply }).await?;
        peers.await.map_err(|_| CommandError::Stopped)
    }

    /// This node's name on the network.
    pub fn local_peer_id(&self) -> PeerId {
        self.local
    }

    /// Waits until this node listens at so many addresses.
    ///
    /// # Errors
    /// Stopped.
    pub async fn listening(&self, addresses: usize) -> Result<(), CommandError> {
        let mut listen = self.listen.clone();
        let enough = listen.wait_for(|known| known.len() >= addresses).await;
        enough.map(|_| ()).map_err(|_| CommandError::Stopped)
    }

    /// Where this node listens now, with real ports and without the peer id.
    pub fn listen_addresses(&self) -> Vec<Multiaddr> {
        self.listen.borrow().clone()
    }

    /// What happened since the start.
    pub fn counts(&self) -> Counts {
        self.counters.read()
    }
}
