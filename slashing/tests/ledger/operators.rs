//! Operators: keys, activity, bonding and unbonding (rules L-10 to L-15, O-2).

use surety_protocol::origin::{Action, Registration};
use surety_protocol::params::Params;
use surety_protocol::sortition::TICKETS_MAX;
use surety_protocol::stake::Stake;
use surety_slashing::ledger::ItemRefused;

use crate::support::{Person, World, ao, params, refusals};

fn register(registration: Registration) -> Action {
    Action::Register(Box::new(registration))
}

#[test]
fn a_bond_counts_after_its_delay_and_from_the_minimum_on() {
    let (a, b) = (Person::new(1), Person::new(2));
    let mut world = World::new(
        Params {
            activation_blocks: 3,
            ..params()
        },
        &[&a, &b],
    );
    let min = world.ledger.params().bond_min;
    let items = vec![
        world.register(&a),
        world.register(&b),
        world.item(&a.wallet, &Action::Bond(min)),
        world.item(&b.wallet, &Action::Bond(Stake(min.0 - 1))),
    ];
    assert!(refusals(&world.block_of(items)).is_empty());
    // Bonded at height 1, so active from height 4 on.
    for _ in 0..2 {
        world.block();
        assert!(!world.ledger.is_active(&a.address()));
        assert!(world.ledger.validators().is_empty());
    }
    world.block();
    assert!(world.ledger.is_active(&a.address()));
    assert_eq!(world.ledger.validators().len(), 1);
    assert!(!world.ledger.is_active(&b.address()));
    // The missing unit makes it count, after a delay of its own.
    world.act(&b.wallet, Action::Bond(Stake(1)));
    assert!(!world.ledger.is_active(&b.address()));
    world.pass(3);
    assert_eq!(world.ledger.validators().len(), 2);
}

#[test]
fn unbonding_stake_stops_counting_and_comes_back_when_its_time_has_passed() {
    let a = Person::new(1);
    let mut world = World::staked(params(), &[&a]);
    assert!(refusals(&world.act(&a.wallet, Action::Unbond(ao(450)))).is_empty());
    let unbonded = world.ledger.height();
    // 50 AO are left, less than the minimum.
    assert!(world.ledger.validators().is_empty());
    assert_eq!(
        world.refused(&a.wallet, Action::Unbond(ao(51))),
        ItemRefused::Balance
    );
    let free_from = unbonded.plus(world.ledger.params().unbond_blocks);
    world.pass_to(free_from.minus(2));
    assert!(refusals(&world.act(&a.wallet, Action::Withdraw)).is_empty());
    assert_eq!(world.balance(&a), ao(500));
    assert_eq!(world.ledger.height(), free_from.minus(1));
    world.act(&a.wallet, Action::Withdraw);
    assert_eq!(world.balance(&a), ao(950));
    // Once.
    world.act(&a.wallet, Action::Withdraw);
    assert_eq!(world.balance(&a), ao(950));
}

#[test]
fn only_so_many_pieces_unbond_at_once() {
    let a = Person::new(1);
    let mut world = World::staked(params(), &[&a]);
    let items: Vec<Vec<u8>> = (0..17)
        .map(|_| world.item(&a.wallet, &Action::Unbond(ao(1))))
        .collect();
    assert_eq!(refusals(&world.block_of(items)), [ItemRefused::TooMany]);
    assert_eq!(world.bonded(&a), ao(500 - 16));
    assert_eq!(
        world.refused(&a.wallet, Action::Unbond(Stake::ZERO)),
        ItemRefused::TooMany
    );
}

#[test]
fn nothing_is_moved_by_amounts_of_nothing_or_too_much() {
    let (a, b) = (Person::new(1), Person::new(2));
    let mut world = World::staked(params(), &[&a]);
    let cases = [
        (
            Action::Transfer {
                recipient: b.address(),
                quantity: Stake::ZERO,
            },
            ItemRefused::Amount,
        ),
        (Action::Bond(Stake::ZERO), ItemRefused::Amount),
        (Action::Unbond(Stake::ZERO), ItemRefused::Amount),
        (
            Action::Transfer {
                recipient: b.address(),
                quantity: ao(501),
            },
            ItemRefused::Balance,
        ),
        (Action::Bond(ao(501)), ItemRefused::Balance),
        (Action::Unbond(ao(501)), ItemRefused::Balance),
        (Action::Unbond(Stake(u128::MAX)), ItemRefused::Balance),
    ];
    let before = world.ledger.accounts().count();
    for (action, refused) in cases {
        assert_eq!(world.refused(&a.wallet, action), refused);
    }
    assert_eq!(world.ledger.accounts().count(), before);
    assert_eq!((world.balance(&a), world.bonded(&a)), (ao(500), ao(500)));
    // A transfer to oneself keeps what one has.
    world.act(
        &a.wallet,
        Action::Transfer {
            recipient: a.address(),
            quantity: ao(500),
        },
    );
    assert_eq!(world.balance(&a), ao(500));
}

