//! Blocks and items: what is taken, and what is refused whole (rules L-1, L-2, L-4).

use surety_protocol::block::{Block, Commit, Genesis, Header};
use surety_protocol::bls::SecretKey;
use surety_protocol::codec;
use surety_protocol::id::{BlockId, NetworkId};
use surety_protocol::item::ItemDraft;
use surety_protocol::origin::Action;
use surety_protocol::params::Params;
use surety_protocol::stake::{Fraction, Stake};
use surety_protocol::time::Height;
use surety_slashing::ledger::{BlockError, ItemRefused, Ledger};

use crate::support::{Person, World, ao, named, params, refusals};

fn gift(to: &Person) -> Action {
    Action::Transfer {
        recipient: to.address(),
        quantity: ao(1),
    }
}

/// Where a ledger stands, in all that a block could change.
fn standing(ledger: &Ledger) -> (Height, BlockId, surety_protocol::id::Digest) {
    (ledger.height(), ledger.head(), ledger.state_root())
}

#[test]
fn a_block_with_one_altered_byte_is_refused_and_changes_nothing() {
    let (a, b) = (Person::new(1), Person::new(2));
    let mut world = World::new(params(), &[&a, &b]);
    world.block();
    let items = vec![
        world.item(&a.wallet, &gift(&b)),
        world.item(&b.wallet, &gift(&a)),
    ];
    let block = world.assemble(&world.ledger, items);
    let bytes = codec::encode(&block).unwrap();
    let mut ledger = world.ledger.clone();
    let before = standing(&ledger);
    let mut applied = 0;
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1 << (at % 8);
        if let Ok(altered) = codec::decode::<Block>(&altered) {
            applied += 1;
            assert!(ledger.apply(&altered).is_err(), "byte {at}");
            assert_eq!(standing(&ledger), before, "byte {at}");
        }
    }
    // Most bytes are contents, not form.
    assert!(applied > bytes.len() / 2, "{applied} of {}", bytes.len());
    ledger.apply(&block).unwrap();
}

#[test]
fn a_header_that_the_proposer_signed_is_not_enough() {
    let (a, b) = (Person::new(1), Person::new(2));
    let mut world = World::new(params(), &[&a, &b]);
    let other_key = SecretKey::derive_from_seed(&[9; 32]).unwrap();
    let items = vec![
        world.item(&a.wallet, &gift(&b)),
        world.item(&b.wallet, &gift(&a)),
    ];
    let good = world.assemble(&world.ledger, items);
    let header = good.commit.header.clone();
    let signed = |change: &dyn Fn(&mut Header)| {
        let mut header = header.clone();
        change(&mut header);
        Block {
            commit: Commit::sign(header, &world.proposer_key).unwrap(),
            ..good.clone()
        }
    };
    let mut swapped = good.clone();
    swapped.items.reverse();
    let mut fewer = good.clone();
    fewer.items.pop();
    let foreign = Commit::sign(header.clone(), &other_key).unwrap();
    let height = |got: u64| BlockError::NotNext {
        got: Height(got),
        head: Height(0),
    };
    let other_beacon = *good.commit.signature.as_bytes();
    let other_beacon = surety_protocol::bls::Signature::from_bytes(&other_beacon).unwrap();
    let cases = [
        (signed(&|it| it.height = Height(2)), height(2)),
        (signed(&|it| it.height = Height(0)), height(0)),
        (signed(&|it| it.parent = BlockId::new([1; 32])), height(1)),
        (
            signed(&|it| it.network = NetworkId::new([1; 32])),
            height(1),
        ),
        (
            signed(&|it| it.proposer = a.address()),
            BlockError::Signature,
        ),
        (
            Block {
                commit: foreign,
                ..good.clone()
            },
            BlockError::Signature,
        ),
        (
            signed(&|it| it.items_root = named("other")),
            BlockError::Items,
        ),
        (swapped, BlockError::Items),
        (fewer, BlockError::Items),
        (signed(&|it| it.beacon = other_beacon), BlockError::Beacon),
        (
            signed(&|it| it.state_root = named("other")),
            BlockError::State,
        ),
    ];
    let mut ledger = world.ledger.clone();
    for (block, error) in cases {
        let before = standing(&ledger);
        assert_eq!(ledger.apply(&block), Err(error));
        assert_eq!(standing(&ledger), before);
    }
    ledger.apply(&good).unwrap();
    // Once.
    let again = BlockError::NotNext {
        got: Height(1),
        head: Height(1),
    };
    assert_eq!(ledger.apply(&good), Err(again));
}

#[test]
fn a_block_holds_no_more_items_than_allowed() {
    let (a, b) = (Person::new(1), Person::new(2));
    let mut world = World::new(
        Params {
            block_items_max: 2,
            ..params()
        },
        &[&a, &b],
    );
    let items: Vec<Vec<u8>> = (0..3).map(|_| world.item(&a.wallet, &gift(&b))).collect();
    let block = world.assemble(&world.ledger, items.clone());
    assert_eq!(world.ledger.apply(&block), Err(BlockError::Items));
    for item in items {
        world.proposer.submit(&world.ledger, item).unwrap();
    }
    // The proposer keeps the third for the block after.
    world.block();
    assert_eq!(
        (world.balance(&b), world.proposer.waiting()),
        (ao(1_002), 1)
    );
    world.block();
    assert_eq!(
        (world.balance(&b), world.proposer.waiting()),
        (ao(1_003), 0)
    );
}

