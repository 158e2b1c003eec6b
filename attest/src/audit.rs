//! The auditor: executes what others claim, whoever was drawn to look at it, and challenges what is false.
//!
//! It needs no stake, and what it finds true helps nobody to a certificate. What it risks is the bond of its challenges, what it
//! gains the challenger's share. Certificates stand on a few who were drawn; it is who looks at the rest.
//!
//! # Rules
//!
//! - `[AD-1]` Every claim of others about the processes that it follows (of all, if none is named) is executed once, the oldest
//!   first, whether it is certified by then or not.
//! - `[AD-2]` It executes at most so many inputs a minute; what it has not used it keeps for [`SAVED_MINUTES`]. A claim costs as
//!   many as it has new leaves.
//! - `[AD-3]` A claim for which a log, leaves or a state are not here is asked for with every block, and tried again; for
//!   [`PATIENCE_BLOCKS`]. Of more than [`WAITING_MAX`] claims the oldest goes. What goes so is told.
//! - `[AD-4]` Everybody who has signed a claim that was found false is challenged, whenever it is heard of.
//! - `[AD-5]` So is who signed two assignments for a slot, or claims that contradict each other.

mod budget;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use surety_protocol::claim::SignedClaim;
use surety_protocol::evidence::OffenceKind;
use surety_protocol::id::{Address, ClaimId, ProcessId};
use surety_protocol::machine::Outbox;
use surety_protocol::origin::Challenge;
use surety_protocol::time::{Height, Slot, Tick};

use crate::accuse::Accuser;
use crate::claims::Claims;
use crate::effect::{Effect, Event, Executed, Finding, Job, Traced, Want};

use budget::Budget;
pub use budget::SAVED_MINUTES;

/// Claims that wait to be executed.
pub const WAITING_MAX: usize = 4096;
/// Blocks after which a claim that could not be executed is left.
pub const PATIENCE_BLOCKS: u64 = 600;
/// Claims that are executed at once.
const EXECUTING_MAX: usize = 2;
/// Claims whose outcome is remembered.
const DONE_MAX: usize = 65_536;

/// What came of a claim.
#[derive(Debug)]
enum Outcome {
    True,
    /// False at this slot; who has signed it and is not accused, of whom the first is being accused.
    False(Slot, VecDeque<Address>),
}

/// A claim that was not executed to the end.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    id: ClaimId,
    /// Who has signed it, of whom it was heard first.
    claimant: Address,
    since: Height,
    /// When it is tried again at the earliest.
    next: Height,
}

/// The auditor of one node.
#[derive(Debug)]
pub struct Auditor {
    operator: Address,
    follows: BTreeSet<ProcessId>,
    budget: Budget,
    height: Height,
    /// Claims to be executed, in the order in which they came.
    waiting: VecDeque<Waiting>,
    executing: BTreeMap<ClaimId, Waiting>,
    done: BTreeMap<ClaimId, Outcome>,
    order: VecDeque<ClaimId>,
    accuser: Accuser,
}

impl Auditor {
    /// An auditor that follows these processes, or all, and executes at most so many inputs a minute, or any number.
    pub const fn new(
        operator: Address,
        follows: BTreeSet<ProcessId>,
        inputs_per_minute: Option<u64>,
    ) -> Auditor {
        Auditor {
            operator,
            follows,
            budget: Budget::new(inputs_per_minute),
            height: Height(0),
            waiting: VecDeque::new(),
            executing: BTreeMap::new(),
            done: BTreeMap::new(),
            order: VecDeque::new(),
            accuser: Accuser::new(),
        }
    }

    /// This node challenged it before it was started again (rule VE-8).
    pub fn challenged(&mut self, challenge: &Challenge) {
        self.accuser.remember(challenge);
    }

    /// Claims in hand.
    pub fn in_hand(&self) -> usize {
        self.waiting.len().saturating_add(self.executing.len())
    }

