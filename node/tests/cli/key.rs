//! Keys, from nothing to a signed item.

use std::fs;

use super::surety;

const LIGHT: &[&str] = &[
    "--light-kdf",
    "--password-file",
    "password",
    "--key-dir",
    "keys",
];
const OPEN: &[&str] = &["--password-file", "password", "--key-dir", "keys"];

#[test]
fn a_key_is_made_listed_exported_and_imported() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("password"), "correct horse\n").unwrap();
    let call = |args: &[&str], more: &[&str]| surety(dir, &[&["--json"], args, more].concat());

    for kind in ["ed25519", "secp256k1", "bls", "network"] {
        let made = call(&["key", "new", "--kind", kind], LIGHT).data();
        assert_eq!(
            (&made["kind"], &made["light"]),
            (&kind.into(), &true.into())
        );
        let listed = call(&["key", "list", "--key-dir", "keys"], &[]).data();
        let found = listed
            .as_array()
            .unwrap()
            .iter()
            .filter(|it| it["public"] == made["public"]);
        assert_eq!(found.count(), 1, "{kind}");

        let refused = call(&["key", "export", "--key", kind], OPEN);
        assert_eq!(
            (refused.code, refused.error().as_str()),
            (2, "export-unconfirmed")
        );
        let shown = call(
            &["key", "export", "--key", kind, "--yes-i-understand"],
            OPEN,
        )
        .data();
        let secret = shown["secret"].as_str().unwrap();
        assert_eq!(secret.len(), 64, "{kind}");

        // The same key elsewhere has the same name, and is not stored twice.
        fs::write(dir.join("secret"), format!("0x{secret}\n")).unwrap();
        let import = [
            "key",
            "import",
            "--kind",
            kind,
            "--file",
            "secret",
            "--light-kdf",
        ];
        let other = ["--password-file", "password", "--key-dir", "others"];
        assert_eq!(call(&import, &other).data()["public"], made["public"]);
        let twice = call(&import, &other);
        assert_eq!((twice.code, twice.error().as_str()), (3, "key-exists"));
    }

    let proof = call(&["key", "prove"], OPEN).data();
    assert_eq!(proof["key"].as_str().unwrap().len(), 64);
    assert_eq!(proof["possession"].as_str().unwrap().len(), 128);

    fs::write(dir.join("wrong"), "wrong").unwrap();
    let wrong = call(
        &[
            "key",
            "prove",
            "--key-dir",
            "keys",
            "--password-file",
            "wrong",
        ],
        &[],
    );
    assert_eq!((wrong.code, wrong.error().as_str()), (3, "key-password"));
    // Nobody to ask, and nothing said.
    let silent = call(&["key", "prove", "--key-dir", "keys"], &[]);
    assert_eq!((silent.code, silent.error().as_str()), (3, "key-password"));
    let nowhere = call(&["key", "list", "--key-dir", "nowhere"], &[]);
    assert_eq!((nowhere.code, nowhere.error().as_str()), (3, "key-missing"));
    assert!(!dir.join("nowhere").exists());
    fs::write(dir.join("secret"), "zz").unwrap();
    let import = ["key", "import", "--kind", "bls", "--file", "secret"];
    assert_eq!(call(&import, OPEN).code, 3);

    // Two keys sign items: one has to be named.
    let sign = [
        "util", "item", "sign", "--data", "hello", "--tag", "A=b", "--out", "item",
    ];
    let unnamed = call(&sign, OPEN);
    assert_eq!(
        (unnamed.code, unnamed.error().as_str()),
        (3, "key-ambiguous")
    );
    let named = [&sign[..], &["--key", "secp256k1"]].concat();
    let signed = call(&named, OPEN).data();
    let shown = call(&["util", "item", "show", "item"], &[]).data();
    assert_eq!(
        (&shown["id"], &shown["data_bytes"]),
        (&signed["id"], &5.into())
    );
    assert_eq!(shown["tags"][0]["value"], "b");
    // The same again is another item.
    assert_ne!(call(&named, OPEN).data()["id"], signed["id"]);
}

#[test]
fn a_node_is_made_once() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("password"), "correct horse\n").unwrap();
    let init = [
        "--json",
        "node",
        "init",
        "--dir",
        "n",
        "--password-file",
        "password",
        "--light-kdf",
    ];
    fs::write(dir.join("genesis"), b"nonsense").unwrap();
    let wrong = surety(dir, &[&init[..], &["--genesis", "genesis"]].concat());
    assert_eq!((wrong.code, wrong.error().as_str()), (3, "genesis"));
    assert!(!dir.join("n").exists());

    let made = surety(dir, &init).data();
    assert_eq!(made["operator"], made["item_key"]);
    let config = fs::read_to_string(dir.join("n/surety.toml")).unwrap();
    assert!(config.contains(made["operator"].as_str().unwrap()));
    // It belongs to no network yet.
    let checked = surety(dir, &["--json", "config", "check", "--dir", "n"]);
    assert_eq!((checked.code, checked.error().as_str()), (3, "genesis"));
    let again = surety(dir, &init);
    assert_eq!((again.code, again.error().as_str()), (3, "node-exists"));

    // What an interrupted run left is used.
    fs::remove_file(dir.join("n/surety.toml")).unwrap();
    let resumed = surety(dir, &init).data();
    assert_eq!(resumed["key"], made["key"]);
}
