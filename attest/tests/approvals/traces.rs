//! A verifier that has executed a claim, and the approvals of others who have, have not, or have copied (rules VE-9 to VE-11).

use std::sync::Arc;

use surety_attest::claims::Claims;
use surety_attest::effect::{Effect, Executed, Finding, Job, Traced};
use surety_attest::guard::Guard;
use surety_attest::verify::{Lottery, Verifier};
use surety_protocol::approval::{Approval, ClaimBatch};
use surety_protocol::attested::{Backing, Segment};
use surety_protocol::bls::same_message_all;
use surety_protocol::evidence::OffenceKind;
use surety_protocol::id::{Address, Digest};
use surety_protocol::machine::Outbox;
use surety_protocol::origin::Action;
use surety_protocol::time::{Height, Slot};
use surety_protocol::trace;

use super::network::{
    COMMITTED, VERIFIERS, approval, bound, claim, facts, key, operator, params, process, seed,
    traced,
};

/// A verifier, and what it was asked to trace.
struct Unit {
    verifier: Verifier,
    number: u8,
    claims: Claims,
    guard: Guard,
    traced: Traced,
    height: Height,
}

impl Unit {
    /// The first verifier that draws the claim, with the claim in hand.
    fn new() -> Unit {
        (2..2 + VERIFIERS)
            .find_map(Unit::drawn)
            .expect("somebody who draws the claim")
    }

    fn drawn(number: u8) -> Option<Unit> {
        let signed = claim(0);
        let batch = ClaimBatch {
            claimant: operator(0),
            claims: vec![signed.statement.claim.id().unwrap()],
        };
        let root = batch.root();
        let mut claims = Claims::default();
        assert!(claims.insert(signed) && claims.insert_batch(batch));
        let lottery = Lottery::new(Arc::new(key(number)));
        let mut unit = Unit {
            verifier: Verifier::new(operator(number), params(), lottery),
            number,
            claims,
            guard: Guard::default(),
            traced: Traced {
                slot: Slot(0),
                keys: Vec::new(),
            },
            height: COMMITTED.minus(1),
        };
        unit.block(vec![(operator(0), root)]);
        for _ in 0..40 {
            for effect in unit.block(Vec::new()) {
                if let Effect::Execute(Job::Check { traced, .. }) = effect {
                    unit.traced = traced;
                    return Some(unit);
                }
            }
        }
        None
    }

    fn block(&mut self, committed: Vec<(Address, Digest)>) -> Vec<Effect> {
        self.height = self.height.next();
        let mut out = Outbox::default();
        self.verifier
            .block(&facts(self.height, committed), &self.claims, &mut out);
        self.verifier.settle(&self.claims, &mut out);
        out.drain()
    }

    /// The execution comes back, and all is as claimed.
    fn executed(&mut self) -> Vec<Effect> {
        let traces = self.traced.keys.iter();
        let traces = traces.map(|key| (*key, traced(key))).collect();
        let executed = Executed::Checked {
            claim: claim(0).statement.claim.id().unwrap(),
            committed: COMMITTED,
            finding: Finding::True(traces),
        };
        let mut out = Outbox::default();
        self.verifier
            .executed(executed, &self.claims, &mut self.guard, &mut out);
        out.drain()
    }

    fn compare(&mut self, approval: &Approval) -> Vec<Effect> {
        let mut out = Outbox::default();
        self.verifier.compare(approval, &self.claims, &mut out);
        out.drain()
    }

    /// Whose own traces it compares.
    fn audits(&self, verifier: u8) -> bool {
        let own = trace::own_key(&seed(), &operator(verifier));
        self.traced.keys.contains(&own)
    }

    fn others(&self) -> impl Iterator<Item = u8> {
        let number = self.number;
        (2..2 + VERIFIERS).filter(move |it| *it != number)
    }
}

/// Whether an approval is accused, at once or when the signature that is to be verified does not hold.
fn accused(unit: &mut Unit, approval: &Approval) -> bool {
    let effects = unit.compare(approval);
    let asked = effects.iter().find_map(|it| match it {
        Effect::VerifyTrace { signed, .. } => Some(signed.holds()),
        _ => None,
    });
    match asked {
        Some(holds) => !holds,
        None => is_accusation(&effects, approval),
    }
}

