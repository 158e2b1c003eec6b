use super::*;
use std::collections::BTreeSet;

use proptest::prelude::*;
use surety_protocol::merkle::MultiProof;
use surety_protocol::witness::{PAGE_NODE_TOP, PAGE_TREE_DEPTH, PAGES, PageNode};

fn sample() -> Snapshot {
    let mut snapshot = Snapshot {
        wasm_pages: 2,
        globals: vec![1, u64::MAX],
        ..Snapshot::default()
    };
    for index in [0, 1, 5, 31] {
        assert!(snapshot.put(index, &[index as u8 + 1; PAGE_BYTES]));
    }
    snapshot
}

#[test]
fn an_updated_tree_is_the_tree_of_the_state() {
    let mut snapshot = sample();
    let mut tree = snapshot.tree();
    snapshot.put(5, &ZERO_PAGE);
    snapshot.put(7, &[9; PAGE_BYTES]);
    tree.update([5, 7].map(|index| (index, page_hash(snapshot.page(index)))));
    assert_eq!(tree.top(), snapshot.tree().top());
    assert_eq!(
        snapshot.pages.len(),
        4,
        "a page that became zero is not kept"
    );
    assert_ne!(snapshot.root(), sample().root());
}

#[test]
fn the_root_commits_to_size_and_globals() {
    let base = sample();
    assert_ne!(
        Snapshot {
            wasm_pages: 3,
            ..base.clone()
        }
        .root(),
        base.root()
    );
    assert_ne!(
        Snapshot {
            globals: vec![1, 0],
            ..base.clone()
        }
        .root(),
        base.root()
    );
    // Memory without pages differs by its size alone, and has the root of 2^22 zero pages.
    let mut top = page_hash(&ZERO_PAGE);
    for _ in 0..22 {
        top = node(&top, &top);
    }
    assert_eq!(Snapshot::default().tree().top(), top);
}

/// A node by the rule alone (rule ST-2).
fn node(left: &Digest, right: &Digest) -> Digest {
    let pair = [left.as_bytes().as_slice(), right.as_bytes()].concat();
    Digest::new(blake3::derive_key("SURETY/v1/memory-node", &pair))
}

/// The root by the rules alone, one level after the other.
fn plain_root(pages: &BTreeMap<u32, Digest>) -> Digest {
    let mut zero = page_hash(&ZERO_PAGE);
    let mut level: BTreeMap<u32, Digest> = pages.clone();
    for _ in 0..PAGE_TREE_DEPTH {
        let get = |index| level.get(&index).copied().unwrap_or(zero);
        let parents: BTreeSet<u32> = level.keys().map(|index| index / 2).collect();
        let above = parents.into_iter();
        level = above
            .map(|index| (index, node(&get(2 * index), &get(2 * index + 1))))
            .collect();
        zero = node(&zero, &zero);
    }
    level.get(&0).copied().unwrap_or(zero)
}

/// Places near one another, at the borders of nodes, and anywhere.
fn places() -> impl Strategy<Value = u32> {
    prop_oneof![
        0..200_u32,
        (0..8_u32, 0..3_u32).prop_map(|(at, step)| (at << (6 * (step + 1))) % PAGES),
        0..PAGES,
    ]
}

proptest! {
    #[test]
    fn a_tree_is_that_of_its_pages_however_it_came_to_be(
        updates in prop::collection::vec(
            prop::collection::vec((places(), 0..3_u8), 1..40), 1..6,
        ),
    ) {
        let hash = |byte| page_hash(&[byte; PAGE_BYTES]);
        let (mut tree, mut pages) = (PageTree::default(), BTreeMap::new());
        for update in updates {
            let (earlier, root) = (tree.clone(), tree.top());
            tree.update(update.iter().map(|(index, byte)| (*index, hash(*byte))));
            pages.extend(update.iter().map(|(index, byte)| (*index, hash(*byte))));
            pages.retain(|_, digest| *digest != hash(0));
            prop_assert_eq!(tree.top(), plain_root(&pages));
            prop_assert_eq!(earlier.top(), root);
        }
        let known: BTreeSet<u32> = pages.keys().copied().step_by(2).chain([5, PAGES - 1]).collect();
        let leaf = |index: &u32| (u64::from(*index), pages.get(index).copied().unwrap_or(hash(0)));
        let leaves: Vec<_> = known.iter().map(leaf).collect();
        let proof = tree.prove(&known).unwrap();
        prop_assert_eq!(top_from_many(&proof, &leaves), Some(tree.top()));
        // Its records are all of it, and each says its digest.
        let mut found = BTreeMap::new();
        let mut branches: Vec<Branch<'_>> = tree.branch().into_iter().collect();
        while let Some(branch) = branches.pop() {
            let record = branch.record();
            prop_assert_eq!(node_digest(&record), Some(branch.digest()));
            let below: Vec<Digest> = branch.below().map(|it| it.digest()).collect();
            let children = branch.pages().map(|(_, hash)| hash).chain(below);
            prop_assert_eq!(children.collect::<Vec<_>>(), record.digests);
            found.extend(branch.pages());
            branches.extend(branch.below());
        }
        prop_assert_eq!(found, pages);
    }
}

#[test]
fn a_node_has_one_record() {
    let tree = sample().tree();
    let record = tree.branch().unwrap().record();
    let with = |change: fn(&mut PageNode)| {
        let mut record = record.clone();
        change(&mut record);
        node_digest(&record)
    };
    assert_eq!(with(|_| {}), Some(tree.top()));
    assert_eq!(with(|it| it.digests.clear()), None);
    assert_eq!(with(|it| it.present = 0), None);
    assert_eq!(with(|it| it.level += 1), None);
    // The topmost node has 16 children.
    assert_eq!(with(|it| it.present = 1 << 16), None);
    assert_ne!(with(|it| it.present = 1 << 15), Some(tree.top()));
    assert_ne!(with(|it| it.level -= 1), Some(tree.top()));
    let blank = |it: &mut PageNode| {
        it.present |= 2;
        it.digests.push(zero_top(PAGE_NODE_TOP - 1));
    };
    assert_eq!(with(blank), None, "a subtree of zeros is spelled out");
}

#[test]
fn a_head_has_the_root() {
    let snapshot = sample();
    assert_eq!(
        head_root(&snapshot.head(snapshot.tree().top())),
        snapshot.root()
    );
}

#[test]
fn a_multiproof_gives_the_root_before_and_after() {
    let mut snapshot = sample();
    let tree = snapshot.tree();
    let known = BTreeSet::from([1, 2, 31, PAGES - 1]);
    let proof = tree.prove(&known).unwrap();
    let leaves = |snapshot: &Snapshot| -> Vec<(u64, Digest)> {
        known
            .iter()
            .map(|i| (u64::from(*i), page_hash(snapshot.page(*i))))
            .collect()
    };
    assert_eq!(top_from_many(&proof, &leaves(&snapshot)), Some(tree.top()));
    snapshot.put(2, &[4; PAGE_BYTES]);
    assert_eq!(
        top_from_many(&proof, &leaves(&snapshot)),
        Some(snapshot.tree().top())
    );
    let short = MultiProof {
        size: proof.size,
        siblings: proof.siblings[1..].to_vec(),
    };
    assert_eq!(top_from_many(&short, &leaves(&snapshot)), None);
    assert_eq!(tree.prove(&BTreeSet::from([PAGES])), None);
}
