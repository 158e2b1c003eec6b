//! Data items and bundles that other libraries made, good and bad.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a vector of another form fails the test"
)]

#[path = "support/needed.rs"]
mod needed;
#[path = "support/vectors.rs"]
mod vectors;

use serde_json::Value;
use surety_protocol::assignment::{Assignment, HashChain};
use surety_protocol::bundle;
use surety_protocol::hash::sha256;
use surety_protocol::id::{base64url, from_base64url};
use surety_protocol::item::{Item, ItemError, ItemView};
use vectors::{Vectors, text};

/// Where we differ from the index on purpose. It calls one item with a value of 4090 bytes valid and another
/// with 3073 not, so no rule on length satisfies both; all libraries take both, and so do we.
const OTHERWISE: [&str; 1] = ["141-ed25519-tagvalue-3073.bin"];

#[test]
fn every_vector_is_judged_as_its_index_says() {
    let Some(mut vectors) = Vectors::open("ans104") else {
        return;
    };
    let index = vectors.index();
    let mut wrong = Vec::new();
    for vector in index["vectors"].as_array().unwrap() {
        let file = text(vector, "file");
        let bytes = vectors.read(file);
        assert_eq!(
            bytes.len() as u64,
            vector["bytes"].as_u64().unwrap(),
            "{file}"
        );
        assert_eq!(
            hex::encode(sha256(&[&bytes])),
            text(vector, "sha256"),
            "{file}"
        );
        let judged = match text(vector, "kind") {
            "item" => item(&bytes, vector),
            "bundle" => whole_bundle(&bytes, vector),
            other => panic!("{file}: kind {other}"),
        };
        let valid = vector["valid"].as_bool().unwrap();
        if judged.is_ok() != (valid ^ OTHERWISE.contains(&file)) {
            wrong.push(format!(
                "{file}: valid {valid}, judged {judged:?}: {}",
                text(vector, "note")
            ));
        }
    }
    vectors.finish();
    assert!(
        wrong.is_empty(),
        "{} of the vectors:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Judges an item; if it is authentic, compares everything that the index says of it.
fn item(bytes: &[u8], vector: &Value) -> Result<(), ItemError> {
    let item = Item::parse(bytes)?.authenticate()?;
    let file = text(vector, "file");
    let same =
        |field: &str, found: &str| assert_eq!(found, text(vector, field), "{field} of {file}");
    assert_eq!(
        u64::from(item.signature_type().code()),
        vector["signatureType"].as_u64().unwrap()
    );
    same("id", &item.id().to_string());
    same("owner", &base64url(item.owner()));
    same("ownerAddress", &item.owner_address().to_string());
    same(
        "target",
        &item.target().map(|it| base64url(it)).unwrap_or_default(),
    );
    same(
        "anchor",
        &item.anchor().map(|it| base64url(it)).unwrap_or_default(),
    );
    let tags: Vec<(&str, &str)> = vector["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| (text(tag, "name"), text(tag, "value")))
        .collect();
    assert_eq!(item.tags().collect::<Vec<_>>(), tags, "tags of {file}");
    assert_eq!(
        item.data().len() as u64,
        vector["dataSize"].as_u64().unwrap(),
        "{file}"
    );
    same("dataSha256", &hex::encode(sha256(&[item.data()])));
    if vector["deepHash"].is_string() {
        same("deepHash", &hex::encode(item.signing_digest()));
    }
    if let Some(inner) = vector["inner"].as_array() {
        assert!(bundle::carries(&item.view()), "{file}");
        let found = ids(&bundle::parse(item.data())?);
        assert_eq!(
            found,
            inner
                .iter()
                .map(|id| id.as_str().unwrap())
                .collect::<Vec<_>>(),
            "{file}"
        );
    }
    if text(vector, "ao") == "assignment" {
        assignment(&item, vector);
    }
    Ok(())
}

fn assignment(item: &Item, vector: &Value) {
    let assignment = Assignment::from_item(item).unwrap();
    assert_eq!(assignment.hash_chain.to_string(), text(vector, "hashChain"));
    let chain = match vector["prevAssignmentId"].as_str() {
        None => HashChain::start(&assignment.process),
        Some(previous) => {
            let chain: HashChain = text(vector, "prevHashChain").parse().unwrap();
            chain.next(&previous.parse().unwrap())
        }
    };
    assert_eq!(chain, assignment.hash_chain, "{}", text(vector, "file"));
}

/// Judges a bundle and everything in it, nested or not.
fn whole_bundle(bytes: &[u8], vector: &Value) -> Result<(), ItemError> {
    let items = bundle::parse(bytes)?;
    for nested in bundle::flatten(bytes)? {
        nested.item.verify()?;
    }
    let listed = vector["items"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    assert_eq!(
        ids(&items),
        listed
            .iter()
            .map(|item| text(item, "id"))
            .collect::<Vec<_>>()
    );
    for (item, listed) in items.iter().zip(listed) {
        assert_eq!(item.bytes().len() as u64, listed["bytes"].as_u64().unwrap());
    }
    let owned: Vec<Item> = items.iter().map(ItemView::to_item).collect();
    assert_eq!(bundle::write(&owned), bytes, "{}", text(vector, "file"));
    Ok(())
}

fn ids(items: &[ItemView<'_>]) -> Vec<String> {
    items.iter().map(|item| item.id().to_string()).collect()
}

/// One bit of a valid item, everywhere in its first bytes and its tags: nothing is authentic any more.
#[test]
fn no_valid_vector_survives_a_flipped_bit() {
    let Some(mut vectors) = Vectors::open("ans104") else {
        return;
    };
    let index = vectors.index();
    let small = |vector: &&Value| {
        text(vector, "kind") == "item"
            && vector["valid"].as_bool() == Some(true)
            && vector["signatureType"].as_u64() != Some(1)
            && vector["bytes"].as_u64().unwrap() < 300
    };
    for vector in index["vectors"].as_array().unwrap().iter().filter(small) {
        let bytes = vectors.read(text(vector, "file"));
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1 << (at % 8);
            // The case of an address' letters is not signed.
            let judged = Item::parse(altered.clone()).and_then(Item::authenticate);
            let same_account = judged
                .as_ref()
                .is_ok_and(|item| item.owner().eq_ignore_ascii_case(&owner(vector)));
            assert!(
                judged.is_err() || (vector["signatureType"] == 7 && same_account),
                "{} with bit {at} flipped",
                text(vector, "file")
            );
        }
    }
}

fn owner(vector: &Value) -> Vec<u8> {
    from_base64url(text(vector, "owner")).unwrap()
}
