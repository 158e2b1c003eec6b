//! Who draws, and that nothing but stake decides it (rules SO-1 to SO-5).

use proptest::prelude::*;
use surety_protocol::bls::Signature;
use surety_protocol::bls::verify;
use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::ProcessId;
use surety_protocol::sortition::{Draw, TICKETS_MAX, prove, seed};

use crate::objects::{key, named};

/// Proofs of so many identities over so many seeds.
fn proofs(identities: u8, seeds: u64) -> Vec<Vec<Signature>> {
    let keys: Vec<_> = (1..=identities).map(key).collect();
    (0..seeds)
        .map(|first_new| {
            let seed = seed(&named("beacon"), &ProcessId::new([5; 32]), first_new);
            keys.iter().map(|key| prove(key, &seed)).collect()
        })
        .collect()
}

#[test]
fn splitting_stake_among_identities_gains_nothing() {
    const SEEDS: u64 = 150;
    // A quarter of 2,000 tickets, held by one or by ten. In tranche 0 a quarter of 1.5 k = 30 tickets is expected.
    let draw = Draw::new(20, 2_000);
    let count = |identities: u8, tranche: u64| -> (u64, u64) {
        let held = 500 / u64::from(identities);
        let drawn: Vec<u64> = proofs(identities, SEEDS)
            .iter()
            .map(|proofs| {
                proofs
                    .iter()
                    .map(|it| draw.tickets(it, held, tranche))
                    .sum()
            })
            .collect();
        let zeros = drawn.iter().filter(|drawn| **drawn == 0).count() as u64;
        (drawn.iter().sum(), zeros)
    };
    for (tranche, expected) in [(0, SEEDS * 15 / 2), (3, SEEDS * 15)] {
        for identities in [1, 10] {
            let (drawn, zeros) = count(identities, tranche);
            // Four standard deviations of a Poisson number; the same proofs every time.
            assert!(
                drawn.abs_diff(expected) < 4 * expected.isqrt(),
                "{identities}: {drawn}"
            );
            // e^-7.5 of the seeds give nothing: none or one of 150.
            assert!(zeros <= 1);
        }
    }
}

#[test]
fn a_draw_is_the_digest_of_proof_and_ticket() {
    let draw = Draw::new(10, 1_000);
    let proof = &proofs(1, 1)[0][0];
    let range = 1_u128 << 64;
    let of = |ticket: u64| {
        let drawn = digest(
            Domain::SORTITION_TICKET,
            &[proof.as_bytes(), &ticket.to_be_bytes()],
        );
        u128::from(u64::from_be_bytes(
            drawn.as_bytes()[..8].try_into().unwrap(),
        ))
    };
    for tranche in [0, 1, 7, 50] {
        // Below (1.5 + 0.5 t) k / tickets of the range.
        let below = range * (3 + u128::from(tranche)) * 10 / 2_000;
        let expected = (0..1_000).filter(|ticket| of(*ticket) < below).count() as u64;
        // Each share is rounded down by itself.
        let found = draw.tickets(proof, 1_000, tranche);
        assert_eq!(found, expected, "tranche {tranche}");
    }
    assert_eq!(draw.tickets(proof, 0, u64::MAX), 0);
    assert_eq!(draw.first_tranche(proof, 0), None);
}

#[test]
fn k_is_clamped_to_half_of_the_eligible_tickets() {
    for (k, tickets, needed) in [
        (10, 1_000, 10),
        (10, 20, 10),
        (10, 19, 10),
        (10, 18, 9),
        (10, 3, 2),
        (10, 1, 1),
        (10, 0, 1),
        (1, 1_000, 1),
        (u64::MAX, 10, 5),
        (5, u64::MAX, 5),
    ] {
        let draw = Draw::new(k, tickets);
        assert_eq!(draw.needed, needed, "k {k} of {tickets}");
        assert_eq!(draw.clamped(k), needed < k);
    }
}

#[test]
fn every_ticket_has_a_say_in_the_end() {
    let proof = &proofs(1, 1)[0][0];
    for (k, tickets) in [(10, 1_000), (10, 1), (1, u64::MAX), (u64::MAX, u64::MAX)] {
        assert_eq!(Draw::new(k, tickets).tickets(proof, 100, u64::MAX), 100);
    }
    let most = Draw::new(10, 1_000).tickets(proof, u64::MAX, u64::MAX);
    assert_eq!(most, TICKETS_MAX);
}

#[test]
fn a_proof_is_of_one_key_and_one_seed() {
    let process = ProcessId::new([5; 32]);
    let one = seed(&named("beacon"), &process, 7);
    let proof = prove(&key(1), &one);
    assert!(verify(key(1).public_key(), &one, &proof));
    assert!(!verify(key(2).public_key(), &one, &proof));
    for other in [
        seed(&named("other"), &process, 7),
        seed(&named("beacon"), &ProcessId::default(), 7),
        seed(&named("beacon"), &process, 8),
    ] {
        assert_ne!(other, one);
        assert!(!verify(key(1).public_key(), &other, &proof));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tickets_only_join(
        k in 1_u64..200,
        total in 1_u64..5_000,
        share in 1_u64..=100,
        step in 1_u64..20,
        number in 1_u8..20,
    ) {
        let draw = Draw::new(k, total);
        let held = (total * share).div_ceil(100).min(TICKETS_MAX);
        let proof = prove(&key(number), &named("seed"));
        let first = draw.first_tranche(&proof, held).unwrap();
        let mut before = 0;
        for tranche in (0..200).step_by(usize::try_from(step).unwrap()) {
            let now = draw.tickets(&proof, held, tranche);
            prop_assert!(before <= now && now <= held);
            prop_assert_eq!(now > 0, first <= tranche);
            // More stake is never less say.
            prop_assert!(draw.tickets(&proof, held.saturating_sub(1), tranche) <= now);
            before = now;
        }
    }
}
