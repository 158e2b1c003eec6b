//! The objects of the wire: one encoding each, and the rules of those that are checked without a ledger.

#![allow(clippy::unwrap_used, reason = "a test that fails here has failed")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails here has failed"
)]
#![allow(clippy::indexing_slicing, reason = "a test that fails here has failed")]

mod actions;
mod attested;
mod certificates;
mod claims;
mod encoding;
mod objects;
mod sortition;
mod validators;
