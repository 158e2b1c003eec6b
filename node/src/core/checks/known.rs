//! Peers that have brought something whose signatures held, and nothing since whose signatures did not (rule CK-7).

use std::collections::{BTreeSet, VecDeque};

use surety_protocol::id::Digest;

/// Peers that are known.
pub(super) const KNOWN_MAX: usize = 1024;

/// Them, in the order in which they came to be known; the first makes room.
#[derive(Debug, Default)]
pub(super) struct Known {
    peers: BTreeSet<Digest>,
    order: VecDeque<Digest>,
}

impl Known {
    pub(super) fn has(&self, peer: &Digest) -> bool {
        self.peers.contains(peer)
    }

    pub(super) fn add(&mut self, peer: Digest) {
        if !self.peers.insert(peer) {
            return;
        }
        self.order.push_back(peer);
        if self.order.len() > KNOWN_MAX
            && let Some(first) = self.order.pop_front()
        {
            self.peers.remove(&first);
        }
    }

    pub(super) fn forget(&mut self, peer: &Digest) {
        if self.peers.remove(peer) {
            self.order.retain(|it| it != peer);
        }
    }
}
