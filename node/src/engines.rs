//! The engines of a node: one for each profile that it executes.
//!
//! # Rules
//!
//! - `[XE-5]` Every profile of the network is executed for as long as the node runs: logs are replayed from slot 0, and a lie
//!   is judged under the profile of its inputs, however many have followed. An engine is made when it is first asked for.

use std::sync::{Arc, Mutex, PoisonError};

use surety_attest::engine::{Abstain, Engine, EngineError, Host, WasmEngine};
use surety_protocol::profile::Profile;
use surety_protocol::profiles::PROFILES_MAX;

use crate::worker::{Worker, WorkerEngine};

/// Makes the engine of a profile.
type Maker = Box<dyn Fn(Profile) -> Result<Arc<dyn Engine>, EngineError> + Send + Sync>;

/// One engine for each profile (rule XE-5).
pub struct Engines {
    make: Maker,
    made: Mutex<Vec<Arc<dyn Engine>>>,
}

impl std::fmt::Debug for Engines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engines(..)")
    }
}

impl Engines {
    /// Engines made in this way, of profiles that this program knows.
    pub fn new(
        make: impl Fn(Profile) -> Result<Arc<dyn Engine>, EngineError> + Send + Sync + 'static,
    ) -> Engines {
        Engines {
            make: Box::new(make),
            made: Mutex::new(Vec::new()),
        }
    }

    /// Those that execute WebAssembly.
    pub fn wasm() -> Engines {
        Engines::new(|profile| Ok(Arc::new(WasmEngine::new(profile)?)))
    }

    /// The same, with what a host has for each.
    pub fn on_host(host: Host) -> Engines {
        Engines::new(move |profile| Ok(Arc::new(WasmEngine::on_host(profile, host.clone())?)))
    }

    /// Those whose work is done by a node's two workers (rule WK-1).
    pub fn in_workers(evaluating: Worker, judging: Worker) -> Engines {
        let (evaluating, judging) = (Arc::new(evaluating), Arc::new(judging));
        Engines::new(move |profile| {
            let workers = (Arc::clone(&evaluating), Arc::clone(&judging));
            Ok(Arc::new(WorkerEngine::new(profile, workers.0, workers.1)))
        })
    }

    /// The engine of a profile.
    ///
    /// # Errors
    /// Abstains if this program or this machine cannot execute it.
    pub fn of(&self, profile: &Profile) -> Result<Arc<dyn Engine>, EngineError> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = made.iter().find(|it| it.profile() == profile) {
            return Ok(Arc::clone(engine));
        }
        if !profile.executable() {
            return Err(Abstain::Profile.into());
        }
        let engine = (self.make)(profile.clone())?;
        // Only profiles of the network are asked for, of which there are no more.
        if made.len() >= PROFILES_MAX {
            made.remove(0);
        }
        made.push(Arc::clone(&engine));
        Ok(engine)
    }
}
