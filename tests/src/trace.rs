//! The trace of a run: one digest that all its events went into.

use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::Digest;
use surety_protocol::time::Tick;

/// A chain of digests; two runs with the same chain saw the same events.
#[derive(Debug, Default)]
pub struct Trace {
    head: Digest,
    events: u64,
}

impl Trace {
    /// Adds an event: when, what, to whom, and the bytes that tell it from others of its kind.
    pub fn add(&mut self, now: Tick, what: &str, who: usize, bytes: &[u8]) {
        self.events = self.events.saturating_add(1);
        let who = u64::try_from(who).unwrap_or(u64::MAX).to_be_bytes();
        let parts = [
            self.head.as_bytes(),
            &now.0.to_be_bytes()[..],
            what.as_bytes(),
            &who,
            bytes,
        ];
        self.head = digest(Domain::TRACE, &parts);
    }

    /// The digest over all events so far.
    pub const fn digest(&self) -> Digest {
        self.head
    }

    /// How many.
    pub const fn events(&self) -> u64 {
        self.events
    }
}
