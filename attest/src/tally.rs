//! The tally: approvals become certificates.
//!
//! # Rules
//!
//! - `[TA-1]` An approval counts once for each verifier, if its sortition proof, its signature and the item that binds its trace
//!   proof verify for the validator set and beacon of the seed's height. [`Tally::admit`] says what is to be verified; who calls does so, with many at once.
//! - `[TA-2]` When the tickets of those who approved reach what is needed, counting the tranches that have come, the claim's own
//!   signers post the certificate at once; others, if nothing is posted, [`FALLBACK_BLOCKS`] blocks later.
//! - `[TA-7]` A certificate is posted if it continues what is certified, or else what this node has posted and a block may still
//!   carry: so what has waited is certified together.
//! - `[TA-8]` A certificate names one of those who signed and committed the claim: this node itself if it did, and with every
//!   further attempt the next one.
//! - `[TA-3]` Approvals that come before the block, the batch or the claim they refer to wait for the next blocks, not long and not many, nor
//!   many of whoever brings them.
//! - `[TA-4]` An approval signs the claim alone, and one height has one seed: it counts for every claimant who committed the
//!   claim in the same block, but for the verifier itself. Else signers of one claim would split its approvals, and whoever passes
//!   one on with another claimant's name would have it verified again, or lost.
//! - `[TA-6]` What approved a claim is kept for [`COMPARED_BLOCKS`] blocks after it was certified: who is still executing it compares
//!   the trace proofs. An approval whose proof is false counts no more.

mod early;
mod post;
mod refuted;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_bytes::ByteBuf;
use surety_protocol::approval::{self, Approval, ClaimBatch};
use surety_protocol::bls::SignedDigest;
use surety_protocol::facts::{BlockFacts, Refuted};
use surety_protocol::id::{Address, ClaimId, Digest, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::machine::Outbox;
use surety_protocol::origin::FalseApproval;
use surety_protocol::params::Params;
use surety_protocol::sortition;
use surety_protocol::time::Height;

use crate::claims::Claims;
use crate::effect::Effect;
use crate::verify::COMPARED_BLOCKS;

use early::{Early, Waiting};
use refuted::Lies;

/// Blocks after which anybody posts a certificate.
pub const FALLBACK_BLOCKS: u64 = 4;
/// Blocks before its seed, and after it, for which an approval waits: as long as claims and batches are asked for.
const EARLY_BLOCKS: u64 = 16;
const LATE_BLOCKS: u64 = 40;
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
    /// Its block, its batch or its claim has not come; it may wait.
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
    /// How often it was.
    posts: usize,
    reached: Option<Height>,
    /// When the claim was certified.
    certified: Option<Height>,
}

/// A claim, and the block that committed it (rule TA-4).
type Key = (ClaimId, Height);

const fn key_of(approval: &Approval) -> Key {
    (approval.claim, approval.committed)
}

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
    waiting: Waiting,
    certified: BTreeMap<ClaimId, Height>,
    tombstoned: BTreeSet<Address>,
    lies: Lies,
    /// Leaves of each process that are certified.
    sizes: BTreeMap<ProcessId, u64>,
    /// Leaves that will be, if the next blocks carry what was posted.
    reach: BTreeMap<ProcessId, u64>,
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
            waiting: Waiting::new(),
            certified: BTreeMap::new(),
            tombstoned: BTreeSet::new(),
            lies: Lies::new(),
            sizes: BTreeMap::new(),
            reach: BTreeMap::new(),
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
    ) -> Vec<Early> {
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
        self.reach.clear();
        self.post(claims, out);
        let mut waiting = std::mem::take(&mut self.waiting);
        let waited = waiting.take(|it| !self.waits(it) || !self.is_early(it, claims));
        self.waiting = waiting;
        waited
    }

    /// The block with the seed for what an approval refers to.
    fn seeded(&self, approval: &Approval) -> Height {
        approval.committed.plus(self.params.seed_delay_blocks)
    }

    /// What the claimant had committed in the block to which an approval refers.
    fn root(&self, approval: &Approval) -> Option<&Digest> {
        self.roots.get(&(approval.committed, approval.claimant))
    }

    fn batch<'a>(&self, approval: &Approval, claims: &'a Claims) -> Option<&'a ClaimBatch> {
        claims.batch(self.root(approval)?)
    }

    /// Whether the block, the batch or the claim that an approval refers to has not come.
    fn is_early(&self, approval: &Approval, claims: &Claims) -> bool {
        let lacks_batch = || {
            self.root(approval)
                .is_some_and(|it| claims.batch(it).is_none())
        };
        self.seeded(approval) > self.height
            || claims.any(&approval.claim).is_none()
            || lacks_batch()
    }

    /// Whether what an approval lacks may come yet (rule TA-3).
    fn waits(&self, approval: &Approval) -> bool {
        let seeded = self.seeded(approval);
        seeded <= self.height.plus(EARLY_BLOCKS) && self.height <= seeded.plus(LATE_BLOCKS)
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
        let seeded = self.seeded(approval);
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
        let seeded = self.seeded(approval);
        if self.is_early(approval, claims) {
            return Admitted::Early;
        }
        // What the claimant has not committed in that block nobody can approve.
        let Some(claim) = claims.any(&approval.claim) else {
            return Admitted::Nothing;
        };
        let batch = self.batch(approval, claims);
        if !batch.is_some_and(|it| it.holds(&approval.claim)) {
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
        if self.waits(&approval) {
            self.waiting.insert(approval, peer);
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
}
