//! Execute, commit, attest and verify.
//!
//! The deterministic WebAssembly engine, what commits to its states and results, and the machines of the AO roles.

pub mod engine;
mod memory;
pub mod result;
pub mod sample;
pub mod state;
pub mod claims;
pub mod compute;
pub mod effect;
pub mod guard;
pub mod log;
pub mod push;
pub mod schedule;
pub mod tally;
pub mod verify;
pub mod judge;
pub mod message;
