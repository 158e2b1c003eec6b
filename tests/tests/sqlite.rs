//! AOS with SQLite on a network: a table of ten thousand rows, the same at every node.
//!
//! `SURETY_AOS_MODULES` says where the module is; `make test` fetches it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "../../protocol/tests/support/needed.rs"]
mod needed;
#[path = "devnet/program.rs"]
#[allow(dead_code, reason = "shared with other tests of networks")]
mod program;

use std::time::Duration;

use program::{Devnet, text};
use serde_json::Value;

/// Inputs after which the state is committed.
const STRIDE: u64 = 16;

const TABLE: &str = "sqlite3 = require('lsqlite3'); db = sqlite3.open_memory(); \
    db:exec('CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, share REAL); CREATE INDEX names ON items (name)'); \
    insert = db:prepare('INSERT INTO items VALUES (?, ?, ?)'); return sqlite3.version()";

const INSERT: &str = "rows = rows or 0; db:exec('BEGIN'); for i = rows, rows + 999 do \
    insert:bind_values(i, 'name ' .. i % 97, i / 3); insert:step(); insert:reset() end; \
    db:exec('COMMIT'); rows = rows + 1000; return rows";

const COUNT: &str = "for n in db:urows('SELECT count(*) FROM items WHERE name = \\'name 8\\'') do return 'rows: ' .. n end";

#[test]
fn a_table_of_ten_thousand_rows_is_the_same_at_two_compute_units_and_certified() {
    let Some(modules) = needed::path("SURETY_AOS_MODULES") else {
        return;
    };
    let module = modules.join("sqlite.wasm");
    let devnet = Devnet::start(&["--module", module.to_str().unwrap()]);
    let process = devnet.spawn();
    let eval = |code: &str| -> u64 {
        let send = [
            "process", "send", &process, "--action", "Eval", "--data", code,
        ];
        let sent = devnet.run(&send);
        assert_eq!(sent.code, 0, "{}{}", sent.stdout, sent.stderr);
        sent.data()["slot"].as_u64().unwrap()
    };
    eval(TABLE);
    for _ in 0..10 {
        eval(INSERT);
    }
    let last = eval(COUNT);
    let mut end = last;
    // Up to the end of a stride, which commits to the state.
    while end < STRIDE {
        end = eval(COUNT);
    }
    // Each of seven nodes compiles the module, which takes ten seconds of a core, before it takes part.
    devnet.certified_within(Duration::from_secs(300), &process, end + 1);
    let result = devnet.get(&format!("/v1/processes/{process}/slots/{last}/result"));
    assert!(result.to_string().contains("rows: 104"), "{result}");
    let computing = devnet.ready()["nodes"].as_array().unwrap().iter();
    let computing = computing.filter(|node| node["roles"].to_string().contains("compute"));
    let slots: Vec<Value> = computing
        .map(|node| {
            let http = text(node, "http");
            let path = format!("{http}/v1/processes/{process}/slots?limit=100");
            let mut slots = program::get(&path).expect("slots")["items"].clone();
            for slot in slots.as_array_mut().expect("a list") {
                // The one may have applied a block more than the other.
                slot["status"] = Value::Null;
            }
            slots
        })
        .collect();
    assert!(slots.len() >= 2);
    for other in &slots {
        assert_eq!(other, &slots[0]);
    }
    let roots = slots[0].as_array().unwrap().iter();
    let roots = roots.filter(|slot| slot["state_root"].is_string()).count();
    assert!(roots > 0, "{}", slots[0]);
    let replay = devnet.run(&["audit", "replay", &process]);
    assert_eq!(replay.code, 0, "{}{}", replay.stdout, replay.stderr);
}