    /// Somebody's authentic claim (rules AD-1, AD-4).
    pub fn claim(&mut self, claim: &SignedClaim, claims: &Claims, out: &mut Outbox<Effect>) {
        let (body, claimant) = (&claim.statement.claim, claim.statement.claimant);
        let followed = self.follows.is_empty() || self.follows.contains(&body.process);
        let Ok(id) = body.id() else { return };
        if !followed || claimant == self.operator {
            return;
        }
        match self.done.get_mut(&id) {
            Some(Outcome::True) => return,
            Some(Outcome::False(slot, signers)) => {
                if !signers.contains(&claimant) {
                    signers.push_back(claimant);
                }
                if signers.len() == 1 {
                    let slot = *slot;
                    self.refute(claim, slot, claims, out);
                }
                return;
            }
            None => {}
        }
        let known = self.executing.contains_key(&id);
        if known || self.waiting.iter().any(|it| it.id == id) {
            return;
        }
        self.waiting.push_back(Waiting {
            id,
            claimant,
            since: self.height,
            next: self.height,
        });
        if self.waiting.len() > WAITING_MAX
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.leave(&oldest.id, claims, out);
        }
        self.proceed(claims, out);
    }

    /// A block was applied.
    pub fn block(&mut self, height: Height, claims: &Claims, out: &mut Outbox<Effect>) {
        self.height = height;
        // [AD-3]
        let (kept, left) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|it| height.since(it.since) <= PATIENCE_BLOCKS);
        self.waiting = kept;
        let left: VecDeque<Waiting> = left;
        for it in left {
            self.leave(&it.id, claims, out);
        }
        self.proceed(claims, out);
    }

    /// Time passed.
    pub fn tick(&mut self, now: Tick, claims: &Claims, out: &mut Outbox<Effect>) {
        self.budget.pass(now);
        self.proceed(claims, out);
    }

    /// There is more to work with.
    pub fn more(&mut self, claims: &Claims, out: &mut Outbox<Effect>) {
        self.proceed(claims, out);
    }

    /// Executes what can be, within the budget (rule AD-2).
    fn proceed(&mut self, claims: &Claims, out: &mut Outbox<Effect>) {
        let (height, mut at) = (self.height, 0);
        while self.executing.len() < EXECUTING_MAX
            && let Some(it) = self.waiting.get_mut(at)
        {
            if it.next > height {
                at = at.saturating_add(1);
                continue;
            }
            let Some(claim) = claims.copy(&it.id, &it.claimant, &self.operator) else {
                // It is not kept any more.
                self.waiting.remove(at);
                continue;
            };
            let lead = match claims.lead(claim) {
                Ok(lead) => lead,
                Err(lacking) => {
                    // [AD-3]
                    it.next = height.next();
                    out.push(Effect::Fetch(lacking));
                    continue;
                }
            };
            let it = *it;
            if !self.budget.spend(claim.leaves.len()) {
                return;
            }
            self.waiting.remove(at);
            self.executing.insert(it.id, it);
            out.push(Effect::Execute(Job::Check {
                claim: Box::new(claim.clone()),
                committed: Height(0),
                lead,
                traced: Traced {
                    slot: Slot(claim.statement.claim.first_new),
                    keys: Vec::new(),
                },
            }));
        }
    }

    /// An execution came back.
    pub fn executed(&mut self, executed: Executed, claims: &Claims, out: &mut Outbox<Effect>) {
        match executed {
            Executed::Checked { claim, finding, .. } => self.checked(claim, finding, claims, out),
            Executed::Accused {
                claim,
                claimant,
                slot,
                evidence,
            } => self.accused((claim, claimant), slot, evidence, claims, out),
            Executed::Abstained { job, .. } => self.abstained(&job),
            Executed::Proven {
                kind,
                offender,
                process,
                slot,
                evidence,
            } => {
                let offence = (offender, kind, process, slot);
                self.accuser.challenge(offence, None, evidence, out);
            }
            Executed::Evaluated { .. } => {}
        }
        self.proceed(claims, out);
    }

    fn checked(
        &mut self,
        id: ClaimId,
        finding: Finding,
        claims: &Claims,
        out: &mut Outbox<Effect>,
    ) {
        let Some(it) = self.executing.remove(&id) else {
            return;
        };
        let Some(claim) = claims.copy(&id, &it.claimant, &self.operator) else {
            return;
        };
        let claimant = claim.statement.claimant;
        let process = claim.statement.claim.process;
        match finding {
            Finding::True(_) => {
                self.remember(id, Outcome::True);
                out.push(Effect::Notify(Event::Audited { process, claim: id }));
            }
            Finding::False(slot) => {
                // Whoever has signed it by now, the first of whom it was heard first.
                let signers = claims.signers(&id).filter(|it| *it != self.operator);
                let others = signers.filter(|it| *it != claimant);
                let signers = [claimant].into_iter().chain(others).collect();
                self.remember(id, Outcome::False(slot, signers));
                out.push(Effect::Notify(Event::Refuted {
                    process,
                    claim: id,
                    claimant,
                    slot,
                }));
                self.refute(claim, slot, claims, out);
            }
            Finding::StateMissing(root) => {
                self.again(it, claim);
                out.push(Effect::Fetch(Want::State {
                    process,
                    root,
                    claimant,
                }));
            }
        }
    }

    /// Makes the evidence against who signed a claim.
    fn refute(&self, claim: &SignedClaim, slot: Slot, claims: &Claims, out: &mut Outbox<Effect>) {
        if let Ok(lead) = claims.lead(claim) {
            let claim = Box::new(claim.clone());
            out.push(Effect::Execute(Job::Accuse { claim, lead, slot }));
        }
    }

    /// The evidence is made: against the first of its signers, and then against the next.
    fn accused(
        &mut self,
        (id, claimant): (ClaimId, Address),
        slot: Slot,
        evidence: Arc<[u8]>,
        claims: &Claims,
        out: &mut Outbox<Effect>,
    ) {
        let Some(Outcome::False(_, signers)) = self.done.get_mut(&id) else {
            return;
        };
        // A verifier of this node may have had the same evidence made.
        if signers.front() != Some(&claimant) {
            return;
        }
        signers.pop_front();
        // Whose copy is not kept any more is accused if it comes again.
        while let Some(next) = signers.front()
            && claims.signed_by(&id, next).is_none()
        {
            signers.pop_front();
        }
        let next = signers.front().copied();
        let Some(claim) = claims.any(&id) else {
            return;
        };
        let process = claim.statement.claim.process;
        let offence = (claimant, OffenceKind::FalseClaim, process, slot);
        self.accuser.challenge(offence, Some(id), evidence, out);
        if let Some(claim) = next.and_then(|it| claims.signed_by(&id, &it)) {
            self.refute(claim, slot, claims, out);
        }
    }

    /// This host could not: it is tried again with the next blocks.
    fn abstained(&mut self, job: &Job) {
        match job {
            Job::Check { claim, .. } => {
                let Ok(id) = claim.statement.claim.id() else {
                    return;
                };
                if let Some(it) = self.executing.remove(&id) {
                    self.again(it, claim);
                }
            }
            Job::Accuse { claim, .. } => {
                let Ok(id) = claim.statement.claim.id() else {
                    return;
                };
                // Executed again, and so found false again.
                if let Some(Outcome::False(_, signers)) = self.done.get(&id)
                    && let Some(claimant) = signers.front().copied()
                {
                    self.done.remove(&id);
                    self.order.retain(|it| *it != id);
                    let it = Waiting {
                        id,
                        claimant,
                        since: self.height,
                        next: self.height,
                    };
                    self.again(it, claim);
                }
            }
            _ => {}
        }
    }

    /// Tries a claim again, with the next block; it has cost nothing so far.
    fn again(&mut self, it: Waiting, claim: &SignedClaim) {
        self.budget.give_back(claim.leaves.len());
        self.waiting.push_back(Waiting {
            next: self.height.next(),
            ..it
        });
    }

    fn remember(&mut self, id: ClaimId, outcome: Outcome) {
        self.done.insert(id, outcome);
        self.order.push_back(id);
        if self.order.len() > DONE_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.done.remove(&oldest);
        }
    }

    /// A claim goes that was not looked at (rule AD-3).
    fn leave(&self, id: &ClaimId, claims: &Claims, out: &mut Outbox<Effect>) {
        if let Some(claim) = claims.any(id) {
            let process = claim.statement.claim.process;
            let claim = *id;
            out.push(Effect::Notify(Event::Unaudited { process, claim }));
        }
    }
}
