//! Who looks at everything: the auditor.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use surety_attest::audit::{Auditor, PATIENCE_BLOCKS, WAITING_MAX};
use surety_attest::claims::{CLAIMS_MAX, Claims, Lead};
use surety_attest::effect::{Effect, Event, Executed, Finding, Job, Want};
use surety_protocol::claim::SignedClaim;
use surety_protocol::id::{Address, ClaimId, Digest, ProcessId};
use surety_protocol::machine::Outbox;
use surety_protocol::origin::Action;
use surety_protocol::time::{Height, Slot, Tick};

use super::network::{claim_from, operator, process};

/// The auditor of operator 9, and what it asks for.
struct Unit {
    auditor: Auditor,
    claims: Claims,
    height: Height,
    out: Outbox<Effect>,
}

impl Unit {
    fn new(follows: BTreeSet<ProcessId>, inputs: Option<u64>) -> Unit {
        Unit {
            auditor: Auditor::new(operator(9), follows, inputs),
            claims: Claims::default(),
            height: Height(1),
            out: Outbox::default(),
        }
    }

    fn all() -> Unit {
        Unit::new(BTreeSet::new(), None)
    }

    fn hear(&mut self, claim: SignedClaim) {
        assert!(self.claims.insert(claim.clone()));
        self.auditor.claim(&claim, &self.claims, &mut self.out);
    }

    fn block(&mut self) {
        self.height = self.height.next();
        self.auditor.block(self.height, &self.claims, &mut self.out);
    }

    fn tick(&mut self, now: u64) {
        self.auditor.tick(Tick(now), &self.claims, &mut self.out);
    }

    fn executed(&mut self, executed: Executed) {
        self.auditor.executed(executed, &self.claims, &mut self.out);
    }

    fn found(&mut self, claim: ClaimId, finding: Finding) {
        self.executed(Executed::Checked {
            claim,
            committed: Height(0),
            finding,
        });
    }

    /// What was asked for since.
    fn asked(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.out).drain().into_iter().collect()
    }

    /// The claims that are to be executed, as far as asked for since.
    fn checks(&mut self) -> Vec<u64> {
        let asked = self.asked();
        let checks = asked.iter().filter_map(|it| match it {
            Effect::Execute(Job::Check { claim, .. }) => Some(claim.statement.claim.first_new),
            _ => None,
        });
        checks.collect()
    }

    /// Who is to be accused.
    fn accusing(&mut self) -> Vec<Address> {
        let asked = self.asked();
        let jobs = asked.iter().filter_map(|it| match it {
            Effect::Execute(Job::Accuse { claim, .. }) => Some(claim.statement.claimant),
            _ => None,
        });
        jobs.collect()
    }
}

fn id_of(claim: &SignedClaim) -> ClaimId {
    claim.statement.claim.id().unwrap()
}

fn true_finding() -> Finding {
    Finding::True(BTreeMap::new())
}

#[test]
fn every_claim_is_executed_once_whoever_signed_it() {
    let mut unit = Unit::all();
    let first = claim_from(0, 0);
    unit.hear(first.clone());
    unit.hear(claim_from(1, 0));
    assert_eq!(unit.checks(), [0]);
    unit.found(id_of(&first), true_finding());
    let told = unit.asked();
    assert!(matches!(
        told.as_slice(),
        [Effect::Notify(Event::Audited { claim, .. })] if *claim == id_of(&first)
    ));
    unit.hear(claim_from(2, 0));
    unit.block();
    assert!(unit.asked().is_empty());
    assert_eq!(unit.auditor.in_hand(), 0);
}

#[test]
fn own_claims_and_those_of_other_processes_are_not() {
    let mut unit = Unit::all();
    unit.hear(claim_from(9, 0));
    assert!(unit.checks().is_empty());
    let other = BTreeSet::from([ProcessId::new([99; 32])]);
    let mut unit = Unit::new(other, None);
    unit.hear(claim_from(0, 0));
    assert!(unit.checks().is_empty());
    let mut unit = Unit::new(BTreeSet::from([process()]), None);
    unit.hear(claim_from(0, 0));
    assert_eq!(unit.checks(), [0]);
}

/// Rule AD-4.
#[test]
fn everybody_who_signed_a_false_claim_is_challenged_whenever_it_is_heard_of() {
    let mut unit = Unit::all();
    let claim = claim_from(0, 0);
    let id = id_of(&claim);
    unit.hear(claim);
    unit.hear(claim_from(1, 0));
    unit.asked();
    unit.found(id, Finding::False(Slot(0)));
    assert_eq!(unit.accusing(), [operator(0)]);
    let challenged = |unit: &mut Unit, file: u8, claimant: u8| {
        unit.executed(Executed::Accused {
            claim: id,
            claimant: operator(claimant),
            slot: Slot(0),
            evidence: Arc::from([file].as_slice()),
        });
        let asked = unit.asked();
        let offender = asked.iter().find_map(|it| match it {
            Effect::Submit(Action::Challenge { challenge, .. }) => Some(challenge.offender),
            _ => None,
        });
        let next = asked.iter().find_map(|it| match it {
            Effect::Execute(Job::Accuse { claim, .. }) => Some(claim.statement.claimant),
            _ => None,
        });
        (offender, next)
    };
    let (first, next) = challenged(&mut unit, 1, 0);
    assert_eq!((first, next), (Some(operator(0)), Some(operator(1))));
    assert_eq!(challenged(&mut unit, 2, 1), (Some(operator(1)), None));
    unit.hear(claim_from(2, 0));
    assert_eq!(unit.accusing(), [operator(2)]);
    assert_eq!(challenged(&mut unit, 3, 2), (Some(operator(2)), None));
}

