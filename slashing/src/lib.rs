//! What a lie costs: the stake ledger ("Origin"), its ordering, evidence and penalties.
//!
//! Everything here is a pure state machine over ANS-104 items. It opens no socket or file, reads no clock
//! and executes no wasm: where evidence must be re-executed it says what to execute and is given the
//! outcome, so that a light client can link it without an engine.
//!
//! ```text
//!   items ──> order ──> block ──> ledger ──> events
//!                                   ^
//!   evidence ──> (execution) ──> referee ──> verdict
//! ```

pub mod evidence;
pub mod ledger;
pub mod order;
pub mod referee;
pub mod replica;
