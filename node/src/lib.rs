//! placeholder
pub mod net;
pub mod config;
pub mod key;
pub mod metrics;
pub mod shell;
pub mod store;
pub mod telemetry;
