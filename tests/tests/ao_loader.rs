//! AO's own loader and this engine give the same results of the same messages, for modules of both widths.
//!
//! `SURETY_AOS_MODULES` and `SURETY_AO_LOADER` say where the modules and the loader are; `make test` fetches them.
//! `SURETY_AO_MESSAGES` says how many messages; the loader takes a tenth of a second for each.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "../../protocol/tests/support/needed.rs"]
mod needed;

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use surety_attest::engine::{Engine, Environment, Message, Program, Subject, WasmEngine};
use surety_harness::random::Random;
use surety_protocol::id::{Digest, ModuleId};
use surety_protocol::profile::Profile;

const CLOCK: u64 = 1_700_000_000_000;

fn id(seed: u64) -> String {
    let digest = surety_protocol::hash::digest(
        surety_protocol::hash::Domain::OBJECT,
        &[&seed.to_be_bytes()],
    );
    Digest::to_string(&digest)
}

fn subject(seed: u64) -> Subject {
    Subject {
        id: id(seed),
        owner: id(1),
        tags: vec![("Name".into(), "subject".into())],
    }
}

/// What users and developers of AOS do, and some of what they should not. Nothing prints an address: a loader that waits for
/// its host moves things about in the guest's heap.
fn code(random: &mut Random) -> String {
    let k = random.below(1000);
    let pieces = [
        format!("x = (x or 0) + {k}; return x"),
        format!("return {{ a = {k}, b = {{ {k}, 'x' }}, s = string.rep('ab', {k} % 40) }}"),
        format!("ao.send({{ Target = ao.id, Action = 'Note', Data = 'n{k}', Tags = {{ K = '{k}' }} }}); return 'sent'"),
        format!("Send({{ Target = '{}', Data = 'd' }}); Send({{ Target = ao.id, X = '{k}' }})", id(k)),
        "ao.spawn(ao.env.Module.Id, { Data = 'child', Tags = { Name = 'c' } }); return 'spawned'".into(),
        format!("ao.assign({{ Processes = {{ ao.id }}, Message = '{}' }})", id(k)),
        format!("error('no {k}')"),
        format!("error({{ code = {k} }})"),
        "this is no lua".into(),
        format!("local t = nil; return t.x{k}"),
        "return 1/3, 0/0 ~= 0/0, math.floor(2.5), 2^53, 10//3, 7 % -3, math.pi, 1e100, -0.0, 1e15, 2^63".into(),
        format!("return math.sin({k}), math.exp(1.5), math.sqrt({k}), {k} // 7.0, {k} / 0, -{k} / 0, 3 | {k}, {k} << 3"),
        format!("return require('json').encode({{ 1, 2.5, '{k}', {{ x = {k} }} }})"),
        format!("return require('json').decode('{{\"a\":[1,2,{{\"b\":null}}],\"c\":\"\\\\u00e9 {k}\"}}')"),
        format!("return string.format('%q %5.2f %x %s %d', 'a\\n', {k}.123, {k}, true, {k})"),
        format!("return ('hello world {k}'):gsub('o', '0'), ('x'):rep(3, ','), utf8.char(228, 8364), #'ä{k}'"),
        "local c = coroutine.wrap(function (a) local b = coroutine.yield(a + 1); return b * 2 end); return c(1), c(21)".into(),
        format!("return pcall(function () error('inner {k}') end)"),
        "local function f (n) return n == 0 and 0 or 1 + f(n - 1) end; return f(5000)".into(),
        "local function f () return 1 + f() end; return pcall(f)".into(),
        "return os.time(), os.date('!%Y-%m-%d %H:%M:%S', 1700000000)".into(),
        format!("local t = {{}}; for i = 1, {k} do t[i] = i * 3 end; table.sort(t, function (a, b) return a > b end); return #t, t[1], table.concat(t, ' ', 1, math.min(3, #t))"),
        format!("Balances = Balances or {{}}; for i = 1, 20 do Balances['u' .. (i * {k})] = i end; return #Inbox"),
        "print('printed'); print({ 1, 2 }); return nil".into(),
        format!("Handlers.add('h{k}', Handlers.utils.hasMatchingTag('Action', 'H{k}'), function (m) m.reply({{ Data = m.Data .. '!' }}) end)"),
        "return select('#', table.unpack({}, 1, 200)), next({}), type(print), rawlen({ 1, 2 })".into(),
        "local t = {}; for i = 1, 40 do t['key' .. i] = i end; local s = ''; for k in pairs(t) do s = s .. k .. ' ' end; return s".into(),
    ];
    random.pick(&pieces).cloned().unwrap_or_default()
}

