//! The compute unit: evaluates logs, keeps histories, and signs claims about them.
//!
//! # Rules
//!
//! - `[CU-1]` Inputs are evaluated in order, one job of a process at a time.
//! - `[CU-2]` A claim is cut when [`CUT_LEAVES`] new leaves are there or the oldest has waited [`CUT_TICKS`] (a little longer if
//!   another compute unit has precedence), and where the profile changes; it carries at most the leaves that a claim can carry.
//!   It ends at the last of them that has a state root, because there all compute units can end; else at the last after which
//!   the root is known.
//! - `[CU-3]` An equal claim of another operator is signed rather than cutting an own one, so that approvals are shared.
//! - `[CU-4]` A claim starts where the last one ended. If nothing of what waits is certified for [`PATIENCE_BLOCKS`]
//!   blocks, the next claim starts at the certified end, however many claims were signed since. So does the first one of a
//!   process that was certified before this unit knew it.
//! - `[CU-5]` Signed claims are committed by one digest for each block, again if a block did not carry it. Which
//!   claims they are is told once a block has it, since that is what makes others believe it.
//! - `[CU-6]` The claim is cleared by the guard; a refusal is reported and nothing is signed.
//! - `[CU-7]` Roots are what evaluating costs beside the execution itself. So they are taken where strides and jobs end, and
//!   claims end there. A job ends where a stride does.

mod process;

use std::collections::{BTreeMap, BTreeSet};

use surety_protocol::approval::{BATCH_MAX, ClaimBatch};
use surety_protocol::claim::{LEAVES_MAX, Leaf, SignedClaim};
use surety_protocol::facts::BlockFacts;
use surety_protocol::history::History;
use surety_protocol::id::{Address, ClaimId, Digest, ModuleId, NetworkId, ProcessId};
use surety_protocol::machine::Outbox;
use surety_protocol::origin::Action;
use surety_protocol::profiles::Ruling;
use surety_protocol::time::{Height, Slot, Tick};

use crate::effect::{Effect, EvaluatedLeaf, Event, Gossip, Record};
use crate::guard::Guard;
use process::Process;

/// New leaves after which a claim is cut at once.
pub const CUT_LEAVES: u64 = 32;
/// How long the oldest unclaimed leaf waits, in milliseconds.
pub const CUT_TICKS: u64 = 400;
/// How much longer a compute unit waits for each place in the precedence.
pub const TURN_TICKS: u64 = 400;
/// Blocks after which an uncertified end is given up.
pub const PATIENCE_BLOCKS: u64 = 24;
/// Blocks after its last claim for which a compute unit is given precedence.
const RIVAL_BLOCKS: u64 = 256;
/// Blocks for which a digest that no block has carried may still come.
const GIVEN_UP_BLOCKS: u64 = 64;
/// Processes whose evaluation failed are tried again after this many milliseconds.
const RETRY_TICKS: u64 = 1_000;

/// The compute unit of one operator.
#[derive(Debug)]
pub struct Compute {
    operator: Address,
    network: NetworkId,
    processes: BTreeMap<ProcessId, Process>,
    /// What the ledger has certified of processes that are not known here yet: their claims begin there too (rule CU-4).
    certified: BTreeMap<ProcessId, (u64, Digest)>,
    /// Those that time or a block may move on; the others rest until something is heard of them.
    busy: BTreeSet<ProcessId>,
    height: Height,
    /// Operators whose claims count, to take turns with, and when the last one came.
    rivals: BTreeMap<Address, Height>,
    /// Signed claims whose digest is not committed yet.
    uncommitted: BTreeSet<ClaimId>,
    /// The digests that were submitted and have not been seen in a block.
    submitted: BTreeMap<Digest, (Height, ClaimBatch)>,
    /// Those that were given up: a block may still carry one.
    given_up: BTreeMap<Digest, (Height, ClaimBatch)>,
}

impl Compute {
    /// A compute unit.
    pub const fn new(operator: Address, network: NetworkId) -> Compute {
        Compute {
            operator,
            network,
            processes: BTreeMap::new(),
            certified: BTreeMap::new(),
            busy: BTreeSet::new(),
            height: Height(0),
            rivals: BTreeMap::new(),
            uncommitted: BTreeSet::new(),
            submitted: BTreeMap::new(),
            given_up: BTreeMap::new(),
        }
    }

    /// Leaves that were evaluated here.
    pub fn evaluated(&self, process: &ProcessId) -> u64 {
        self.processes
            .get(process)
            .map_or(0, |it| it.history.size())
    }

