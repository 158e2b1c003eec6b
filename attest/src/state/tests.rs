use super::*;
use std::collections::BTreeSet;
use surety_protocol::merkle::MultiProof;
use surety_protocol::witness::PAGES;

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
    assert_eq!(tree.root(), snapshot.tree().root());
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
        top = surety_protocol::merkle::node(&top, &top);
    }
    assert_eq!(
        Snapshot::default().tree().root(),
        surety_protocol::merkle::seal(1 << 22, &top)
    );
}

#[test]
fn a_manifest_gives_the_root_and_the_snapshot() {
    let snapshot = sample();
    let manifest = snapshot.manifest();
    assert_eq!(manifest_root(&manifest), snapshot.root());
    let store: BTreeMap<Digest, Arc<Page>> = snapshot
        .pages
        .values()
        .map(|page| (page_hash(page), page.clone()))
        .collect();
    let found = Snapshot::from_manifest(&manifest, |hash| store.get(hash).cloned());
    assert_eq!(found, Ok(snapshot));
    let (_, first) = manifest.pages[0];
    assert_eq!(
        Snapshot::from_manifest(&manifest, |_| None),
        Err(SnapshotFault::Missing(first))
    );
    assert_eq!(
        Snapshot::from_manifest(&manifest, |_| Some(Arc::new([3; PAGE_BYTES]))),
        Err(SnapshotFault::Differs(first))
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
    assert_eq!(proof.root_from_many(&leaves(&snapshot)), Some(tree.root()));
    snapshot.put(2, &[4; PAGE_BYTES]);
    assert_eq!(
        proof.root_from_many(&leaves(&snapshot)),
        Some(snapshot.tree().root())
    );
    let short = MultiProof {
        size: proof.size,
        siblings: proof.siblings[1..].to_vec(),
    };
    assert_eq!(short.root_from_many(&leaves(&snapshot)), None);
    assert_eq!(tree.prove(&BTreeSet::from([PAGES])), None);
}
