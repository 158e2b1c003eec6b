//! The tally: approvals become certificates.
//!
//! # Rules
//!
//! - `[TA-1]` An approval counts once for each verifier, if its sortition proof, its signature and the item that binds its trace
//!   proof verify for the validator set and beacon of the seed's height. [`Tally::admit`] says what is to be verified; who calls does so, with many at once.
//! - `[TA-2]` When the tickets of those who approved reach what is needed, counting the tranches that have come, the claim's own
//!   signers post the certificate at once; others, if nothing is posted, [`FALLBACK_BLOCKS`] blocks later.
//! - `[TA-3]` Approvals that come before the block or the claim they refer to wait for the next blocks, not long and not many, nor
//!   many of whoever brings them.
//! - `[TA-4]` An approval signs the claim alone, and one height has one seed: it counts for every claimant who committed the
//!   claim in the same block, but for the verifier itself. Else signers of one claim would split its approvals, and whoever passes
//!   one on with another claimant's name would have it verified again, or lost.
//! - `[TA-6]` What approved a claim is kept for [`COMPARED_BLOCKS`] blocks after it was certified: who is still executing it compares
//!   the trace proofs. An approval whose proof is false counts no more.

mod refuted;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_bytes::ByteBuf;
use surety_protocol::approval::{self, Approval};
use surety_protocol::bls::{self, SignedDigest};
use surety_protocol::certificate::Certificate;
use surety_protocol::facts::{BlockFacts, Refuted};
use surety_protocol::id::{Address, ClaimId, Digest, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::machine::Outbox;
use surety_protocol::origin::{Action, FalseApproval};
use surety_protocol::params::Params;
use surety_protocol::sortition::{self, Draw};
use surety_protocol::time::Height;

use crate::claims::Claims;
use crate::effect::Effect;
use crate::verify::COMPARED_BLOCKS;

use refuted::Lies;

/// Blocks after which anybody posts a certificate.
pub const FALLBACK_BLOCKS: u64 = 4;
/// Approvals that wait for a block.
pub const WAITING_MAX: usize = 4096;
/// Of those the most that one peer brought.
const WAITING_SHARE: usize = 512;
/// Blocks before and after the one that it refers to for which an approval waits.
const WAITING_BLOCKS: u64 = 16;
/// Blocks for which a tally is kept.
const KEEP_BLOCKS: u64 = 256;
/// Blocks after which an unrecorded certificate is posted again.
const REPOST_BLOCKS: u64 = 6;

/// What an approval is worth before its signatures are verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    /// It counts if these hold: its sortition proof, its approval, and what binds its trace proof, whose owner is the right one.
    Checking([SignedDigest; 2], Item),
    /// Known, or for a claim that is not open here.
    Nothing,
    /// Its block or its claim has not come; it may wait.
    Early,
    /// By somebody without a ticket. The fault is the sender's.
    Refused,
}

#[derive(Debug, Default)]
struct Count {
    approvals: BTreeMap<Address, Approval>,
    /// Whose approvals count no more (rule TA-6).
    discredited: BTreeSet<Address>,
    posted: Option<Height>,
    reached: Option<Height>,
    /// When the claim was certified.
    certified: Option<Height>,
}

/// A claim, and the block that committed it (rule TA-4).
type Key = (ClaimId, Height);

const fn key_of(approval: &Approval) -> Key {
    (approval.claim, approval.committed)
}

/// An approval that waits, and what stands for the peer that brought it.
pub type Early = (Approval, Option<Digest>);

/// The approvals of open claims.
#[derive(Debug)]
pub struct Tally {
    operator: Address,
    params: Params,
    height: Height,
    facts: BTreeMap<Height, Arc<BlockFacts>>,
    roots: BTreeMap<(Height, Address), Digest>,
    counts: BTreeMap<Key, Count>,
    /// Those whose claims are not certified.
    open: BTreeSet<Key>,
    /// Those that have become more since anything was posted.
    fresh: BTreeSet<Key>,
    waiting: VecDeque<Early>,
    certified: BTreeMap<ClaimId, Height>,
    tombstoned: BTreeSet<Address>,
    lies: Lies,
    /// Leaves of each process that are certified.
    sizes: BTreeMap<ProcessId, u64>,
}

