//! What a host has for an engine: a place for compiled modules, and memory.

use std::sync::Arc;

use surety_protocol::id::Digest;

/// Keeps compiled modules. What it gives back is run: it must be what was kept, to the bit.
pub trait Artefacts: Send + Sync {
    /// What was kept under a key, if it is still here and unharmed.
    fn load(&self, key: &Digest) -> Option<Vec<u8>>;

    /// Keeps a compiled module under a key, if there is room.
    fn keep(&self, key: &Digest, artefact: &[u8]);
}

/// What a host has for an engine.
#[derive(Clone)]
pub struct Host {
    /// Where compiled modules outlive the program, if anywhere.
    pub artefacts: Option<Arc<dyn Artefacts>>,
    /// Bytes of memory that one process may take on this host. A process that grows further, within its own limits, is
    /// abstained from (rule EN-7).
    pub memory_bytes_max: u64,
}

impl Default for Host {
    /// No place, and all the memory that a process can have.
    fn default() -> Self {
        Self {
            artefacts: None,
            memory_bytes_max: u64::MAX,
        }
    }
}