    /// An evaluated leaf.
    pub fn leaf(&self, process: &ProcessId, slot: Slot) -> Option<&Leaf> {
        self.processes
            .get(process)?
            .leaves
            .get(usize::try_from(slot.0).ok()?)
    }

    /// The history of a process as evaluated here.
    pub fn history(&self, process: &ProcessId) -> Option<&History> {
        self.processes.get(process).map(|it| &it.history)
    }

    /// The processes that are evaluated here.
    pub fn processes(&self) -> impl Iterator<Item = &ProcessId> {
        self.processes.keys()
    }

    /// Cuts the next claim of this process right after this slot: a fault needs a claim of its own.
    pub fn force_cut_after(&mut self, process: ProcessId, module: ModuleId, slot: Slot) {
        self.begin(process, module).force_cut = Some(slot);
    }

    /// Takes back an evaluated leaf at the start of a node; in order.
    pub fn restore(
        &mut self,
        process: ProcessId,
        module: ModuleId,
        leaf: Leaf,
        head: Option<Digest>,
        ruling: Ruling,
    ) {
        let it = self.begin(process, module);
        // Whatever no claim covers has waited long enough.
        it.append(Tick(0), leaf, head, ruling);
    }

    /// Starts the claims of a process at what the ledger certified, at the start of a node.
    pub fn resume_at(&mut self, process: &ProcessId, certified: u64, root: Digest) {
        let Some(it) = self.touch(process) else {
            self.certified.insert(*process, (certified, root));
            return;
        };
        it.certified = certified;
        it.certified_root = root;
        if it.history.root_at(certified) == Some(root) {
            it.cut = certified;
        }
    }

    /// The log of a process has so many slots; they are evaluated from the next tick on.
    pub fn follow(&mut self, process: ProcessId, module: ModuleId, size: u64) {
        let it = self.begin(process, module);
        it.log_size = it.log_size.max(size);
    }

    /// A process, which is looked at until it rests.
    fn begin(&mut self, process: ProcessId, module: ModuleId) -> &mut Process {
        self.busy.insert(process);
        let certified = &mut self.certified;
        self.processes.entry(process).or_insert_with(|| {
            let mut new = Process::new(process, module);
            if let Some((size, root)) = certified.remove(&process) {
                (new.certified, new.certified_root) = (size, root);
            }
            new
        })
    }

    /// A process that is known, which is looked at until it rests.
    fn touch(&mut self, process: &ProcessId) -> Option<&mut Process> {
        let it = self.processes.get_mut(process)?;
        self.busy.insert(*process);
        Some(it)
    }

    /// The log of a process grew; its module is here.
    pub fn log_grew(
        &mut self,
        now: Tick,
        process: ProcessId,
        module: ModuleId,
        size: u64,
        out: &mut Outbox<Effect>,
    ) {
        self.follow(process, module, size);
        if let Some(it) = self.processes.get_mut(&process) {
            it.evaluate(now, process, out);
        }
    }

    /// The log of a process lost its end: its scheduler signed two, and went on from the other.
    pub fn log_shrank(&mut self, process: &ProcessId, size: u64) {
        if let Some(it) = self.touch(process) {
            it.log_size = size;
            // What is being executed may contain the slot that was given up, even if the log has another by then.
            it.stale = it.executing;
            if it.history.size() > size {
                it.rewind(*process, size);
            }
        }
    }

    /// Inputs were evaluated.
    pub fn evaluated_leaves(
        &mut self,
        now: Tick,
        process: ProcessId,
        leaves: Vec<EvaluatedLeaf>,
        guard: &mut Guard,
        out: &mut Outbox<Effect>,
    ) {
        let Some(it) = self.touch(&process) else {
            return;
        };
        it.executing = false;
        if std::mem::take(&mut it.stale) {
            return it.evaluate(now, process, out);
        }
        for evaluated in leaves {
            // The log was given up from here on while the job ran.
            if evaluated.leaf.slot.0 != it.history.size() || evaluated.leaf.slot.0 >= it.log_size {
                break;
            }
            let (slot, gas) = (evaluated.leaf.slot, evaluated.leaf.gas);
            let root = evaluated.leaf.state_root;
            out.push(Effect::Persist(Record::Evaluated {
                process,
                leaf: evaluated.leaf.clone(),
                frontier: root.and_then(|_| it.history.frontier_at(slot.0)),
                head: evaluated.head,
                ruling: evaluated.ruling,
                parts: evaluated.parts,
            }));
            it.append(now, evaluated.leaf, evaluated.head, evaluated.ruling);
            out.push(Effect::Notify(Event::Evaluated { process, slot, gas }));
        }
        if it.headed(it.history.size()) < it.history.size() {
            // Not what was asked for (rule CU-7): as if it had failed.
            it.retry_at = now.plus(RETRY_TICKS);
        }
        self.cut(now, process, guard, out);
        if let Some(it) = self.processes.get_mut(&process) {
            it.evaluate(now, process, out);
        }
    }

