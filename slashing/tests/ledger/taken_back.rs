//! What becomes of a certificate: taken back, or settled (rules L-12, L-22, L-34, L-35).

use surety_protocol::claim::{Claim, Leaf};
use surety_protocol::origin::{Action, Challenge};
use surety_protocol::params::Params;
use surety_slashing::ledger::{CaseState, ItemRefused, LedgerEvent};

use crate::support::{Accusation, Person, Trial, certification, named, params, record, refusals};

/// Certifies the leaves in segments of four.
fn certified(trial: &mut Trial, leaves: &[Leaf]) -> Vec<Claim> {
    let claims: Vec<Claim> = (4..=leaves.len())
        .step_by(4)
        .map(|to| trial.claim(&leaves[..to], to as u64 - 4))
        .collect();
    for claim in &claims {
        trial.certify(claim);
    }
    claims
}

fn long_window() -> Params {
    Params {
        challenge_window_blocks: 200,
        verdict_blocks: 12,
        ..params()
    }
}

#[test]
fn the_certificate_of_a_false_claim_is_taken_back_with_all_that_continue_it() {
    let mut trial = Trial::new(long_window(), 5);
    let leaves = trial.lying(12, 6);
    certified(&mut trial, &leaves);
    assert_eq!(trial.segments(), [4, 8, 12]);
    let it = trial.accuse(&leaves[..8], 4, 6);
    trial.open(&it);
    trial.say(&it, 0..3, true);
    assert_eq!(trial.segments(), [4, 8, 12]);
    trial.say(&it, 3..4, true);
    assert_eq!(trial.segments(), [4]);
}

#[test]
fn a_later_claim_takes_the_segment_of_the_lie_with_it() {
    let mut trial = Trial::new(long_window(), 5);
    let leaves = trial.lying(12, 6);
    certified(&mut trial, &leaves);
    // The last claim contains the lie too, and its signer answers for all of it.
    let it = trial.accuse(&leaves, 8, 6);
    trial.open(&it);
    trial.say(&it, 0..4, true);
    assert_eq!(trial.segments(), [4]);
}

#[test]
fn a_false_head_takes_back_its_own_segment_only() {
    let mut trial = Trial::new(long_window(), 5);
    let leaves = trial.process.leaves(12);
    let mut claims = certified(&mut trial, &leaves[..4]);
    let lie = Claim {
        head_state_root: named("lie"),
        ..trial.claim(&leaves[..8], 4)
    };
    claims.push(lie.clone());
    trial.certify(&lie);
    let it = trial.accuse(&leaves[..8], 4, 7);
    let challenge = Challenge {
        claim: Some(lie.id().unwrap()),
        ..it.challenge.clone()
    };
    let it = Accusation { challenge, ..it };
    trial.open(&it);
    trial.say(&it, 0..4, true);
    assert_eq!(trial.segments(), [4]);
}

#[test]
fn a_friend_cannot_save_the_certificate_by_accusing_by_another_claim() {
    let mut trial = Trial::new(long_window(), 5);
    let leaves = trial.lying(8, 6);
    certified(&mut trial, &leaves);
    // The same lie in a claim that nobody certified: the liar is punished, the certificate stands.
    let friend = trial.accuse(&leaves[..7], 0, 6);
    trial.open(&friend);
    trial.say(&friend, 0..4, true);
    assert_eq!(trial.world.ledger.slashings().len(), 1);
    assert_eq!(trial.segments(), [4, 8]);
    // So the certified claim can still be accused, for no reward but the bond.
    let it = trial.accuse(&leaves, 4, 6);
    let before = trial.world.balance(&trial.auditor);
    trial.open(&it);
    trial.say(&it, 0..4, true);
    assert_eq!(trial.case(&it).state, CaseState::Guilty);
    assert_eq!(trial.segments(), [4]);
    // But now those are punished who approved it.
    assert_eq!(trial.world.ledger.slashings().len(), 1 + trial.judges.len());
    assert_eq!(trial.world.balance(&trial.auditor), before);
    // Once it is gone, there is nothing more to accuse.
    let again = trial.accuse(&leaves, 0, 6);
    let action = Action::Challenge {
        challenge: again.challenge,
        evidence: None,
    };
    assert_eq!(
        trial.world.refused(&Person::new(2).wallet, action),
        ItemRefused::Known
    );
}

