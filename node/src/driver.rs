//! Drives a node's core on a real machine: one task owns the core, feeds it and performs its effects.
//!
//! # Rules
//!
//! - `[DR-1]` Inputs that are ready are taken together, up to [`BURST`] of them. What they persist is one durable batch, written
//!   before any other effect of theirs is performed.
//! - `[DR-2]` Everything that takes long (execution, fetching, signing assignments) runs beside the loop and comes back as an input.
//! - `[DR-3]` If the store fails the node stops: to go on without memory could make it sign against itself.

mod act;
mod get;
mod handle;
mod waiters;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use imbl::OrdMap;
use surety_attest::effect::{Executed, Record};
use surety_attest::schedule::ALREADY;
use surety_protocol::codec;
use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::{Digest, ProcessId};
use surety_protocol::time::{Tick, Timestamp};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::archive::{Archive, ArchiveError, write};
use crate::core::{Core, Effect, Input, Teller, Write};
use crate::exchange::{EndsAnswer, EndsRequest, Fetcher, Placed, Requests, serve};
use crate::executor::Executor;
use crate::metrics::Metrics;
use crate::net::{MessageToken, NetEvent, NetHandle, Protocol, RequestToken, Topic};
use crate::signer::{Made, Signer};
use crate::store::Batch;
use crate::view::{EventLog, ProcessView, View};

pub(crate) use act::peer_of;
pub use handle::{Accepted, Command, NodeHandle, OfferError, Offered};
use waiters::Waiters;

/// Inputs taken together (rule DR-1).
pub const BURST: usize = 64;
/// How often the core is told that time passed.
const TICK: Duration = Duration::from_millis(50);
/// Answers of effects that wait to be taken in.
const COMPLETIONS_MAX: usize = 4096;

/// Everything that a driver performs effects with.
pub struct Parts {
    /// The core, restored.
    pub core: Core,
    /// What the restored core asks for first.
    pub first: Vec<Effect>,
    /// The archive.
    pub archive: Archive,
    /// Executes.
    pub executor: Arc<Executor>,
    /// Signs.
    pub signer: Signer,
    /// The network.
    pub net: NetHandle,
    /// What the network tells.
    pub net_events: mpsc::Receiver<NetEvent>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Unforeseeable: with what signatures that are verified together are weighed.
    pub check_seed: Digest,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts(..)")
    }
}

/// Why a node stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The store failed (rule DR-3).
    #[error("the store failed, so the node stops: {0}")]
    Archive(#[from] ArchiveError),
    /// The network ended.
    #[error("the network ended")]
    Net,
}

/// The running driver.
struct Driver {
    core: Core,
    archive: Archive,
    executor: Arc<Executor>,
    executions: Arc<Semaphore>,
    signer: Arc<Signer>,
    signings: Arc<Semaphore>,
    /// What no sender of signatures knows.
    check_seed: Digest,
    net: NetHandle,
    requests: Requests,
    fetcher: Fetcher,
    metrics: Arc<Metrics>,
    events: EventLog,
    view: watch::Sender<Arc<View>>,
    completions: mpsc::Sender<Completion>,
    tokens: BTreeMap<u64, (Topic, MessageToken)>,
    next_token: u64,
    waiters: Waiters,
    /// What faults add, to be gossiped after the honest thing.
    forged: Vec<Effect>,
    started: Instant,
    changed: bool,
    /// Processes of which the view does not show the last yet.
    touched: BTreeSet<ProcessId>,
}

/// Something that was done beside the loop.
#[derive(Debug)]
enum Completion {
    Input(Box<Input>),
    /// Assignments were signed.
    Signed(Made),
    /// A scheduler elsewhere answered.
    Delivered(waiters::Awaited, Result<Placed, OfferError>),
}

/// Starts the driver; gives the handle for HTTP and the task.
pub fn spawn(
    parts: Parts,
    shutdown: CancellationToken,
) -> (NodeHandle, tokio::task::JoinHandle<Result<(), DriverError>>) {
    let (completions, completed) = mpsc::channel(COMPLETIONS_MAX);
    let (commands, commanded) = mpsc::channel(256);
    let ledger = Arc::new(parts.core.ledger().clone());
    let (view, views) = watch::channel(Arc::new(View {
        ledger,
        processes: OrdMap::new(),
    }));
    let touched = parts.core.shared().logs.iter();
    let touched = touched.map(|(process, _)| *process).collect();
    let requests = Requests::new(parts.net.clone());
    let events = EventLog::default();
    let mut driver = Driver {
        fetcher: Fetcher::new(requests.clone(), parts.archive.clone()),
        core: parts.core,
        archive: parts.archive.clone(),
        executor: Arc::clone(&parts.executor),
        executions: Arc::new(Semaphore::new(at_once())),
        signer: Arc::new(parts.signer),
        signings: Arc::new(Semaphore::new(at_once())),
        check_seed: parts.check_seed,
        net: parts.net.clone(),
        requests,
        metrics: Arc::clone(&parts.metrics),
        events: events.clone(),
        view,
        completions,
        tokens: BTreeMap::new(),
        next_token: 0,
        waiters: Waiters::default(),
        forged: Vec::new(),
        started: Instant::now(),
        changed: true,
        touched,
    };
    let handle = NodeHandle {
        commands,
        view: views,
        events,
        archive: parts.archive,
        executor: parts.executor,
        metrics: parts.metrics,
        net: parts.net,
        fetcher: driver.fetcher.clone(),
    };
    let task = tokio::spawn(async move {
        driver.perform(parts.first).await?;
        driver
            .run(parts.net_events, commanded, completed, shutdown)
            .await
    });
    (handle, task)
}

