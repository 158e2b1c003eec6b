//! Approvals: what they are worth, whether who gives them has looked; and who looks at everything.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

#[path = "approvals/audit.rs"]
mod audit;
#[path = "approvals/draw.rs"]
mod draw;
#[path = "approvals/network.rs"]
mod network;
#[path = "approvals/places.rs"]
mod places;
#[path = "approvals/tally.rs"]
mod tally;
#[path = "approvals/traces.rs"]
mod traces;
