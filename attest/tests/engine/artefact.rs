//! Compiled modules that are kept for the next engine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use surety_attest::engine::{Artefacts, Engine, Host, Reexecution, Start, WasmEngine};
use surety_protocol::id::Digest;
use surety_protocol::profile::Profile;

use super::stage::{CLOCK, action, counter};

/// Keeps in memory, and counts.
#[derive(Default)]
struct Shelf {
    kept: Mutex<BTreeMap<Digest, Vec<u8>>>,
    loaded: Mutex<usize>,
}

impl Shelf {
    fn count(&self) -> (usize, usize) {
        (
            self.kept.lock().unwrap().len(),
            *self.loaded.lock().unwrap(),
        )
    }
}

impl Artefacts for Shelf {
    fn load(&self, key: &Digest) -> Option<Vec<u8>> {
        let found = self.kept.lock().unwrap().get(key).cloned();
        *self.loaded.lock().unwrap() += usize::from(found.is_some());
        found
    }

    fn keep(&self, key: &Digest, artefact: &[u8]) {
        self.kept.lock().unwrap().insert(*key, artefact.to_vec());
    }
}

/// What a new engine over a shelf gives.
fn run(shelf: &Arc<Shelf>) -> Reexecution {
    let host = Host {
        artefacts: Some(Arc::<Shelf>::clone(shelf)),
        ..Host::default()
    };
    let engine = WasmEngine::on_host(Profile::v1(), host).unwrap();
    let inputs: Vec<_> = (1..4).map(|nonce| action(nonce, "Hello")).collect();
    let start = Start::Genesis { clock: CLOCK };
    engine.reexecute(&counter(), start, &inputs, &[]).unwrap()
}

#[test]
fn a_module_is_compiled_once_and_runs_as_before() {
    let shelf = Arc::new(Shelf::default());
    let compiled = run(&shelf);
    assert_eq!(shelf.count(), (1, 0));
    assert_eq!(run(&shelf), compiled);
    assert_eq!(shelf.count(), (1, 1));
}

#[test]
fn what_another_version_made_is_compiled_again() {
    let shelf = Arc::new(Shelf::default());
    let compiled = run(&shelf);
    for artefact in shelf.kept.lock().unwrap().values_mut() {
        artefact.truncate(artefact.len() / 2);
    }
    assert_eq!(run(&shelf), compiled);
    for artefact in shelf.kept.lock().unwrap().values_mut() {
        *artefact = b"another version".to_vec();
    }
    assert_eq!(run(&shelf), compiled);
    // It was replaced.
    let (_, loaded) = shelf.count();
    assert_eq!(run(&shelf), compiled);
    assert_eq!(shelf.count(), (1, loaded + 1));
    assert!(
        shelf
            .kept
            .lock()
            .unwrap()
            .values()
            .all(|it| it.len() > 1000)
    );
}
