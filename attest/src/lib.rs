//! Execute, commit, attest and verify.
//!
//! The deterministic WebAssembly engine, what commits to its states and results, and the machines of the AO roles.

mod accuse;
pub mod audit;
pub mod claims;
pub mod compute;
pub mod cron;
pub mod effect;
pub mod engine;
pub mod guard;
pub mod judge;
pub mod log;
mod memory;
pub mod message;
pub mod push;
pub mod reservation;
pub mod result;
pub mod sample;
pub mod schedule;
pub mod shares;
pub mod state;
pub mod tally;
pub mod verify;
