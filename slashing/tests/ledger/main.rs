//! The ledger from outside: signed items in, blocks, and what stands in it afterwards.
//!
//! Each module shows one part of the rules; `support` has the people and the world that they share.

#![allow(clippy::unwrap_used, reason = "a test that fails here has failed")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails here has failed"
)]
#![allow(clippy::indexing_slicing, reason = "a test that fails here has failed")]

mod altered_evidence;
mod attested;
mod blocks;
mod certificates;
mod conservation;
mod double_assignment;
mod equivocation;
mod false_approvals;
mod false_claim;
mod false_trace;
mod following;
mod judging;
mod operators;
mod ordering;
mod penalties;
mod profiles;
mod support;
mod taken_back;
mod unsettled;
