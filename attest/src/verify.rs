//! The verifier: draws which claims to check, executes them, approves or accuses.
//!
//! # Rules
//!
//! - `[VE-1]` A claim is due when its claimant's committed digest is on the ledger, the batch behind the digest contains it, and
//!   the beacon of the seed's height is there. Of equal claims the first committed counts.
//! - `[VE-2]` A verifier whose tickets draw tranche 0 executes at once; one that draws a later tranche waits until its blocks
//!   have come, and does nothing if the claim was certified by then.
//! - `[VE-3]` All new leaves and the head are executed from the state root before them. True: the guard clears an approval.
//!   False: evidence is made. Could not: nothing is said.
//! - `[VE-4]` A claim whose history does not build on leaves that this node can get is not approved, nor one whose
//!   assignments, hashpath, module or fork are not those of the log here.
//! - `[VE-5]` What waits is bounded: claims that nobody commits and batches that nobody puts on the ledger are dropped, the
//!   oldest first.
//! - `[VE-6]` What a tombstoned claimant committed is no duty any more. An equal claim of another operator is drawn anew.
//! - `[VE-7]` A claim that is committed again [`draw::AGAIN_BLOCKS`] later was not certified the first time: it is drawn again, with
//!   the new seed.
//! - `[VE-9]` Who has executed a claim compares the trace proof of every approval of it that counts, whether it came before or
//!   after; for [`traces::COMPARED_BLOCKS`] blocks. One that is false is discredited: it counts no more here, and evidence is made,
//!   once against each verifier.
//! - `[VE-10]` Of each claim the own traces of up to four verifiers are compared besides, drawn by a signature that nobody is
//!   shown.
//! - `[VE-11]` Who has drawn a later tranche of a claim, and was spared by its certificate, compares the trace proofs of the approvals
//!   with one another, of one claim in sixteen, drawn likewise: two pairings tell whether all are of one trace, which nobody who
//!   compares them needs to know. If they are not, it executes the claim.
//! - `[VE-12]` What waits is tried at the end of a step in which something of its process, or a block, came. What it lacks is asked for
//!   when that is first seen, and with each block. After attempts that come to nothing it pauses, for more and more blocks.
//! - `[VE-13]` Duties in hand, executions at once and questions between two blocks are bounded. Nobody's claims take more than half as
//!   many places as are free; but every claimant has a share of half of all places by its tickets, and one at least, so that nobody's
//!   claims keep those of others out. Of the duties in hand 512 are of one claimant's claims of one process at most,
//!   because all of these are tried with every slot of it.

mod accuse;
mod draw;
mod executing;
mod places;
mod proceed;
mod together;
mod traces;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_bytes::ByteBuf;
use surety_protocol::approval::Approval;
use surety_protocol::bls::{SecretKey, Signature};
use surety_protocol::facts::BlockFacts;
use surety_protocol::id::{Address, ClaimId, ProcessId};
use surety_protocol::machine::Outbox;
use surety_protocol::params::Params;
use surety_protocol::time::Height;
use surety_protocol::trace::TraceProof;

use crate::accuse::Accuser;
use crate::claims::Claims;
use crate::effect::{Effect, Event, Executed, Finding, Gossip, Job, Record, Want};
use crate::guard::Guard;
use draw::Committed;
use executing::Executing;
use places::Places;

use traces::{Plan, Traces};

use waiting::Waiting;

pub use draw::DUTIES_MAX;
pub(crate) use traces::COMPARED_BLOCKS;

/// Blocks after which a claim that could not be checked is left.
pub const PATIENCE_BLOCKS: u64 = 40;

/// Where a duty stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Waits for its tranche's blocks.
    Drawn,
    /// Waits for the log, the leaves or the state before.
    Lacking,
    /// Is being executed.
    Executing,
    /// Approved, accused, certified by others, or left.
    Done,
}

/// A claim that this verifier drew.
#[derive(Debug)]
struct Duty {
    process: ProcessId,
    /// How many slots of the log it takes, and whether they are known to be here.
    size: u64,
    whole: bool,
    claimant: Address,
    committed: Height,
    from: Height,
    sortition: Signature,
    plan: Plan,
    stage: Stage,
    /// The leaves that it lacks, if it lacks leaves.
    want: Option<Want>,
    /// Whether it was seen that it lacks none.
    looked: bool,
    /// How often an attempt came to nothing, and when the next one may be.
    tries: u64,
    next: Height,
    /// The trace proofs of approvals that count, while the turn has not come.
    heard: BTreeMap<Address, Signature>,
}