    /// Evaluation failed for a local reason; it is tried again.
    pub fn abstained(&mut self, now: Tick, process: &ProcessId) {
        if let Some(it) = self.touch(process) {
            it.executing = false;
            it.stale = false;
            it.retry_at = now.plus(RETRY_TICKS);
        }
    }

    /// Time passed.
    pub fn tick(&mut self, now: Tick, guard: &mut Guard, out: &mut Outbox<Effect>) {
        if self.submitted.is_empty() {
            self.commit(self.height, out);
        }
        let busy: Vec<ProcessId> = self.busy.iter().copied().collect();
        for process in busy {
            self.cut(now, process, guard, out);
            if let Some(it) = self.processes.get_mut(&process) {
                it.evaluate(now, process, out);
                if it.rests() {
                    self.busy.remove(&process);
                }
            }
        }
    }

    /// Another operator's authentic claim (rule CU-3).
    pub fn peer_claim(&mut self, peer: &SignedClaim, guard: &mut Guard, out: &mut Outbox<Effect>) {
        let claim = &peer.statement.claim;
        self.rivals.insert(peer.statement.claimant, self.height);
        let Some(it) = self.touch(&claim.process) else {
            return;
        };
        if it.force_cut.is_some()
            || it.signing
            || it.certified > it.cut
            || claim.first_new != it.cut
            || it.history.root_at(claim.first_new) != Some(claim.base_root)
            || it.history.root_at(claim.size) != Some(claim.history_root)
            || it.same_profile(claim.size) != claim.size
            || it.head(claim.size).is_none_or(|it| {
                let said = (Some(claim.head_state_root), claim.profile, claim.height);
                said != (it.state, it.ruling.profile, it.ruling.height)
            })
        {
            return;
        }
        self.sign(claim.process, claim.size, guard, out);
    }

    /// A claim was signed (rule CU-5).
    pub fn signed(&mut self, claim: SignedClaim, out: &mut Outbox<Effect>) {
        let body = &claim.statement.claim;
        if let Some(it) = self.touch(&body.process) {
            it.signing = false;
        }
        let Ok(id) = body.id() else { return };
        self.uncommitted.insert(id);
        out.push(Effect::Persist(Record::Claim(Box::new(claim.clone()))));
        out.push(Effect::Notify(Event::Claimed {
            process: body.process,
            claim: id,
            first_new: body.first_new,
            size: body.size,
        }));
        out.push(Effect::Broadcast(Gossip::Claim(Box::new(claim))));
    }

    /// A block was applied.
    pub fn block(&mut self, facts: &BlockFacts, out: &mut Outbox<Effect>) {
        self.height = facts.height;
        for (claimant, root) in &facts.committed {
            if *claimant == self.operator
                && let Some((_, batch)) =
                    (self.submitted.remove(root)).or_else(|| self.given_up.remove(root))
            {
                out.push(Effect::Broadcast(Gossip::Batch(batch)));
            }
        }
        for operator in &facts.tombstoned {
            self.rivals.remove(operator);
        }
        self.rivals
            .retain(|_, claimed| facts.height.since(*claimed) <= RIVAL_BLOCKS);
        for (process, segment) in &facts.certified {
            let Some(it) = self.touch(process) else {
                let end = (segment.size, segment.history_root);
                self.certified.insert(*process, end);
                continue;
            };
            it.certified = segment.size;
            it.certified_root = segment.history_root;
            it.waits_since = facts.height;
        }
        for process in &self.busy {
            let Some(it) = self
                .processes
                .get_mut(process)
                .filter(|it| it.force_cut.is_none())
            else {
                continue;
            };
            // [CU-4]
            let stale =
                it.cut > it.certified && facts.height.since(it.waits_since) > PATIENCE_BLOCKS;
            let behind = it.certified > it.cut;
            let ours = it.history.root_at(it.certified) == Some(it.certified_root);
            if (stale || behind) && ours {
                it.cut = it.certified;
                it.waits_since = facts.height;
            }
        }
        self.commit(facts.height, out);
    }