#[test]
fn a_claim_proven_false_is_not_certified_again() {
    let mut trial = Trial::new(long_window(), 6);
    let leaves = trial.lying(4, 2);
    let claim = trial.claim(&leaves, 0);
    let it = trial.accuse(&leaves, 0, 2);
    trial.open(&it);
    trial.say(&it, 0..5, true);
    // By another claimant, with verifiers who approve anything.
    let second = Person::new(2);
    let certification = certification(&mut trial.world, &second, &claim);
    trial.world.pass(20);
    let judges: Vec<&Person> = trial.judges[1..].iter().collect();
    let action = record(certification.by(&trial.world, &judges));
    assert_eq!(
        trial.world.refused(&trial.auditor.wallet, action),
        ItemRefused::ProvenFalse
    );
}

#[test]
fn who_was_proven_to_lie_neither_claims_nor_approves() {
    let mut trial = Trial::new(long_window(), 6);
    let claim = trial.claim(&trial.process.leaves(4), 0);
    let by_claimant = certification(&mut trial.world, &trial.claimant, &claim);
    let second = Person::new(2);
    let by_second = certification(&mut trial.world, &second, &claim);
    // Long enough for nearly every ticket to have drawn.
    trial.world.pass(100);
    let judges: Vec<&Person> = trial.judges[1..].iter().collect();
    let mut all = judges.clone();
    all.push(&trial.claimant);
    let lied = record(by_claimant.by(&trial.world, &judges));
    let approved = record(by_second.by(&trial.world, &all));
    let good = record(by_second.by(&trial.world, &judges));
    // Another lie of the claimant comes out.
    let it = trial.accuse(&trial.lying(8, 6), 0, 6);
    trial.open(&it);
    trial.say(&it, 0..5, true);
    for action in [lied, approved] {
        assert_eq!(
            trial.world.refused(&second.wallet, action),
            ItemRefused::Tombstoned
        );
    }
    let root = Action::Claims(named("root"));
    assert_eq!(
        trial.world.refused(&trial.claimant.node, root),
        ItemRefused::NotActive
    );
    assert!(refusals(&trial.world.act(&second.wallet, good)).is_empty());
}

#[test]
fn a_segment_settles_when_its_window_closes() {
    let mut trial = Trial::new(params(), 5);
    let leaves = trial.process.leaves(8);
    let claim = trial.claim(&leaves[..4], 0);
    trial.certify(&claim);
    let first = trial.world.ledger.height();
    trial.world.pass(2);
    let window = trial.world.ledger.params().challenge_window_blocks;
    trial.world.pass_to(first.plus(window - 1));
    assert_eq!((trial.segments(), trial.settled()), (vec![4], None));
    trial.world.block();
    assert_eq!((trial.segments(), trial.settled()), (vec![], Some(4)));
    // The next segment continues what is settled.
    let claim = trial.claim(&leaves, 4);
    trial.certify(&claim);
    assert_eq!((trial.segments(), trial.settled()), (vec![8], Some(4)));
    trial.world.pass(window);
    assert_eq!((trial.segments(), trial.settled()), (vec![], Some(8)));
    // What is settled is settled, whatever comes out later.
    let it = trial.accuse(&leaves, 4, 6);
    trial.open(&it);
    trial.say(&it, 0..4, true);
    assert_eq!(trial.settled(), Some(8));
}

#[test]
fn nothing_settles_while_a_case_is_open() {
    let mut trial = Trial::new(params(), 5);
    let leaves = trial.process.leaves(4);
    let claim = trial.claim(&leaves, 0);
    trial.certify(&claim);
    let window = trial.world.ledger.params().challenge_window_blocks;
    let until = trial.world.ledger.height().plus(window);
    let it = trial.accuse(&leaves, 0, 2);
    // In the very block in which the window closes.
    trial.world.pass_to(until.minus(1));
    trial.open(&it);
    assert_eq!(trial.world.ledger.height(), until);
    trial.world.pass(2);
    assert_eq!((trial.segments(), trial.settled()), (vec![4], None));
    let events = trial.say(&it, 0..4, false);
    let closed = LedgerEvent::Closed {
        case: it.challenge.case(),
        evidence: it.challenge.evidence,
        state: CaseState::Innocent,
    };
    assert!(events.contains(&closed));
    assert_eq!((trial.segments(), trial.settled()), (vec![], Some(4)));
}