#[test]
fn an_item_counts_once_and_until_it_expires() {
    let (a, b) = (Person::new(1), Person::new(2));
    let mut world = World::new(params(), &[&a, &b]);
    world.pass(3);
    let life = world.ledger.params().item_life_blocks;
    let next = world.ledger.height().next();
    let until = |world: &mut World, height| world.item_until(&a.wallet, &gift(&b), height);
    let items = vec![
        until(&mut world, next.minus(1)),
        until(&mut world, next),
        until(&mut world, next.plus(life)),
        until(&mut world, next.plus(life + 1)),
    ];
    let again = items[1].clone();
    let expired = |expires| ItemRefused::Expired {
        expires,
        height: next,
    };
    for (item, admissible) in items.iter().zip([false, true, true, false]) {
        assert_eq!(world.ledger.admissible(item).is_ok(), admissible);
    }
    let long = items[2].clone();
    let events = world.block_of([items, vec![again.clone()]].concat());
    let refused = [
        expired(next.minus(1)),
        expired(next.plus(life + 1)),
        ItemRefused::Seen,
    ];
    assert_eq!(refusals(&events), refused);
    assert_eq!(world.balance(&b), ao(1_002));
    // Its id is remembered for as long as it could come again, and then it is too late.
    while world.ledger.height() < next.plus(life) {
        assert_eq!(world.ledger.admissible(&long), Err(ItemRefused::Seen));
        let events = world.block_of(vec![long.clone()]);
        assert_eq!(refusals(&events), [ItemRefused::Seen]);
    }
    let height = world.ledger.height().next();
    let late = ItemRefused::Expired {
        expires: next.plus(life),
        height,
    };
    assert_eq!(refusals(&world.block_of(vec![long])), [late]);
    assert_eq!(world.balance(&b), ao(1_002));
}

#[test]
fn what_is_no_authentic_item_for_this_ledger_is_refused() {
    let (a, b) = (Person::new(1), Person::new(2));
    let mut world = World::new(params(), &[&a, &b]);
    let other = World::new(Params { k: 5, ..params() }, &[&a, &b]);
    let expires = Height(5);
    let mut forged = world.item(&a.wallet, &gift(&b));
    // A byte of the signature.
    forged[10] ^= 1;
    let foreign = gift(&b).draft(&other.ledger.network(), expires).unwrap();
    let foreign = world.sign(&a.wallet, foreign);
    let unknown = ItemDraft::default()
        .to(*world.ledger.network().as_bytes())
        .tag("Action", "Mint")
        .tag("Expires", "5");
    let unknown = world.sign(&a.wallet, unknown);
    let signed = |world: &mut World, quantity: &str| {
        let draft = ItemDraft::default()
            .to(*world.ledger.network().as_bytes())
            .tag("Action", "Transfer")
            .tag("Expires", "5")
            .tag("Recipient", b.address().to_string())
            .tag("Quantity", quantity);
        world.sign(&a.wallet, draft)
    };
    let mut items = vec![b"no item".to_vec(), forged, foreign, unknown];
    for quantity in ["-1", "1.5", "+1", "340282366920938463463374607431768211456"] {
        items.push(signed(&mut world, quantity));
    }
    for item in &items {
        assert!(world.ledger.admissible(item).is_err());
    }
    let count = items.len();
    let events = world.block_of(items);
    // What is no item at all has no id to speak of.
    assert_eq!(refusals(&events).len(), count - 1);
    assert_eq!(
        (world.balance(&a), world.balance(&b)),
        (ao(1_000), ao(1_000))
    );
}

#[test]
fn a_genesis_must_be_sound() {
    let (a, b) = (Person::new(1), Person::new(2));
    let good = World::new(params(), &[&a, &b]).genesis;
    assert!(Ledger::new(&good).is_ok());
    let mut unsorted = good.clone();
    unsorted.balances.reverse();
    let mut twice = good.clone();
    twice.balances[1].0 = twice.balances[0].0;
    let with = |params| Genesis {
        params,
        ..good.clone()
    };
    let bad = [
        unsorted,
        twice,
        with(Params {
            evidence_age_blocks: 20,
            ..params()
        }),
        with(Params {
            reward: Fraction::new(3, 5),
            ..params()
        }),
        with(Params {
            penalty: Fraction::new(1, 0),
            ..params()
        }),
    ];
    for genesis in bad {
        assert_eq!(Ledger::new(&genesis).err(), Some(BlockError::Genesis));
    }
    // Amounts of which no share could be taken would stop the ledger in the middle of a case.
    for amount in [u128::MAX / 2, u128::MAX] {
        let mut rich = good.clone();
        rich.balances[0].1 = Stake(amount);
        assert!(matches!(Ledger::new(&rich), Err(BlockError::Amount(_))));
    }
}
