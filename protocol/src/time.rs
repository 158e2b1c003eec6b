//! Positions in logs, in the ledger and in local time, each a type of its own.
//!
//! # Rules
//!
//! - `[T-1]` Everything that moves stake is measured in [`Height`]; [`Tick`] is local, and may only
//!   decide when a node speaks or abstains.
//! - `[T-2]` Arithmetic saturates: a position beyond the end of its range is never reached by an honest
//!   log, and never wraps for a dishonest one.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! position {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The position after this one.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }

            /// The position `n` further.
            #[must_use]
            pub const fn plus(self, n: u64) -> Self {
                Self(self.0.saturating_add(n))
            }

            /// The position `n` before, or the first.
            #[must_use]
            pub const fn minus(self, n: u64) -> Self {
                Self(self.0.saturating_sub(n))
            }

            /// How far this position is after another; zero if it is before it.
            #[must_use]
            pub const fn since(self, earlier: Self) -> u64 {
                self.0.saturating_sub(earlier.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

position! {
    /// A position in a process' log; AO calls it the nonce. The process item itself is slot 0.
    Slot
}
position! {
    /// A block of the ledger; the genesis is height 0.
    Height
}
position! {
    /// Milliseconds of a node's own monotonic clock; never part of anything signed.
    Tick
}
position! {
    /// Milliseconds since the Unix epoch, as a scheduler stamps them on assignments.
    Timestamp
}
