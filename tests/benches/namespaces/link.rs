//! One direction between two hosts: packets in order, each when its time has come.

use std::sync::Arc;

use surety_harness::random::Random;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tun_rs::AsyncDevice;

use super::weather::{Fate, Weather};

/// Packets on their way in one direction; the next ones are dropped, as a router does whose buffer is full.
const QUEUE: usize = 1_024;

/// What became of packets.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) carried: u64,
    /// By the weather.
    pub(crate) lost: u64,
    /// By a partition.
    pub(crate) parted: u64,
    /// By full queues.
    pub(crate) dropped: u64,
}

/// A packet on its way.
struct Packet {
    due: Instant,
    bytes: Vec<u8>,
}

/// The end of a link into which packets go.
pub(crate) struct Link {
    from: u8,
    to: u8,
    /// Of its own, so that what happens to its first thousand packets does not depend on other links.
    random: Random,
    /// When the packet before arrives: jitter makes packets late, but none overtakes another.
    last: Instant,
    queue: mpsc::Sender<Packet>,
}

impl Link {
    /// A link that ends at a host's device.
    pub(crate) fn new(from: u8, to: u8, random: Random, device: Arc<AsyncDevice>) -> Link {
        let (queue, packets) = mpsc::channel(QUEUE);
        tokio::spawn(deliver(packets, device));
        Link {
            from,
            to,
            random,
            last: Instant::now(),
            queue,
        }
    }

    /// Takes a packet, or loses it.
    pub(crate) fn take(&mut self, bytes: &[u8], weather: &Weather, counts: &mut Counts) {
        let delay = match weather.fate(self.from, self.to, &mut self.random) {
            Fate::Arrives(delay) => delay,
            Fate::Lost => return counts.lost += 1,
            Fate::Parted => return counts.parted += 1,
        };
        let due = self.last.max(Instant::now() + delay);
        let bytes = bytes.to_vec();
        match self.queue.try_send(Packet { due, bytes }) {
            Ok(()) => {
                self.last = due;
                counts.carried += 1;
            }
            Err(_) => counts.dropped += 1,
        }
    }
}

async fn deliver(mut packets: mpsc::Receiver<Packet>, device: Arc<AsyncDevice>) {
    while let Some(packet) = packets.recv().await {
        if packet.due > Instant::now() {
            sleep_until(packet.due).await;
        }
        // A host that is being taken down receives nothing more.
        let _ = device.send(&packet.bytes).await;
    }
}
