//! Bundles as written, and as somebody altered their header.

use super::*;
use crate::item::ItemKey;

fn items() -> Vec<Item> {
    let key = ItemKey::ed25519(&[1; 32]);
    let sign = |data: &str| key.sign_item(&ItemDraft::default().carrying(data)).unwrap();
    ["first", "second", ""]
        .into_iter()
        .map(|data| sign(data).into_inner())
        .collect()
}

#[test]
fn what_is_written_is_read() {
    let items = items();
    let bytes = write(&items);
    let read = parse(&bytes).unwrap();
    assert_eq!(
        read.iter().map(ItemView::to_item).collect::<Vec<_>>(),
        items
    );
    assert_eq!(parse(&write([])).unwrap(), []);
    assert_eq!(write([]), [0; 32]);
}

#[test]
fn every_cut_is_refused() {
    let bytes = write(&items());
    for cut in 0..bytes.len() {
        assert_eq!(
            parse(&bytes[..cut]),
            Err(ItemError::BundleTruncated),
            "{cut}"
        );
    }
    let longer = [&bytes[..], &[0, 0]].concat();
    assert_eq!(parse(&longer), Err(ItemError::BundleTrailing(2)));
}

#[test]
fn numbers_are_believed_only_as_far_as_the_bytes_go() {
    let bytes = write(&items());
    let altered = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        parse(&bytes)
            .map(|items| items.len())
            .map_err(|error| error.code())
    };
    // The count: low byte, a byte of 64 bits, and one beyond them.
    assert!(altered(0, 4).is_err());
    assert!(altered(0, 2).is_err());
    assert_eq!(altered(7, 0xff), Err("bundle-truncated"));
    assert_eq!(altered(31, 0xff), Err("bundle-truncated"));
    // The first size.
    assert_eq!(altered(39, 0xff), Err("bundle-truncated"));
    assert_eq!(altered(63, 1), Err("bundle-truncated"));
    // The first id.
    assert_eq!(altered(64, !bytes[64]), Err("bundle-id"));
    // A big-endian count of three.
    let mut big = bytes.clone();
    (big[0], big[31]) = (0, 3);
    assert_eq!(parse(&big), Err(ItemError::BundleTruncated));
}

#[test]
fn bundles_nest_as_deep_as_the_limit() {
    let key = ItemKey::ed25519(&[2; 32]);
    let nest = |levels: usize| {
        let start = items();
        let first = start[0].id();
        let mut bytes = write(&start);
        for _ in 1..levels {
            let item = key
                .sign_item(&ItemDraft {
                    data: bytes,
                    ..draft([])
                })
                .unwrap();
            assert!(carries(&item.view()));
            bytes = write([&*item]);
        }
        (bytes, first)
    };
    let (bytes, first) = nest(BUNDLE_DEPTH_MAX);
    let found = flatten(&bytes).unwrap();
    let depths: Vec<usize> = found.iter().map(|nested| nested.depth).collect();
    assert_eq!(depths, [0, 1, 2, 3, 4, 5, 6, 7, 7, 7]);
    assert_eq!(found[7].item.id(), first);
    assert_eq!(
        flatten(&nest(BUNDLE_DEPTH_MAX + 1).0),
        Err(ItemError::BundleDepth)
    );
}

#[test]
fn an_item_that_says_it_carries_a_bundle_must() {
    let key = ItemKey::ed25519(&[2; 32]);
    let item = key.sign_item(&draft([]).carrying("not a bundle")).unwrap();
    let bytes = write([&*item]);
    assert_eq!(parse(&bytes).unwrap().len(), 1);
    assert_eq!(flatten(&bytes), Err(ItemError::BundleTruncated));
}
