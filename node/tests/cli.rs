//! The program `surety` as its users call it: arguments, files and exit codes; no network.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what is not as expected fails the test"
)]

#[path = "cli/evidence.rs"]
mod evidence;
#[path = "cli/import.rs"]
mod import;
#[path = "cli/item.rs"]
mod item;
#[path = "cli/key.rs"]
mod key;
#[path = "../../protocol/tests/support/needed.rs"]
mod needed;

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a call came to.
struct Called {
    code: i32,
    out: String,
    err: String,
}

impl Called {
    /// The one envelope on stdout.
    fn envelope(&self) -> Value {
        assert_eq!(self.out.lines().count(), 1, "{}", self.out);
        assert_eq!(self.err, "");
        let value: Value = serde_json::from_str(&self.out).unwrap();
        assert_eq!(value["schema"], 1);
        assert_eq!(value["ok"], self.code == 0, "{}", self.out);
        value
    }

    fn data(&self) -> Value {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.envelope()["data"].clone()
    }

    /// The code of the error in the envelope.
    fn error(&self) -> String {
        let error = self.envelope()["error"].clone();
        assert!(!error["message"].as_str().unwrap().is_empty());
        error["code"].as_str().unwrap().to_owned()
    }
}

/// Calls the program in a directory, in an environment that says nothing.
fn surety(dir: &Path, args: &[&str]) -> Called {
    let output = Command::new(env!("CARGO_BIN_EXE_surety"))
        .args(args)
        .current_dir(dir)
        .env_clear()
        .env("HOME", dir)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Called {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn the_version_is_told_to_people_and_programs() {
    let dir = tempfile::tempdir().unwrap();
    let data = surety(dir.path(), &["--json", "version"]).data();
    assert_eq!(data["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(data["profile"].as_str().unwrap().len(), 43);
    let people = surety(dir.path(), &["version"]);
    assert!(people.out.starts_with("surety "), "{}", people.out);
    assert_eq!(surety(dir.path(), &["--version"]).code, 0);
}

#[test]
fn wrong_calls_exit_with_2_and_help_with_0() {
    let dir = tempfile::tempdir().unwrap();
    let call = |args: &[&str]| surety(dir.path(), args);
    for args in [
        &["nonsense"][..],
        &[],
        &["key"],
        &["key", "new"],
        &["key", "new", "--kind", "dilithium"],
        &["process", "result", "short", "1"],
        &["ledger", "blocks", "--limit", "0"],
        &["audit", "verify"],
        &["version", "--nonsense"],
    ] {
        let called = call(args);
        assert_eq!((called.code, called.out.as_str()), (2, ""), "{args:?}");
        assert!(!called.err.is_empty(), "{args:?}");
        let called = call(&[&["--json"], args].concat());
        assert_eq!(
            (called.code, called.error().as_str()),
            (2, "usage"),
            "{args:?}"
        );
    }
    assert_eq!(call(&["--node", "https://h", "node", "status"]).code, 2);
    let help = call(&["audit", "--help"]);
    assert_eq!((help.code, help.err.as_str()), (0, ""));
    assert!(help.out.contains("replay"));
    assert!(
        call(&["--json", "--help"]).data()["text"]
            .as_str()
            .unwrap()
            .contains("surety")
    );
}

#[test]
fn a_node_that_does_not_answer_is_5() {
    let dir = tempfile::tempdir().unwrap();
    // A port that was free a moment ago, and that nobody listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://127.0.0.1:{port}");
    let id = "A".repeat(43);
    for args in [
        &["node", "status"][..],
        &["node", "peers"],
        &["ledger", "params"],
        &["process", "results", &id],
        &["stake", "status"],
        &["audit", "replay", &id],
    ] {
        let called = surety(dir.path(), &[&["--json", "--node", &url], args].concat());
        assert_eq!(
            (called.code, called.error().as_str()),
            (5, "node-unreachable"),
            "{args:?}"
        );
    }
}

#[test]
fn what_is_wrong_with_the_configuration_is_3() {
    let dir = tempfile::tempdir().unwrap();
    let call = |args: &[&str]| surety(dir.path(), args);
    let shown = call(&[
        "--json",
        "config",
        "show",
        "--dir",
        "n",
        "--http",
        "127.0.0.1:1",
    ])
    .data();
    let http = shown
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["setting"] == "http")
        .unwrap();
    assert_eq!(
        (&http["value"], &http["origin"]["from"]),
        (&"127.0.0.1:1".into(), &"flag".into())
    );

    std::fs::write(dir.path().join("surety.toml"), "role = []").unwrap();
    for verb in ["show", "check"] {
        let called = call(&["--json", "config", verb, "--config", "surety.toml"]);
        assert_eq!((called.code, called.error().as_str()), (3, "config"));
    }
    let called = call(&["config", "check", "--config", "surety.toml"]);
    assert!(
        called.err.contains("surety.toml:1: unknown key `role`"),
        "{}",
        called.err
    );
    assert!(
        called.err.contains("did you mean `roles`?"),
        "{}",
        called.err
    );
    assert_eq!(
        call(&["config", "check", "--config", "missing.toml"]).code,
        3
    );
    assert_eq!(call(&["config", "check", "--roles", "judge"]).code, 3);
    // A node without a genesis does not start.
    let called = call(&["--json", "config", "check", "--http", "0.0.0.0:1"]);
    assert_eq!((called.code, called.error().as_str()), (3, "genesis"));
    let called = call(&["--json", "node", "run", "--log", "off"]);
    assert_eq!((called.code, called.error().as_str()), (3, "genesis"));
}

#[test]
fn the_simulator_is_another_program() {
    let dir = tempfile::tempdir().unwrap();
    // Beside a copy of the program there is none.
    let copy = dir.path().join("surety");
    std::fs::copy(env!("CARGO_BIN_EXE_surety"), &copy).unwrap();
    let call = || {
        Command::new(&copy)
            .args(["--quiet", "sim", "run", "--seed", "7"])
            .output()
            .unwrap()
    };
    let missing = call();
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        String::from_utf8(missing.stderr)
            .unwrap()
            .contains("surety-sim")
    );

    let simulator = dir.path().join("surety-sim");
    std::fs::write(&simulator, "#!/bin/sh\necho \"$@\"\nexit 42\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&simulator, mode).unwrap();
    let found = call();
    assert_eq!(found.status.code(), Some(42));
    assert_eq!(found.stdout, b"--quiet run --seed 7\n");
}

#[test]
fn completions_are_written_for_a_shell() {
    let dir = tempfile::tempdir().unwrap();
    let called = surety(dir.path(), &["completions", "bash"]);
    assert_eq!(called.code, 0);
    assert!(called.out.contains("surety__subcmd") || called.out.contains("_surety()"));
}
