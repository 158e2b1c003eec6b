//! Avro as it may come: legal in several spellings, or hostile.

use proptest::prelude::*;

use super::*;

fn owned(tags: &[(&str, &str)]) -> Vec<(String, String)> {
    tags.iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

fn read(bytes: &[u8]) -> Vec<(String, String)> {
    Tags::of_checked(bytes)
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn known_bytes() {
    let tags = owned(&[("Data-Protocol", "ao"), ("Type", "Message")]);
    let bytes = encode(&tags).unwrap();
    assert_eq!(
        hex::encode(&bytes),
        "041a446174612d50726f746f636f6c04616f08547970650e4d65737361676500"
    );
    assert_eq!(check(&bytes, 2), Ok(()));
    assert_eq!(read(&bytes), tags);
    assert_eq!(encode(&[]), Ok(vec![]));
}

#[test]
fn legal_spellings_mean_the_same() {
    let tags = owned(&[("a", "b"), ("c", "d")]);
    for text in [
        "0402610262026302640 0",
        // two blocks
        "020261026202026302640 0",
        // a negative count and the size of the block
        "031002610262026302640 0",
        // the count in two bytes
        "840002610262026302640 0",
    ] {
        let bytes = hex::decode(text.replace(' ', "")).unwrap();
        assert_eq!(check(&bytes, 2), Ok(()), "{text}");
        assert_eq!(read(&bytes), tags, "{text}");
    }
    assert_eq!(check(&[], 0), Ok(()));
    assert_eq!(check(&[0], 0), Ok(()));
}

#[test]
fn hostile_bytes_are_refused_at_once() {
    let cases: &[(&str, u64, ItemError)] = &[
        (
            "",
            1,
            ItemError::TagCount {
                declared: 1,
                found: 0,
            },
        ),
        (
            "00",
            1,
            ItemError::TagCount {
                declared: 1,
                found: 0,
            },
        ),
        (
            "020261026200",
            2,
            ItemError::TagCount {
                declared: 2,
                found: 1,
            },
        ),
        (
            "020261026200",
            0,
            ItemError::TagCount {
                declared: 0,
                found: 1,
            },
        ),
        // no end, or more after it
        ("0202610262", 1, ItemError::TagEncoding(5)),
        ("0202610262000707", 1, ItemError::TagsTrailing(2)),
        // a text that ends outside, or has a length of -1
        ("020261066200", 1, ItemError::TagEncoding(3)),
        ("0201610262", 1, ItemError::TagEncoding(1)),
        ("808080800801", 1, ItemError::TooManyTags(1 << 30)),
        ("80808080808010", 1, ItemError::TooManyTags(1 << 45)),
        // i64::MIN tags
        ("ffffffffffffffffff0100", 1, ItemError::TooManyTags(1 << 63)),
        // a varint of eleven bytes, and one of 65 bits
        ("8080808080808080808001", 1, ItemError::TagEncoding(0)),
        ("80808080808080808002", 1, ItemError::TagEncoding(0)),
        // a block size that is wrong, negative or past the end
        ("030e026102620263026400", 2, ItemError::TagEncoding(10)),
        ("0301026102620263026400", 2, ItemError::TagEncoding(0)),
        ("03ff7f026102620263026400", 2, ItemError::TagEncoding(0)),
        ("0200026200", 1, ItemError::TagName(0)),
        ("0202610000", 1, ItemError::TagValue(0)),
        ("0202ff026200", 1, ItemError::TagText(1)),
    ];
    for (text, declared, error) in cases {
        let bytes = hex::decode(text).unwrap();
        assert_eq!(check(&bytes, *declared).as_ref(), Err(error), "{text}");
    }
}

#[test]
fn limits_are_inclusive() {
    let long = |name: usize, value: usize| vec![("n".repeat(name), "v".repeat(value))];
    assert!(encode(&long(1024, 3060)).is_ok());
    assert_eq!(encode(&long(1025, 1)), Err(ItemError::TagName(1025)));
    assert_eq!(
        encode(&long(1024, 3072)).err(),
        Some(ItemError::TagsTooLarge(4102))
    );
    assert_eq!(encode(&long(1, 4090)).map(|bytes| bytes.len()), Ok(4096));
    assert_eq!(
        encode(&long(1, 4091)).err(),
        Some(ItemError::TagsTooLarge(4097))
    );
    assert_eq!(
        encode(&long(1, 4097)).err(),
        Some(ItemError::TagValue(4097))
    );
    let many = |n: usize| vec![("n".to_owned(), "v".to_owned()); n];
    let bytes = encode(&many(128)).unwrap();
    assert_eq!(check(&bytes, 128), Ok(()));
    assert_eq!(encode(&many(129)), Err(ItemError::TooManyTags(129)));
    // 128 in one block and one more in another.
    let mut more = bytes[..bytes.len() - 1].to_vec();
    more.extend([2, 2, b'n', 2, b'v', 0]);
    assert_eq!(check(&more, 129), Err(ItemError::TooManyTags(129)));
}

proptest! {
    #[test]
    fn what_is_encoded_is_read(tags in prop::collection::vec((".{1,20}", ".{1,40}"), 0..20)) {
        let bytes = encode(&tags).unwrap();
        prop_assert_eq!(check(&bytes, tags.len() as u64), Ok(()));
        prop_assert_eq!(read(&bytes), tags);
    }

    /// Whatever the bytes, reading them ends, and gives what was found when it accepts them.
    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..64), declared in 0..4_u64) {
        let accepted = check(&bytes, declared).is_ok();
        let tags = Tags::of_checked(&bytes).count() as u64;
        prop_assert!(!accepted || tags == declared);
    }
}
