//! The trees against a model that is nothing but rule M-2, and what a liar may change in a proof.

use proptest::prelude::*;

use super::*;

/// Rule M-2, word for word.
fn model_top(leaves: &[Digest]) -> Digest {
    if let [leaf] = leaves {
        return *leaf;
    }
    let mut left = 1;
    while left * 2 < leaves.len() {
        left *= 2;
    }
    node(&model_top(&leaves[..left]), &model_top(&leaves[left..]))
}

fn model_root(leaves: &[Digest]) -> Digest {
    match u64::try_from(leaves.len()).unwrap() {
        0 => empty(),
        size => seal(size, &model_top(leaves)),
    }
}

fn some_leaves(count: usize) -> Vec<Digest> {
    (0..count).map(|i| leaf(&i.to_be_bytes())).collect()
}

fn flip(digest: &Digest, bit: usize) -> Digest {
    let mut bytes = *digest.as_bytes();
    bytes[bit / 8] ^= 1 << (bit % 8);
    Digest::new(bytes)
}

// Computed with another SHA3 implementation from rules H-1 and M-1 to M-3.
const EMPTY: &str = "e886782e6b3c470f0ba48722a727bfdd0c62064b71704cedcd55f18e5f2edd65";
const FIVE: &str = "5600cdd8dbbaadbef9b9a5c2628414e5c971bff858d830e796748b204c978c55";

#[test]
fn digests_are_pinned() {
    assert_eq!(hex::encode(empty().as_bytes()), EMPTY);
    assert_eq!(hex::encode(root(&some_leaves(5)).as_bytes()), FIVE);
}

#[test]
fn every_small_tree_is_the_model_and_every_leaf_is_provable() {
    for count in 0..=70 {
        let leaves = some_leaves(count);
        let root = root(&leaves);
        assert_eq!(root, model_root(&leaves));
        for (index, leaf) in (0_u64..).zip(&leaves) {
            assert!(prove(&leaves, index).unwrap().verify(leaf, &root));
        }
        assert_eq!(prove(&leaves, u64::try_from(count).unwrap()), None);
    }
}

#[test]
fn node_leaf_and_root_do_not_pass_for_one_another() {
    let leaves = some_leaves(2);
    let pair: Vec<u8> = leaves.iter().flat_map(|leaf| *leaf.as_bytes()).collect();
    assert_ne!(leaf(&pair), node(&leaves[0], &leaves[1]));
    // One leaf that is the node over two has another root than the two.
    assert_ne!(root(&[node(&leaves[0], &leaves[1])]), root(&leaves));
    assert_ne!(leaf(&[]), empty());
}

#[test]
fn size_cannot_be_altered_where_the_path_stays_the_same() {
    // In RFC 9162 itself the proof of leaf 0 of 3 leaves verifies as one of 4.
    let leaves = some_leaves(3);
    let mut proof = prove(&leaves, 0).unwrap();
    proof.size = 4;
    assert!(proof.root_from(&leaves[0]).is_some());
    assert!(!proof.verify(&leaves[0], &root(&leaves)));
}

#[test]
fn malformed_proofs_are_refused_at_the_largest_size() {
    let leaf = leaf(b"x");
    let path = |length| vec![leaf; length];
    let proof = |index, size, path| Proof { index, size, path };
    assert_eq!(proof(0, 0, vec![]).root_from(&leaf), None);
    assert_eq!(proof(1, 1, vec![]).root_from(&leaf), None);
    assert!(proof(0, 1, vec![]).root_from(&leaf).is_some());
    assert!(proof(0, u64::MAX, path(64)).root_from(&leaf).is_some());
    assert!(
        proof(u64::MAX - 1, u64::MAX, path(63))
            .root_from(&leaf)
            .is_some()
    );
    for wrong in [63, 65] {
        assert_eq!(proof(0, u64::MAX, path(wrong)).root_from(&leaf), None);
    }
    assert_eq!(proof(u64::MAX, u64::MAX, path(64)).root_from(&leaf), None);
}

#[test]
fn decoding_refuses_a_wrong_number_of_siblings() {
    let proof = prove(&some_leaves(5), 3).unwrap();
    let text = serde_json::to_string(&proof).unwrap();
    assert!(text.starts_with("[3,5,["));
    assert_eq!(serde_json::from_str::<Proof>(&text).unwrap(), proof);
    let longer = Proof {
        path: vec![proof.path[0]; 4],
        ..proof.clone()
    };
    let outside = Proof { index: 5, ..proof };
    for bad in [longer, outside] {
        let text = serde_json::to_string(&bad).unwrap();
        assert!(serde_json::from_str::<Proof>(&text).is_err());
    }
}

