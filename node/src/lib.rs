//! The only part of Surety that touches the world: libp2p, RocksDB, HTTP, the roles and the command line.
//!
//! [`core`] is a node without the world; everything else here performs what it asks for.

pub mod archive;
pub mod artefacts;
pub mod attested;
pub mod cli;
pub mod client;
pub mod config;
pub mod core;
pub mod devnet;
pub mod driver;
pub mod engines;
pub mod exchange;
pub mod executor;
pub mod fault;
pub mod http;
pub mod key;
mod location;
pub mod metrics;
pub mod net;
pub mod node;
pub mod role;
pub mod shell;
pub mod signer;
pub mod store;
pub mod telemetry;
mod turns;
pub mod view;
pub mod worker;
