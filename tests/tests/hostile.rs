//! The hostile modules of the engine's own tests, in a worker as a node has it: the same outcomes, and one worker that outlives all
//! of them.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "../../attest/tests/engine/bombs.rs"]
mod bombs;
#[path = "../../attest/tests/engine/bounds.rs"]
mod bounds;
#[path = "../../attest/tests/engine/floats.rs"]
mod floats;
#[path = "../../attest/tests/engine/hostile.rs"]
mod hostile;
#[path = "../../attest/tests/engine/stage.rs"]
#[allow(dead_code, reason = "its own engine is not asked here")]
mod native;

/// What the tests share, with another engine.
mod stage {
    use std::sync::{Arc, LazyLock};

    use surety_attest::engine::{
        Engine, EngineError, Message, Program, Reexecution, Resident, Start,
    };
    use surety_attest::state::Snapshot;
    use surety_harness::built;
    use surety_node::worker::{Worker, WorkerEngine};
    use surety_protocol::id::Digest;
    use surety_protocol::profile::Profile;
    use surety_protocol::witness::Witness;

    pub(crate) use super::native::{CLOCK, action, error, text};

    /// Of the engine in a worker, and that the worker is still the first.
    pub(crate) struct Lasting {
        engine: WorkerEngine,
        worker: Arc<Worker>,
        process: u32,
        /// What it has compiled.
        _artefacts: tempfile::TempDir,
    }

    pub(crate) static ENGINE: LazyLock<Lasting> = LazyLock::new(Lasting::start);

    pub(crate) fn boot(program: &Program) -> Box<dyn Resident> {
        ENGINE.boot(program, CLOCK).expect("boots")
    }

    impl Lasting {
        fn start() -> Lasting {
            let artefacts = tempfile::tempdir().expect("a folder");
            let args = built::worker_args(artefacts.path(), 4096);
            let worker = Arc::new(Worker::new(built::surety().expect("built"), args, 8 << 30));
            let (evaluating, judging) = (Arc::clone(&worker), Arc::clone(&worker));
            let engine = WorkerEngine::new(Profile::v1(), evaluating, judging);
            // It is started when it is first asked.
            let _ = engine.check(b"nothing");
            Lasting {
                engine,
                process: worker.process().expect("a worker"),
                worker,
                _artefacts: artefacts,
            }
        }

        fn engine(&self) -> &WorkerEngine {
            assert_eq!(self.worker.process(), Some(self.process));
            &self.engine
        }
    }

    impl Engine for Lasting {
        fn profile(&self) -> &Profile {
            self.engine().profile()
        }

        fn check(&self, module: &[u8]) -> Result<(), EngineError> {
            self.engine().check(module)
        }

        fn boot(&self, program: &Program, clock: u64) -> Result<Box<dyn Resident>, EngineError> {
            self.engine().boot(program, clock)
        }

        fn restore(
            &self,
            program: &Program,
            snapshot: &Snapshot,
        ) -> Result<Box<dyn Resident>, EngineError> {
            self.engine().restore(program, snapshot)
        }

        fn witness(
            &self,
            program: &Program,
            start: &Snapshot,
            inputs: &[Message],
        ) -> Result<Witness, EngineError> {
            self.engine().witness(program, start, inputs)
        }

        fn reexecute(
            &self,
            program: &Program,
            start: Start<'_>,
            inputs: &[Message],
            traced: &[Digest],
        ) -> Result<Reexecution, EngineError> {
            self.engine().reexecute(program, start, inputs, traced)
        }
    }
}