/// Rule AD-4.
#[test]
fn whose_copy_of_a_lie_went_holds_up_no_accusation_of_others() {
    let mut unit = Unit::all();
    let lie = claim_from(0, 0);
    for claimant in 0..3 {
        unit.hear(claim_from(claimant, 0));
    }
    unit.asked();
    unit.found(id_of(&lie), Finding::False(Slot(0)));
    assert_eq!(unit.accusing(), [operator(0)]);
    // One of them signs so much that its own copy goes.
    let mut other = claim_from(1, 0);
    for number in 0..CLAIMS_MAX as u64 {
        other.statement.claim.height = Height(1_000 + number);
        unit.claims.insert(other.clone());
    }
    let accused = |unit: &mut Unit, claimant: u8| {
        unit.executed(Executed::Accused {
            claim: id_of(&lie),
            claimant: operator(claimant),
            slot: Slot(0),
            evidence: Arc::from([claimant].as_slice()),
        });
        unit.accusing()
    };
    assert_eq!(accused(&mut unit, 0), [operator(2)]);
    assert!(accused(&mut unit, 2).is_empty());
    unit.hear(claim_from(1, 0));
    assert_eq!(unit.accusing(), [operator(1)]);
}

/// An accusation that could not be made is made again, after another look.
#[test]
fn a_lie_is_not_forgotten_when_its_evidence_could_not_be_made() {
    let mut unit = Unit::all();
    let claim = claim_from(0, 0);
    unit.hear(claim.clone());
    unit.found(id_of(&claim), Finding::False(Slot(0)));
    unit.asked();
    unit.executed(Executed::Abstained {
        job: Box::new(Job::Accuse {
            claim: Box::new(claim.clone()),
            lead: Lead::default(),
            slot: Slot(0),
        }),
        reason: "no memory".into(),
    });
    assert!(unit.checks().is_empty());
    unit.block();
    assert_eq!(unit.checks(), [0]);
    unit.found(id_of(&claim), Finding::False(Slot(0)));
    assert_eq!(unit.accusing(), [operator(0)]);
}

/// Rule AD-2.
#[test]
fn no_more_is_executed_than_the_budget_allows() {
    let mut unit = Unit::new(BTreeSet::new(), Some(1));
    let claims: Vec<SignedClaim> = (0..3).map(|first| claim_from(0, first)).collect();
    for claim in &claims {
        unit.hear(claim.clone());
    }
    assert!(unit.checks().is_empty());
    unit.tick(5_000);
    assert_eq!(unit.checks(), [0]);
    unit.found(id_of(&claims[0]), true_finding());
    unit.tick(64_999);
    assert!(unit.checks().is_empty());
    unit.tick(65_000);
    assert_eq!(unit.checks(), [1]);
    // What could not be executed has cost nothing.
    unit.found(
        id_of(&claims[1]),
        Finding::StateMissing(Digest::new([1; 32])),
    );
    assert_eq!(unit.checks(), [2]);
}

/// Rule AD-3.
#[test]
fn what_is_lacking_is_asked_for_with_every_block_and_told_when_it_does_not_come() {
    let mut unit = Unit::all();
    let claim = claim_from(0, 0);
    unit.hear(claim.clone());
    assert_eq!(unit.checks(), [0]);
    let root = Digest::new([5; 32]);
    for _ in 0..3 {
        unit.found(id_of(&claim), Finding::StateMissing(root));
        let asked = unit.asked();
        let state =
            |it: &Effect| matches!(it, Effect::Fetch(Want::State { root: it, .. }) if *it == root);
        assert!(asked.len() == 1 && state(&asked[0]), "{asked:?}");
        unit.tick(1);
        assert!(unit.checks().is_empty());
        unit.block();
        assert_eq!(unit.checks(), [0]);
    }
    unit.found(id_of(&claim), Finding::StateMissing(root));
    // The leaves before this one nobody has.
    unit.hear(claim_from(1, 7));
    unit.asked();
    unit.height = unit.height.plus(PATIENCE_BLOCKS - 6);
    unit.block();
    let leaves = |it: &Effect| matches!(it, Effect::Fetch(Want::Leaves { size: 7, .. }));
    assert!(unit.asked().iter().any(leaves));
    for _ in 0..8 {
        unit.found(id_of(&claim), Finding::StateMissing(root));
        unit.block();
    }
    let told = unit.asked();
    let gone = told
        .iter()
        .filter(|it| matches!(it, Effect::Notify(Event::Unaudited { .. })));
    assert_eq!(gone.count(), 2);
    assert_eq!(unit.auditor.in_hand(), 0);
}

#[test]
fn what_waits_is_bounded() {
    let mut unit = Unit::new(BTreeSet::new(), Some(0));
    let base = claim_from(0, 0);
    for number in 0..WAITING_MAX + 3 {
        let mut claim = base.clone();
        claim.statement.claim.height = Height(number as u64);
        unit.hear(claim);
    }
    assert_eq!(unit.auditor.in_hand(), WAITING_MAX);
    let told = unit.asked();
    let gone = told
        .iter()
        .filter(|it| matches!(it, Effect::Notify(Event::Unaudited { .. })));
    assert_eq!(gone.count(), 3);
}
