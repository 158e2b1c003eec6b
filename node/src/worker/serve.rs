//! The worker's end: does what the node asks, on as many threads as there are processors.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};

use surety_attest::engine::{Abstain, EngineError, Host, Program, Resident, on_deep_stack};
use surety_attest::state::Snapshot;
use surety_protocol::id::Digest;
use surety_protocol::profile::Profile;
use surety_protocol::witness::PAGES;

use super::connection::lock;
use super::sandbox;
use super::wire::{self, Answer, MessageSaid, OutcomeSaid, ProgramSaid, Request, StateSaid};
use crate::artefacts::Directory;
use crate::engines::Engines;

/// Bytes of the modules that are kept by their hashes; beyond, all go and are sent again.
const MODULES_BYTES: usize = 256 << 20;

/// A resident, and its state as the node has it.
struct Held {
    resident: Box<dyn Resident>,
    told: Snapshot,
    /// The state that is being told, and from which page on.
    telling: Option<(Snapshot, u32)>,
}

/// What a worker has.
struct Worker {
    engines: Engines,
    modules: Mutex<BTreeMap<Digest, bytes::Bytes>>,
    /// Pages that came ahead of what they are for.
    pages: Mutex<BTreeMap<u64, Snapshot>>,
    residents: Mutex<BTreeMap<u64, Arc<Mutex<Held>>>>,
    numbers: AtomicU64,
}

/// Serves the node at the other end of the socket that is standard input until it closes, and ends this process then. Compiled modules are kept in a
/// directory; one process of AO may take so many bytes of memory.
///
/// # Errors
/// The socket failed, or this machine cannot execute.
pub fn serve(artefacts: &Path, process_bytes: u64) -> io::Result<Infallible> {
    sandbox::close_inherited()?;
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // It is one, and not what somebody typed this at.
    socket.peer_addr()?;
    let directory = Directory::open(artefacts.to_owned())?;
    let engines = Engines::on_host(Host {
        artefacts: Some(Arc::new(directory)),
        memory_bytes_max: process_bytes,
    });
    // What an engine needs of files it opens now.
    engines.of(&Profile::v1()).map_err(io::Error::other)?;
    sandbox::enter(artefacts)?;
    let worker = Worker {
        engines,
        modules: Mutex::default(),
        pages: Mutex::default(),
        residents: Mutex::default(),
        numbers: AtomicU64::new(0),
    };
    let answers = Mutex::new(socket.try_clone()?);
    let threads = std::thread::available_parallelism().map_or(2, |it| it.get().max(2));
    let (requests, queue) = sync_channel::<(u64, Request)>(threads);
    let queue = Mutex::new(queue);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| on_deep_stack(|| work(&worker, &queue, &answers)));
        }
        // The node closes its end when it is done, or is gone; what it asked for is for nobody then.
        while let Ok(request) = wire::receive(&mut socket) {
            if requests.send(request).is_err() {
                break;
            }
        }
        std::process::exit(0)
    })
}

fn work(worker: &Worker, queue: &Mutex<Receiver<(u64, Request)>>, answers: &Mutex<UnixStream>) {
    loop {
        let next = lock(queue).recv();
        let Ok((number, request)) = next else { return };
        let resident = request.resident();
        let answer = catch_unwind(AssertUnwindSafe(|| worker.answer(request)));
        let answer = answer.unwrap_or_else(|_| {
            // What it left half done is for nobody.
            lock(&worker.residents).remove(&resident.unwrap_or(u64::MAX));
            Err(Abstain::Engine.into())
        });
        let answer = answer.unwrap_or_else(Answer::Failed);
        // Nobody waits for the answer to number 0.
        if number == 0 {
            continue;
        }
        let too_large = || wire::frame(number, &Answer::Failed(Abstain::TooLarge.into()));
        let frame = wire::frame(number, &answer).or_else(too_large);
        // If the socket is gone, so is the node.
        if lock(answers).write_all(&frame.unwrap_or_default()).is_err() {
            return;
        }
    }
}

