//! Compiled modules that outlive the program.

use surety_protocol::id::Digest;

/// Keeps compiled modules. What it gives back is run: it must be what was kept, to the bit.
pub trait Artefacts: Send + Sync {
    /// What was kept under a key, if it is still here and unharmed.
    fn load(&self, key: &Digest) -> Option<Vec<u8>>;

    /// Keeps a compiled module under a key, if there is room.
    fn keep(&self, key: &Digest, artefact: &[u8]);
}