#[test]
fn only_the_wallet_moves_stake() {
    let a = Person::new(1);
    let mut world = World::staked(params(), &[&a]);
    for (action, refused) in [
        (Action::Bond(ao(1)), ItemRefused::Balance),
        (Action::Unbond(ao(1)), ItemRefused::NotRegistered),
        (Action::Withdraw, ItemRefused::NotRegistered),
        (
            Action::Transfer {
                recipient: a.node.address(),
                quantity: ao(1),
            },
            ItemRefused::Balance,
        ),
    ] {
        assert_eq!(world.refused(&a.node, action), refused);
    }
}

#[test]
fn a_forged_proof_of_possession_is_refused() {
    let (a, b) = (Person::new(1), Person::new(2));
    let mut world = World::new(params(), &[&a, &b]);
    // The key of another, with a proof of one's own.
    let forged = Registration {
        key: *b.key.public_key(),
        ..a.registration()
    };
    assert_eq!(
        world.refused(&a.wallet, register(forged)),
        ItemRefused::Possession
    );
    assert!(world.ledger.operator(&a.address()).is_none());
}

#[test]
fn keys_are_not_shared() {
    let (a, b, c) = (Person::new(1), Person::new(2), Person::new(3));
    let mut world = World::staked(params(), &[&a, &b]);
    let taken = [
        // A hot key that another has in force.
        Registration {
            key: *b.key.public_key(),
            possession: b.key.prove_possession(),
            ..a.registration()
        },
        // A data-item key that another has in force.
        Registration {
            item_key: b.node.address(),
            ..a.registration()
        },
        // Another operator's own address.
        Registration {
            item_key: b.address(),
            ..a.registration()
        },
    ];
    for registration in &taken {
        let refused = world.refused(&a.wallet, register(registration.clone()));
        assert_eq!(refused, ItemRefused::KeyTaken);
    }
    // Nor are they when the other has replaced them.
    let fresh = Registration {
        item_key: c.node.address(),
        peer: c.registration().peer,
        ..register_keys(&c)
    };
    assert!(refusals(&world.act(&b.wallet, register(fresh))).is_empty());
    for registration in taken {
        let refused = world.refused(&a.wallet, register(registration));
        assert_eq!(refused, ItemRefused::KeyTaken);
    }
    let operator = world.ledger.operator(&b.address()).unwrap();
    assert!(operator.had_key(b.key.public_key()) && operator.had_item_key(&b.node.address()));
    assert_eq!(
        world.ledger.operator_of_item_key(&b.node.address()),
        Some(b.address())
    );
}

fn register_keys(person: &Person) -> Registration {
    person.registration()
}

#[test]
fn nobody_can_take_an_address_that_its_owner_can_prove() {
    let (thief, owner) = (Person::new(1), Person::new(2));
    let mut world = World::new(params(), &[&thief, &owner]);
    let squat = Registration {
        item_key: owner.address(),
        ..thief.registration()
    };
    assert!(refusals(&world.act(&thief.wallet, register(squat))).is_empty());
    // One key for both purposes, as its owner signs.
    let own = Registration {
        item_key: owner.address(),
        ..owner.registration()
    };
    assert!(refusals(&world.act(&owner.wallet, register(own))).is_empty());
    assert_eq!(
        world.ledger.operator_of_item_key(&owner.address()),
        Some(owner.address())
    );
    // The one who named it first still answers for it.
    assert!(
        world
            .ledger
            .operator(&thief.address())
            .unwrap()
            .had_item_key(&owner.address())
    );
}

#[test]
fn a_registration_too_many_changes_nothing() {
    let a = Person::new(1);
    let mut world = World::new(params(), &[&a]);
    let keys: Vec<Person> = (2..=66).map(Person::new).collect();
    let mut items = vec![world.register(&a)];
    for other in &keys[..64] {
        let item_key = other.node.address();
        let action = register(Registration {
            item_key,
            ..a.registration()
        });
        items.push(world.item(&a.wallet, &action));
    }
    assert!(refusals(&world.block_of(items)).is_empty());
    let before = world.ledger.operator(&a.address()).unwrap().clone();
    let last = keys[64].node.address();
    let action = register(Registration {
        item_key: last,
        ..a.registration()
    });
    assert_eq!(world.refused(&a.wallet, action), ItemRefused::TooMany);
    assert_eq!(world.ledger.operator(&a.address()), Some(&before));
    assert_eq!(world.ledger.operator_of_item_key(&last), None);
    // What retires no key is still possible, as is a key that it had.
    let former = Registration {
        item_key: a.node.address(),
        ..a.registration()
    };
    let refused = world.refused(&a.wallet, register(former));
    assert_eq!(refused, ItemRefused::TooMany);
    let again = Registration {
        peer: vec![7].into(),
        ..before.registration
    };
    assert!(refusals(&world.act(&a.wallet, register(again))).is_empty());
}

#[test]
fn tickets_that_cannot_draw_are_not_counted() {
    let (a, b) = (Person::new(1), Person::new(2));
    let ticket = Stake(ao(500).0 / u128::from(TICKETS_MAX + 1));
    let world = World::staked(
        Params {
            ticket,
            bond_min: ao(1),
            ..params()
        },
        &[&a, &b],
    );
    let validators = world.ledger.validators();
    for validator in validators.iter() {
        assert_eq!((validator.tickets, validator.stake), (TICKETS_MAX, ao(500)));
    }
    assert_eq!(validators.tickets_without(&[a.address()]), TICKETS_MAX);
}
