//! What a proven offence takes, from where, and what is left (rules L-11, L-12, L-14, L-33, P-2).

use surety_protocol::origin::Action;
use surety_protocol::params::Params;
use surety_protocol::stake::{Fraction, Stake};
use surety_slashing::ledger::{CaseState, ItemRefused};

use crate::support::{Trial, ao, params, refusals};

#[test]
fn unbonding_stake_is_slashed_too() {
    let mut trial = Trial::new(params(), 4);
    trial
        .world
        .act(&trial.claimant.wallet, Action::Unbond(ao(300)));
    trial
        .world
        .act(&trial.claimant.wallet, Action::Unbond(ao(150)));
    let it = trial.accuse(&trial.lying(8, 6), 0, 6);
    trial.open(&it);
    trial.say(&it, 0..3, true);
    assert_eq!(trial.world.ledger.slashings()[0].amount, ao(500));
    let accused = trial
        .world
        .ledger
        .operator(&trial.claimant.address())
        .unwrap();
    assert!(accused.unbonding.is_empty());
    assert_eq!((accused.bonded, accused.escrow), (ao(0), ao(500)));
    trial.world.pass(trial.world.ledger.params().unbond_blocks);
    trial.world.act(&trial.claimant.wallet, Action::Withdraw);
    assert_eq!(trial.world.balance(&trial.claimant), ao(500));
}

#[test]
fn a_part_is_taken_from_the_bond_first_and_rounded_down() {
    let penalty = Fraction::new(2, 3);
    let mut trial = Trial::new(
        Params {
            penalty,
            ..params()
        },
        4,
    );
    trial
        .world
        .act(&trial.claimant.wallet, Action::Unbond(ao(400)));
    // 100 AO bonded, 400 unbonding: two thirds of 500 are 333.33.
    let amount = Stake(ao(500).0 * 2 / 3);
    let it = trial.accuse(&trial.lying(8, 6), 0, 6);
    trial.open(&it);
    trial.say(&it, 0..3, true);
    let slashing = trial.world.ledger.slashings()[0].clone();
    assert_eq!(slashing.amount, amount);
    let accused = trial
        .world
        .ledger
        .operator(&trial.claimant.address())
        .unwrap();
    assert_eq!((accused.bonded, accused.escrow), (ao(0), amount));
    assert_eq!(accused.unbonding[0].amount, Stake(ao(500).0 - amount.0));

    // A second lie costs two thirds of what is left.
    let second = trial.accuse(&trial.lying(8, 7), 0, 7);
    trial.open(&second);
    trial.say(&second, 0..3, true);
    let left = ao(500).0 - amount.0;
    let next = trial.world.ledger.slashings()[1].clone();
    assert_eq!(next.amount, Stake(left * 2 / 3));
    trial.world.pass_to(next.escrow_until);
    let reward = Stake(slashing.amount.0 / 10 + next.amount.0 / 10);
    assert_eq!(
        trial.world.balance(&trial.auditor),
        Stake(ao(100).0 + reward.0)
    );
    let burned = slashing.amount.0 + next.amount.0 - reward.0;
    assert_eq!(trial.world.ledger.burned(), Stake(burned));

    // What is left can be had in the ordinary way, and never be bonded again.
    trial.world.pass(trial.world.ledger.params().unbond_blocks);
    trial.world.act(&trial.claimant.wallet, Action::Withdraw);
    let left = left - next.amount.0;
    assert_eq!(
        trial.world.balance(&trial.claimant),
        Stake(ao(500).0 + left)
    );
    let claimant = crate::support::Person::new(1);
    let refused = trial.world.refused(&claimant.wallet, Action::Bond(ao(200)));
    assert_eq!(refused, ItemRefused::Tombstoned);
    let register = Action::Register(Box::new(claimant.registration()));
    assert!(refusals(&trial.world.act(&claimant.wallet, register)).is_empty());
    assert!(!trial.world.ledger.is_active(&claimant.address()));
}

#[test]
fn stake_does_not_leave_while_a_case_is_open() {
    let params = Params {
        unbond_blocks: 6,
        evidence_age_blocks: 5,
        verdict_blocks: 6,
        ..params()
    };
    let mut trial = Trial::new(params, 4);
    let claimant = crate::support::Person::new(1);
    trial.world.act(&claimant.wallet, Action::Unbond(ao(500)));
    let free_from = trial.world.ledger.height().plus(6);
    trial.world.pass_to(free_from.minus(2));
    // The latest moment at which evidence is still about stake that is bound.
    let it = trial.accuse(&trial.lying(8, 6), 0, 6);
    // A file of eight MiB has eight blocks more.
    let it = it.under(1, 8 << 20);
    trial.open(&it);
    for at in [free_from, free_from.plus(8)] {
        trial.world.pass_to(at);
        trial.world.act(&claimant.wallet, Action::Withdraw);
        assert_eq!(trial.world.balance(&claimant), ao(500));
    }
    trial.say(&it, 0..3, true);
    assert_eq!(trial.world.ledger.slashings()[0].amount, ao(500));
}

#[test]
fn accusing_somebody_again_and_again_delays_a_withdrawal_only_once() {
    let params = Params {
        unbond_blocks: 6,
        evidence_age_blocks: 5,
        verdict_blocks: 6,
        ..params()
    };
    let mut trial = Trial::new(params, 4);
    let claimant = crate::support::Person::new(1);
    trial.world.act(&claimant.wallet, Action::Unbond(ao(500)));
    let free_from = trial.world.ledger.height().plus(6);
    let first = trial.accuse(&trial.lying(8, 6), 0, 6);
    trial.world.pass_to(free_from.minus(2));
    trial.open(&first);
    trial.world.pass(4);
    let second = trial.accuse(&trial.lying(8, 7), 0, 7);
    trial.open(&second);
    trial.world.pass_to(free_from.plus(4));
    assert_eq!(trial.case(&second).state, CaseState::Open);
    trial.world.act(&claimant.wallet, Action::Withdraw);
    assert_eq!(trial.world.balance(&claimant), ao(500));
    trial.world.act(&claimant.wallet, Action::Withdraw);
    assert_eq!(trial.world.balance(&claimant), ao(1_000));
    assert_eq!(trial.case(&second).state, CaseState::Open);
}

#[test]
fn escrow_cannot_be_moved() {
    let mut trial = Trial::new(
        Params {
            escrow_blocks: 40,
            ..params()
        },
        4,
    );
    let it = trial.accuse(&trial.lying(8, 6), 0, 6);
    trial.open(&it);
    trial.say(&it, 0..3, true);
    let claimant = crate::support::Person::new(1);
    let unbond = trial
        .world
        .refused(&claimant.wallet, Action::Unbond(Stake(1)));
    assert_eq!(unbond, ItemRefused::Balance);
    trial.world.pass(25);
    trial.world.act(&claimant.wallet, Action::Withdraw);
    assert_eq!(trial.world.balance(&claimant), ao(500));
    assert_eq!(
        trial
            .world
            .ledger
            .operator(&claimant.address())
            .unwrap()
            .escrow,
        ao(500)
    );
}
