//! Every route with what its description allows and forbids, made up by schemathesis. The ids of a running network are among it, so
//! that it gets past the first check of a route.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use surety_protocol::id::{ProcessId, base64url};
use surety_protocol::item::{ItemDraft, ItemKey};

use crate::needed;
use crate::program::{Devnet, text, variable};

/// The ids that a network knows, by the names of the parameters that take them.
fn known(devnet: &Devnet, process: &str) -> BTreeMap<&'static str, Vec<Value>> {
    let all = |path: &str, name: &str| -> Vec<Value> {
        let listed = devnet.get(path);
        let items = listed["items"].as_array().unwrap().iter();
        let found: Vec<Value> = items.map(|it| it[name].clone()).collect();
        assert!(!found.is_empty(), "{path} has no {name}");
        found
    };
    let slots = format!("/v1/processes/{process}/slots");
    let claims = format!("/v1/processes/{process}/claims");
    let messages = all(&slots, "message");
    let operators = all("/v1/operators", "operator");
    let process = vec![Value::from(process)];
    BTreeMap::from([
        ("process", process.clone()),
        ("process-id", process.clone()),
        ("id", [process, messages.clone()].concat()),
        ("assign", messages.clone()),
        ("message", messages),
        ("claim", all(&claims, "claim")),
        ("evidence", all("/v1/evidence", "evidence")),
        ("operator", operators.clone()),
        ("address", operators),
        ("slot", (0..13).map(Value::from).collect()),
        ("height", (0..40).map(Value::from).collect()),
    ])
}

/// Items that the network takes.
fn items(process: &str) -> Vec<String> {
    let process: ProcessId = process.parse().unwrap();
    let keys = [
        ItemKey::ed25519(&[3; 32]),
        ItemKey::ethereum(&[3; 32]).unwrap(),
    ];
    let signed = keys.iter().flat_map(|key| {
        (0..4).map(move |number| {
            let draft = ItemDraft::default()
                .tag("Data-Protocol", "ao")
                .tag("Type", "Message")
                .to(*process.as_bytes())
                .carrying(format!("number {number}"));
            base64url(key.sign_item(&draft).unwrap().bytes())
        })
    });
    signed.collect()
}

#[test]
fn no_request_that_anybody_can_make_up_is_the_nodes_fault() {
    let Some(schemathesis) = needed::path("SURETY_SCHEMATHESIS") else {
        return;
    };
    let seconds = variable("SURETY_ROUTES_SECONDS").unwrap_or_else(|| "45".into());
    let devnet = Devnet::start(&["--fault", "compute:wrong-state@11"]);
    let process = devnet.spawn();
    let last = devnet.send(&process, 12);
    devnet.certified(&process, last + 1);
    devnet.slashed(1);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let done = Command::new(schemathesis)
        .current_dir(devnet.dir())
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", folder.join("http"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SURETY_IDS", json!(known(&devnet, &process)).to_string())
        .env("SURETY_ITEMS", json!(items(&process)).to_string())
        .arg("run")
        .arg(folder.join("../specs/openapi.json"))
        .args(["--url", &text(devnet.ready(), "http")])
        .arg("--max-time")
        .arg(seconds)
        .args(["--request-timeout", "45", "--continue-on-failure"])
        .args(["--checks", CHECKS])
        .status()
        .unwrap();
    assert!(done.success());
    // The network lives, and still does what it did.
    let last = devnet.send(&process, 2);
    devnet.certified(&process, last + 1);
    let report = devnet.stop();
    assert_eq!(report["slashings"].as_array().unwrap().len(), 1);
}

/// What every answer is checked for.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance";
