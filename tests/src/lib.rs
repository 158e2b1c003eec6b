//! Whole networks of Surety nodes under virtual time, with everything that can go wrong between them.
//!
//! The nodes are the real ones: the core, the roles, the archive, the executor and the signer of `surety-node`, with real
//! signatures. Only the world around them is made up: a [`clock`] that jumps from event to event, a [`network`] that loses,
//! delays, repeats and reorders, a [`disk`] that forgets what was not synced, an engine without wasm ([`table_engine`]),
//! users ([`world`]), villains and accidents ([`cast`]), and an [`oracle`] that knows the truth.
//!
//! # Rules
//!
//! - `[SM-1]` A run is a function of its [`cast::Plan`]: one thread, one random generator, no clock of the machine. Two runs
//!   of one plan give the same digest over all events ([`trace`]).
//! - `[SM-2]` A node's effects are performed in the driver's order: all that is to be durable in one batch, then the others one
//!   by one. A crash falls between any two of them; what survives is the disk.
//! - `[SM-3]` Nothing of the core is replaced or skipped. What the simulation may weaken are the means of the glue around it
//!   ([`cast::Weakness`]), to show that the oracle notices.

pub mod built;
pub mod cast;
pub mod cli;
pub mod clock;
pub mod disk;
pub mod economy;
pub mod fuzz;
pub mod listener;
pub mod lone_process;
pub mod network;
pub mod node;
pub mod one_lie;
pub mod oracle;
pub mod ploy;
pub mod random;
pub mod scale;
pub mod simulation;
pub mod table_engine;
pub mod theory;
pub mod trace;
pub mod world;
