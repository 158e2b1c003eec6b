//! Approvals: what they are worth, and whether who gives them has looked.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

#[path = "approvals/network.rs"]
mod network;
#[path = "approvals/tally.rs"]
mod tally;
#[path = "approvals/traces.rs"]
mod traces;
