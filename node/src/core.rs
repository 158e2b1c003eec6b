//! A node without the world: the ledger's replica, the logs, the claims and the roles, as one machine.
//!
//! ```text
//!   gossip, requests, HTTP, executions, signatures, time
//!                      |  Input
//!                      v
//!   replica -> ledger -> facts ---+
//!   logs, claims, guard, tally ---+--> roles
//!                      |  Effect
//!                      v
//!   store, network, executor, signer
//! ```
//!
//! The driver performs the effects on a real machine, the simulator under virtual time.
//!
//! # Rules
//!
//! - `[CO-1]` One input gives one list of effects. All that are to be persisted are durable before any other is performed.
//! - `[CO-2]` What came from outside is well-formed and authentic before it reaches a machine. Gossip that is malformed or
//!   forged is rejected, gossip that is merely not useful is ignored, and only what is both valid and new is passed on.
//! - `[CO-3]` A second assignment for a slot is passed on: others need it as evidence.

mod batches;
mod blocks;
mod carry;
mod cases;
mod catch_up;
mod checks;
mod claims;
mod confirm;
mod effect;
mod fetched;
mod follow;
mod gossip;
mod input;
mod longer;
mod records;
mod restore;
mod signal;
mod step;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use surety_attest::claims::Claims;
use surety_attest::effect::{self as attest, Executed, Job, Offer, Record, Want};
use surety_attest::guard::Guard;
use surety_attest::log::{Logs, kind};
use surety_attest::schedule::ALREADY;
use surety_attest::tally::Tally;
use surety_protocol::block::Genesis;
use surety_protocol::bls::SecretKey;
use surety_protocol::id::{Address, CaseId, Digest, ItemId, ModuleId, NetworkId, ProcessId};
use surety_protocol::machine::Outbox;
use surety_protocol::origin::{Action, Challenge};
use surety_protocol::time::{Height, Tick, Timestamp};
use surety_slashing::ledger::{BlockError, Ledger};
use surety_slashing::order::Proposer;
use surety_slashing::replica::Replica;

use crate::net::Subnet;
use crate::role::Role;
use batches::Unproven;
use cases::Bench;
use checks::Checks;
use confirm::Sent;
use follow::Drawn;
use longer::Longer;
use records::Records;

pub use carry::carried_among;
pub use catch_up::ENDS_MAX;
pub use checks::Checking;
pub use effect::{Effect, Signing, Write};
pub use input::{Fetched, Input, Signed, Teller};
pub use restore::RestoreError;
pub use signal::Signal;

/// What all roles of a node share.
#[derive(Debug)]
pub struct Shared {
    /// The operator.
    pub operator: Address,
    /// The address of its data-item key.
    pub item_key: Address,
    /// The network.
    pub network: NetworkId,
    /// The logs.
    pub logs: Logs,
    /// The claims.
    pub claims: Claims,
    /// The guard of everything that this node signs.
    pub guard: Guard,
    /// The first process whose log began in this node's life, if it had none before: where faults are committed (rule FA-1).
    pub first: Option<ProcessId>,
    /// Modules that are in the archive.
    pub modules: BTreeSet<ModuleId>,
    /// The height of the ledger.
    pub height: Height,
}

/// Who a node is.
pub struct Identity {
    /// The operator.
    pub operator: Address,
    /// The address of its data-item key.
    pub item_key: Address,
    /// The hot key, where the node itself needs it: to order blocks.
    pub proposer_key: Option<Arc<SecretKey>>,
}