/// Whether an approval is taken out, and evidence is made.
fn is_accusation(effects: &[Effect], approval: &Approval) -> bool {
    let taken_out = effects
        .iter()
        .any(|it| matches!(it, Effect::Discredit(it) if **it == *approval));
    taken_out
        && effects.iter().any(|it| {
            matches!(it, Effect::Execute(Job::AccuseTrace { approval: it, seed: by, .. })
                if **it == *approval && *by == seed())
        })
}

#[test]
fn a_claim_that_was_executed_is_approved_and_what_counts_is_compared() {
    let mut unit = Unit::new();
    let keys = &unit.traced.keys;
    assert_eq!(keys[0], trace::common_key(&seed()));
    assert_eq!(keys[1], trace::own_key(&seed(), &operator(unit.number)));
    // Before it has executed it knows nothing.
    let other = unit.others().next().unwrap();
    assert!(unit.compare(&approval(other)).is_empty());
    let effects = unit.executed();
    let compares = |it: &Effect| {
        matches!(it, Effect::Compare { claim, committed }
            if *claim == approval(other).claim && *committed == COMMITTED)
    };
    assert!(effects.iter().any(compares), "{effects:?}");
    let cleared = effects.into_iter().find_map(|it| match it {
        Effect::SignApproval(cleared) => Some(cleared.into_inner()),
        _ => None,
    });
    let cleared = cleared.expect("an approval to sign");
    assert_eq!(
        (cleared.seed, cleared.trace),
        (seed(), traced(&trace::common_key(&seed())))
    );
    assert_eq!(cleared.approval.trace.own, approval(unit.number).trace.own);
}

#[test]
fn who_has_executed_is_let_be_and_who_has_not_is_accused() {
    let mut unit = Unit::new();
    unit.executed();
    for other in unit.others().collect::<Vec<u8>>() {
        let honest = approval(other);
        assert!(!accused(&mut unit, &honest));
        // It makes something up.
        let mut lazy = honest.clone();
        lazy.trace.signature = key(other).sign(&trace::signing_digest(&seed()));
        assert!(accused(&mut unit, &bound(other, lazy)));
        // It copies what another has shown.
        let mut copier = honest.clone();
        copier.trace.signature = approval(unit.number).trace.signature;
        assert!(accused(&mut unit, &bound(other, copier)));
    }
}

#[test]
fn who_shares_only_the_common_trace_is_accused_by_whoever_draws_it() {
    let mut unit = Unit::new();
    unit.executed();
    assert!(unit.others().any(|it| unit.audits(it)));
    for other in unit.others().collect::<Vec<u8>>() {
        let mut told = approval(other);
        told.trace.own = approval(unit.number).trace.own;
        let told = bound(other, told);
        assert_eq!(accused(&mut unit, &told), unit.audits(other));
    }
}

fn jobs(effects: &[Effect]) -> usize {
    let accuses = |it: &&Effect| matches!(it, Effect::Execute(Job::AccuseTrace { .. }));
    effects.iter().filter(accuses).count()
}

#[test]
fn an_accusation_that_has_not_come_about_is_made_again_and_one_is_enough() {
    let mut unit = Unit::new();
    unit.executed();
    let other = unit.others().next().unwrap();
    let lazy = approval(other);
    let answer = |unit: &mut Unit, holds| {
        let mut out = Outbox::default();
        unit.verifier.compared(&lazy, holds, &unit.claims, &mut out);
        out.drain()
    };
    assert!(is_accusation(&answer(&mut unit, false), &lazy));
    // It is known: nothing is to be compared any more.
    assert!(answer(&mut unit, false).is_empty() && unit.compare(&lazy).is_empty());
    let tries: Vec<usize> = (0..24).map(|_| jobs(&unit.block(Vec::new()))).collect();
    let again: Vec<usize> = (0..24).filter(|it| tries[*it] > 0).collect();
    assert_eq!(again, [3, 11], "after four blocks, and eight more");
    let proven = || Executed::Proven {
        kind: OffenceKind::FalseTrace,
        offender: operator(other),
        process: claim(0).statement.claim.process,
        slot: Slot(0),
        evidence: Arc::from([1_u8, 2, 3]),
    };
    let challenges = |effects: &[Effect]| {
        let submits = |it: &&Effect| matches!(it, Effect::Submit(Action::Challenge { .. }));
        effects.iter().filter(submits).count()
    };
    for expected in [1, 0] {
        let mut out = Outbox::default();
        unit.verifier
            .executed(proven(), &unit.claims, &mut unit.guard, &mut out);
        assert_eq!(challenges(&out.drain()), expected);
    }
    let more: usize = (0..12).map(|_| jobs(&unit.block(Vec::new()))).sum();
    assert_eq!(more, 0);
}