impl Tally {
    /// A tally.
    pub const fn new(operator: Address, params: Params) -> Tally {
        Tally {
            operator,
            params,
            height: Height(0),
            facts: BTreeMap::new(),
            roots: BTreeMap::new(),
            counts: BTreeMap::new(),
            open: BTreeSet::new(),
            fresh: BTreeSet::new(),
            waiting: VecDeque::new(),
            certified: BTreeMap::new(),
            tombstoned: BTreeSet::new(),
            lies: Lies::new(),
            sizes: BTreeMap::new(),
        }
    }

    /// Says what the ledger has certified of a process, at the start of a node.
    pub fn resume_at(&mut self, process: ProcessId, size: u64) {
        self.sizes.insert(process, size);
    }

    /// A block was applied; gives the approvals that waited for it, to be admitted again.
    pub fn block(
        &mut self,
        facts: &Arc<BlockFacts>,
        claims: &Claims,
        out: &mut Outbox<Effect>,
    ) -> VecDeque<Early> {
        self.height = facts.height;
        self.facts.insert(facts.height, Arc::clone(facts));
        for (claimant, root) in &facts.committed {
            self.roots.insert((facts.height, *claimant), *root);
        }
        for refuted in &facts.refuted {
            self.refuted(refuted, claims);
        }
        // Their word is worth nothing any more, and would void the certificate of everybody else.
        for operator in &facts.tombstoned {
            self.tombstoned.insert(*operator);
            self.lies.punished(operator);
            for count in self.counts.values_mut() {
                count.approvals.remove(operator);
            }
        }
        for (process, segment) in &facts.certified {
            self.sizes.insert(*process, segment.size);
            self.certified.insert(segment.claim, facts.height);
            let of_it = (segment.claim, Height(0))..=(segment.claim, Height(u64::MAX));
            for (key, count) in self.counts.range_mut(of_it) {
                count.certified = Some(facts.height);
                self.open.remove(key);
            }
        }
        let oldest = facts.height.minus(KEEP_BLOCKS);
        self.facts = self.facts.split_off(&oldest);
        self.roots = self.roots.split_off(&(oldest, Address::default()));
        let compared = facts.height.minus(COMPARED_BLOCKS);
        self.counts.retain(|(_, committed), count| {
            *committed >= oldest && count.certified.is_none_or(|at| at >= compared)
        });
        self.certified.retain(|_, at| *at >= oldest);
        self.lies.forget(oldest);
        self.open.retain(|key| self.counts.contains_key(key));
        self.fresh.extend(&self.open);
        self.post(claims, out);
        std::mem::take(&mut self.waiting)
    }

    /// A claim was proven false: from now on its approvals are evidence (rule TA-5).
    fn refuted(&mut self, refuted: &Refuted, claims: &Claims) {
        let Some(claim) = claims.any(&refuted.claim) else {
            return;
        };
        self.lies
            .add(claim.statement.claim.clone(), *refuted, self.height);
        self.certified.remove(&refuted.claim);
        let (lies, honest) = std::mem::take(&mut self.counts)
            .into_iter()
            .partition(|((claim, _), _)| *claim == refuted.claim);
        self.counts = honest;
        let lies: BTreeMap<Key, Count> = lies;
        for approval in lies.into_values().flat_map(|it| it.approvals.into_values()) {
            self.false_approval(&approval);
        }
    }

    /// Keeps an approval of a claim that was proven false; whether it is new.
    fn false_approval(&mut self, approval: &Approval) -> bool {
        // Nobody accuses itself.
        if approval.verifier == self.operator {
            return false;
        }
        let seeded = approval.committed.plus(self.params.seed_delay_blocks);
        let validators = self.facts.get(&seeded).map(|it| &it.validators);
        let signer = validators.and_then(|it| it.get(&approval.verifier));
        signer.is_some_and(|signer| {
            let told = FalseApproval {
                verifier: approval.verifier,
                key: ByteBuf::from(signer.key.as_bytes().to_vec()),
                signature: approval.signature,
            };
            self.lies.approved(&approval.claim, told)
        })
    }

