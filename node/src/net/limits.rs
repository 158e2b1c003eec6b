//! Every bound of the network layer, with its reason.
//!
//! A stranger may cost this node at most these bytes, slots and seconds.

use std::time::Duration;

/// Bytes of a gossiped message: the largest is a ledger block, which stays well below it.
pub const GOSSIP_BYTES_MAX: usize = 4 << 20;
/// Bytes of one gossipsub frame: the message, its envelope, and the start of the next frame, which the decoder
/// counts too.
pub const GOSSIP_FRAME_MAX: usize = GOSSIP_BYTES_MAX + (64 << 10);
/// Bytes of message ids in one frame: 5,000 ids of 20 bytes and their envelopes.
pub const GOSSIP_CONTROL_MAX: usize = 256 << 10;
/// Messages that wait for one slow peer before new ones to it are dropped.
pub const GOSSIP_QUEUE: usize = 2_048;
/// How long a message id is remembered. Longer than any honest message travels; with
/// [`GOSSIP_PER_SECOND`] it bounds the memory that a peer can fill with ids.
pub const GOSSIP_SEEN: Duration = Duration::from_secs(60);
/// Heartbeats for which a message is kept: the owner has 7 s to judge it before it can no longer be forwarded.
pub const GOSSIP_HISTORY: usize = 10;
/// Time between heartbeats, at which meshes are mended.
pub const GOSSIP_HEARTBEAT: Duration = Duration::from_millis(700);
/// New messages that one peer may bring per second; what is above is dropped.
pub const GOSSIP_PER_SECOND: u32 = 4_000;
/// Messages above the budget that cost a peer one penalty point.
pub const GOSSIP_EXCESS_PER_POINT: u32 = 100;
/// Bytes of gossip that the owner has received but not yet reported on, queued ones included.
pub const GOSSIP_UNJUDGED_BYTES: usize = 64 << 20;

/// Bytes of a request: ids and ranges, never content.
pub const REQUEST_MAX: usize = 64 << 10;

/// Bytes of a request that hands over an item. Larger items reach their scheduler over its own HTTP: 512 requests of
/// this size are all that strangers can make a node hold.
pub const REQUEST_ITEM_MAX: usize = 2 << 20;
/// Bytes of a response that carries a run of assignments, messages, claims or blocks: several of the largest items.
pub const RESPONSE_RUN_MAX: usize = 16 << 20;
/// Bytes of a response that carries memory pages: a thousand pages of 4 KiB.
pub const RESPONSE_PAGES_MAX: usize = 4 << 20;
/// Bytes of a response that carries a piece of evidence.
pub const RESPONSE_EVIDENCE_MAX: usize = 1 << 20;
/// Bytes of a response that names peers.
pub const RESPONSE_PEERS_MAX: usize = 16 << 10;
/// Bytes reserved before any content came; the rest grows with what really arrives.
pub const FRAME_RESERVE: usize = 64 << 10;
/// How long one exchange may take on one stream.
pub const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(20);
/// Streams of one protocol on one connection, both directions.
pub const EXCHANGE_STREAMS: usize = 64;
/// Requests of our own under way, all peers together.
pub const REQUESTS_OUT_MAX: usize = 256;
/// Bytes that our own requests under way may bring at worst.
pub const REQUESTS_OUT_BYTES: usize = 1 << 30;
/// Requests of one peer that wait for the owner or are being answered.
pub const REQUESTS_IN_PER_PEER: usize = 16;
/// Requests of all peers that wait for the owner or are being answered.
pub const REQUESTS_IN_MAX: usize = 512;
/// Requests that one peer may make per second; what is above is refused.
pub const REQUESTS_IN_PER_SECOND: u32 = 256;
/// Bytes of answers on their way out, all peers together.
pub const ANSWERS_BYTES: usize = 256 << 20;

/// Events that wait for the owner.
pub const EVENTS: usize = 4_096;
/// Places of the event queue that gossip and strangers' requests leave to what must not be lost.
pub const EVENTS_RESERVED: usize = 256;
/// Commands that wait for the network.
pub const COMMANDS: usize = 1_024;
/// Published messages that wait for a first subscriber.
pub const WAITING_MESSAGES: usize = 256;
/// Bytes of published messages that wait for a first subscriber.
pub const WAITING_BYTES: usize = 8 << 20;
/// How long a published message waits for a first subscriber.
pub const WAITING_TIME: Duration = Duration::from_secs(120);