#[test]
fn multiproofs_of_nothing_and_of_everything() {
    let leaves = some_leaves(6);
    let root = root(&leaves);
    let nothing = prove_many(&leaves, &[]).unwrap();
    assert_eq!(nothing.siblings, [top(&leaves).unwrap()]);
    assert!(nothing.verify(&[], &root));
    let all: Vec<(u64, Digest)> = (0..).zip(leaves.iter().copied()).collect();
    let everything = prove_many(&leaves, &[0, 1, 2, 3, 4, 5]).unwrap();
    assert!(everything.siblings.is_empty() && everything.verify(&all, &root));
    assert_eq!(
        prove_many(&[], &[]).unwrap().root_from_many(&[]),
        Some(empty())
    );
    assert_eq!(prove_many(&[], &[0]), None);
    for bad in [&[2, 1][..], &[1, 1], &[6]] {
        assert_eq!(prove_many(&leaves, bad), None);
        let claimed: Vec<_> = bad.iter().map(|index| (*index, leaves[0])).collect();
        assert_eq!(everything.root_from_many(&claimed), None);
    }
}

#[test]
fn a_multiproof_of_the_largest_size_stays_cheap() {
    let leaf = leaf(b"x");
    let proof = MultiProof {
        size: u64::MAX,
        siblings: vec![leaf; 64],
    };
    assert!(proof.root_from_many(&[(0, leaf)]).is_some());
    assert_eq!(proof.root_from_many(&[(0, leaf), (u64::MAX, leaf)]), None);
    assert_eq!(
        proof.root_from_many(&[(0, leaf), (u64::MAX - 1, leaf)]),
        None
    );
}

proptest! {
    #[test]
    fn any_altered_bit_of_a_proof_fails(
        count in 1_usize..300,
        at: prop::sample::Index,
        bit in 0_usize..256,
    ) {
        let leaves = some_leaves(count);
        let root = root(&leaves);
        let index = at.index(count);
        let leaf = leaves[index];
        let proof = prove(&leaves, u64::try_from(index).unwrap()).unwrap();
        prop_assert!(proof.verify(&leaf, &root));
        prop_assert!(!proof.verify(&flip(&leaf, bit), &root));
        prop_assert!(!proof.verify(&leaf, &flip(&root, bit)));
        for level in 0..proof.path.len() {
            let mut bad = proof.clone();
            bad.path[level] = flip(&bad.path[level], bit);
            prop_assert!(!bad.verify(&leaf, &root));
            bad.path.remove(level);
            prop_assert!(bad.root_from(&leaf).is_none());
        }
        for bit in 0..64 {
            let bad = Proof { index: proof.index ^ (1 << bit), ..proof.clone() };
            prop_assert!(!bad.verify(&leaf, &root));
            let bad = Proof { size: proof.size ^ (1 << bit), ..proof.clone() };
            prop_assert!(!bad.verify(&leaf, &root));
        }
    }

    #[test]
    fn multiproofs_prove_exactly_their_leaves(
        count in 1_usize..150,
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        bit in 0_usize..256,
    ) {
        let leaves = some_leaves(count);
        let mut indices: Vec<u64> =
            picks.iter().map(|pick| u64::try_from(pick.index(count)).unwrap()).collect();
        indices.sort_unstable();
        indices.dedup();
        let known: Vec<(u64, Digest)> =
            indices.iter().map(|i| (*i, leaves[usize::try_from(*i).unwrap()])).collect();
        let proof = prove_many(&leaves, &indices).unwrap();
        let root = root(&leaves);
        prop_assert!(proof.verify(&known, &root));

        // Replaced leaves give the root of the tree with the replacements.
        let mut after = leaves.clone();
        let replaced: Vec<(u64, Digest)> =
            known.iter().map(|(index, old)| (*index, flip(old, bit))).collect();
        for (index, new) in &replaced {
            after[usize::try_from(*index).unwrap()] = *new;
        }
        prop_assert_eq!(proof.root_from_many(&replaced), Some(model_root(&after)));

        for at in 0..known.len() {
            let mut bad = known.clone();
            bad[at].1 = flip(&bad[at].1, bit);
            prop_assert!(!proof.verify(&bad, &root));
            bad.remove(at);
            prop_assert!(!proof.verify(&bad, &root));
            for bit in 0..64 {
                let mut bad = known.clone();
                bad[at].0 ^= 1 << bit;
                prop_assert!(!proof.verify(&bad, &root));
            }
        }
        for at in 0..proof.siblings.len() {
            let mut bad = proof.clone();
            bad.siblings[at] = flip(&bad.siblings[at], bit);
            prop_assert!(!bad.verify(&known, &root));
            bad.siblings.remove(at);
            prop_assert!(bad.root_from_many(&known).is_none());
        }
        let mut longer = proof.clone();
        longer.siblings.push(root);
        prop_assert!(longer.root_from_many(&known).is_none());
        for bit in 0..64 {
            let bad = MultiProof { size: proof.size ^ (1 << bit), ..proof.clone() };
            prop_assert!(!bad.verify(&known, &root));
        }
    }
}
