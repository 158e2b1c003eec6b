//! Comparing trace proofs with what this verifier has seen itself (rules VE-9 and VE-10).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use surety_protocol::approval::Approval;
use surety_protocol::bls::{PublicKey, SignedDigest};
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

/// Verifiers whose own traces are compared, of each claim that is executed; some may be drawn twice.
const AUDITED: u64 = 4;
/// Of so many claims that are not executed here the proofs of one are compared with one another.
const COMPARED_CLAIMS: u64 = 16;
/// Blocks for which approvals of a claim are compared; a claim that nobody certifies by then is drawn again.
pub(crate) const COMPARED_BLOCKS: u64 = 40;
/// Blocks until an accusation that has not come about is tried again; after each try twice as many.
const AGAIN_BLOCKS: u64 = 4;

/// What a check traces.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// The seed of the claim's sortition.
    pub(super) seed: Digest,
    /// The verifiers at the seed.
    validators: Arc<ValidatorSet>,
    /// Those whose own traces are compared, this one first.
    whose: Vec<Address>,
    /// Whether the proofs are compared with one another if the claim is not executed here.
    pub(super) looks: bool,
}

/// What a check has seen.
#[derive(Debug)]
struct Seen {
    seed: Digest,
    validators: Arc<ValidatorSet>,
    common: Digest,
    own: BTreeMap<Address, Digest>,
    /// Whose approvals came, and whether they have been compared.
    compared: BTreeMap<Address, bool>,
}

/// An approval with a false proof, of which there is no evidence yet.
#[derive(Debug)]
struct Suspect {
    approval: Approval,
    next: Height,
    wait: u64,
}

/// A claim, and the block that committed it: what one seed is for.
type Key = (ClaimId, Height);

const fn key_of(approval: &Approval) -> Key {
    (approval.claim, approval.committed)
}

/// What this verifier knows of traces.
#[derive(Debug)]
pub(super) struct Traces {
    seen: BTreeMap<Key, Seen>,
    /// One of each verifier: it loses everything with the first.
    suspects: BTreeMap<Address, Suspect>,
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
        let draw = |number: u64, of: u64| {
            let parts: [&[u8]; 2] = [secret.as_bytes(), &number.to_be_bytes()];
            let drawn = digest(Domain::TRACE_AUDIT, &parts);
            let (first, _) = drawn.as_bytes().split_first_chunk()?;
            u64::from_be_bytes(*first).checked_rem(of)
        };
        let drawn = (0..AUDITED).filter_map(|number| {
            let place = draw(number, u64::try_from(among.len()).ok()?)?;
            among.get(usize::try_from(place).ok()?).copied()
        });
        let audited: BTreeSet<Address> = drawn.collect();
        Plan {
            seed,
            validators: Arc::clone(validators),
            whose: std::iter::once(operator).chain(audited).collect(),
            looks: draw(AUDITED, COMPARED_CLAIMS) == Some(0),
        }
    }

    /// The key of a verifier at the seed.
    pub(super) fn key_of(&self, verifier: &Address) -> Option<PublicKey> {
        self.validators.get(verifier).map(|it| it.key)
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
            compared: BTreeMap::new(),
        };
        let common = seen.common;
        self.seen.insert(key, seen);
        Some([common, mine])
    }

    /// A block was applied: forgets what was committed before a height, and who is out.
    pub(super) fn forget(&mut self, oldest: Height, tombstoned: &[Address]) {
        self.seen.retain(|(_, committed), _| *committed >= oldest);
        self.suspects.retain(|who, suspect| {
            suspect.approval.committed >= oldest && !tombstoned.contains(who)
        });
    }

    /// Asks once more for comparisons that have had no answer: whoever verifies may have been too busy.
    pub(super) fn ask_again(&self, out: &mut Outbox<Effect>) {
        for ((claim, committed), seen) in &self.seen {
            if seen.compared.values().any(|compared| !compared) {
                out.push(Effect::Compare {
                    claim: *claim,
                    committed: *committed,
                });
            }
        }
    }

    /// Evidence against somebody is here.
    pub(super) fn accused(&mut self, offender: &Address) {
        self.suspects.remove(offender);
    }
}

impl Verifier {
    /// Compares an approval that counts with what was seen here, if the claim was executed here (rules VE-9, VE-10).
    pub fn compare(&mut self, approval: &Approval, claims: &Claims, out: &mut Outbox<Effect>) {
        let verifier = approval.verifier;
        let seen = self.traces.seen.get_mut(&key_of(approval));
        let Some(seen) = seen.filter(|_| verifier != self.operator) else {
            return self.hear(approval);
        };
        let compared = seen.compared.entry(verifier).or_insert(false);
        if *compared {
            return;
        }
        let own = seen.own.get(&verifier);
        if own.is_some_and(|it| *it != approval.trace.own) {
            return self.compared(approval, false, claims, out);
        }
        if let Some(validator) = seen.validators.get(&verifier) {
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

    /// An approval's trace proof was compared with what was seen here, and holds or not (rule VE-9).
    pub fn compared(
        &mut self,
        approval: &Approval,
        holds: bool,
        claims: &Claims,
        out: &mut Outbox<Effect>,
    ) {
        let Some(seen) = self.traces.seen.get_mut(&key_of(approval)) else {
            return;
        };
        let before = seen.compared.insert(approval.verifier, true);
        if holds || before == Some(true) {
            return;
        }
        out.push(Effect::Discredit(Box::new(approval.clone())));
        if let Some(claim) = claims.any(&approval.claim) {
            out.push(Effect::Notify(Event::Blind {
                process: claim.statement.claim.process,
                claim: approval.claim,
                verifier: approval.verifier,
            }));
        }
        let suspects = &mut self.traces.suspects;
        suspects.entry(approval.verifier).or_insert(Suspect {
            approval: approval.clone(),
            next: self.height,
            wait: AGAIN_BLOCKS,
        });
        self.accuse_suspects(claims, out);
    }

    /// Has evidence made against everybody whose turn it is.
    pub(super) fn accuse_suspects(&mut self, claims: &Claims, out: &mut Outbox<Effect>) {
        let height = self.height;
        let Traces { seen, suspects } = &mut self.traces;
        for suspect in suspects.values_mut().filter(|it| it.next <= height) {
            suspect.next = height.plus(suspect.wait);
            suspect.wait = suspect.wait.saturating_mul(2);
            let approval = &suspect.approval;
            let seen = seen.get(&key_of(approval));
            let (Some(seen), Some(claim)) = (seen, claims.any(&approval.claim)) else {
                continue;
            };
            out.push(match claims.lead(claim) {
                Ok(lead) => Effect::Execute(Job::AccuseTrace {
                    claim: Box::new(claim.clone()),
                    lead,
                    seed: seen.seed,
                    approval: Box::new(approval.clone()),
                }),
                Err(lacking) => Effect::Fetch(lacking),
            });
        }
    }
}
