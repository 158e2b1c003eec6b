//! The growing tree against the tree that is built at once.

use proptest::prelude::*;

use super::*;
use crate::merkle;

fn some_leaves(count: usize) -> Vec<Digest> {
    (0..count).map(|i| merkle::leaf(&i.to_be_bytes())).collect()
}

#[test]
fn every_small_size_is_the_merkle_tree() {
    let leaves = some_leaves(130);
    let history: History = leaves.iter().copied().collect();
    let mut frontier = Frontier::empty();
    assert_eq!(history.leaves(), leaves);
    for size in 0..=leaves.len() {
        let part = &leaves[..size];
        let n = u64::try_from(size).unwrap();
        let root = merkle::root(part);
        assert_eq!(history.root_at(n), Some(root));
        assert_eq!((frontier.size(), frontier.root()), (n, root));
        assert_eq!(history.frontier_at(n), Some(frontier.clone()));
        for i in 0..n {
            assert_eq!(history.prove(i, n), merkle::prove(part, i));
        }
        assert_eq!(history.prove(n, n), None);
        if let Some(next) = leaves.get(size) {
            frontier.append(*next).unwrap();
        }
    }
    assert_eq!(history.root(), merkle::root(&leaves));
}

#[test]
fn a_frontier_proves_what_is_appended_and_nothing_older() {
    let leaves = some_leaves(70);
    let history: History = leaves.iter().copied().collect();
    for base in 0..leaves.len() {
        let old = u64::try_from(base).unwrap();
        let frontier = history.frontier_at(old).unwrap();
        for end in base..=leaves.len() {
            let (new, size) = (&leaves[base..end], u64::try_from(end).unwrap());
            for index in 0..=size {
                let proof = (index >= old).then(|| history.prove(index, size)).flatten();
                assert_eq!(
                    frontier.prove_new(new, index),
                    proof,
                    "{index} of {base}..{end}"
                );
                let some: Vec<u64> = (index..size).step_by(3).collect();
                let known = index >= old && !some.is_empty();
                let proof = known.then(|| history.prove_many(&some, size)).flatten();
                assert_eq!(
                    frontier.prove_many_new(new, &some),
                    proof,
                    "{some:?} of {base}..{end}"
                );
            }
        }
    }
    let endless = Frontier::new(u64::MAX, vec![leaves[0]; 64]).unwrap();
    assert_eq!(endless.prove_new(&leaves[..1], u64::MAX), None);
}

#[test]
fn the_future_is_unknown() {
    let history: History = some_leaves(4).into_iter().collect();
    for size in [5, 8, u64::MAX] {
        assert_eq!(history.root_at(size), None);
        assert_eq!(history.frontier_at(size), None);
        assert_eq!(history.prove(0, size), None);
        assert_eq!(history.prove_many(&[], size), None);
    }
    assert_eq!(History::new().root(), merkle::empty());
    assert_eq!(History::new().append(merkle::leaf(b"first")), 0);
}

#[test]
fn what_is_taken_back_leaves_no_trace() {
    let leaves = some_leaves(130);
    let others: Vec<Digest> = (0..70_u8).map(|i| merkle::leaf(&[i, 1])).collect();
    let whole: History = leaves.iter().copied().collect();
    for size in 0..=leaves.len() {
        let mut history = whole.clone();
        history.truncate(u64::try_from(size).unwrap());
        let mut fresh: History = leaves[..size].iter().copied().collect();
        assert_eq!(history, fresh, "{size}");
        for leaf in &others {
            assert_eq!(history.append(*leaf), fresh.append(*leaf));
        }
        assert_eq!(history, fresh, "{size} and more");
        assert_eq!(history.root(), fresh.root());
    }
    for size in [131, 256, u64::MAX] {
        let mut history = whole.clone();
        history.truncate(size);
        assert_eq!(history, whole);
    }
    let mut none = History::new();
    none.truncate(0);
    assert_eq!(none, History::new());
}

#[test]
fn a_frontier_has_one_peak_for_every_one_bit() {
    let peak = merkle::leaf(b"peak");
    for (size, peaks) in [(0, 1), (1, 0), (1, 2), (3, 1), (4, 2), (u64::MAX, 63)] {
        let refused = Err(HistoryError::Peaks { size, peaks });
        assert_eq!(Frontier::new(size, vec![peak; peaks]), refused);
        let text = serde_json::to_string(&(size, vec![peak; peaks])).unwrap();
        assert!(serde_json::from_str::<Frontier>(&text).is_err());
    }
    let full = Frontier::new(u64::MAX, vec![peak; 64]).unwrap();
    let text = serde_json::to_string(&full).unwrap();
    assert_eq!(serde_json::from_str::<Frontier>(&text).unwrap(), full);
    let mut more = full.clone();
    assert_eq!(more.append(peak), Err(HistoryError::Full));
    assert_eq!(more, full);
}

proptest! {
    #[test]
    fn appending_to_any_frontier_equals_rebuilding(before in 0_usize..300, more in 0_usize..80) {
        let leaves = some_leaves(before + more);
        let history: History = leaves.iter().copied().collect();
        let mut frontier = history.frontier_at(u64::try_from(before).unwrap()).unwrap();
        prop_assert_eq!(frontier.root(), merkle::root(&leaves[..before]));
        for leaf in &leaves[before..] {
            frontier.append(*leaf).unwrap();
        }
        prop_assert_eq!(frontier.root(), merkle::root(&leaves));
        prop_assert_eq!(Some(frontier), history.frontier_at(history.size()));
    }

    #[test]
    fn however_often_leaves_are_taken_back_the_tree_is_that_of_the_rest(
        steps in prop::collection::vec((0_usize..200, 0_usize..60), 0..12),
    ) {
        let (mut history, mut leaves) = (History::new(), Vec::new());
        let mut number = 0_u64;
        for (size, more) in steps {
            history.truncate(u64::try_from(size).unwrap());
            leaves.truncate(size);
            for _ in 0..more {
                let leaf = merkle::leaf(&number.to_be_bytes());
                number += 1;
                history.append(leaf);
                leaves.push(leaf);
            }
            prop_assert_eq!(&history, &leaves.iter().copied().collect::<History>());
            prop_assert_eq!(history.root(), merkle::root(&leaves));
        }
    }

    #[test]
    fn old_proofs_are_those_of_the_old_tree(
        count in 1_usize..400,
        cut in any::<prop::sample::Index>(),
        picks in prop::collection::btree_set(0_u64..400, 0..12),
    ) {
        let leaves = some_leaves(count);
        let history: History = leaves.iter().copied().collect();
        let size = cut.index(count) + 1;
        let n = u64::try_from(size).unwrap();
        let picks: Vec<u64> = picks.into_iter().filter(|pick| *pick < n).collect();
        prop_assert_eq!(
            history.prove_many(&picks, n),
            merkle::prove_many(&leaves[..size], &picks)
        );
        for pick in picks {
            let proof = history.prove(pick, n).unwrap();
            prop_assert_eq!(&Some(proof.clone()), &merkle::prove(&leaves[..size], pick));
            let leaf = &leaves[usize::try_from(pick).unwrap()];
            prop_assert!(proof.verify(leaf, &history.root_at(n).unwrap()));
        }
    }
}
