//! AO's own clients against a network, with the modules that they are used with (`tests/interop/clients.mjs` says what is checked).

use std::path::PathBuf;
use std::process::Command;

use super::program::{Devnet, text, variable};

#[test]
fn clients_of_ao_work_unchanged() {
    let (Some(clients), Some(modules)) = (
        variable("SURETY_AO_CLIENTS"),
        variable("SURETY_AOS_MODULES"),
    ) else {
        eprintln!("AO's clients are not here: nothing was tried");
        return;
    };
    let interop = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("interop");
    // Signed by the nodes with keys of either kind.
    let networks = [
        ("aos2_0_4_32", "ed25519"),
        ("aos2_0_6", "ed25519"),
        ("aos2_0_1", "rsa"),
    ];
    for (module, item_key) in networks {
        let wasm = modules.join(format!("{module}.wasm"));
        let wasm = wasm.to_str().unwrap();
        let devnet = Devnet::start(&["--module", wasm, "--item-key", item_key]);
        let ready = devnet.ready();
        // A script that somebody else wrote, where there is one.
        if let Some(smoke) = variable("SURETY_AOCONNECT_SMOKE") {
            let http = text(ready, "http");
            // It looks for the clients beside itself.
            let beside = clients.join("smoke.mjs");
            std::fs::copy(&smoke, &beside).unwrap();
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
            assert!(done.unwrap().success(), "{module}: {}", smoke.display());
        }
        let mut elsewhere = devnet.kill(2);
        elsewhere.restart_with(&["--roles", "compute,messenger,gateway"]);
        // Last, since the timers that it sets go on.
        let done = Command::new("node")
            .arg(interop.join("clients.mjs"))
            .arg(&clients)
            .args(["http", "module", "scheduler", "authority"].map(|it| text(ready, it)))
            .arg(text(&ready["nodes"][2], "http"))
            .status();
        assert!(done.unwrap().success(), "{module}");
        let report = devnet.stop();
        assert!(report["slashings"].as_array().unwrap().is_empty());
    }
}