    /// Submits one digest for everything signed since, and what no block has carried (rule CU-5).
    fn commit(&mut self, height: Height, out: &mut Outbox<Effect>) {
        let lost: Vec<Digest> = self
            .submitted
            .iter()
            .filter(|(_, (at, _))| height.since(*at) > 4)
            .map(|(root, _)| *root)
            .collect();
        for root in lost {
            if let Some((at, batch)) = self.submitted.remove(&root) {
                self.uncommitted.extend(batch.claims.iter().copied());
                self.given_up.insert(root, (at, batch));
            }
        }
        self.given_up
            .retain(|_, (at, _)| height.since(*at) <= GIVEN_UP_BLOCKS);
        let mut claims = Vec::new();
        while claims.len() < BATCH_MAX {
            let Some(claim) = self.uncommitted.pop_first() else {
                break;
            };
            claims.push(claim);
        }
        if claims.is_empty() {
            return;
        }
        let batch = ClaimBatch {
            claimant: self.operator,
            claims,
        };
        let root = batch.root();
        self.submitted.insert(root, (height, batch.clone()));
        out.push(Effect::Persist(Record::Batch(batch)));
        out.push(Effect::Submit(Action::Claims(root)));
    }

    /// Cuts a claim if it is time (rule CU-2).
    fn cut(&mut self, now: Tick, process: ProcessId, guard: &mut Guard, out: &mut Outbox<Effect>) {
        let Some(it) = self.processes.get_mut(&process) else {
            return;
        };
        let size = it.history.size();
        if it.signing || size <= it.cut {
            return;
        }
        let most = size.min(it.cut.saturating_add(LEAVES_MAX as u64));
        let same = it.same_profile(most);
        if let Some(slot) = it.force_cut.filter(|slot| slot.0 >= it.cut) {
            let end = it.headed(slot.next().0.min(same));
            if size > slot.0 && end > it.cut {
                if end == slot.next().0 {
                    it.force_cut = None;
                }
                self.sign(process, end, guard, out);
            }
            return;
        }
        // Others were certified further than this unit has evaluated: its claims go on from there.
        if it.certified > it.cut {
            return;
        }
        let end = it.end(same);
        if end <= it.cut {
            return;
        }
        let oldest = it.head(it.cut.saturating_add(1));
        let waited = oldest.map_or(0, |oldest| now.since(oldest.at));
        let due = size.saturating_sub(it.cut) >= CUT_LEAVES || same < most;
        // Its turn takes a hash for every rival.
        let its_turn = || {
            let turn = self.turn(&process).saturating_mul(TURN_TICKS);
            waited >= CUT_TICKS.saturating_add(turn)
        };
        if due || (waited >= CUT_TICKS && its_turn()) {
            self.sign(process, end, guard, out);
        }
    }

    /// This operator's place among those who claim, different for each process.
    fn turn(&self, process: &ProcessId) -> u64 {
        let rank = |operator: &Address| {
            surety_protocol::hash::digest(
                surety_protocol::hash::Domain::OBJECT,
                &[operator.as_bytes(), process.as_bytes()],
            )
        };
        let ours = rank(&self.operator);
        let before = self.rivals.keys().filter(|rival| rank(rival) < ours);
        u64::try_from(before.take(4).count()).unwrap_or(4)
    }

    fn sign(&mut self, process: ProcessId, size: u64, guard: &mut Guard, out: &mut Outbox<Effect>) {
        let Some(it) = self.processes.get_mut(&process) else {
            return;
        };
        let Some((claim, leaves)) = it.claim(self.network, process, size) else {
            return;
        };
        let certified = claim.first_new == it.certified && claim.base_root == it.certified_root;
        let Some(frontier) = it.history.frontier_at(claim.first_new) else {
            return;
        };
        match guard.clear_claim(claim, &leaves, certified) {
            Ok((claim, records)) => {
                it.signing = true;
                if it.cut <= it.certified {
                    it.waits_since = self.height;
                }
                it.cut = size;
                for record in records {
                    out.push(Effect::Persist(Record::Guard(record)));
                }
                out.push(Effect::SignClaim {
                    claim,
                    frontier,
                    leaves,
                });
            }
            // [CU-6]
            Err(reason) => {
                it.cut = size;
                out.push(Effect::Notify(Event::Refused {
                    reason: reason.to_string(),
                }));
            }
        }
    }
}

#[cfg(test)]
mod tests;
