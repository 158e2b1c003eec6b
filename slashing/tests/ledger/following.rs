//! The waiting room of the proposer, and replicas that get blocks in any order (rules OR-2, RL-1, RL-2).

use surety_protocol::block::BLOCK_BYTES_MAX;
use surety_protocol::codec;
use surety_protocol::origin::Action;
use surety_protocol::time::Height;
use surety_slashing::ledger::{BlockError, ItemRefused, Ledger};
use surety_slashing::order::NotQueued;
use surety_slashing::replica::{AHEAD_MAX, Followed, Replica};

use crate::support::{Person, World, ao, groundless, params};

fn gift(to: &Person) -> Action {
    Action::Transfer {
        recipient: to.address(),
        quantity: ao(1),
    }
}

/// A world with this many blocks of one transfer each, and the ledger that it started from.
fn history(blocks: usize) -> (World, Ledger) {
    let (a, b) = (Person::new(1), Person::new(2));
    let mut world = World::new(params(), &[&a, &b]);
    let start = world.ledger.clone();
    for _ in 0..blocks {
        world.act(&a.wallet, gift(&b));
    }
    (world, start)
}

#[test]
fn blocks_in_any_order_are_applied_in_theirs() {
    let (world, mut ledger) = history(5);
    let mut replica = Replica::default();
    for at in [3, 1, 4, 2] {
        let followed = replica.follow(&mut ledger, world.blocks[at].clone());
        assert!(matches!(followed, Followed::Gap(Height(1))));
    }
    assert_eq!(replica.gap(&ledger), Some(Height(1)));
    let Followed::Applied(applied) = replica.follow(&mut ledger, world.blocks[0].clone()) else {
        panic!("the first block applies");
    };
    assert_eq!(applied.len(), 5);
    assert_eq!(ledger.state_root(), world.ledger.state_root());
    assert_eq!(replica.gap(&ledger), None);
    let old = replica.follow(&mut ledger, world.blocks[2].clone());
    assert!(matches!(old, Followed::Old));
}

#[test]
fn nobody_can_replace_a_block_that_waits() {
    let (world, mut ledger) = history(3);
    let mut replica = Replica::default();
    // The proposer's header with items of one's own.
    let mut hollow = world.blocks[1].clone();
    hollow.items.clear();
    let refused = replica.follow(&mut ledger, hollow.clone());
    assert!(matches!(refused, Followed::Refused(BlockError::Items)));
    let mut unsigned = world.blocks[1].clone();
    unsigned.commit.signature = world.blocks[2].commit.signature;
    let refused = replica.follow(&mut ledger, unsigned);
    assert!(matches!(refused, Followed::Refused(BlockError::Signature)));
    assert_eq!(replica.gap(&ledger), None);

    replica.follow(&mut ledger, world.blocks[1].clone());
    assert!(matches!(replica.follow(&mut ledger, hollow), Followed::Old));
    let Followed::Applied(applied) = replica.follow(&mut ledger, world.blocks[0].clone()) else {
        panic!("the first block applies");
    };
    assert_eq!(applied.len(), 2);
}

#[test]
fn a_bad_next_block_leaves_the_ledger_as_it_was() {
    let (world, mut ledger) = history(2);
    let mut replica = Replica::default();
    let mut hollow = world.blocks[0].clone();
    hollow.items.clear();
    let root = ledger.state_root();
    let refused = replica.follow(&mut ledger, hollow);
    assert!(matches!(refused, Followed::Refused(BlockError::Items)));
    assert_eq!((ledger.height(), ledger.state_root()), (Height(0), root));
    let applied = replica.follow(&mut ledger, world.blocks[0].clone());
    assert!(matches!(applied, Followed::Applied(_)));
}

#[test]
fn the_lowest_blocks_ahead_are_kept() {
    let (mut world, mut ledger) = history(0);
    world.pass(AHEAD_MAX as u64 + 3);
    let mut replica = Replica::default();
    for block in world.blocks[1..].iter().rev() {
        assert!(matches!(
            replica.follow(&mut ledger, block.clone()),
            Followed::Gap(Height(1))
        ));
    }
    let Followed::Applied(applied) = replica.follow(&mut ledger, world.blocks[0].clone()) else {
        panic!("the first block applies");
    };
    assert_eq!(applied.len(), AHEAD_MAX + 1);
}

#[test]
fn what_fits_no_block_does_not_stop_the_others() {
    let (a, b) = (Person::new(1), Person::new(2));
    let mut world = World::new(params(), &[&a, &b]);
    let exceeds = vec![0; BLOCK_BYTES_MAX - 4];
    let bytes = exceeds.len();
    assert_eq!(
        world.proposer.submit(&world.ledger, exceeds),
        Err(NotQueued::TooLarge { bytes })
    );
    // Accusations that prove nothing, of which two are more than a block.
    let large = |world: &mut World, by: &Person| world.item(&by.wallet, &groundless(by, 3 << 19));
    let first = large(&mut world, &a);
    let small = world.item(&a.wallet, &gift(&b));
    let second = large(&mut world, &b);
    for item in [first, small, second] {
        world.proposer.submit(&world.ledger, item).unwrap();
    }
    // Not both in one block.
    world.block();
    assert_eq!(
        (world.balance(&b), world.proposer.waiting()),
        (ao(1_001), 1)
    );
    world.block();
    assert_eq!(world.proposer.waiting(), 0);
    assert!(codec::encode(&world.blocks[1]).unwrap().len() > 3 << 19);
}

#[test]
fn an_item_waits_once_and_only_if_it_is_admissible() {
    let (a, b) = (Person::new(1), Person::new(2));
    let mut world = World::new(params(), &[&a, &b]);
    let item = world.item(&a.wallet, &gift(&b));
    let id = world.proposer.submit(&world.ledger, item.clone()).unwrap();
    assert_eq!(world.ledger.admissible(&item).map(|it| it.id), Ok(id));
    let again = world.proposer.submit(&world.ledger, item.clone());
    assert_eq!(again, Err(NotQueued::Waiting));
    world.block();
    let seen = world.proposer.submit(&world.ledger, item);
    assert_eq!(seen, Err(NotQueued::Refused(ItemRefused::Seen)));
    assert_eq!(world.proposer.waiting(), 0);
}
