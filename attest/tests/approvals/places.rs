//! Nobody's claims keep those of others out, and a place that is given back is taken by the first who waits for one (rule VE-13).

use std::sync::Arc;

use surety_attest::claims::Claims;
use surety_attest::effect::{Effect, Executed, Finding, Job};
use surety_attest::guard::Guard;
use surety_attest::verify::{Lottery, Verifier};
use surety_protocol::approval::ClaimBatch;
use surety_protocol::claim::SignedClaim;
use surety_protocol::id::{ClaimId, Digest, ProcessId};
use surety_protocol::machine::Outbox;
use surety_protocol::time::Height;

use super::network::{COMMITTED, claim_from, claim_of, facts, key, operator, params};

/// A verifier, and what it knows.
struct Unit {
    verifier: Verifier,
    claims: Claims,
    guard: Guard,
    height: Height,
}

impl Unit {
    fn new() -> Unit {
        Unit {
            verifier: Verifier::new(operator(2), params(), Lottery::new(Arc::new(key(2)))),
            claims: Claims::default(),
            guard: Guard::default(),
            height: Height(COMMITTED.0 - 1),
        }
    }

    /// The next block commits these claims of one claimant; gives what is executed when their seed is there.
    fn commits(&mut self, claimant: u8, signed: Vec<SignedClaim>) -> Vec<ClaimId> {
        let ids = signed.iter().map(|it| it.statement.claim.id().unwrap());
        let batch = ClaimBatch {
            claimant: operator(claimant),
            claims: ids.collect(),
        };
        let root = batch.root();
        for claim in signed {
            assert!(self.claims.insert(claim));
        }
        assert!(self.claims.insert_batch(batch));
        let mut committed = vec![(operator(claimant), root)];
        let mut executed = Vec::new();
        for _ in 0..=params().seed_delay_blocks {
            self.height = self.height.next();
            let facts = facts(self.height, std::mem::take(&mut committed));
            let mut out = Outbox::default();
            self.verifier.block(&facts, &self.claims, &mut out);
            executed.extend(self.settle(out));
        }
        executed
    }

    fn settle(&mut self, mut out: Outbox<Effect>) -> Vec<ClaimId> {
        self.verifier.settle(&self.claims, &mut out);
        let check = |it| match it {
            Effect::Execute(Job::Check { claim, .. }) => claim.statement.claim.id().ok(),
            _ => None,
        };
        out.drain().into_iter().filter_map(check).collect()
    }

    /// An execution comes back without a state to start from.
    fn answer(&mut self, claim: ClaimId, committed: Height) -> Vec<ClaimId> {
        let mut out = Outbox::default();
        let executed = Executed::Checked {
            claim,
            committed,
            finding: Finding::StateMissing(Digest::new([9; 32])),
        };
        let (claims, guard) = (&self.claims, &mut self.guard);
        self.verifier.executed(executed, claims, guard, &mut out);
        self.settle(out)
    }
}

/// Claims of the first slots of so many processes.
fn of_processes(claimant: u8, first: u64, count: u64) -> Vec<SignedClaim> {
    let process = |number: u64| {
        let mut bytes = [claimant; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        ProcessId::new(bytes)
    };
    let claims = (first..first + count).map(|it| claim_of(claimant, process(it)));
    claims.collect()
}

#[test]
fn a_place_that_is_given_back_is_taken_by_the_first_that_waits_for_one() {
    let mut unit = Unit::new();
    let first = unit.commits(0, of_processes(0, 0, 200));
    // A third of 128: half of those that are left, at last.
    assert_eq!(first.len(), 43);
    let later = of_processes(0, 200, 10);
    let id = |it: &SignedClaim| it.statement.claim.id().unwrap();
    let ids: Vec<ClaimId> = later.iter().map(id).collect();
    assert_eq!(unit.commits(0, later), []);
    for claim in first {
        let next = unit.answer(claim, COMMITTED);
        assert_eq!(next.len(), 1, "one for one");
        assert!(!ids.contains(&next[0]), "the first first");
    }
    // Whoever else claims has places.
    assert!(!unit.commits(1, of_processes(1, 0, 10)).is_empty());
}

#[test]
fn claims_of_one_claimant_and_process_are_not_all_in_hand() {
    let mut unit = Unit::new();
    // They build on what nobody has.
    let claims = (1..=600).map(|first_new| claim_from(0, first_new));
    unit.commits(0, claims.collect());
    assert_eq!(unit.verifier.duties(), 512);
    // Nor do they keep out those of other processes.
    unit.commits(0, of_processes(0, 0, 200));
    assert!(unit.verifier.duties() > 512);
}
