//! Executing apart from the node: what strangers wrote is compiled and runs in processes that can do nothing else.
//!
//! ```text
//!   node: keys, store, network                 worker: a module's code, its memory
//!   WorkerEngine ── WorkerResident  ══ socket ══  engines ── residents
//! ```
//!
//! # Rules
//!
//! - `[WK-1]` A node compiles and executes in workers: one for the processes that it evaluates, checks and is asked about, one
//!   for the evidence that it judges. A worker is this program started anew, with an empty environment and nothing open but its socket and the log. It
//!   can open no file but
//!   the modules that it compiled itself, no socket, and start no other process (Landlock and seccomp; without Landlock it can open
//!   no file at all).
//! - `[WK-2]` What a worker does not answer, because it ended, was killed, took too much memory or longer than [`DEADLINE`], is
//!   an abstention. The next request starts another worker. A job that was lost with a worker is tried once more.
//! - `[WK-3]` What a worker answers is decoded as from a stranger: frames have a bound, and pages that are not those of the
//!   memory end the worker. Its word on an execution is believed: who wants more asks on another machine.
//! - `[WK-4]` Of a resident the node has the pages too, brought up to date where a state root is taken; so roots are the node's
//!   own work.
//! - `[WK-5]` A process that grows beyond what this host allows one is abstained from. A worker that takes more memory than it
//!   may is ended; if the machine runs out of memory, workers are the first to go.

mod connection;
mod engine;
mod resident;
mod sandbox;
mod serve;
mod wire;

use std::time::Duration;

pub use connection::Worker;
pub use engine::WorkerEngine;
pub use serve::serve;

/// How long a worker may take for one request: many times what the profile's gas allows on two machines.
pub const DEADLINE: Duration = Duration::from_secs(600);
