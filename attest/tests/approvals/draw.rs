//! A claim is drawn when the last of what it takes has come, in whatever order (rule VE-1).

use std::sync::Arc;

use surety_attest::claims::Claims;
use surety_attest::effect::{Effect, Job};
use surety_attest::verify::{Lottery, Verifier};
use surety_protocol::approval::ClaimBatch;
use surety_protocol::machine::Outbox;

use super::network::{COMMITTED, VERIFIERS, claim, facts, key, operator, params};

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
    let signed = claim(0);
    let batch = ClaimBatch {
        claimant: operator(0),
        claims: vec![signed.statement.claim.id().unwrap()],
    };
    let root = batch.root();
    let mut claims = Claims::default();
    let lottery = Lottery::new(Arc::new(key(number)));
    let mut verifier = Verifier::new(operator(number), params(), lottery);
    order.map(|part| {
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
        verifier.more(&claims, &mut out);
        out.drain()
    })
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
