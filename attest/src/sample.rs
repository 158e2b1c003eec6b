//! A small module to try things with: it counts its messages, forwards on request, and fails on
//! request.
//!
//! Every message is answered with the count as `Output.data`. A tag `Forward-To` with a process id
//! adds one message to that process, with tag `Action: Forwarded`, the count as data and as an
//! anchor of 32 digits. `Action: Fail` replies with an error, `Action: Trap` traps, `Action: Loop`
//! never ends. `sample/counter.wat` is its text.

/// The module's bytes.
pub const WASM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/counter.wasm"));