/// A node without the world.
pub struct Core {
    shared: Shared,
    ledger: Ledger,
    replica: Replica,
    proposer: Option<(Proposer, Arc<SecretKey>, Tick)>,
    tally: Tally,
    checks: Checks,
    roles: Vec<Box<dyn Role>>,
    bench: Bench,
    /// What was drawn of processes whose logs are not followed otherwise.
    drawn: BTreeMap<ProcessId, Drawn>,
    /// Where operators' nodes listen.
    records: Records,
    /// How many subnets everybody carries.
    carried: usize,
    /// Logs that are longer elsewhere.
    longer: Longer,
    /// Whether a block came in this step.
    passed: bool,
    /// When operators last said where the logs end that they schedule.
    told: BTreeMap<Address, Height>,
    /// The operator that was last asked for that.
    asked: Address,
    /// Digests on the ledger whose claims may not all be here.
    committed: BTreeMap<(Address, Height), Digest>,
    /// Batches whose digest is not on the ledger here.
    unproven: Unproven,
    /// Modules of logs that are not here.
    lacking: BTreeSet<ModuleId>,
    /// Messages for what is no process, or none that is known here yet.
    held: VecDeque<(ProcessId, Offer)>,
    /// Verdicts and challenges of this node that no block has carried yet.
    unconfirmed: BTreeMap<ItemId, Sent>,
    /// The challenges of this node that are in the archive (rule CO-13).
    kept: BTreeMap<CaseId, Challenge>,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

impl Core {
    /// A node at the genesis.
    ///
    /// # Errors
    /// If the genesis is not sound.
    pub fn new(
        genesis: &Genesis,
        identity: Identity,
        roles: Vec<Box<dyn Role>>,
    ) -> Result<Core, BlockError> {
        let ledger = Ledger::new(genesis)?;
        let proposer = identity
            .proposer_key
            .filter(|_| genesis.proposer == identity.operator)
            .map(|key| (Proposer::default(), key, Tick(0)));
        let shared = Shared {
            operator: identity.operator,
            item_key: identity.item_key,
            network: ledger.network(),
            logs: Logs::default(),
            claims: Claims::default(),
            guard: Guard::default(),
            first: None,
            modules: BTreeSet::new(),
            height: Height(0),
        };
        Ok(Core {
            tally: Tally::new(identity.operator, genesis.params.clone()),
            checks: Checks::default(),
            shared,
            ledger,
            replica: Replica::default(),
            proposer,
            roles,
            bench: Bench::default(),
            drawn: BTreeMap::new(),
            records: Records::default(),
            carried: Subnet::COUNT,
            longer: Longer::default(),
            passed: false,
            told: BTreeMap::new(),
            asked: Address::default(),
            committed: BTreeMap::new(),
            unproven: Unproven::default(),
            lacking: BTreeSet::new(),
            held: VecDeque::new(),
            unconfirmed: BTreeMap::new(),
            kept: BTreeMap::new(),
        })
    }

    /// The ledger.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What the roles share.
    pub const fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Blocks that the proposer has signed, as far as this node has heard, and that are not applied here.
    pub fn blocks_behind(&self) -> u64 {
        self.replica.behind(&self.ledger)
    }

    /// Inputs of a process that were evaluated here.
    pub fn evaluated(&self, process: &ProcessId) -> u64 {
        self.roles
            .iter()
            .map(|role| role.evaluated(process))
            .max()
            .unwrap_or(0)
    }

    /// Whether this node plays a role.
    pub fn plays(&self, name: crate::config::RoleName) -> bool {
        self.roles.iter().any(|role| role.name() == name)
    }

    /// Tells every role, and turns what they ask for into effects of the node.
    fn signal(&mut self, now: Tick, signal: &Signal<'_>, out: &mut Outbox<Effect>) {
        let mut asked = Outbox::default();
        for role in &mut self.roles {
            role.on(now, signal, &mut self.shared, &mut asked);
        }
        if asked.refused() > 0 {
            out.push(step::left_out(asked.refused()));
        }
        self.perform(now, asked.drain(), out);
    }

    /// Turns what a machine asks for into effects of the node.
    fn perform(&mut self, now: Tick, asked: Vec<attest::Effect>, out: &mut Outbox<Effect>) {
        for effect in asked {
            match effect {
                attest::Effect::Persist(record) => {
                    let arrived = arrived(&record);
                    out.push(Effect::Persist(Write::Record(record)));
                    if let Some((process, item)) = arrived {
                        self.signal(now, &Signal::Arrived { process, item }, out);
                    }
                }
                attest::Effect::Execute(job) => {
                    if let Job::Check { claim, .. } = &job {
                        self.drew(&claim.statement, out);
                    }
                    out.push(Effect::Execute(job, self.ledger.profiles_shared()));
                }
                attest::Effect::SignAssignments(cleared) => {
                    sign(Signing::Assignments(cleared), out);
                }
                attest::Effect::SignClaim {
                    claim,
                    frontier,
                    leaves,
                } => {
                    let claim = Signing::Claim {
                        claim,
                        frontier,
                        leaves,
                    };
                    sign(claim, out);
                }
                attest::Effect::SignApproval(draft) => sign(Signing::Approval(draft), out),
                attest::Effect::SignMessage { source, draft } => {
                    sign(Signing::Message { source, draft }, out);
                }
                attest::Effect::Broadcast(gossip) => self.broadcast(now, gossip, out),
                attest::Effect::Fetch(Want::Log { process, .. }) if !self.follows(&process) => {}
                attest::Effect::Fetch(want) => out.push(Effect::Fetch(want)),
                attest::Effect::Deliver(offer) => self.deliver(now, offer, out),
                attest::Effect::Assign(assign) => out.push(Effect::Assign(assign)),
                attest::Effect::Recall { process, after } => {
                    out.push(Effect::Recall { process, after });
                }
                attest::Effect::Compare { claim, committed } => {
                    self.compare(now, claim, committed, out);
                }
                attest::Effect::VerifyTrace { approval, signed } => {
                    self.verify_trace(approval, signed);
                }
                attest::Effect::VerifyTogether {
                    claim,
                    committed,
                    proofs,
                } => self.verify_together(claim, committed, proofs),
                attest::Effect::Discredit(approval) => self.tally.discredit(&approval),
                attest::Effect::Submit(action) => {
                    self.keep_challenge(&action, out);
                    self.submit(action, out);
                }
                attest::Effect::Notify(event) => {
                    let known = known(&event);
                    out.push(Effect::Notify(event));
                    if let Some((process, item)) = known {
                        self.signal(now, &Signal::Known { process, item }, out);
                    }
                }
            }
        }
    }