impl Worker {
    fn answer(&self, request: Request) -> Result<Answer, EngineError> {
        match request {
            Request::Module(bytes) => {
                let mut modules = lock(&self.modules);
                let kept: usize = modules.values().map(bytes::Bytes::len).sum();
                if kept.saturating_add(bytes.len()) > MODULES_BYTES {
                    modules.clear();
                }
                modules.insert(wire::module_hash(&bytes), bytes.into_vec().into());
                Ok(Answer::Done)
            }
            Request::Knows(module) => Ok(match self.module(&module) {
                Some(_) => Answer::Done,
                None => Answer::UnknownModule,
            }),
            Request::Pages(number, pages) => {
                let mut staged = lock(&self.pages);
                let state = staged.entry(number).or_default();
                let put = wire::put(state, 0, PAGES, &pages);
                put.map(|_| Answer::Done)
                    .ok_or(EngineError::Abstain(Abstain::Worker))
            }
            Request::Forget(number) => {
                lock(&self.pages).remove(&number);
                Ok(Answer::Done)
            }
            Request::Check(profile, module) => {
                let Some(module) = self.module(&module) else {
                    return Ok(Answer::UnknownModule);
                };
                self.engines.of(&profile)?.check(&module)?;
                Ok(Answer::Done)
            }
            Request::Boot(profile, program, clock) => {
                let Some(program) = self.program(program) else {
                    return Ok(Answer::UnknownModule);
                };
                let resident = self.engines.of(&profile)?.boot(&program, clock)?;
                Ok(self.keep(resident, Snapshot::default()))
            }
            Request::Restore(profile, program, state) => {
                // Before the pages are taken, which come but once.
                let Some(program) = self.program(program) else {
                    return Ok(Answer::UnknownModule);
                };
                let state = self.state(state)?;
                let resident = self.engines.of(&profile)?.restore(&program, &state)?;
                Ok(self.keep(resident, state))
            }
            Request::Step {
                resident,
                message,
                dry,
            } => {
                let held = self.resident(resident)?;
                let resident = &mut lock(&held).resident;
                let outcome = match dry {
                    None => resident.step(&message.read())?,
                    Some(gas_max) => resident.dry_run(&message.read(), gas_max)?,
                };
                Ok(Answer::Outcome(OutcomeSaid::of(outcome)))
            }
            Request::TracedStep {
                resident,
                message,
                traced,
            } => {
                let held = self.resident(resident)?;
                let message = message.read();
                let (outcome, traces) = lock(&held).resident.traced_step(&message, &traced)?;
                Ok(Answer::Traced(OutcomeSaid::of(outcome), traces))
            }
            Request::Changes(resident) => lock(&*self.resident(resident)?).changes(),
            Request::Drop(resident) => {
                lock(&self.residents).remove(&resident);
                Ok(Answer::Done)
            }
            Request::Witness(profile, program, state, inputs) => {
                // Before the pages are taken, which come but once.
                let Some(program) = self.program(program) else {
                    return Ok(Answer::UnknownModule);
                };
                let state = self.state(state)?;
                let engine = self.engines.of(&profile)?;
                let inputs = MessageSaid::read_all(inputs);
                Ok(Answer::Witness(engine.witness(&program, &state, &inputs)?))
            }
            Request::Reexecute(said) => {
                let Some(program) = self.program(said.program) else {
                    return Ok(Answer::UnknownModule);
                };
                let engine = self.engines.of(&said.profile)?;
                let start = said.start.start();
                let inputs = MessageSaid::read_all(said.inputs);
                let given = engine.reexecute(&program, start, &inputs, &said.traced)?;
                let steps = given.steps.into_iter().map(OutcomeSaid::of).collect();
                Ok(Answer::Reexecuted(steps, given.state_root, given.traces))
            }
            Request::Judge(said) => {
                let Some(program) = self.program(said.program) else {
                    return Ok(Answer::UnknownModule);
                };
                let engine = self.engines.of(&said.profile)?;
                let start = said.start.start();
                let inputs = MessageSaid::read_all(said.inputs);
                let given = engine.judge(&program, start, &inputs, &said.traced)?;
                let steps = given.steps.iter().map(|it| (it.result_root, it.gas));
                Ok(Answer::Judged(
                    steps.collect(),
                    given.state_root,
                    given.traces,
                ))
            }
        }
    }

    fn module(&self, hash: &Digest) -> Option<bytes::Bytes> {
        lock(&self.modules).get(hash).cloned()
    }

    fn program(&self, said: ProgramSaid) -> Option<Program> {
        Some(Program {
            module_id: said.module_id,
            bytes: self.module(&said.module)?,
            environment: said.environment,
            memory_limit: said.memory_limit,
            compute_limit: said.compute_limit,
        })
    }

    /// A state whose pages came before, all of them; they are forgotten.
    fn state(&self, said: StateSaid) -> Result<Snapshot, EngineError> {
        let staged = lock(&self.pages).remove(&said.pages).unwrap_or_default();
        if staged.pages.len() != said.count {
            return Err(Abstain::Worker.into());
        }
        Ok(Snapshot {
            wasm_pages: said.wasm_pages,
            globals: said.globals,
            ..staged
        })
    }

    fn keep(&self, resident: Box<dyn Resident>, told: Snapshot) -> Answer {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let held = Held {
            resident,
            told,
            telling: None,
        };
        lock(&self.residents).insert(number, Arc::new(Mutex::new(held)));
        Answer::Resident(number)
    }

    fn resident(&self, number: u64) -> Result<Arc<Mutex<Held>>, EngineError> {
        let found = lock(&self.residents).get(&number).cloned();
        found.ok_or_else(|| Abstain::Worker.into())
    }
}

impl Held {
    /// What the node does not have yet, or the next piece of it.
    fn changes(&mut self) -> Result<Answer, EngineError> {
        let (state, from) = match self.telling.take() {
            Some(telling) => telling,
            None => (self.resident.snapshot()?, 0),
        };
        let (pages, more) = wire::differences(&self.told, &state, from);
        let answer = Answer::Changes {
            wasm_pages: state.wasm_pages,
            globals: state.globals.clone(),
            pages,
            more,
        };
        let last = match &answer {
            Answer::Changes { pages, .. } => pages.last().map(|(index, _)| *index),
            _ => None,
        };
        match last.filter(|_| more) {
            Some(last) => self.telling = Some((state, last.saturating_add(1))),
            None => self.told = state,
        }
        Ok(answer)
    }
}
