//! Validator sets and their bitfields (rules V-1, V-3).

use proptest::prelude::*;
use surety_protocol::stake::Stake;
use surety_protocol::validators::{Validator, ValidatorSet};

use crate::objects::{address, key};

fn validator(number: u8) -> Validator {
    Validator {
        operator: address(number),
        key: *key(1).public_key(),
        item_key: address(1),
        stake: Stake(u128::from(number)),
        tickets: u64::from(number),
    }
}

fn set(numbers: impl IntoIterator<Item = u8>) -> ValidatorSet {
    ValidatorSet::new(numbers.into_iter().map(validator).collect())
}

#[test]
fn a_set_is_sorted_and_holds_each_once() {
    let set = set([3, 1, 2, 3]);
    let order: Vec<u64> = set.iter().map(|it| it.tickets).collect();
    assert_eq!(order, [1, 2, 3]);
    assert_eq!(
        (set.index_of(&address(3)), set.index_of(&address(4))),
        (Some(2), None)
    );
    assert_eq!(set.tickets_without(&[address(2), address(9)]), 4);
    assert_eq!(set.stake_without(&[address(1)]), Stake(5));
}

#[test]
fn a_bitfield_has_the_length_of_the_set_and_no_bit_beyond_it() {
    for size in [1_u8, 7, 8, 9, 16] {
        let set = set(1..=size);
        let bytes = usize::from(size).div_ceil(8);
        let all: Vec<_> = (1..=size).map(address).collect();
        let bits = set.bitfield(&all).unwrap();
        assert_eq!(bits.len(), bytes);
        assert_eq!(set.select(&bits).unwrap().len(), usize::from(size));
        assert!(set.select(&bits[1..]).is_none());
        assert!(set.select(&[bits.as_slice(), &[0]].concat()).is_none());
        if size % 8 != 0 {
            let mut beyond = vec![0; bytes];
            beyond[bytes - 1] = 1 << (size % 8);
            assert!(set.select(&beyond).is_none());
        }
    }
    assert_eq!(set([]).select(&[]).unwrap(), Vec::<&Validator>::new());
    assert!(set([]).select(&[0]).is_none());
    assert_eq!(set([1]).bitfield(&[address(2)]), None);
}

proptest! {
    #[test]
    fn a_bitfield_selects_those_it_was_made_of(
        chosen in proptest::collection::btree_set(1_u8..60, 0..40),
    ) {
        let set = set(1..60);
        let addresses: Vec<_> = chosen.iter().map(|it| address(*it)).collect();
        let bits = set.bitfield(&addresses).unwrap();
        let found: Vec<_> = set.select(&bits).unwrap().iter().map(|it| it.operator).collect();
        prop_assert_eq!(found, addresses);
    }
}