impl Driver {
    async fn run(
        &mut self,
        mut net_events: mpsc::Receiver<NetEvent>,
        mut commands: mpsc::Receiver<Command>,
        mut completed: mpsc::Receiver<Completion>,
        shutdown: CancellationToken,
    ) -> Result<(), DriverError> {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let mut inputs = Vec::new();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                _ = ticks.tick() => inputs.push(Input::Tick(wall())),
                // What was done here before what others want: it frees what they wait for.
                Some(done) = completed.recv() => self.completion(done, &mut inputs),
                event = net_events.recv() => {
                    let event = event.ok_or(DriverError::Net)?;
                    self.net_event(event, &mut inputs).await?;
                }
                Some(command) = commands.recv() => self.command(command, &mut inputs),
            }
            // [DR-1]
            while inputs.len() < BURST {
                if let Ok(done) = completed.try_recv() {
                    self.completion(done, &mut inputs);
                } else if let Ok(event) = net_events.try_recv() {
                    self.net_event(event, &mut inputs).await?;
                } else if let Ok(command) = commands.try_recv() {
                    self.command(command, &mut inputs);
                } else {
                    break;
                }
            }
            let waiting = net_events.len() + completed.len() + commands.len();
            self.metrics.queue_length.set(waiting as u64);
            let mut effects = Vec::new();
            for input in inputs {
                let now = self.now();
                effects.extend(self.core.step(now, input));
            }
            effects.append(&mut self.forged);
            self.perform(effects).await?;
            self.publish_view();
        }
    }

    fn now(&self) -> Tick {
        Tick(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    async fn net_event(
        &mut self,
        event: NetEvent,
        inputs: &mut Vec<Input>,
    ) -> Result<(), DriverError> {
        match event {
            NetEvent::Gossip {
                topic,
                source,
                message,
                data,
            } => {
                self.next_token = self.next_token.wrapping_add(1);
                self.tokens.insert(self.next_token, (topic, message));
                let teller = Teller {
                    token: self.next_token,
                    peer: digest(Domain::OBJECT, &[&source.to_bytes()]),
                };
                inputs.push(Input::Gossip {
                    teller,
                    topic,
                    data,
                });
            }
            NetEvent::Request {
                protocol,
                peer,
                token,
                data,
            } => {
                self.serve(protocol, peer, token, &data, inputs).await?;
            }
            NetEvent::Response {
                request, result, ..
            } => self.requests.answered(request, result),
            NetEvent::PeerConnected { .. } | NetEvent::PeerDisconnected { .. } => {
                let peers = self.net.peers().await.map_or(0, |it| it.len());
                self.metrics.peers.set(u64::try_from(peers).unwrap_or(0));
            }
            _ => {}
        }
        Ok(())
    }

    /// Answers a peer's request, or takes the item that it offers.
    async fn serve(
        &mut self,
        protocol: Protocol,
        peer: crate::net::PeerId,
        token: RequestToken,
        data: &[u8],
        inputs: &mut Vec<Input>,
    ) -> Result<(), DriverError> {
        if protocol == Protocol::Messages
            && let Some(offered) = act::offered(data)
        {
            match offered {
                Some(offer) => {
                    self.waiters.peer(waiters::awaited(&offer), token);
                    let wall = wall();
                    inputs.push(Input::Offer { offer, wall });
                }
                None => self.refuse(token, peer).await,
            }
            return Ok(());
        }
        if protocol == Protocol::Assignments
            && let Ok(EndsRequest { after }) = codec::decode(data)
        {
            let ends = self.core.ends(after);
            let answer = codec::encode(&EndsAnswer { ends }).map_err(|_| ());
            let _ = self.net.respond(token, answer).await;
            return Ok(());
        }
        let archive = self.archive.clone();
        let heard = &self.core.shared().claims;
        let answer = tokio::task::block_in_place(|| serve(&archive, heard, protocol, data))?;
        match answer {
            Some(answer) => {
                // A peer that is gone needs no answer.
                let _ = self.net.respond(token, Ok(answer)).await;
            }
            None => self.refuse(token, peer).await,
        }
        Ok(())
    }

    /// A malformed request: no answer, and a penalty.
    async fn refuse(&self, token: RequestToken, peer: crate::net::PeerId) {
        let _ = self.net.respond(token, Err(())).await;
        let _ = self.net.penalize(peer, act::MALFORMED_POINTS).await;
    }

    fn completion(&mut self, done: Completion, inputs: &mut Vec<Input>) {
        match done {
            Completion::Input(input) => {
                if let Input::Executed(Executed::Abstained { reason, .. }) = input.as_ref() {
                    self.metrics.abstentions.inc();
                    tracing::debug!(%reason, "abstained");
                }
                inputs.push(*input);
            }
            Completion::Signed(made) => {
                inputs.push(Input::Signed(made.signed));
                let publish = |(topic, data)| Effect::Publish { topic, data };
                self.forged.extend(made.forged.map(publish));
            }
            Completion::Delivered(what, outcome) => {
                let already = match &outcome {
                    Ok(placed) => placed.already,
                    Err(error) => error.code == ALREADY,
                };
                if let (true, (item, Some(process))) = (already, what) {
                    inputs.push(Input::Known { process, item });
                }
                let waiting = self.waiters.take(&what);
                waiters::answer(&self.net, waiting, &outcome);
            }
        }
    }

    fn command(&mut self, command: Command, inputs: &mut Vec<Input>) {
        match command {
            Command::Offer { offer, reply } => {
                self.waiters.local(waiters::awaited(&offer), reply);
                let wall = wall();
                inputs.push(Input::Offer { offer, wall });
            }
        }
    }

    /// Makes everything durable, then performs the rest in order (rule DR-1).
    async fn perform(&mut self, effects: Vec<Effect>) -> Result<(), DriverError> {
        let mut pending = effects;
        while !pending.is_empty() {
            let mut batch = Batch::new();
            let mut rest = Vec::new();
            for effect in pending.drain(..) {
                match effect {
                    Effect::Persist(Write::Record(record)) => {
                        self.touched.extend(grows(&record));
                        write::put(&mut batch, record)?;
                    }
                    Effect::Persist(Write::Block(block)) => write::put_block(&mut batch, &block)?,
                    Effect::Persist(Write::Certified(process, size)) => {
                        write::put_certified(&mut batch, &process, size);
                    }
                    Effect::Persist(Write::Registration {
                        operator,
                        registration,
                        item,
                    }) => {
                        write::put_registration(&mut batch, &operator, &registration, &item);
                    }
                    Effect::Persist(Write::Challenge(challenge)) => {
                        write::put_challenge(&mut batch, &challenge)?;
                    }
                    Effect::Persist(Write::Settled(case)) => {
                        write::forget_challenge(&mut batch, &case);
                    }
                    other => rest.push(other),
                }
            }
            let archive = &self.archive;
            tokio::task::block_in_place(|| archive.write(batch))?;
            for effect in rest {
                pending.extend(self.act(effect).await?);
            }
        }
        Ok(())
    }

    fn publish_view(&mut self) {
        self.metrics.blocks_behind.set(self.core.blocks_behind());
        if !self.changed {
            return;
        }
        self.changed = false;
        let shared = self.core.shared();
        let mut processes = self.view.borrow().processes.clone();
        for process in std::mem::take(&mut self.touched) {
            let Some(log) = shared.logs.get(&process) else {
                processes.remove(&process);
                continue;
            };
            let view = ProcessView {
                module: log.module,
                scheduler: log.scheduler,
                slots: log.size,
                evaluated: self.core.evaluated(&process),
            };
            processes.insert(process, view);
        }
        let last = Arc::clone(&self.view.borrow().ledger);
        let ledger = if last.height() == self.core.ledger().height() {
            last
        } else {
            Arc::new(self.core.ledger().clone())
        };
        self.metrics.ledger_height.set(ledger.height().0);
        self.metrics
            .processes
            .set(u64::try_from(shared.logs.len()).unwrap_or(u64::MAX));
        let stake = ledger.operator(&shared.operator).map(|it| it.bonded.0);
        let stake = u64::try_from(stake.unwrap_or(0)).unwrap_or(u64::MAX);
        self.metrics.stake_units.set(stake);
        self.view.send_replace(Arc::new(View { ledger, processes }));
    }
}

/// The process whose log or evaluation a record takes further.
const fn grows(record: &Record) -> Option<ProcessId> {
    match record {
        Record::Input { process, .. } | Record::Evaluated { process, .. } => Some(*process),
        _ => None,
    }
}

/// What is done beside the loop at once: one for each core, and two at least, so that a long one does not hold up all others.
fn at_once() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2))
}

/// The clock on the wall; before 1970 it is 1970.
pub(crate) fn wall() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
