//! AOS with SQLite: a database in a process' memory.

use surety_attest::engine::{Engine, WasmEngine, Watching};
use surety_protocol::profile::Profile;

use super::aos::{data, eval, first, module};
use super::stage::CLOCK;

#[test]
fn a_table_of_ten_thousand_rows_has_the_same_roots_everywhere() {
    let Some(program) = module("sqlite.wasm") else {
        return;
    };
    let inserts = |from: u32| {
        format!(
            "db:exec('BEGIN'); for i = {from}, {from} + 999 do \
             insert:bind_values(i, 'name ' .. i % 97, i / 3); insert:step(); insert:reset() end; db:exec('COMMIT'); return db:total_changes()"
        )
    };
    let mut inputs = vec![
        first(),
        eval(
            1,
            "sqlite3 = require('lsqlite3'); db = sqlite3.open_memory(); \
             db:exec('CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, share REAL); CREATE INDEX names ON items (name)'); \
             insert = db:prepare('INSERT INTO items VALUES (?, ?, ?)'); return sqlite3.version()",
        ),
    ];
    for nonce in 0..10 {
        inputs.push(eval(2 + nonce, &inserts(1000 * nonce as u32)));
    }
    inputs.push(eval(
        12,
        "local rows = {}; for name, n, sum in db:urows('SELECT name, count(*), sum(share) FROM items GROUP BY name ORDER BY 3 DESC LIMIT 3') do \
         rows[#rows + 1] = name .. ' ' .. n .. ' ' .. sum end; return table.concat(rows, '; ')",
    ));
    let play = |engine: &dyn Engine| {
        let mut process = engine.boot(&program, CLOCK).unwrap();
        let mut roots = Vec::new();
        let mut last = String::new();
        for input in &inputs {
            let outcome = process.step(input).unwrap();
            assert_eq!(outcome.result.error, None, "input {:?}", input.nonce);
            last = data(&outcome);
            roots.push((process.state_root().unwrap(), outcome.gas));
        }
        (roots, last)
    };
    let profile = Profile::v1();
    let by_kernel = play(&WasmEngine::watching(profile.clone(), Watching::Kernel).unwrap());
    // Name r has the rows r, r + 97, ...: 104 of them if r < 9, and their shares are a third of 519532 + 104 r.
    let shares = "name 8 104 173454.66666667; name 7 104 173420.0; name 6 104 173385.33333333";
    assert!(by_kernel.1.contains(shares), "{}", by_kernel.1);
    let by_faults = play(&WasmEngine::watching(profile.clone(), Watching::Faults).unwrap());
    assert_eq!(by_faults, by_kernel);
    let interpreted = play(&WasmEngine::interpreting(profile).unwrap());
    assert_eq!(interpreted, by_kernel);
}
