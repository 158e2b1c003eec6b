//! How the network between the hosts behaves: what becomes of a packet, and when it arrives.

use std::collections::BTreeSet;
use std::time::Duration;

use surety_harness::random::Random;

/// Of a hundred parts of the delay so many at most come on top or are missing.
const JITTER: u64 = 10;

/// The weather on all links but the observer's, which are always calm.
#[derive(Debug, Clone, Default)]
pub(crate) struct Weather {
    /// Milliseconds that a packet is on its way, in one direction.
    pub(crate) delay: u64,
    /// Of a hundred packets so many are lost, each by itself.
    pub(crate) loss: u64,
    /// Hosts on one side of a partition; the others are on the other side.
    pub(crate) parted: BTreeSet<u8>,
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrives so much later.
    Arrives(Duration),
    /// It is lost.
    Lost,
    /// A partition is between the two.
    Parted,
}

impl Weather {
    /// What becomes of a packet from one host to another.
    pub(crate) fn fate(&self, from: u8, to: u8, random: &mut Random) -> Fate {
        if self.parted.contains(&from) != self.parted.contains(&to) {
            return Fate::Parted;
        }
        if random.percent(self.loss) {
            return Fate::Lost;
        }
        let micros = self.delay * 1_000;
        let jitter = micros * JITTER / 100;
        Fate::Arrives(Duration::from_micros(
            random.between(micros - jitter, micros + jitter),
        ))
    }
}
