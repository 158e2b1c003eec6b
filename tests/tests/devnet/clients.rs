//! AO's own clients against a network, with the modules that they are used with (`tests/interop/clients.mjs` says what is checked),
//! and a script that somebody else wrote with them.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::needed;
use super::program::{Devnet, text};

/// The modules, and the kind of key that the nodes of their network sign with.
const NETWORKS: [(&str, &str); 3] = [
    ("aos2_0_4_32", "ed25519"),
    ("aos2_0_6", "ed25519"),
    ("aos2_0_1", "rsa"),
];

fn network(modules: &Path, module: &str, item_key: &str, more: &[&str]) -> Devnet {
    let wasm = modules.join(format!("{module}.wasm"));
    let usual = ["--module", wasm.to_str().unwrap(), "--item-key", item_key];
    Devnet::start(&[&usual, more].concat())
}

fn without_offence(devnet: Devnet) {
    let report = devnet.stop();
    assert!(report["slashings"].as_array().unwrap().is_empty());
}

#[test]
fn clients_of_ao_work_unchanged() {
    let (Some(clients), Some(modules)) = (
        needed::path("SURETY_AO_CLIENTS"),
        needed::path("SURETY_AOS_MODULES"),
    ) else {
        return;
    };
    let interop = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("interop");
    for (module, item_key) in NETWORKS {
        let devnet = network(&modules, module, item_key, &[]);
        let ready = devnet.ready();
        let mut elsewhere = devnet.kill(2);
        elsewhere.restart_with(&["--roles", "compute,messenger,gateway"]);
        let done = Command::new("node")
            .arg(interop.join("clients.mjs"))
            .arg(&clients)
            .args(["http", "module", "scheduler", "authority"].map(|it| text(ready, it)))
            .arg(text(&ready["nodes"][2], "http"))
            .status();
        assert!(done.unwrap().success(), "{module}");
        without_offence(devnet);
    }
}

#[test]
fn a_script_that_others_wrote_for_ao_works_unchanged() {
    let (Some(clients), Some(modules), Some(script)) = (
        needed::path("SURETY_AO_CLIENTS"),
        needed::path("SURETY_AOS_MODULES"),
        needed::path("SURETY_AOCONNECT_SMOKE"),
    ) else {
        return;
    };
    // It looks for the clients beside itself.
    let beside = clients.join("smoke.mjs");
    std::fs::copy(&script, &beside).unwrap();
    for (module, item_key) in NETWORKS {
        let devnet = network(&modules, module, item_key, &["--nodes", "4"]);
        let ready = devnet.ready();
        let http = text(ready, "http");
        let done = Command::new("node")
            .arg(&beside)
            .env("MU_URL", format!("{http}/mu"))
            .env("CU_URL", format!("{http}/cu"))
            .env("GATEWAY_URL", format!("{http}/gateway"))
            .env("AO_MODULE", text(ready, "module"))
            .env("AO_SCHEDULER", text(ready, "scheduler"))
            .env("AO_AUTHORITY", text(ready, "authority"))
            .env("AO_MONITOR", "1")
            .env("AO_SLOT", "1")
            .env("AO_BENCH", "200")
            .status();
        assert!(done.unwrap().success(), "{module}: {}", script.display());
        without_offence(devnet);
    }
}
