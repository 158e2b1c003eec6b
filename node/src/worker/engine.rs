//! An engine whose work is done by workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_bytes::ByteBuf;
use surety_attest::engine::{
    Abstain, Engine, EngineError, Judged, Message, Program, Reexecution, Resident, Start,
};
use surety_attest::state::Snapshot;
use surety_protocol::execution::Step;
use surety_protocol::id::Digest;
use surety_protocol::profile::Profile;
use surety_protocol::witness::Witness;

use super::connection::{Connection, Worker};
use super::resident::WorkerResident;
use super::wire::{
    self, Answer, MessageSaid, ProgramSaid, ReexecutionSaid, Request, StartSaid, StateSaid,
};

/// Bytes of the unit in which memory grows.
const WASM_PAGE_BYTES: u64 = 65_536;

/// One profile, executed by workers.
#[derive(Debug)]
pub struct WorkerEngine {
    profile: Profile,
    /// For the processes that this node evaluates and checks.
    evaluating: Arc<Worker>,
    /// For what strangers send to be judged.
    judging: Arc<Worker>,
}

impl WorkerEngine {
    /// The engine of a profile over a node's two workers (rule WK-1).
    pub const fn new(
        profile: Profile,
        evaluating: Arc<Worker>,
        judging: Arc<Worker>,
    ) -> WorkerEngine {
        WorkerEngine {
            profile,
            evaluating,
            judging,
        }
    }

    /// How large the memory of a process can be (rule EN-5).
    fn wasm_pages_max(&self, program: &Program) -> u32 {
        let bytes = program.memory_limit.min(self.profile.memory_bytes_max);
        u32::try_from(bytes / WASM_PAGE_BYTES).unwrap_or(u32::MAX)
    }

    /// Asks the worker that judges for a re-execution.
    fn ask_judging(
        &self,
        program: &Program,
        start: Start<'_>,
        (inputs, traced): (&[Message], &[Digest]),
        request: impl FnOnce(ReexecutionSaid) -> Request,
    ) -> Result<Answer, EngineError> {
        let request = request(ReexecutionSaid {
            profile: self.profile.clone(),
            program: ProgramSaid::of(program),
            start: StartSaid::of(start),
            inputs: MessageSaid::all(inputs),
            traced: traced.to_vec(),
        });
        twice(|| ask_with(&*self.judging.connection()?, &program.bytes, &request))
    }
}

impl Engine for WorkerEngine {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn check(&self, module: &[u8]) -> Result<(), EngineError> {
        let request = Request::Check(self.profile.clone(), wire::module_hash(module));
        // Where it will be evaluated, and then where a lie about it would be judged: neither should have to wait for a compiler.
        for worker in [&self.evaluating, &self.judging] {
            match twice(|| ask_with(&*worker.connection()?, module, &request))? {
                Answer::Done => {}
                _ => return Err(Abstain::Worker.into()),
            }
        }
        Ok(())
    }

    fn boot(&self, program: &Program, clock: u64) -> Result<Box<dyn Resident>, EngineError> {
        let connection = self.evaluating.connection()?;
        let request = Request::Boot(self.profile.clone(), ProgramSaid::of(program), clock);
        let answer = ask_with(&connection, &program.bytes, &request)?;
        let (snapshot, most) = (Snapshot::default(), self.wasm_pages_max(program));
        Ok(Box::new(WorkerResident::of(
            connection, &answer, snapshot, most,
        )?))
    }

    fn restore(
        &self,
        program: &Program,
        snapshot: &Snapshot,
    ) -> Result<Box<dyn Resident>, EngineError> {
        let connection = self.evaluating.connection()?;
        let (profile, said) = (self.profile.clone(), ProgramSaid::of(program));
        let with = |state| Request::Restore(profile, said, state);
        let answer = ask_with_state(&connection, program, snapshot, with)?;
        let (snapshot, most) = (snapshot.clone(), self.wasm_pages_max(program));
        Ok(Box::new(WorkerResident::of(
            connection, &answer, snapshot, most,
        )?))
    }

    fn witness(
        &self,
        program: &Program,
        start: &Snapshot,
        inputs: &[Message],
    ) -> Result<Witness, EngineError> {
        let connection = self.evaluating.connection()?;
        let (profile, said) = (self.profile.clone(), ProgramSaid::of(program));
        let inputs = MessageSaid::all(inputs);
        let with = |state| Request::Witness(profile, said, state, inputs);
        match ask_with_state(&connection, program, start, with)? {
            Answer::Witness(witness) => Ok(witness),
            _ => Err(Abstain::Worker.into()),
        }
    }

    fn reexecute(
        &self,
        program: &Program,
        start: Start<'_>,
        inputs: &[Message],
        traced: &[Digest],
    ) -> Result<Reexecution, EngineError> {
        let asked = (inputs, traced);
        match self.ask_judging(program, start, asked, Request::Reexecute)? {
            Answer::Reexecuted(steps, state_root, traces)
                if (steps.len(), traces.len()) == (inputs.len(), traced.len()) =>
            {
                let steps: Option<Vec<_>> = steps.iter().map(wire::OutcomeSaid::read).collect();
                let steps = steps.ok_or(Abstain::Worker)?;
                Ok(Reexecution {
                    steps,
                    state_root,
                    traces,
                })
            }
            _ => Err(Abstain::Worker.into()),
        }
    }

    fn judge(
        &self,
        program: &Program,
        start: Start<'_>,
        inputs: &[Message],
        traced: &[Digest],
    ) -> Result<Judged, EngineError> {
        let asked = (inputs, traced);
        match self.ask_judging(program, start, asked, Request::Judge)? {
            Answer::Judged(steps, state_root, traces)
                if (steps.len(), traces.len()) == (inputs.len(), traced.len()) =>
            {
                let steps = steps.into_iter();
                let steps = steps.map(|(result_root, gas)| Step { result_root, gas });
                Ok(Judged {
                    steps: steps.collect(),
                    state_root,
                    traces,
                })
            }
            _ => Err(Abstain::Worker.into()),
        }
    }
}

/// Asks once more what was lost with a worker (rule WK-2).
fn twice(ask: impl Fn() -> Result<Answer, EngineError>) -> Result<Answer, EngineError> {
    match ask() {
        Err(EngineError::Abstain(Abstain::Worker)) => ask(),
        answer => answer,
    }
}

/// Asks, and sends the module first if it is not there.
fn ask_with(
    connection: &Connection,
    module: &[u8],
    request: &Request,
) -> Result<Answer, EngineError> {
    match connection.ask(request)? {
        Answer::UnknownModule => {
            connection.ask(&Request::Module(ByteBuf::from(module.to_vec())))?;
            connection.ask(request)
        }
        answer => Ok(answer),
    }
}

/// The same with a state, whose pages go before.
fn ask_with_state(
    connection: &Connection,
    program: &Program,
    snapshot: &Snapshot,
    with: impl FnOnce(StateSaid) -> Request,
) -> Result<Answer, EngineError> {
    static NUMBERS: AtomicU64 = AtomicU64::new(0);
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
    let module = wire::module_hash(&program.bytes);
    ask_with(connection, &program.bytes, &Request::Knows(module))?;
    let state = StateSaid {
        wasm_pages: snapshot.wasm_pages,
        globals: snapshot.globals.clone(),
        pages: number,
        count: snapshot.pages.len(),
    };
    let ask = || {
        for pages in wire::pieces(snapshot) {
            connection.ask(&Request::Pages(number, pages))?;
        }
        ask_with(connection, &program.bytes, &with(state))
    };
    ask().inspect_err(|_| connection.tell(&Request::Forget(number)))
}