/// The verifier of one operator.
#[derive(Debug)]
pub struct Verifier {
    operator: Address,
    params: Params,
    lottery: Lottery,
    height: Height,
    /// Digests on the ledger by the height of their seed, in their order.
    committed: BTreeMap<Height, Vec<Committed>>,
    /// The heights at which some of them is not drawn yet.
    undrawn: BTreeSet<Height>,
    beacons: BTreeMap<Height, Arc<BlockFacts>>,
    duties: BTreeMap<ClaimId, Duty>,
    waiting: Waiting,
    /// Whose claims the duties are of.
    places: Places,
    executing: Executing,
    /// For whose claims something was asked since the last block.
    asked: Places,
    /// Processes of which something came, and whether a block did, since all was tried.
    stirred: BTreeSet<ProcessId>,
    passed: bool,
    traces: Traces,
    accuser: Accuser,
}

/// A hot key that can only take part in sortition: it signs seeds and nothing else.
#[derive(Clone)]
pub struct Lottery(Arc<SecretKey>);

impl std::fmt::Debug for Lottery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lottery(..)")
    }
}

impl Lottery {
    /// Limits a hot key to sortition.
    pub const fn new(key: Arc<SecretKey>) -> Lottery {
        Lottery(key)
    }
}

impl Verifier {
    /// A verifier.
    pub const fn new(operator: Address, params: Params, lottery: Lottery) -> Verifier {
        Verifier {
            operator,
            params,
            lottery,
            height: Height(0),
            committed: BTreeMap::new(),
            undrawn: BTreeSet::new(),
            beacons: BTreeMap::new(),
            duties: BTreeMap::new(),
            waiting: Waiting::new(),
            places: Places::new(),
            executing: Executing::new(),
            asked: Places::new(),
            stirred: BTreeSet::new(),
            passed: false,
            traces: Traces::new(),
            accuser: Accuser::new(),
        }
    }

    /// Claims in hand.
    pub fn duties(&self) -> usize {
        self.duties
            .values()
            .filter(|duty| duty.stage != Stage::Done)
            .count()
    }

    /// A block was applied.
    pub fn block(&mut self, facts: &Arc<BlockFacts>, claims: &Claims, out: &mut Outbox<Effect>) {
        self.height = facts.height;
        let seeded = facts.height.plus(self.params.seed_delay_blocks);
        if !facts.committed.is_empty() {
            let committed = facts.committed.iter().map(|(claimant, root)| Committed {
                claimant: *claimant,
                root: *root,
                left: None,
                again: false,
            });
            self.committed.entry(seeded).or_default().extend(committed);
            self.undrawn.insert(seeded);
        }
        // [VE-6]
        if !facts.tombstoned.is_empty() {
            self.bury(&facts.tombstoned, claims);
        }
        self.beacons.insert(facts.height, Arc::clone(facts));
        let oldest = facts.height.minus(PATIENCE_BLOCKS);
        self.beacons = self.beacons.split_off(&oldest);
        self.committed = self.committed.split_off(&oldest);
        self.undrawn = self.undrawn.split_off(&oldest);
        // As long as what they were drawn from, so that nothing is drawn twice.
        let delay = self.params.seed_delay_blocks;
        self.duties
            .retain(|_, duty| duty.committed.plus(delay) >= oldest);
        let open = self.duties.values().filter(|it| it.stage != Stage::Done);
        self.places = open.map(|it| it.claimant).collect();
        self.traces
            .forget(facts.height.minus(COMPARED_BLOCKS), &facts.tombstoned);
        self.traces.ask_again(out);
        self.accuse_suspects(claims, out);
        for (_, segment) in &facts.certified {
            // [VE-2]
            self.spared(&segment.claim, out);
        }
        for seeded in self.ready() {
            self.draw(seeded, claims);
        }
        self.passed = true;
    }

