//! What may wait for a block together (rules OR-4 to OR-7), and of whom (rule L-7).

use surety_protocol::claim::Claim;
use surety_protocol::id::Digest;
use surety_protocol::origin::Action;
use surety_protocol::stake::Stake;
use surety_slashing::ledger::{ItemRefused, LedgerEvent};
use surety_slashing::order::{
    CERTIFICATES_MAX, DIGESTS_MAX, NotQueued, OTHERS_BYTES_MAX, OTHERS_MAX, WAITING_BYTES_MAX,
};

use crate::support::{
    Certification, Person, Trial, World, ao, commit, groundless, params, record, statement,
};

/// Enough blocks for every ticket to have a say.
const LATE: u64 = 40;

/// Claims of so many leaves each, one after another, committed together and drawn.
fn chain(trial: &mut Trial, sizes: &[u64]) -> Vec<Certification> {
    let firsts = [0].into_iter().chain(sizes.iter().copied());
    let claims: Vec<Claim> = firsts
        .zip(sizes)
        .map(|(first, size)| trial.claim(&trial.process.leaves(*size), first))
        .collect();
    let all: Vec<&Claim> = claims.iter().collect();
    let (committed, batch) = commit(&mut trial.world, &trial.claimant, &all);
    trial.world.pass(LATE);
    let certification = |claim: Claim| Certification {
        signature: statement(&claim, &trial.claimant).signature,
        claimant: trial.claimant.address(),
        committed,
        batch: batch.clone(),
        claim,
    };
    claims.into_iter().map(certification).collect()
}

fn submit(trial: &mut Trial, it: &Certification) -> Result<(), NotQueued> {
    let judges: Vec<&Person> = trial.judges.iter().collect();
    let action = record(it.by(&trial.world, &judges));
    let world = &mut trial.world;
    let item = world.item(&trial.auditor.wallet, &action);
    world.proposer.submit(&world.ledger, item).map(drop)
}

#[test]
fn certificates_that_continue_one_another_stand_in_one_block() {
    let mut trial = Trial::new(params(), 5);
    let it = chain(&mut trial, &[3, 4, 9]);
    let gap = NotQueued::Refused(ItemRefused::NotContinuous);
    assert_eq!(submit(&mut trial, &it[1]), Err(gap.clone()));
    assert_eq!(submit(&mut trial, &it[0]), Ok(()));
    assert_eq!(submit(&mut trial, &it[2]), Err(gap.clone()));
    assert_eq!(submit(&mut trial, &it[1]), Ok(()));
    // Each once.
    assert_eq!(submit(&mut trial, &it[0]), Err(gap.clone()));
    assert_eq!(submit(&mut trial, &it[1]), Err(gap));
    assert_eq!(submit(&mut trial, &it[2]), Ok(()));
    let events = trial.world.block();
    let certified = |it: &&LedgerEvent| matches!(it, LedgerEvent::Certified { .. });
    assert_eq!(events.iter().filter(certified).count(), 3);
    assert_eq!(trial.segments(), [3, 4, 9]);
}

#[test]
fn of_one_process_not_too_many_certificates_wait() {
    let mut trial = Trial::new(params(), 5);
    trial.process = crate::support::Process::new(&Person::new(0x61).node, "p", 20);
    let sizes: Vec<u64> = (1..=18).collect();
    let all = chain(&mut trial, &sizes);
    let (some, more) = all.split_at(CERTIFICATES_MAX);
    for it in some {
        assert_eq!(submit(&mut trial, it), Ok(()));
    }
    assert_eq!(submit(&mut trial, &more[0]), Err(NotQueued::Waiting));
    trial.world.block();
    for it in more {
        assert_eq!(submit(&mut trial, it), Ok(()));
    }
    trial.world.block();
    assert_eq!(trial.segments(), sizes);
}

#[test]
fn a_block_carries_one_digest_of_a_claimant_and_the_next_ones_carry_the_others() {
    let (a, b) = (Person::new(1), Person::new(2));
    let mut world = World::staked(params(), &[&a, &b]);
    let submit = |world: &mut World, who: &Person, number: usize| {
        let root = Digest::new([u8::try_from(number).unwrap(); 32]);
        // By the node or by the operator's own key: it is one claimant.
        let key = if number.is_multiple_of(2) {
            &who.node
        } else {
            &who.wallet
        };
        let item = world.item(key, &Action::Claims(root));
        world.proposer.submit(&world.ledger, item).map(drop)
    };
    for number in 0..DIGESTS_MAX {
        assert_eq!(submit(&mut world, &a, number), Ok(()));
    }
    assert_eq!(submit(&mut world, &a, 99), Err(NotQueued::Waiting));
    assert_eq!(submit(&mut world, &b, 100), Ok(()));
    for number in 0..DIGESTS_MAX {
        let events = world.block();
        let committed = events.iter().filter_map(|it| match it {
            LedgerEvent::Committed { claimant, root, .. } => Some((*claimant, root.as_bytes()[0])),
            LedgerEvent::Refused { .. } => panic!("{it:?}"),
            _ => None,
        });
        let mut expected = vec![(a.address(), u8::try_from(number).unwrap())];
        if number == 0 {
            expected.push((b.address(), 100));
        }
        assert_eq!(committed.collect::<Vec<_>>(), expected);
    }
    assert_eq!(world.proposer.waiting(), 0);
}

