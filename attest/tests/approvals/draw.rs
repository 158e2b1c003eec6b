//! A claim is drawn when the last of what it takes has come, in whatever order (rule VE-1), and tried again when it may help (rule
//! VE-12).

use std::sync::Arc;

use surety_attest::claims::Claims;
use surety_attest::effect::{Effect, Job};
use surety_attest::verify::{Lottery, Verifier};
use surety_protocol::approval::ClaimBatch;
use surety_protocol::claim::SignedClaim;
use surety_protocol::id::ProcessId;
use surety_protocol::machine::Outbox;

use super::network::{
    COMMITTED, VERIFIERS, claim, claim_from, facts, key, operator, params, process,
};

/// What a draw takes.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// The blocks with the digest and with the seed.
    Blocks,
    Batch,
    Claim,
}

/// What a verifier asks for after each part.
fn asked(number: u8, order: [Part; 3]) -> [Vec<Effect>; 3] {
    parts(number, claim(0), order).1
}

fn parts(
    number: u8,
    signed: SignedClaim,
    order: [Part; 3],
) -> ((Verifier, Claims), [Vec<Effect>; 3]) {
    let batch = ClaimBatch {
        claimant: operator(0),
        claims: vec![signed.statement.claim.id().unwrap()],
    };
    let root = batch.root();
    let mut claims = Claims::default();
    let lottery = Lottery::new(Arc::new(key(number)));
    let mut verifier = Verifier::new(operator(number), params(), lottery);
    let asked = order.map(|part| {
        let mut out = Outbox::default();
        match part {
            Part::Blocks => {
                let mut at = COMMITTED;
                verifier.block(&facts(at, vec![(operator(0), root)]), &claims, &mut out);
                for _ in 0..params().seed_delay_blocks {
                    at = at.next();
                    verifier.block(&facts(at, Vec::new()), &claims, &mut out);
                }
            }
            Part::Batch => {
                assert!(claims.insert_batch(batch.clone()));
                verifier.batch(&root, &claims);
            }
            Part::Claim => {
                assert!(claims.insert(signed.clone()));
                verifier.claim(&signed, &claims);
            }
        }
        verifier.more(process());
        verifier.settle(&claims, &mut out);
        out.drain()
    });
    ((verifier, claims), asked)
}

#[test]
fn a_claim_is_executed_as_soon_as_all_that_it_takes_is_here() {
    use Part::{Batch, Blocks, Claim};

    let executes = |it: &Effect| matches!(it, Effect::Execute(Job::Check { .. }));
    let at_once = |number: &u8| {
        asked(*number, [Batch, Claim, Blocks])[2]
            .iter()
            .any(executes)
    };
    let drawn: Vec<u8> = (2..2 + VERIFIERS).filter(at_once).collect();
    assert!(!drawn.is_empty(), "somebody draws tranche 0");
    for number in drawn {
        for order in [
            [Blocks, Batch, Claim],
            [Blocks, Claim, Batch],
            [Batch, Blocks, Claim],
            [Claim, Blocks, Batch],
            [Claim, Batch, Blocks],
        ] {
            let asked = asked(number, order);
            let executed = asked.map(|it| it.iter().filter(|it| executes(it)).count());
            assert_eq!(executed, [0, 0, 1], "{order:?}");
        }
    }
}

#[test]
fn what_a_claim_lacks_is_asked_for_once_and_with_each_block() {
    use Part::{Batch, Blocks, Claim};

    let fetches = |asked: &[Effect]| {
        let fetch = |it: &&Effect| matches!(it, Effect::Fetch(_));
        asked.iter().filter(fetch).count()
    };
    // It builds on a slot that nobody here knows.
    let lacking = |number: u8| parts(number, claim_from(0, 1), [Claim, Batch, Blocks]);
    let mut drawn = 0;
    for number in 2..2 + VERIFIERS {
        let ((mut verifier, claims), asked) = lacking(number);
        if fetches(&asked[2]) == 0 {
            continue;
        }
        drawn += 1;
        assert_eq!(fetches(&asked[2]), 1);
        let mut out = Outbox::default();
        for process in [process(), ProcessId::new([0; 32])] {
            verifier.more(process);
            verifier.settle(&claims, &mut out);
        }
        assert!(out.drain().is_empty());
        let next = COMMITTED.plus(params().seed_delay_blocks).next();
        verifier.block(&facts(next, Vec::new()), &claims, &mut out);
        verifier.settle(&claims, &mut out);
        assert_eq!(fetches(&out.drain()), 1);
    }
    assert!(drawn > 0, "somebody draws tranche 0");
}
