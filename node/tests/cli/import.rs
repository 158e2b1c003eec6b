//! Logs that a scheduler of the public AO network signed, imported.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{needed, surety};

fn folder() -> Option<PathBuf> {
    Some(needed::path("SURETY_VECTORS")?.join("su-bundles"))
}

fn import(folder: &Path, files: &[&str]) -> super::Called {
    surety(folder, &[&["--json", "audit", "import"], files].concat())
}

#[test]
fn real_logs_have_the_chains_that_their_scheduler_signed() {
    let Some(folder) = folder() else { return };
    let index = fs::read(folder.join("index.json")).unwrap();
    let index: Vec<Value> = serde_json::from_slice(&index).unwrap();
    let files: Vec<&str> = index
        .iter()
        .rev()
        .map(|it| it["file"].as_str().unwrap())
        .collect();
    let mut expected = BTreeMap::<&str, Vec<&Value>>::new();
    for vector in &index {
        let process = vector["process"].as_str().unwrap();
        expected.entry(process).or_default().push(vector);
    }
    // In any order, and some of them twice.
    let told = import(&folder, &[&files[..], &files[..9]].concat()).data();
    let logs = told["items"].as_array().unwrap();
    assert_eq!(logs.len(), expected.len());
    for log in logs {
        let slots = &expected[log["process"].as_str().unwrap()];
        assert_eq!(log["first"], slots[0]["nonce"]);
        assert_eq!(log["slots"], slots.len());
        assert_eq!(log["signer"], slots[0]["su"]);
        let lacking = slots.iter().filter(|it| {
            let listed = it["items"].as_array().unwrap().iter();
            it["nonce"] != 0 && !listed.into_iter().any(|item| item["id"] == it["message"])
        });
        assert_eq!(log["missing_messages"], lacking.count(), "{log}");
        // All of a log but its last slot tells the chain that its scheduler put into that.
        let [but_last @ .., last] = &slots[..] else {
            continue;
        };
        if but_last.is_empty() {
            continue;
        }
        let names: Vec<&str> = but_last
            .iter()
            .map(|it| it["file"].as_str().unwrap())
            .collect();
        let shorter = import(&folder, &names).data();
        assert_eq!(shorter["items"][0]["next_hash_chain"], last["hash_chain"]);
    }
}

#[test]
fn what_is_no_log_is_refused() {
    let Some(folder) = folder() else { return };
    let name = |slot: usize| format!("4QTyVpvWlw-{slot:03}.bin");
    let copies = tempfile::tempdir().unwrap();
    let here = copies.path();
    for slot in 0..6 {
        fs::copy(folder.join(name(slot)), here.join(name(slot))).unwrap();
    }
    let names: Vec<String> = (0..6).map(name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(import(here, &names).code, 0);
    // A log from its middle on is one; one with a hole is none.
    let middle = import(here, &names[2..]).data();
    assert_eq!(middle["items"][0]["first"], 2);
    for files in [&[names[0], names[1], names[3]][..], &[names[2], names[5]]] {
        let hole = import(here, files);
        assert_eq!((hole.code, hole.error().as_str()), (6, "log-broken"));
    }
    let bytes = fs::read(here.join(names[3])).unwrap();
    for at in (0..bytes.len()).step_by(97) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        fs::write(here.join("flipped.bin"), flipped).unwrap();
        let refused = import(here, &["flipped.bin"]);
        assert_eq!(
            (refused.code, refused.error().as_str()),
            (6, "log-broken"),
            "byte {at}"
        );
    }
    fs::write(here.join("cut.bin"), &bytes[..bytes.len() - 1]).unwrap();
    fs::write(here.join("empty.bin"), []).unwrap();
    for file in ["cut.bin", "empty.bin"] {
        assert_eq!(import(here, &[file]).code, 6, "{file}");
    }
    assert_eq!(import(here, &["missing.bin"]).code, 1);
}
