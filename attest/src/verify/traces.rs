//! Comparing trace proofs with what this verifier has seen itself (rules VE-9 and VE-10).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use surety_protocol::approval::Approval;
use surety_protocol::bls::SignedDigest;
use surety_protocol::claim::Claim;
use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::{Address, ClaimId, Digest};
use surety_protocol::machine::Outbox;
use surety_protocol::time::Height;
use surety_protocol::trace;
use surety_protocol::validators::ValidatorSet;

use super::{Lottery, Verifier};
use crate::claims::Claims;
use crate::effect::{Effect, Event, Job, Traced};

/// Verifiers whose own traces are compared, of each claim that is executed.
const AUDITED: u64 = 4;
/// Blocks for which approvals of a claim are compared; a claim that nobody certifies by then is drawn again.
pub(crate) const COMPARED_BLOCKS: u64 = 40;
/// Accusations that wait to be tried again.
const SUSPECTS_MAX: usize = 64;

/// What a check traces.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// The seed of the claim's sortition.
    pub(super) seed: Digest,
    /// The verifiers at the seed.
    validators: Arc<ValidatorSet>,
    /// Those whose own traces are compared, this one first.
    whose: Vec<Address>,
}

/// What a check has seen.
#[derive(Debug)]
struct Seen {
    seed: Digest,
    validators: Arc<ValidatorSet>,
    common: Digest,
    own: BTreeMap<Address, Digest>,
}

/// A claim, and the block that committed it: what one seed is for.
type Key = (ClaimId, Height);

/// What this verifier knows of traces.
#[derive(Debug)]
pub(super) struct Traces {
    seen: BTreeMap<Key, Seen>,
    /// Approvals with false proofs, of which there is no evidence yet.
    suspects: BTreeMap<(ClaimId, Address), Job>,
}

impl Plan {
    /// Draws whose own traces are compared: nobody else can foresee it (rule VE-10).
    pub(super) fn new(
        seed: Digest,
        validators: &Arc<ValidatorSet>,
        operator: Address,
        claimant: &Address,
        lottery: &Lottery,
    ) -> Plan {
        let secret = lottery
            .0
            .sign(&digest(Domain::TRACE_AUDIT, &[seed.as_bytes()]));
        let among: Vec<Address> = validators
            .iter()
            .map(|it| it.operator)
            .filter(|it| *it != operator && it != claimant)
            .collect();
        let drawn = (0..AUDITED).filter_map(|number| {
            let parts: [&[u8]; 2] = [secret.as_bytes(), &number.to_be_bytes()];
            let drawn = digest(Domain::TRACE_AUDIT, &parts);
            let (first, _) = drawn.as_bytes().split_first_chunk()?;
            let count = u64::try_from(among.len()).ok()?;
            let place = u64::from_be_bytes(*first).checked_rem(count)?;
            among.get(usize::try_from(place).ok()?).copied()
        });
        let audited: BTreeSet<Address> = drawn.collect();
        Plan {
            seed,
            validators: Arc::clone(validators),
            whose: std::iter::once(operator).chain(audited).collect(),
        }
    }

    /// What to trace; `None` if the claim has no new leaves.
    pub(super) fn traced(&self, claim: &Claim) -> Option<Traced> {
        let own = self.whose.iter().map(|it| trace::own_key(&self.seed, it));
        Some(Traced {
            slot: trace::slot(&self.seed, claim.first_new, claim.size)?,
            keys: std::iter::once(trace::common_key(&self.seed))
                .chain(own)
                .collect(),
        })
    }
}

impl Traces {
    /// Nothing.
    pub(super) const fn new() -> Traces {
        Traces {
            seen: BTreeMap::new(),
            suspects: BTreeMap::new(),
        }
    }

    /// Keeps what a check has seen; gives the common trace and this verifier's own, `None` if it has not traced what this plan
    /// asks for: it was begun for another seed.
    pub(super) fn saw(
        &mut self,
        key: Key,
        plan: &Plan,
        traces: &BTreeMap<Digest, Digest>,
    ) -> Option<[Digest; 2]> {
        let common = traces.get(&trace::common_key(&plan.seed))?;
        let own = plan.whose.iter().map(|it| {
            let trace = traces.get(&trace::own_key(&plan.seed, it));
            trace.map(|trace| (*it, *trace))
        });
        let own: BTreeMap<Address, Digest> = own.collect::<Option<_>>()?;
        let mine = own.get(plan.whose.first()?).copied()?;
        let seen = Seen {
            seed: plan.seed,
            validators: Arc::clone(&plan.validators),
            common: *common,
            own,
        };
        let common = seen.common;
        self.seen.insert(key, seen);
        Some([common, mine])
    }

    /// Forgets what was committed before a height.
    pub(super) fn forget(&mut self, oldest: Height) {
        self.seen.retain(|(_, committed), _| *committed >= oldest);
        let seen: BTreeSet<ClaimId> = self.seen.keys().map(|(claim, _)| *claim).collect();
        self.suspects.retain(|(claim, _), _| seen.contains(claim));
    }

    /// An accusation could not be made; it is made again later.
    pub(super) fn put_off(&mut self, job: Job) {
        if let Job::AccuseTrace { approval, .. } = &job
            && self.suspects.len() < SUSPECTS_MAX
        {
            let key = (approval.claim, approval.verifier);
            self.suspects.insert(key, job);
        }
    }

    /// Makes those accusations again.
    pub(super) fn try_again(&mut self, out: &mut Outbox<Effect>) {
        for job in std::mem::take(&mut self.suspects).into_values() {
            out.push(Effect::Execute(job));
        }
    }
}

impl Verifier {
    /// Compares an approval that counts with what was seen here, if the claim was executed here.
    pub fn compare(&self, approval: &Approval, claims: &Claims, out: &mut Outbox<Effect>) {
        let key = (approval.claim, approval.committed);
        let Some(seen) = self.traces.seen.get(&key) else {
            return;
        };
        if approval.verifier == self.operator {
            return;
        }
        let own = seen.own.get(&approval.verifier);
        if own.is_some_and(|it| *it != approval.trace.own) {
            return self.false_trace(approval, claims, out);
        }
        if let Some(validator) = seen.validators.get(&approval.verifier) {
            out.push(Effect::VerifyTrace {
                approval: Box::new(approval.clone()),
                signed: SignedDigest {
                    key: validator.key,
                    digest: trace::signing_digest(&seen.common),
                    signature: approval.trace.signature,
                },
            });
        }
    }

    /// An approval's trace proof is not what was seen here (rule VE-9).
    pub fn false_trace(&self, approval: &Approval, claims: &Claims, out: &mut Outbox<Effect>) {
        let key = (approval.claim, approval.committed);
        let (Some(seen), Some(claim)) = (self.traces.seen.get(&key), claims.any(&approval.claim))
        else {
            return;
        };
        out.push(Effect::Discredit(Box::new(approval.clone())));
        out.push(Effect::Notify(Event::Blind {
            process: claim.statement.claim.process,
            claim: approval.claim,
            verifier: approval.verifier,
        }));
        if let Some(history) = claims.history(claim) {
            out.push(Effect::Execute(Job::AccuseTrace {
                claim: Box::new(claim.clone()),
                history,
                seed: seen.seed,
                approval: Box::new(approval.clone()),
            }));
        }
    }
}
