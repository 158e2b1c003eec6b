//! The tree against a model that is nothing but rule M-7, and what a liar may change in a proof.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Rule M-7, word for word, over all places that are equal in the bits before `from`.
fn model(entries: &[(Digest, Digest)], from: u8) -> Digest {
    if let [(_, leaf)] = entries {
        return *leaf;
    }
    let (left, right): (Vec<_>, Vec<_>) = entries
        .iter()
        .partition(|(place, _)| !is_right(place, from));
    match (left.as_slice(), right.as_slice()) {
        ([], _) | (_, []) => model(entries, from.saturating_add(1)),
        (left, right) => {
            // Below the last bit there is one place on each side.
            let below = from.saturating_add(1);
            fork(from, &model(left, below), &model(right, below))
        }
    }
}

fn model_root(entries: &BTreeMap<Digest, Digest>) -> Digest {
    let entries: Vec<_> = entries.iter().map(|(at, leaf)| (*at, *leaf)).collect();
    match entries.as_slice() {
        [] => digest(Domain::MERKLE_FORK, &[]),
        entries => model(entries, 0),
    }
}

/// Places that are often alike for long.
fn place() -> impl Strategy<Value = Digest> {
    let near = (0_usize..32, any::<u8>()).prop_map(|(at, byte)| {
        let mut bytes = [0; 32];
        bytes[at] = byte;
        Digest::new(bytes)
    });
    prop_oneof![near, any::<[u8; 32]>().prop_map(Digest::new)]
}

fn leaf(number: u8) -> Digest {
    digest(Domain::LEDGER_ENTRY, &[&[number]])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_tree_is_the_model_whatever_came_before(
        changes in prop::collection::vec((place(), prop::option::weighted(0.7, any::<u8>())), 0..60),
    ) {
        let (mut tree, mut entries) = (KeyedTree::default(), BTreeMap::new());
        for (place, value) in changes {
            let (before, root) = (tree.clone(), tree.root());
            match value {
                Some(value) => {
                    tree.insert(place, leaf(value));
                    entries.insert(place, leaf(value));
                }
                None => {
                    tree.remove(&place);
                    entries.remove(&place);
                }
            }
            prop_assert_eq!(tree.root(), model_root(&entries));
            prop_assert_eq!(before.root(), root, "a copy stays what it is");
        }
        for (place, leaf) in &entries {
            let proof = tree.prove(place).unwrap();
            prop_assert!(proof.verify(place, leaf, &tree.root()));
            tree.remove(place);
            prop_assert_eq!(tree.prove(place), None);
            tree.insert(*place, *leaf);
        }
        prop_assert_eq!(tree.root(), model_root(&entries));
    }

    #[test]
    fn nothing_altered_is_proven(
        places in prop::collection::btree_set(place(), 2..40),
        chosen: prop::sample::Index,
        bit in 0_usize..256,
        fork: prop::sample::Index,
    ) {
        let mut tree = KeyedTree::default();
        for place in &places {
            tree.insert(*place, digest(Domain::LEDGER_ENTRY, &[place.as_bytes()]));
        }
        let place = *places.iter().nth(chosen.index(places.len())).unwrap();
        let (leaf, root) = (digest(Domain::LEDGER_ENTRY, &[place.as_bytes()]), tree.root());
        let proof = tree.prove(&place).unwrap();
        let flip = |it: &Digest| {
            let mut bytes = *it.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            Digest::new(bytes)
        };
        prop_assert!(!proof.verify(&place, &flip(&leaf), &root));
        prop_assert!(!proof.verify(&place, &leaf, &flip(&root)));
        let at = fork.index(proof.forks.len());
        let mut altered = proof.clone();
        altered.forks[at].1 = flip(&altered.forks[at].1);
        prop_assert!(!altered.verify(&place, &leaf, &root));
        let mut altered = proof.clone();
        altered.forks[at].0 ^= 1 << (bit % 8);
        prop_assert!(!altered.verify(&place, &leaf, &root));
        let mut altered = proof.clone();
        altered.forks.remove(at);
        prop_assert!(!altered.verify(&place, &leaf, &root));
        let mut altered = proof.clone();
        altered.forks.insert(at, altered.forks[at]);
        prop_assert_eq!(altered.root_from(&place, &leaf), None);
    }
}

#[test]
fn forks_that_do_not_ascend_are_not_decoded() {
    let written = |bits: &[u8]| {
        let forks = bits.iter().map(|bit| (*bit, leaf(1))).collect();
        serde_cbor::to_vec(&KeyedProof { forks }).unwrap()
    };
    let read = |bits: &[u8]| serde_cbor::from_slice::<KeyedProof>(&written(bits));
    let all: Vec<u8> = (0..=255).collect();
    for sound in [&[][..], &[0], &[0, 255], &all] {
        assert_eq!(read(sound).unwrap().forks.len(), sound.len());
    }
    for unsound in [&[0, 0][..], &[1, 0], &[7, 9, 9]] {
        read(unsound).unwrap_err();
    }
}

// Computed with another SHA3 implementation from rules H-1 and M-7.
const NONE: &str = "52914f44310f06483c51507907ee4f1e2d4beb81174cd286b083554e86d9df51";
const THREE: &str = "c6fbde43a6cdee26fd09e37eb7308e3681a46760836eac574575d2568b684c99";

#[test]
fn roots_are_pinned() {
    let mut tree = KeyedTree::default();
    assert_eq!(hex::encode(tree.root().as_bytes()), NONE);
    for number in 0..3 {
        tree.insert(leaf(number), leaf(number));
    }
    assert_eq!(hex::encode(tree.root().as_bytes()), THREE);
}
