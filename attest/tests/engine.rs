//! The engine from outside: determinism, rollback, snapshots, witnesses, and modules that mean
//! harm.
//!
//! The tests with real AOS modules want `SURETY_AOS_MODULES`, a directory with `aos2_0_4_32.wasm`
//! and `aos2_0_6.wasm`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

#[path = "engine/addresses.rs"]
mod addresses;
#[path = "engine/agreement.rs"]
mod agreement;
#[path = "engine/answers.rs"]
mod answers;
#[path = "engine/aos.rs"]
mod aos;
#[path = "engine/artefact.rs"]
mod artefact;
#[path = "engine/bombs.rs"]
mod bombs;
#[path = "engine/bounds.rs"]
mod bounds;
#[path = "engine/bulk.rs"]
mod bulk;
#[path = "engine/fetched.rs"]
mod fetched;
#[path = "engine/floats.rs"]
mod floats;
#[path = "engine/golden.rs"]
mod golden;
#[path = "engine/host.rs"]
mod host;
#[path = "engine/hostile.rs"]
mod hostile;
#[path = "../../protocol/tests/support/needed.rs"]
mod needed;
#[path = "engine/rollback.rs"]
mod rollback;
#[path = "engine/sample.rs"]
mod sample;
#[path = "engine/select.rs"]
mod select;
#[path = "engine/sqlite.rs"]
mod sqlite;
#[path = "engine/stage.rs"]
mod stage;
#[path = "engine/wasi.rs"]
mod wasi;
#[path = "engine/witness.rs"]
mod witness;
