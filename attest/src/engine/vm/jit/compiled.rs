//! Compiling modules, and taking compiled ones from where they are kept.

#![allow(
    unsafe_code,
    reason = "machine code that was kept cannot be proven to be what was compiled"
)]

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use surety_protocol::id::Digest;
use wasmtime::{Engine, Module};

use crate::engine::{Abstain, Artefacts};

/// The context of the keys of artefacts.
const CONTEXT: &str = "SURETY/v1/artefact";

/// A rewritten module's machine code: from where such are kept, or compiled and kept there.
pub(super) fn compiled(
    engine: &Engine,
    artefacts: Option<&Arc<dyn Artefacts>>,
    module: &[u8],
) -> Result<Module, Abstain> {
    let key = key(engine, module);
    if let Some(artefact) = artefacts.and_then(|it| it.load(&key)) {
        // SAFETY: what was kept under this key is what was compiled from this module by this engine, or the keeper broke its
        // word. Its header is checked here: another version or another processor is an error.
        let found = unsafe { Module::deserialize(engine, artefact) };
        if let Ok(found) = found {
            return Ok(found);
        }
    }
    let compiled = Module::new(engine, module).map_err(|_| Abstain::Engine)?;
    if let (Some(artefacts), Ok(artefact)) = (artefacts, compiled.serialize()) {
        artefacts.keep(&key, &artefact);
    }
    Ok(compiled)
}

/// The rewritten module has the profile in it; the engine is its version, its settings and the processor's features.
fn key(engine: &Engine, module: &[u8]) -> Digest {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let mut key = blake3::Hasher::new_derive_key(CONTEXT);
    key.update(&hasher.finish().to_be_bytes()).update(module);
    Digest::new(*key.finalize().as_bytes())
}