    /// Judges an approval from anywhere but for its signatures (rule TA-1).
    pub fn admit(&mut self, approval: &Approval, claims: &Claims) -> Admitted {
        if self.knows(approval) {
            return Admitted::Nothing;
        }
        let seeded = approval.committed.plus(self.params.seed_delay_blocks);
        let claim = claims.any(&approval.claim);
        let (Some(claim), true) = (claim, seeded <= self.height) else {
            return Admitted::Early;
        };
        // What the claimant has not committed nobody can approve.
        if !self
            .roots
            .contains_key(&(approval.committed, approval.claimant))
        {
            return Admitted::Nothing;
        }
        let Some(facts) = self.facts.get(&seeded) else {
            return Admitted::Nothing;
        };
        let Some(validator) = facts.validators.get(&approval.verifier) else {
            return Admitted::Refused;
        };
        if approval.verifier == approval.claimant || validator.tickets == 0 {
            return Admitted::Refused;
        }
        let body = &claim.statement.claim;
        let signed = |digest, signature| SignedDigest {
            key: validator.key,
            digest,
            signature,
        };
        let seed = sortition::seed(&facts.beacon, &body.process, body.first_new);
        // [TP-5]
        let bound = approval
            .trace
            .bound(&approval.claim, &seed, (&approval.verifier, &validator.key))
            .filter(|item| item.owner_address() == validator.item_key);
        let Some(bound) = bound else {
            return Admitted::Refused;
        };
        let approved = approval::signing_digest(&approval.claim);
        let signed = [
            signed(seed, approval.sortition),
            signed(approved, approval.signature),
        ];
        Admitted::Checking(signed, bound)
    }

    /// Lets an approval wait that came early (rule TA-3).
    pub fn wait(&mut self, approval: Approval, peer: Option<Digest>) {
        let seeded = approval.committed.plus(self.params.seed_delay_blocks);
        let near = seeded <= self.height.plus(WAITING_BLOCKS)
            && self.height <= seeded.plus(WAITING_BLOCKS);
        if !near || self.waiting.iter().any(|(it, _)| *it == approval) {
            return;
        }
        let brought = self.waiting.iter().filter(|(_, by)| *by == peer).count();
        if peer.is_some() && brought >= WAITING_SHARE {
            return;
        }
        self.waiting.push_back((approval, peer));
        if self.waiting.len() > WAITING_MAX {
            self.waiting.pop_front();
        }
    }

    /// Counts an approval that this node has signed, and posts what it completes.
    pub fn own(&mut self, approval: Approval, claims: &Claims, out: &mut Outbox<Effect>) {
        // Without a ticket it would not have been signed, and its signatures need no proof here.
        if matches!(self.admit(&approval, claims), Admitted::Checking(..)) {
            self.count(approval);
            self.post(claims, out);
        }
    }

    /// Counts an approval that was admitted and whose signatures hold; whether it is new.
    pub fn count(&mut self, approval: Approval) -> bool {
        // The ledger went on while they were verified.
        if self.knows(&approval) {
            return false;
        }
        if self.lies.contains(&approval.claim) {
            return self.false_approval(&approval);
        }
        let key = key_of(&approval);
        self.open.insert(key);
        self.fresh.insert(key);
        let count = self.counts.entry(key).or_default();
        count.approvals.insert(approval.verifier, approval);
        true
    }

    /// The approvals of a claim that was committed in a block, as far as they count (rule TA-6).
    pub fn approvals(&self, claim: ClaimId, committed: Height) -> Vec<Approval> {
        let count = self.counts.get(&(claim, committed));
        count.map_or(Vec::new(), |it| it.approvals.values().cloned().collect())
    }

    /// Counts an approval no more (rule TA-6).
    pub fn discredit(&mut self, approval: &Approval) {
        if let Some(count) = self.counts.get_mut(&key_of(approval)) {
            count.approvals.remove(&approval.verifier);
            count.discredited.insert(approval.verifier);
        }
    }

    /// Whether an approval adds nothing to what is known.
    fn knows(&self, approval: &Approval) -> bool {
        let Approval {
            claim, verifier, ..
        } = approval;
        if self.tombstoned.contains(verifier) {
            return true;
        }
        if self.lies.contains(claim) {
            return self.lies.knows(claim, verifier);
        }
        let count = self.counts.get(&key_of(approval));
        self.certified.contains_key(claim)
            || count.is_some_and(|it| {
                it.approvals.contains_key(verifier) || it.discredited.contains(verifier)
            })
    }

