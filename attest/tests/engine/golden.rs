//! What profile 1 gives, to the bit: the vectors of `specs/vectors/execution.json`, for whoever writes another engine.
//!
//! A change of them is another profile. `SURETY_BLESS=1` writes the file anew.

use serde_json::{Map, Value, json};
use surety_attest::engine::{Engine, Message, Program, WasmEngine};
use surety_attest::state::{page_hash, zero_top};
use surety_protocol::id::Digest;
use surety_protocol::profile::Profile;
use surety_protocol::witness::PAGE_BYTES;

use super::aos::{eval, first, module};
use super::stage::{CLOCK, ENGINE, action, counter};

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../specs/vectors/execution.json"
);

/// Compares with what the file says, or writes it there.
fn golden(name: &str, found: Value) {
    static FILE_IN_USE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _turn = FILE_IN_USE.lock().unwrap();
    let text = std::fs::read_to_string(FILE).unwrap_or_else(|_| "{}".into());
    let mut vectors: Map<String, Value> = serde_json::from_str(&text).unwrap();
    if std::env::var_os("SURETY_BLESS").is_some() {
        vectors.insert(name.into(), found);
        let text = serde_json::to_string_pretty(&vectors).unwrap();
        return std::fs::write(FILE, text + "\n").unwrap();
    }
    assert_eq!(vectors.get(name), Some(&found), "{name}");
}

/// The state root and what each input gave: the root over the result, the gas, the root of the state.
fn history(engine: &dyn Engine, program: &Program, inputs: &[Message]) -> Value {
    let mut process = engine.boot(program, CLOCK).unwrap();
    let booted = process.state_root().unwrap();
    let step = |input: &Message| {
        let outcome = process.step(input).unwrap();
        json!([
            outcome.result.root(),
            outcome.gas,
            process.state_root().unwrap()
        ])
    };
    let steps: Vec<Value> = inputs.iter().map(step).collect();
    json!({ "booted": booted, "steps": steps })
}

/// On both machines.
fn histories(name: &str, program: &Program, inputs: &[Message]) {
    let compiled = history(&*ENGINE, program, inputs);
    let other = WasmEngine::interpreting(Profile::v1()).unwrap();
    assert_eq!(history(&other, program, inputs), compiled);
    golden(name, compiled);
}

#[test]
fn the_profile_and_its_commitments() {
    golden("profile", json!(Profile::v1().id().unwrap()));
    let page = |byte: u8| page_hash(&[byte; PAGE_BYTES]);
    golden("page of zeros", json!(page(0)));
    golden("page of ones", json!(page(1)));
    let tops: Vec<Digest> = (0..4).map(zero_top).collect();
    golden("nodes of zeros", json!(tops));
}

#[test]
fn the_sample_and_its_witness() {
    let names = ["Hello", "Fail", "Hello", "Trap", "Loop", "Hello"];
    let inputs: Vec<Message> = (0..24)
        .map(|nonce| action(nonce, names[nonce as usize % names.len()]))
        .collect();
    let program = counter();
    histories("sample", &program, &inputs);
    let mut process = ENGINE.boot(&program, CLOCK).unwrap();
    let (before, stride) = inputs.split_at(8);
    for input in before {
        process.step(input).unwrap();
    }
    let witness = ENGINE
        .witness(&program, &process.snapshot().unwrap(), stride)
        .unwrap();
    // What it says; not how it is compressed.
    let mut hasher = blake3::Hasher::new();
    for page in &witness.pages {
        hasher.update(&page.index.to_be_bytes());
        hasher.update(&page.bytes);
    }
    for sibling in &witness.siblings {
        hasher.update(sibling.as_bytes());
    }
    golden(
        "sample's witness",
        json!([
            witness.pages.len(),
            witness.siblings.len(),
            hasher.finalize().to_string()
        ]),
    );
}

#[test]
fn real_modules() {
    let inputs = [
        first(),
        eval(1, "x = (x or 0) + 1; return x"),
        eval(
            2,
            "return 1 / 3, 0 / 0, math.sin(2), string.format('%.3f', 2 ^ 0.5)",
        ),
        eval(3, "error('nothing stays')"),
        eval(
            4,
            "t = {}; for i = 1, 1000 do t[i] = tostring(i) end; return #table.concat(t)",
        ),
        eval(
            5,
            "ao.send({ Target = ao.id, Data = 'x' .. x }); return os.date('!%F %T', 1700000000)",
        ),
        eval(
            6,
            "local f = coroutine.wrap(function (n) while true do n = coroutine.yield(2 * n) end end); return f(2), f(21)",
        ),
    ];
    for name in ["aos2_0_4_32.wasm", "aos2_0_6.wasm", "sqlite.wasm"] {
        if let Some(program) = module(name) {
            histories(name, &program, &inputs);
        }
    }
}
