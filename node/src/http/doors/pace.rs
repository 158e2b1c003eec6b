//! How much moves on a connection, and what is slow.

/// Milliseconds of a window in which movement is counted.
pub(super) const WINDOW: u64 = if cfg!(test) { 200 } else { 2_000 };
/// A connection on which fewer bytes, or fewer than a 64th of what it holds, moved in this window and the one before is slow.
const PACE_MIN: u64 = 64 << 10;

/// Bytes that must have moved lately on a connection that holds so much: who holds much has to move much.
pub(super) fn least(held_kib: u32) -> u64 {
    PACE_MIN.max(u64::from(held_kib).saturating_mul(1024 / 64))
}

/// How much moves on a connection.
pub(super) struct Pace {
    /// When something last moved, in milliseconds since the listener began.
    pub(super) moved: u64,
    window: u64,
    bytes: u64,
    before: u64,
}

impl Pace {
    pub(super) fn new(now: u64) -> Pace {
        Pace {
            moved: now,
            window: now / WINDOW,
            bytes: 0,
            before: 0,
        }
    }

    fn turn(&mut self, now: u64) {
        let window = now / WINDOW;
        if window != self.window {
            let follows = window == self.window.saturating_add(1);
            self.before = if follows { self.bytes } else { 0 };
            (self.window, self.bytes) = (window, 0);
        }
    }

    pub(super) fn note(&mut self, now: u64, bytes: u64) {
        self.turn(now);
        self.moved = now;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// What moved lately.
    pub(super) fn bytes(&mut self, now: u64) -> u64 {
        self.turn(now);
        self.bytes.saturating_add(self.before)
    }
}