#[test]
fn a_comparison_without_an_answer_is_asked_for_again() {
    let mut unit = Unit::new();
    unit.executed();
    let other = unit.others().next().unwrap();
    let asks = |effects: &[Effect]| {
        effects
            .iter()
            .any(|it| matches!(it, Effect::Compare { .. }))
    };
    assert!(!asks(&unit.block(Vec::new())));
    assert!(!unit.compare(&approval(other)).is_empty());
    assert!(asks(&unit.block(Vec::new())));
    assert!(!unit.compare(&approval(other)).is_empty());
    let mut out = Outbox::default();
    unit.verifier
        .compared(&approval(other), true, &unit.claims, &mut out);
    assert!(out.drain().is_empty() && !asks(&unit.block(Vec::new())));
    assert!(unit.compare(&approval(other)).is_empty());
}

/// A verifier whose turn comes later, that has heard two approvals of a claim when it is certified; what it asks for then.
fn spared(
    number: u8,
    committed: Height,
    proofs: [u8; 2],
) -> (Verifier, Claims, Height, Vec<Effect>) {
    let signed = claim(0);
    let id = signed.statement.claim.id().unwrap();
    let batch = ClaimBatch {
        claimant: operator(0),
        claims: vec![id],
    };
    let root = batch.root();
    let mut claims = Claims::default();
    assert!(claims.insert(signed) && claims.insert_batch(batch));
    let lottery = Lottery::new(Arc::new(key(number)));
    let mut verifier = Verifier::new(operator(number), params(), lottery);
    let (mut at, mut asked) = (committed, Vec::new());
    let mut out = Outbox::default();
    verifier.block(&facts(at, vec![(operator(0), root)]), &claims, &mut out);
    for _ in 0..params().seed_delay_blocks {
        at = at.next();
        verifier.block(&facts(at, Vec::new()), &claims, &mut out);
        verifier.settle(&claims, &mut out);
    }
    asked.extend(out.drain());
    for (other, proof) in (2..2 + VERIFIERS).filter(|it| *it != number).zip(proofs) {
        let mut heard = approval(other);
        heard.committed = committed;
        heard.trace.signature = key(other).sign(&Digest::new([proof; 32]));
        verifier.compare(&heard, &claims, &mut out);
    }
    at = at.next();
    let mut certified = (*facts(at, Vec::new())).clone();
    certified.certified = vec![(
        process(),
        Segment {
            size: 1,
            history_root: Digest::default(),
            claim: id,
            certified: at,
            backing: Backing::default(),
        },
    )];
    verifier.block(&Arc::new(certified), &claims, &mut out);
    verifier.settle(&claims, &mut out);
    asked.extend(out.drain());
    (verifier, claims, at, asked)
}

/// Rule VE-11.
#[test]
fn who_is_spared_compares_the_proofs_of_some_claims_and_executes_those_that_disagree() {
    let id = approval(2).claim;
    let executes = |effects: &[Effect]| {
        let check = |it: &Effect| matches!(it, Effect::Execute(Job::Check { .. }));
        effects.iter().any(check)
    };
    let (mut spared_so_often, mut compared) = (0, 0);
    for height in 0..64 {
        for number in 2..2 + VERIFIERS {
            let committed = COMMITTED.plus(height);
            let (mut verifier, claims, _, asked) = spared(number, committed, [1, 2]);
            if executes(&asked) {
                continue;
            }
            spared_so_often += 1;
            let found = asked.iter().find_map(|it| match it {
                Effect::VerifyTogether { claim, proofs, .. } if *claim == id => Some(proofs),
                _ => None,
            });
            let Some(proofs) = found else { continue };
            compared += 1;
            let seed = Digest::new([9; 32]);
            assert!(proofs.len() == 2 && !same_message_all(proofs, &seed));
            let mut out = Outbox::default();
            let mut disagree = |committed: Height| {
                verifier.disagree(id, committed, &mut out);
                verifier.settle(&claims, &mut out);
                out.drain()
            };
            let next = disagree(committed.next());
            assert!(next.is_empty(), "it is about another draw");
            assert!(executes(&disagree(committed)));
            assert!(disagree(committed).is_empty(), "it is under way");
        }
    }
    // One in sixteen, as far as the lot goes.
    assert!(
        compared > 0 && compared * 6 < spared_so_often,
        "{compared} of {spared_so_often}"
    );
}