#[test]
fn who_has_nothing_has_nothing_to_say() {
    let (a, b) = (Person::new(1), Person::new(2));
    let mut world = World::new(params(), &[&a]);
    let nothing = Action::Transfer {
        recipient: a.address(),
        quantity: Stake::ZERO,
    };
    let actions = [
        nothing,
        Action::Claims(Digest::new([1; 32])),
        Action::Bond(ao(1)),
        Action::Withdraw,
    ];
    for action in actions {
        let item = world.item(&b.wallet, &action);
        let refused = NotQueued::Refused(ItemRefused::Stranger);
        assert_eq!(world.proposer.submit(&world.ledger, item), Err(refused));
    }
    let item = world.register(&b);
    let refused = world.ledger.admissible(&item).map(drop);
    assert_eq!(refused, Err(ItemRefused::Stranger));
    // Whoever stands for an operator need not have a balance of its own.
    let items = vec![world.register(&a)];
    world.block_of(items);
    let item = world.item(&a.node, &Action::Claims(Digest::new([1; 32])));
    assert_eq!(world.ledger.admissible(&item).map(drop), Ok(()));
}

#[test]
fn nobody_takes_the_room_of_all() {
    let (a, b) = (Person::new(1), Person::new(2));
    let mut world = World::new(params(), &[&a, &b]);
    let submit = |world: &mut World, who: &Person, bytes: usize| {
        let item = world.item(&who.wallet, &groundless(who, bytes));
        world.proposer.submit(&world.ledger, item).map(drop)
    };
    for _ in 0..OTHERS_MAX {
        assert_eq!(submit(&mut world, &a, 0), Ok(()));
    }
    assert_eq!(submit(&mut world, &a, 0), Err(NotQueued::Full));
    let large = OTHERS_BYTES_MAX / 5;
    for _ in 0..4 {
        assert_eq!(submit(&mut world, &b, large), Ok(()));
    }
    assert_eq!(submit(&mut world, &b, large), Err(NotQueued::Full));
    assert_eq!(submit(&mut world, &b, 0), Ok(()));
    // What blocks have carried waits no more.
    while world.proposer.waiting() > 0 {
        world.block();
    }
    assert_eq!(submit(&mut world, &a, 0), Ok(()));
    assert_eq!(submit(&mut world, &b, large), Ok(()));
}

/// Rule OR-7.
#[test]
fn accounts_that_cost_nothing_keep_no_operator_out_and_operators_keep_out_nobody() {
    let operator = Person::new(1);
    let crowd: Vec<Person> = (2..22).map(Person::new).collect();
    let everybody: Vec<&Person> = crowd.iter().chain([&operator]).collect();
    let mut world = World::new(params(), &everybody);
    let bonded = vec![world.register(&operator)];
    world.block_of(bonded);
    let bond = world.item(&operator.wallet, &Action::Bond(ao(100)));
    world.block_of(vec![bond]);
    // It is active by then.
    world.pass(LATE);
    let submit = |world: &mut World, who: &Person, bytes: usize| {
        let item = world.item(&who.wallet, &groundless(who, bytes));
        world.proposer.submit(&world.ledger, item).map(drop)
    };
    // They take all the room that they have, with what fills blocks: first in the line for challenges, then in that for the rest.
    let large = OTHERS_BYTES_MAX / 5;
    let mut sent = 0;
    while crowd
        .iter()
        .any(|it| submit(&mut world, it, large) == Ok(()))
    {
        sent += 1;
    }
    let room = 2 * WAITING_BYTES_MAX;
    assert!(
        (room - 4 * large..=room).contains(&(sent * large)),
        "{sent}"
    );
    let digest = |world: &mut World, number: u8| {
        let item = world.item(&operator.node, &Action::Claims(Digest::new([number; 32])));
        world.proposer.submit(&world.ledger, item).map(drop)
    };
    let committed = |events: &[LedgerEvent]| {
        let digests = |it: &&LedgerEvent| matches!(it, LedgerEvent::Committed { .. });
        events.iter().filter(digests).count()
    };
    for number in 0..10 {
        assert_eq!(digest(&mut world, number), Ok(()));
        assert_eq!(committed(&world.block()), 1, "{number}");
    }
    // Operators keep out nobody either: in three blocks one of these items of each line.
    let waiting = world.proposer.waiting();
    for _ in 0..4 {
        assert_eq!(submit(&mut world, &operator, large), Ok(()));
    }
    for _ in 0..3 {
        world.block();
    }
    assert_eq!(world.proposer.waiting(), waiting + 4 - 3);
    while world.proposer.waiting() > 0 {
        world.block();
    }
}
