//! Whom to dial, and when.
//!
//! # Rules
//!
//! - `[N-11]` A bootstrap peer is dialled whenever it is not connected, after a pause that doubles from 0.5 s to 30 s
//!   with each failure. A connection that lasted less than 10 s counts as a failure.
//! - `[N-12]` Other known peers are dialled while fewer peers are connected than the target, and forgotten after five
//!   failures. What a connected peer says of itself replaces what others said of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use libp2p::{Multiaddr, PeerId};

use super::limits;

#[derive(Debug)]
struct Entry {
    addresses: Vec<Multiaddr>,
    bootstrap: bool,
    state: State,
    failures: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle { next: Instant },
    Dialing,
    Connected { since: Instant },
}

/// The address book and its timetable.
#[derive(Debug)]
pub(crate) struct Dialer {
    local: PeerId,
    target: usize,
    book: BTreeMap<PeerId, Entry>,
}

impl Dialer {
    pub(crate) fn new(local: PeerId, target: usize) -> Self {
        Self {
            local,
            target,
            book: BTreeMap::new(),
        }
    }

    /// Adds an address that the operator configured.
    pub(crate) fn bootstrap(&mut self, peer: PeerId, address: Multiaddr, now: Instant) {
        if peer == self.local {
            return;
        }
        let entry = self.book.entry(peer).or_insert(Entry {
            addresses: Vec::new(),
            bootstrap: true,
            state: State::Idle { next: now },
            failures: 0,
        });
        entry.addresses.push(address);
    }

    /// Hears of a peer: from itself (`own`), or from another one, whose word counts only for unknown peers.
    pub(crate) fn learn(
        &mut self,
        peer: PeerId,
        mut addresses: Vec<Multiaddr>,
        own: bool,
        now: Instant,
    ) {
        addresses.truncate(limits::ADDRESSES_PER_PEER);
        if peer == self.local || addresses.is_empty() {
            return;
        }
        if let Some(entry) = self.book.get_mut(&peer) {
            // What the operator configured stays.
            if own && !entry.bootstrap {
                entry.addresses = addresses;
            }
        } else if self.book.len() < limits::BOOK_MAX || self.make_room() {
            let state = State::Idle { next: now };
            self.book.insert(
                peer,
                Entry {
                    addresses,
                    bootstrap: false,
                    state,
                    failures: 0,
                },
            );
        }
    }

    /// Whether the operator has configured a peer.
    pub(crate) fn is_bootstrap(&self, peer: &PeerId) -> bool {
        self.book.get(peer).is_some_and(|it| it.bootstrap)
    }

    /// Where a peer is, as far as the book knows.
    pub(crate) fn addresses(&self, peer: &PeerId) -> &[Multiaddr] {
        let entry = self.book.get(peer);
        entry.map_or(&[], |it| it.addresses.as_slice())
    }

    /// Drops the peer whose dials failed most; false if none ever failed.
    fn make_room(&mut self) -> bool {
        let idle = self.book.iter().filter(|(_, entry)| {
            !entry.bootstrap && entry.failures > 0 && matches!(entry.state, State::Idle { .. })
        });
        let worst = idle
            .max_by_key(|(_, entry)| entry.failures)
            .map(|(peer, _)| *peer);
        worst.is_some_and(|peer| self.book.remove(&peer).is_some())
    }

    /// Drops a peer that turned out not to belong here. A bootstrap peer stays: the operator may repair it.
    pub(crate) fn forget(&mut self, peer: &PeerId) {
        if self.book.get(peer).is_some_and(|entry| !entry.bootstrap) {
            self.book.remove(peer);
        }
    }

    /// The peers to dial now, marked as being dialled.
    pub(crate) fn due(&mut self, connected: usize, now: Instant) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let dialing = self
            .book
            .values()
            .filter(|e| e.state == State::Dialing)
            .count();
        let mut room = limits::DIALS.saturating_sub(dialing);
        let mut wanted = self
            .target
            .saturating_sub(connected.saturating_add(dialing));
        let mut due = Vec::new();
        for (peer, entry) in &mut self.book {
            let State::Idle { next } = entry.state else {
                continue;
            };
            if room == 0 || next > now || !(entry.bootstrap || wanted > 0) {
                continue;
            }
            room -= 1;
            wanted = wanted.saturating_sub(1);
            entry.state = State::Dialing;
            due.push((*peer, entry.addresses.clone()));
        }
        due
    }

    pub(crate) fn connected(&mut self, peer: &PeerId, now: Instant) {
        if let Some(entry) = self.book.get_mut(peer)
            && !matches!(entry.state, State::Connected { .. })
        {
            entry.state = State::Connected { since: now };
        }
    }

    /// A dial failed, or the last connection closed.
    pub(crate) fn lost(&mut self, peer: &PeerId, now: Instant) {
        let Some(entry) = self.book.get_mut(peer) else {
            return;
        };
        match entry.state {
            // The peer came in by itself while we dialled, or nobody dialled.
            State::Idle { .. } => return,
            State::Connected { since } if now.duration_since(since) >= limits::STABLE => {
                entry.failures = 0;
            }
            State::Connected { .. } | State::Dialing => {
                entry.failures = entry.failures.saturating_add(1);
            }
        }
        entry.state = State::Idle {
            next: now + pause(entry.failures),
        };
        if !entry.bootstrap && entry.failures >= limits::DIAL_FAILURES_MAX {
            self.book.remove(peer);
        }
    }

    /// A dial failed: nothing changes for a peer that is connected all the same.
    pub(crate) fn failed(&mut self, peer: &PeerId, now: Instant) {
        if self
            .book
            .get(peer)
            .is_some_and(|entry| entry.state == State::Dialing)
        {
            self.lost(peer, now);
        }
    }
}

fn pause(failures: u32) -> Duration {
    let doubled = limits::REDIAL_MIN.saturating_mul(1 << failures.min(16));
    doubled.min(limits::REDIAL_MAX)
}

#[cfg(test)]
mod tests;