fn messages(count: u64) -> Vec<Message> {
    let mut random = Random::new(7);
    let mut messages: Vec<Message> = Vec::new();
    for nonce in 0..count {
        let (action, from, data) = match (nonce, random.below(8)) {
            (0, _) => ("", 1, "1984".to_owned()),
            (_, 0) => ("Ping", 5, format!("from a stranger {nonce}")),
            (_, 1) => ("Eval", 5, "return 'not the owner'".to_owned()),
            (_, 2) => ("H7", 1, "ünïcode 漢字".to_owned()),
            _ => ("Eval", 1, code(&mut random)),
        };
        let mut tags = vec![("Data-Protocol".to_owned(), "ao".to_owned())];
        tags.push((
            "Type".into(),
            if nonce == 0 { "Process" } else { "Message" }.into(),
        ));
        if nonce == 0 {
            tags.push(("Name".into(), "conformance".into()));
        } else {
            tags.push(("Action".into(), action.into()));
        }
        messages.push(Message {
            id: Some(if nonce == 0 { id(2) } else { id(1000 + nonce) }),
            target: id(2),
            owner: id(from),
            from: id(from),
            anchor: format!("{nonce:032}"),
            tags,
            data: data.into_bytes(),
            module: id(3),
            block_height: 1_500_000,
            timestamp: CLOCK + nonce * 1000,
            epoch: Some(0),
            nonce: Some(nonce),
            hash_chain: Some(String::new()),
            ..Message::default()
        });
    }
    messages
}

/// A result as clients read it.
fn readable(result: &Value) -> Value {
    let list = |name: &str| match &result[name] {
        Value::Array(list) => Value::Array(list.clone()),
        _ => json!([]),
    };
    let error = result["Error"].clone();
    if !error.is_null() {
        // Nothing else of it counts.
        return json!({ "Error": error });
    }
    json!({
        "Output": result["Output"],
        "Messages": list("Messages"),
        "Spawns": list("Spawns"),
        "Assignments": list("Assignments"),
    })
}

fn theirs(
    loader: &Path,
    wasm: &Path,
    format: &str,
    environment: &Environment,
    messages: &[Message],
) -> Vec<Value> {
    let dir = tempfile::tempdir().unwrap();
    let inputs = dir.path().join("inputs.ndjson");
    let mut lines = vec![serde_json::to_string(environment).unwrap()];
    lines.extend(messages.iter().map(|it| serde_json::to_string(it).unwrap()));
    std::fs::write(&inputs, lines.join("\n")).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/ao-loader.mjs");
    let run = Command::new("node")
        .arg("--experimental-wasm-memory64")
        .arg(script)
        .arg(loader)
        .arg(wasm)
        .arg(format)
        .arg(&inputs)
        .env("TZ", "UTC")
        .output()
        .unwrap();
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let lines = String::from_utf8(run.stdout).unwrap();
    let mut results: Vec<Value> = lines
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    assert!(results.pop().unwrap()["cpu_ms"].is_number());
    results
}

#[test]
fn results_are_those_of_aos_own_loader() {
    let (Some(modules), Some(loader)) = (
        needed::path("SURETY_AOS_MODULES"),
        needed::path("SURETY_AO_LOADER"),
    ) else {
        return;
    };
    let count = std::env::var("SURETY_AO_MESSAGES")
        .ok()
        .and_then(|it| it.parse().ok());
    let messages = messages(count.unwrap_or(120));
    let environment = Environment {
        process: subject(2),
        module: subject(3),
    };
    let engine = WasmEngine::new(Profile::v1()).unwrap();
    for (name, format) in [
        ("aos2_0_4_32.wasm", "wasm32-unknown-emscripten4"),
        (
            "aos2_0_6.wasm",
            "wasm64-unknown-emscripten-draft_2024_02_15",
        ),
    ] {
        let wasm = modules.join(name);
        let theirs = theirs(&loader, &wasm, format, &environment, &messages);
        let program = Program {
            module_id: ModuleId::default(),
            bytes: std::fs::read(&wasm).unwrap().into(),
            environment: environment.clone(),
            memory_limit: 1 << 32,
            compute_limit: u64::MAX,
        };
        let mut process = engine.boot(&program, CLOCK).unwrap();
        assert_eq!(theirs.len(), messages.len());
        for (message, theirs) in messages.iter().zip(theirs) {
            let result = process.step(message).unwrap().result;
            let ours = json!({
                "Output": result.output,
                "Messages": result.messages,
                "Spawns": result.spawns,
                "Assignments": result.assignments,
                "Error": result.error,
            });
            let said = String::from_utf8_lossy(&message.data);
            assert_eq!(
                readable(&ours),
                readable(&theirs),
                "{name}, {:?}: {said}",
                message.nonce
            );
        }
    }
}
