//! Cases that end without a verdict of their own (rules L-31 and L-32).

use surety_protocol::origin::Action;
use surety_protocol::time::Slot;
use surety_slashing::ledger::{CaseState, ItemRefused};

use crate::support::{Trial, ao, params};

#[test]
fn with_one_file_that_proves_a_lie_the_others_about_it_are_done_with() {
    let mut trial = Trial::new(params(), 4);
    let it = trial.accuse(&trial.lying(8, 6), 0, 6);
    let same = it.under(1, 1000);
    let mut other = it.under(2, 1000);
    other.challenge.slot = Slot(5);
    for it in [&it, &same, &other] {
        trial.open(it);
    }
    let bonds = trial.world.balance(&trial.auditor);
    trial.say(&it, 0..3, true);
    assert_eq!(trial.case(&it).state, CaseState::Guilty);
    assert_eq!(trial.case(&same).state, CaseState::Expired);
    assert_eq!(trial.case(&other).state, CaseState::Open);
    let bond = trial.world.ledger.params().challenge_bond;
    let both = bonds.plus(bond).unwrap().plus(bond).unwrap();
    assert_eq!(trial.world.balance(&trial.auditor), both);
}

#[test]
fn a_case_that_nobody_settles_expires_and_returns_the_bond() {
    let mut trial = Trial::new(params(), 4);
    let it = trial.accuse(&trial.lying(8, 6), 0, 6);
    // Three blocks more, as many as it has whole MiB.
    let it = it.under(1, (4 << 20) - 1);
    trial.open(&it);
    let opened = trial.case(&it).opened;
    trial.say(&it, 0..2, true);
    trial.say(&it, 2..4, false);
    let until = opened.plus(trial.world.ledger.params().verdict_blocks + 3);
    trial.world.pass_to(until.minus(1));
    assert_eq!(trial.case(&it).state, CaseState::Open);
    trial.world.block();
    assert_eq!(trial.case(&it).state, CaseState::Expired);
    assert_eq!(trial.world.balance(&trial.auditor), ao(100));
    assert_eq!(trial.world.ledger.burned(), ao(0));
    assert!(trial.world.ledger.slashings().is_empty());
    // What was said is said for good.
    let again = Action::Challenge {
        challenge: it.challenge.clone(),
        evidence: None,
    };
    let again = trial.world.refused(&trial.auditor.wallet, again);
    assert_eq!(again, ItemRefused::Known);
}

/// Who opens a case and shows nobody the file does not shield the offender from it.
#[test]
fn a_challenge_that_nobody_had_anything_to_say_about_may_be_made_again() {
    let mut trial = Trial::new(params(), 4);
    let it = trial.accuse(&trial.lying(8, 6), 0, 6);
    trial.open(&it);
    let until = trial.world.ledger.params().verdict_blocks;
    trial.world.pass(until);
    assert_eq!(trial.case(&it).state, CaseState::Expired);
    trial.open(&it);
    trial.say(&it, 0..3, true);
    assert_eq!(trial.case(&it).state, CaseState::Guilty);
}
