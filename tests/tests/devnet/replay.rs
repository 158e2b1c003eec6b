//! The log of a process evaluated once more by an auditor: from a node, and from files alone.

use serde_json::Value;
use surety_protocol::bundle;
use surety_protocol::item::{Item, ItemDraft, ItemKey};

use super::program::{Devnet, surety, text};

/// Everything that a compute unit says is compared, with and without executing it.
pub(crate) fn replayed(devnet: &Devnet, process: &str) {
    let replay = devnet.run(&["audit", "replay", process]);
    assert_eq!(replay.code, 0, "{}{}", replay.stdout, replay.stderr);
    let told = replay.data();
    assert_eq!(
        (&told["slots"], &told["compared"]),
        (&told["executed"], &told["executed"])
    );
    let compared = devnet
        .run(&["audit", "replay", process, "--differing"])
        .data();
    assert_eq!(
        (&compared["executed"], &compared["compared"]),
        (&0.into(), &told["slots"])
    );
    // A verifier that signs no claims has nothing to compare (rule RP-5).
    for how in [&[][..], &["--differing"]] {
        let verifier = text(&devnet.ready()["nodes"][6], "http");
        let asked = ["--json", "--node", &verifier, "audit", "replay", process];
        let silent = surety(&[&asked[..], how].concat());
        assert_eq!(silent.code, 1, "{}", silent.stdout);
        assert!(silent.stdout.contains("nothing-said"), "{}", silent.stdout);
    }
    let module = text(devnet.ready(), "module");
    let replay = devnet.run(&["audit", "replay", &module]);
    assert_eq!(replay.code, 2, "{}", replay.stdout);
    assert!(replay.stdout.contains("process-wrong"), "{}", replay.stdout);
}

/// The log as a scheduler of AO would publish it gives the state that was claimed, without the network.
pub(crate) fn imported(devnet: &Devnet, process: &str, size: u64) {
    let bytes = |id: &str| devnet.bytes(&format!("/v1/items/{id}"));
    let slots = devnet.get(&format!("/v1/processes/{process}/slots?limit=1000"));
    let mut files = Vec::new();
    for (slot, it) in (0..size).zip(slots["items"].as_array().unwrap()) {
        let item = |name: &str| Item::parse(bytes(&text(it, name))).unwrap();
        // Whatever strangers send, and so a scheduler publishes, makes no log unreadable.
        let stranger = ItemKey::ed25519(&[66; 32]);
        let mut draft =
            ItemDraft::default().tag("Type", ["Assignment", "Message"][slot as usize % 2]);
        for (name, value) in bundle::BUNDLE_TAGS {
            draft = draft.tag(name, value);
        }
        let odd = stranger.sign_item(&draft.carrying("no bundle")).unwrap();
        let items = [item("assignment"), item("message"), odd.into_inner()];
        let file = devnet.dir().join(format!("{slot}.bundle"));
        std::fs::write(&file, bundle::write(&items)).unwrap();
        files.push(file.to_str().unwrap().to_owned());
    }
    let module = devnet.dir().join("module.item");
    std::fs::write(&module, bytes(&text(devnet.ready(), "module"))).unwrap();
    let mut import = vec![
        "--json",
        "audit",
        "import",
        "--module",
        module.to_str().unwrap(),
    ];
    import.extend(files.iter().map(String::as_str));
    let imported = surety(&import);
    assert_eq!(imported.code, 0, "{}{}", imported.stdout, imported.stderr);
    let log = imported.data()["items"][0].clone();
    assert_eq!(log["evaluated"], size, "{log}");
    assert_eq!(log["module_named_by_process"], true, "{log}");
    assert_eq!(
        (&log["named_by_process"], &log["missing_messages"]),
        (&true.into(), &0.into())
    );
    let claims = devnet.get(&format!("/v1/processes/{process}/claims?limit=1000"));
    let claims = claims["items"].as_array().unwrap().iter();
    let about: Vec<&Value> = claims.filter(|it| it["size"] == size).collect();
    assert!(!about.is_empty());
    for claim in about {
        let claim = devnet.get(&format!("/v1/claims/{}", text(claim, "claim")));
        assert_eq!(log["state_root"], claim["head_state_root"], "{claim}");
    }
}