    /// Posts every certificate that has become complete (rule TA-2), and what the ledger should know of lies (rule TA-5).
    pub fn post(&mut self, claims: &Claims, out: &mut Outbox<Effect>) {
        let height = self.height;
        self.lies.tell(&self.operator, height, out);
        for key in &std::mem::take(&mut self.fresh) {
            let Some(count) = self.counts.get_mut(key) else {
                continue;
            };
            let (claim, committed) = key;
            let seeded = committed.plus(self.params.seed_delay_blocks);
            let Some(facts) = self.facts.get(&seeded) else {
                continue;
            };
            // The ledger takes only what continues what it has certified.
            let next = claims.any(claim).is_some_and(|it| {
                let body = &it.statement.claim;
                self.sizes.get(&body.process).copied().unwrap_or(0) == body.first_new
            });
            if !next
                || count.certified.is_some()
                || count
                    .posted
                    .is_some_and(|at| height.since(at) < REPOST_BLOCKS)
            {
                continue;
            }
            // Whoever committed it in that block; who fell has nobody's word.
            let all = (*committed, Address::default())..=(*committed, Address::new([u8::MAX; 32]));
            let committers = self.roots.range(all).filter(|((_, claimant), root)| {
                !self.tombstoned.contains(claimant)
                    && claims.batch(root).is_some_and(|it| it.holds(claim))
            });
            let enough = |claimant: &Address| {
                let others = |it: &&Approval| it.verifier != *claimant;
                let pool: Vec<&Approval> = count.approvals.values().filter(others).collect();
                let params = &self.params;
                suffices(claimant, *committed, &pool, facts, params, height).then_some(pool)
            };
            let found = committers
                .filter_map(|((_, claimant), root)| Some((claimant, root, enough(claimant)?)));
            let found: Vec<_> = found.collect();
            if found.is_empty() {
                continue;
            }
            let reached = *count.reached.get_or_insert(height);
            let ours = claims.signed_by(claim, &self.operator).is_some();
            if !ours && height.since(reached) < FALLBACK_BLOCKS {
                continue;
            }
            // To add up signatures is dear: nobody does who does not post them.
            let certificate = found.into_iter().find_map(|(claimant, root, pool)| {
                assemble(key, claimant, &pool, facts, root, claims)
            });
            if let Some(certificate) = certificate {
                count.posted = Some(height);
                out.push(Effect::Submit(Action::Certificate(Box::new(certificate))));
            }
        }
    }
}

/// Whether the tickets of those who approved are enough for the next block.
fn suffices(
    claimant: &Address,
    committed: Height,
    pool: &[&Approval],
    facts: &BlockFacts,
    params: &Params,
    height: Height,
) -> bool {
    let seeded = committed.plus(params.seed_delay_blocks);
    // The certificate is judged in the next block at the earliest.
    let tranche = height
        .next()
        .since(seeded)
        .checked_div(params.tranche_blocks)
        .unwrap_or(0);
    let draw = Draw::new(params.k, facts.validators.tickets_without(&[*claimant]));
    let tickets = pool.iter().fold(0_u64, |sum, it| {
        let held = facts
            .validators
            .get(&it.verifier)
            .map_or(0, |validator| validator.tickets);
        sum.saturating_add(draw.tickets(&it.sortition, held, tranche))
    });
    tickets >= draw.needed_at(tranche)
}

/// The certificate of a claim with these approvals.
fn assemble(
    (claim, committed): &Key,
    claimant: &Address,
    pool: &[&Approval],
    facts: &BlockFacts,
    root: &Digest,
    claims: &Claims,
) -> Option<Certificate> {
    let batch = claims.batch(root)?;
    let verifiers: Vec<Address> = pool.iter().map(|it| it.verifier).collect();
    let approvals: Vec<_> = pool.iter().map(|it| it.signature).collect();
    // The set is sorted by address, as these are: proofs and bits are in one order.
    let statement = &claims.signed_by(claim, claimant)?.statement;
    Some(Certificate {
        claim: statement.claim.clone(),
        claimant: *claimant,
        signature: statement.signature,
        committed: *committed,
        inclusion: batch.prove(claim)?,
        approvers: ByteBuf::from(facts.validators.bitfield(&verifiers)?),
        sortition: pool.iter().map(|it| it.sortition).collect(),
        approvals: bls::aggregate(&approvals)?,
    })
}