    /// Asks for an action to be signed for the ledger.
    fn submit(&self, action: Action, out: &mut Outbox<Effect>) {
        let life = self.ledger.params().item_life_blocks / 2;
        sign(
            Signing::Action {
                action,
                expires: self.ledger.height().plus(life),
            },
            out,
        );
    }

    fn executed(&mut self, now: Tick, executed: Executed, out: &mut Outbox<Effect>) {
        self.signal(now, &Signal::Executed(&executed), out);
    }

    fn signed(&mut self, now: Tick, signed: Signed, out: &mut Outbox<Effect>) {
        match signed {
            Signed::Action(item) => {
                self.remember(&item);
                self.item_for_ledger(item.into_inner(), out);
            }
            Signed::Verdict(verdict) => self.submit(Action::Verdict(verdict), out),
            signed => self.signal(now, &Signal::Signed(&signed), out),
        }
    }

    /// Something that wants a slot, or an item for the ledger.
    fn offer(&mut self, now: Tick, offer: Offer, wall: Timestamp, out: &mut Outbox<Effect>) {
        if let Offer::Item(item) = &offer
            && item.target() == Some(self.shared.network.as_bytes())
        {
            return self.item_for_ledger(item.clone().into_inner(), out);
        }
        match self.scheduler_of(&offer) {
            Some(key) if key != self.shared.item_key => {
                match self.ledger.operator_of_item_key(&key) {
                    Some(to) => out.push(Effect::Deliver { offer, to }),
                    None => out.push(Effect::Refused {
                        item: offer.item().id(),
                        process: offer.process(),
                        code: "scheduler-unknown",
                        reason: "no operator of this network registered that scheduler".into(),
                    }),
                }
            }
            _ => {
                let height = self.ledger.height();
                let offered = Signal::Offered {
                    offer: &offer,
                    wall,
                    height,
                };
                if self.roles.iter().any(|role| role.schedules()) {
                    self.signal(now, &offered, out);
                } else {
                    out.push(Effect::Refused {
                        item: offer.item().id(),
                        process: offer.process(),
                        code: "not-a-scheduler",
                        reason: "this node does not schedule".into(),
                    });
                }
            }
        }
    }

    /// The key that schedules the process which an offer is, or is for.
    fn scheduler_of(&self, offer: &Offer) -> Option<Address> {
        match offer {
            Offer::Item(item) if kind(item) == Some("Process") => {
                item.tag("Scheduler")?.parse().ok()
            }
            _ => {
                let log = self.shared.logs.get(&offer.process()?)?;
                Some(log.scheduler)
            }
        }
    }

    /// What a process sends: to the scheduler of the process that it is for, if it is for one.
    fn deliver(&mut self, now: Tick, offer: Offer, out: &mut Outbox<Effect>) {
        if self.scheduler_of(&offer).is_some() {
            // The messenger's clock is the scheduler's business: it never turns a log's clock back.
            self.offer(now, offer, Timestamp(0), out);
        } else {
            self.hold(offer);
        }
    }
}

/// What has a slot with this.
fn arrived(record: &Record) -> Option<(ProcessId, ItemId)> {
    match record {
        Record::Input {
            process,
            message: Some(message),
            ..
        } => Some((*process, message.id())),
        _ => None,
    }
}

/// What this node's own scheduler has already.
fn known(event: &attest::Event) -> Option<(ProcessId, ItemId)> {
    match event {
        attest::Event::Unscheduled {
            message,
            process: Some(process),
            code: ALREADY,
            ..
        } => Some((*process, (*message).into())),
        _ => None,
    }
}

fn sign(signing: Signing, out: &mut Outbox<Effect>) {
    out.push(Effect::Sign(Box::new(signing)));
}
