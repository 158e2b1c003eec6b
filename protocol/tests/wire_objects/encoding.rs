//! Every object has one encoding, and every byte of it counts (rules C-1 to C-4).

use std::collections::BTreeSet;
use std::fmt::Debug;

use serde_json::{Map, Value, json};
use surety_protocol::codec::{self, CodecError, Wire};
use surety_protocol::hash::{Domain, digest};

use crate::objects;

/// Compares an encoding with the one in `specs/vectors/wire.json`, for whoever writes another reader. A change of them is
/// another version of the object. `SURETY_BLESS=1` writes the file anew.
fn golden(name: &str, kind: u8, bytes: &[u8]) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../specs/vectors/wire.json");
    let text = std::fs::read_to_string(file).unwrap_or_else(|_| "{}".into());
    let mut vectors: Map<String, Value> = serde_json::from_str(&text).unwrap();
    let name = name.rsplit("::").next().unwrap();
    // Whole where that can be read, else what tells whether it is the same.
    let found = match bytes.len() {
        ..=1024 => json!({ "kind": kind, "hex": hex::encode(bytes) }),
        length => {
            json!({ "kind": kind, "bytes": length, "digest": digest(Domain::OBJECT, &[bytes]) })
        }
    };
    if std::env::var_os("SURETY_BLESS").is_some() {
        vectors.insert(name.into(), found);
        let text = serde_json::to_string_pretty(&vectors).unwrap();
        return std::fs::write(file, text + "\n").unwrap();
    }
    assert_eq!(vectors.get(name), Some(&found), "{name}");
}

/// Decodes what it encodes; an altered byte gives another object or none, never the same or a second spelling.
fn one_encoding<T: Wire + PartialEq + Debug>(object: &T, kinds: &mut BTreeSet<u8>) {
    assert!(kinds.insert(T::KIND), "kind {} is taken", T::KIND);
    let bytes = codec::encode(object).unwrap();
    assert_eq!(codec::kind_of(&bytes), Some((T::KIND, T::VERSION)));
    assert_eq!(codec::decode::<T>(&bytes).as_ref(), Ok(object));
    golden(std::any::type_name::<T>(), T::KIND, &bytes);
    // Of a long run of equal bytes a few stand for all.
    let step = bytes.len() / 1_500 + 1;
    for at in (0..bytes.len()).step_by(step) {
        let mut altered = bytes.clone();
        altered[at] ^= 1 << (at % 8);
        if let Ok(other) = codec::decode::<T>(&altered) {
            assert_ne!(&other, object, "byte {at}");
            assert_eq!(codec::encode(&other).unwrap(), altered, "byte {at}");
        }
    }
    for length in (0..bytes.len()).step_by(step) {
        assert!(
            codec::decode::<T>(&bytes[..length]).is_err(),
            "{length} bytes"
        );
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(codec::decode::<T>(&longer), Err(CodecError::Trailing(1)));
}

#[test]
fn every_object_has_one_encoding() {
    let kinds = &mut BTreeSet::new();
    one_encoding(&objects::leaf(4), kinds);
    one_encoding(&objects::signed_claim(2, 6).statement.claim, kinds);
    one_encoding(&objects::signed_claim(2, 6), kinds);
    one_encoding(&objects::approval(), kinds);
    one_encoding(&objects::batch(), kinds);
    one_encoding(&objects::certificate(), kinds);
    one_encoding(&objects::evidence(), kinds);
    one_encoding(&objects::false_claim(), kinds);
    one_encoding(&objects::false_trace(), kinds);
    one_encoding(&objects::double_assignment(), kinds);
    one_encoding(&objects::equivocation(), kinds);
    one_encoding(&objects::registration(), kinds);
    one_encoding(&objects::challenge(), kinds);
    one_encoding(&objects::verdict(), kinds);
    one_encoding(&objects::false_approvals(), kinds);
    one_encoding(&objects::genesis(), kinds);
    one_encoding(&objects::header(), kinds);
    one_encoding(&objects::commit(), kinds);
    one_encoding(&objects::block(), kinds);
    one_encoding(&objects::checkpoint(), kinds);
    one_encoding(&objects::segment(3), kinds);
    one_encoding(&objects::operator_entry(), kinds);
    one_encoding(&objects::attested_result(), kinds);
    one_encoding(&objects::witness(), kinds);
    one_encoding(&objects::state_head(), kinds);
    one_encoding(&objects::page_node(), kinds);
    one_encoding(&surety_protocol::profile::Profile::v1(), kinds);
    one_encoding(&objects::activation(), kinds);
    assert_eq!(kinds.len(), 28);
}

#[test]
fn one_kind_is_not_read_as_another() {
    // Both are lists of byte strings; only the kind tells them apart.
    let header = codec::encode(&objects::header()).unwrap();
    let error = codec::decode::<surety_protocol::block::Commit>(&header).unwrap_err();
    assert!(matches!(
        error,
        CodecError::Kind {
            expected_kind: 32,
            kind: 31,
            ..
        }
    ));
    assert_eq!(
        error.to_string(),
        "expected a commit (kind 32, version 1), got an object (kind 31, version 1)"
    );
}

#[test]
fn what_exceeds_its_limit_is_neither_made_nor_read() {
    let mut registration = objects::registration();
    registration.peer = vec![7; 2_000].into();
    assert!(matches!(
        codec::encode(&registration),
        Err(CodecError::TooLarge { limit: 1_024, .. })
    ));
    let bytes = vec![0; 1_793];
    let read = codec::decode::<surety_protocol::approval::Approval>(&bytes);
    assert_eq!(
        read,
        Err(CodecError::TooLarge {
            bytes: 1_793,
            limit: 1_792
        })
    );
}
