//! Data items, bundles and other files that are looked into.

use std::fs;

use serde_json::Value;

use super::{needed, surety};

/// Where the program differs from the index on purpose: all libraries take this item.
const OTHERWISE: [&str; 1] = ["141-ed25519-tagvalue-3073.bin"];

#[test]
fn every_vector_is_judged_as_its_index_says() {
    let Some(vectors) = needed::path("SURETY_VECTORS") else {
        return;
    };
    let folder = vectors.join("ans104");
    let index: Value =
        serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for vector in index["vectors"].as_array().unwrap() {
        let file = vector["file"].as_str().unwrap();
        let valid = vector["valid"].as_bool().unwrap() ^ OTHERWISE.contains(&file);
        let called = surety(&folder, &["--json", "util", "item", "show", file]);
        if called.code != if valid { 0 } else { 6 } {
            wrong.push(format!(
                "{file}: valid {valid}, exit {}: {}",
                called.code, called.out
            ));
            continue;
        }
        let said = called.envelope();
        if valid && vector["kind"] == "item" {
            assert_eq!(said["data"]["id"], vector["id"], "{file}");
        }
        if let (true, Some(inner)) = (valid, vector["inner"].as_array()) {
            let found: Vec<&Value> = said["data"]["items"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|it| it["depth"] == 0)
                .map(|it| &it["id"])
                .collect();
            assert_eq!(found, inner.iter().collect::<Vec<_>>(), "{file}");
        }
        if valid {
            let id = surety(&folder, &["util", "id", file]);
            let expected = vector["id"].as_str();
            assert_eq!(id.code == 0, vector["kind"] == "item", "{file}");
            assert!(
                expected.is_none_or(|it| id.code != 0 || id.out.trim() == it),
                "{file}"
            );
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of the vectors:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn files_are_hashed_and_canonical_bytes_are_shown() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("abc"), "abc").unwrap();
    let hashes = surety(dir, &["--json", "util", "hash", "abc"]).data();
    assert_eq!(
        hashes["sha256"],
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    fs::write(dir.join("good"), [0x83, 9, 1, 0x82, 0x18, 0x64, 0xf6]).unwrap();
    let shown = surety(dir, &["--json", "util", "cbor", "good"]).data();
    assert_eq!(
        (&shown["kind"], &shown["diagnostic"]),
        (&9.into(), &"[9, 1, [100, null]]".into())
    );
    // A map, a number in a longer form, something behind the value, an end too early, a text that is none.
    for bytes in [
        &[0xa0][..],
        &[0x18, 5],
        &[1, 1],
        &[0x82, 1],
        &[0x61, 0xff],
        &[],
    ] {
        fs::write(dir.join("bad"), bytes).unwrap();
        let called = surety(dir, &["--json", "util", "cbor", "bad"]);
        assert_eq!(
            (called.code, called.error().as_str()),
            (6, "cbor-not-canonical"),
            "{bytes:?}"
        );
    }
    let missing = surety(dir, &["--json", "util", "hash", "missing"]);
    assert_eq!((missing.code, missing.error().as_str()), (1, "file"));
}