    /// An execution came back (rule VE-3).
    pub fn executed(
        &mut self,
        executed: Executed,
        claims: &Claims,
        guard: &mut Guard,
        out: &mut Outbox<Effect>,
    ) {
        match executed {
            Executed::Checked {
                claim,
                committed,
                finding,
            } => self.checked((claim, committed), finding, claims, guard, out),
            Executed::Accused {
                claim,
                claimant,
                slot,
                evidence,
            } => {
                self.accuse_of_false_claim((claim, claimant), slot, evidence, claims, out);
            }
            Executed::Abstained { job, .. } => {
                // An accusation that could not be made is made again, after another check.
                match *job {
                    Job::Check {
                        claim, committed, ..
                    } => {
                        if let Ok(id) = claim.statement.claim.id() {
                            self.executing.end(id, committed);
                            self.pause(id, committed);
                        }
                    }
                    Job::Accuse { claim, .. } => {
                        let claimant = claim.statement.claimant;
                        if let Ok(id) = claim.statement.claim.id()
                            && let Some(duty) = self.duties.get(&id)
                            && duty.claimant == claimant
                            && duty.stage == Stage::Done
                        {
                            self.pause(id, duty.committed);
                        }
                    }
                    _ => {}
                }
            }
            Executed::Proven {
                kind,
                offender,
                process,
                slot,
                evidence,
            } => {
                self.accuse_by_signatures((offender, kind, process, slot), evidence, out);
            }
            Executed::Evaluated { .. } => {}
        }
    }

    fn checked(
        &mut self,
        (id, committed): (ClaimId, Height),
        finding: Finding,
        claims: &Claims,
        guard: &mut Guard,
        out: &mut Outbox<Effect>,
    ) {
        self.executing.end(id, committed);
        // It may have been begun for a duty that another one has replaced.
        let duty = self.duties.get_mut(&id);
        let Some(duty) = duty.filter(|it| it.committed == committed) else {
            return;
        };
        let Some(claim) = claims.copy(&id, &duty.claimant, &self.operator) else {
            // Should it come again, it is executed again.
            return self.pause(id, committed);
        };
        let body = &claim.statement.claim;
        match finding {
            Finding::True(traces) => {
                let key = (id, duty.committed);
                let Some([common, own]) = self.traces.saw(key, &duty.plan, &traces) else {
                    self.pause(id, committed);
                    return;
                };
                duty.stage = Stage::Done;
                out.push(Effect::Compare {
                    claim: id,
                    committed: duty.committed,
                });
                let approval = Approval {
                    claim: id,
                    claimant: duty.claimant,
                    committed: duty.committed,
                    verifier: self.operator,
                    sortition: duty.sortition,
                    // These are replaced by the signer.
                    signature: duty.sortition,
                    trace: TraceProof {
                        signature: duty.sortition,
                        own,
                        binding: ByteBuf::new(),
                    },
                };
                let seen = (duty.plan.seed, common);
                match guard.clear_approval(body, &claim.leaves, approval, seen) {
                    Ok((cleared, records)) => {
                        for record in records {
                            out.push(Effect::Persist(Record::Guard(record)));
                        }
                        out.push(Effect::SignApproval(cleared));
                    }
                    Err(reason) => {
                        out.push(Effect::Notify(Event::Refused {
                            reason: reason.to_string(),
                        }));
                    }
                }
            }
            Finding::False(slot) => {
                duty.stage = Stage::Done;
                out.push(Effect::Notify(Event::Refuted {
                    process: body.process,
                    claim: id,
                    claimant: claim.statement.claimant,
                    slot,
                }));
                match claims.lead(claim) {
                    Ok(lead) => {
                        let claim = Box::new(claim.clone());
                        out.push(Effect::Execute(Job::Accuse { claim, lead, slot }));
                    }
                    Err(_) => self.pause(id, committed),
                }
            }
            Finding::StateMissing(root) => {
                out.push(Effect::Fetch(Want::State {
                    process: body.process,
                    root,
                    claimant: duty.claimant,
                }));
                self.pause(id, committed);
            }
        }
    }

    /// This node's approval was signed.
    pub fn approved(&self, approval: Approval, process: ProcessId, out: &mut Outbox<Effect>) {
        out.push(Effect::Notify(Event::Approved {
            process,
            claim: approval.claim,
        }));
        let approval = Box::new(approval);
        out.push(Effect::Broadcast(Gossip::Approval { process, approval }));
    }
}
