//! A verifier that has executed a claim, and the approvals of others who have, have not, or have copied (rules VE-9, VE-10).

use std::sync::Arc;

use surety_attest::claims::Claims;
use surety_attest::effect::{Effect, Executed, Finding, Job, Traced};
use surety_attest::guard::Guard;
use surety_attest::verify::{Lottery, Verifier};
use surety_protocol::approval::{Approval, ClaimBatch};
use surety_protocol::id::{Address, Digest};
use surety_protocol::machine::Outbox;
use surety_protocol::time::Height;
use surety_protocol::trace;

use super::network::{
    COMMITTED, VERIFIERS, approval, bound, claim, facts, key, operator, params, seed, traced,
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
                slot: surety_protocol::time::Slot(0),
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
        out.drain()
    }

    /// The execution comes back, and all is as claimed.
    fn executed(&mut self) -> Vec<Effect> {
        let traces = self.traced.keys.iter();
        let traces = traces.map(|key| (*key, traced(key))).collect();
        let executed = Executed::Checked {
            claim: claim(0).statement.claim.id().unwrap(),
            finding: Finding::True(traces),
        };
        let mut out = Outbox::default();
        self.verifier
            .executed(executed, &self.claims, &mut self.guard, &mut out);
        out.drain()
    }

    fn compare(&self, approval: &Approval) -> Vec<Effect> {
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
fn accused(unit: &Unit, approval: &Approval) -> bool {
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
    for other in unit.others() {
        let honest = approval(other);
        assert!(!accused(&unit, &honest));
        // It makes something up.
        let mut lazy = honest.clone();
        lazy.trace.signature = key(other).sign(&trace::signing_digest(&seed()));
        assert!(accused(&unit, &bound(other, lazy)));
        // It copies what another has shown.
        let mut copier = honest.clone();
        copier.trace.signature = approval(unit.number).trace.signature;
        assert!(accused(&unit, &bound(other, copier)));
    }
}

#[test]
fn who_shares_only_the_common_trace_is_accused_by_whoever_draws_it() {
    let mut unit = Unit::new();
    unit.executed();
    assert!(unit.others().any(|it| unit.audits(it)));
    for other in unit.others() {
        let mut told = approval(other);
        told.trace.own = approval(unit.number).trace.own;
        let told = bound(other, told);
        assert_eq!(accused(&unit, &told), unit.audits(other));
    }
}

#[test]
fn an_accusation_that_cannot_be_made_yet_is_made_later() {
    let mut unit = Unit::new();
    unit.executed();
    let other = unit.others().next().unwrap();
    let mut out = Outbox::default();
    unit.verifier
        .false_trace(&approval(other), &unit.claims, &mut out);
    let effects = out.drain();
    assert!(is_accusation(&effects, &approval(other)));
    let job = effects.into_iter().find_map(|it| match it {
        Effect::Execute(job) => Some(job),
        _ => None,
    });
    let abstained = Executed::Abstained {
        job: Box::new(job.unwrap()),
        reason: "the state before is not here".into(),
    };
    let mut out = Outbox::default();
    unit.verifier
        .executed(abstained, &unit.claims, &mut unit.guard, &mut out);
    assert!(out.drain().is_empty());
    let again = |effects: Vec<Effect>| {
        let jobs = effects.iter();
        jobs.filter(|it| matches!(it, Effect::Execute(Job::AccuseTrace { .. })))
            .count()
    };
    assert_eq!(again(unit.block(Vec::new())), 1);
    assert_eq!(again(unit.block(Vec::new())), 0);
}