/// Peers to be connected with: gossip needs a dozen per mesh, the rest answers requests.
pub const CONNECTIONS_TARGET: usize = 16;
/// Connected peers at most; a local network of fifty nodes fits behind one bootstrap node.
pub const CONNECTIONS_MAX: usize = 96;
/// Strangers who come by themselves that are let in at once: a local network of fifty nodes begins so.
pub const STRANGERS_BURST: u32 = 64;
/// Strangers that are let in each second after that: a key is made up in no time, and to find out that a peer is worth nothing
/// takes many milliseconds.
pub const STRANGERS_A_SECOND: u32 = 2;
/// Connections with one peer: both sides may dial at once, and a peer that restarted comes back before its old
/// connection is found dead.
pub const CONNECTIONS_PER_PEER: usize = 3;
/// Connected peers in each subnet that this node carries: what keeps a mesh.
pub const SUBNET_MESH: usize = 6;
/// Connected peers in each other one, which hear what this node says there: some may not be able to judge it yet.
pub const SUBNET_PEERS: usize = 4;
/// Peers beyond the target that are dialled for the sake of subnets.
pub const SUBNET_DIALLED: usize = 16;
/// When who was dialled for the sake of subnets should have said that it carries them.
pub const SUBNET_SETTLED: Duration = Duration::from_secs(30);
/// How long nobody is dialled again who was for the sake of subnets.
pub const SUBNET_TRIED: Duration = Duration::from_secs(300);
/// Inbound connections that have not shown their key yet.
pub const CONNECTIONS_PENDING: usize = 64;
/// Dials of our own under way.
pub const DIALS: usize = 8;
/// First pause before a lost peer is dialled again.
pub const REDIAL_MIN: Duration = Duration::from_millis(500);
/// Longest pause before a bootstrap peer is dialled again.
pub const REDIAL_MAX: Duration = Duration::from_secs(30);
/// A connection shorter than this counts as a failed dial: the other side refuses us.
pub const STABLE: Duration = Duration::from_secs(10);
/// Failed dials after which an address that is not a bootstrap address is forgotten.
pub const DIAL_FAILURES_MAX: u32 = 5;
/// Peers whose addresses are remembered.
pub const BOOK_MAX: usize = 512;
/// Addresses remembered per peer.
pub const ADDRESSES_PER_PEER: usize = 4;
/// Peers named in one answer to another peer.
pub const PEERS_NAMED: usize = 32;
/// How often a node with too few peers asks another one for more.
pub const PEERS_ASK: Duration = Duration::from_secs(15);
/// How often addresses are dialled, budgets refilled and bans lifted.
pub const TICK: Duration = Duration::from_millis(250);
/// Characters of a peer's software name that are kept.
pub const AGENT_CHARS: usize = 64;
/// How often a silent connection is probed, and how long it may take to answer.
pub const PING: Duration = Duration::from_secs(15);
/// How long connections may take to close when the node stops.
pub const CLOSING: Duration = Duration::from_millis(500);

/// Points for a message that the owner rejected.
pub const POINTS_REJECTED: u32 = 10;
/// Points for a request or response that breaks the framing or its size limit.
pub const POINTS_MALFORMED: u32 = 10;
/// Points at which a peer is banned: the tenth rejected message within a minute or so. One alone may be a bug, an
/// old version, or a message whose cause the sender has not heard of.
pub const POINTS_BAN: u32 = 100;
/// One point is forgiven in this time.
pub const POINTS_DECAY: Duration = Duration::from_secs(6);
/// How long a banned peer is refused: long enough to make garbage expensive, short enough for an operator who
/// repaired the node.
pub const BAN: Duration = Duration::from_secs(15 * 60);
/// Bans remembered; the one that ends first makes room. New keys are free, so more would buy nothing.
pub const BANS_MAX: usize = 1_024;
/// Peers whose points are remembered; the one with the fewest makes room.
pub const STANDING_MAX: usize = 4_096;

/// Bytes of a record: four addresses, a key and a signature are below 400.
pub const RECORD_MAX: usize = 1024;
/// Peers whose records are kept: more than there are operators.
pub const LOCATED_MAX: usize = 16_384;
/// Peers sought at once.
pub const SOUGHT_MAX: usize = 64;
/// Requests that wait for each of them.
pub const SOUGHT_REQUESTS: usize = 8;
/// Their bytes.
pub const SOUGHT_BYTES: usize = 4 << 20;
/// How long a peer is sought.
pub const SEEK: Duration = Duration::from_secs(5);
/// When a peer is sought again that was sought in vain.
pub const SEEK_AGAIN: Duration = Duration::from_secs(15);
/// When a peer is left that was sought, and of which nothing is asked any more: who is asked by many has few places.
pub const VISIT: Duration = Duration::from_secs(10);
/// Dials of one sought peer at once: by its record and by what others say.
pub const SOUGHT_DIALS: usize = 6;
/// Places beyond all others for peers whose records are known: a claim is drawn by a hundred, who ask its claimant.
pub const CONNECTIONS_LOCATED: usize = 128;
/// Connected peers that are asked where another one is.
pub const SEEK_ASKED: usize = 4;
