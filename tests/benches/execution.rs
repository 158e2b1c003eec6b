//! What AOS costs per message here, beside AO's own loader in the same run: `make bench-exec`.
//!
//! `SURETY_AOS_MODULES` and `SURETY_AO_LOADER` say where the modules and the loader are; `make bench-exec` fetches them.

#![allow(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark that cannot go on stops, and its figures are for people"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;
use surety_attest::engine::{Engine, Environment, Message, Program, Resident, Subject, WasmEngine};
use surety_protocol::id::ModuleId;
use surety_protocol::profile::Profile;

#[path = "report.rs"]
mod report;

use report::{Figure, Report, Target};

const CLOCK: u64 = 1_700_000_000_000;
/// Messages that we evaluate for each figure, and that the loader evaluates with and without copying its memory.
const OURS: u64 = 800;
const RESIDENT: u64 = 400;
const COPYING: u64 = 40;

/// A module and what AO's loader calls its format.
const MODULES: [(&str, &str); 2] = [
    ("aos2_0_4_32", "wasm32-unknown-emscripten4"),
    ("aos2_0_6", "wasm64-unknown-emscripten-draft_2024_02_15"),
];

/// A workload: its name, what is evaluated first, and the messages.
struct Workload {
    name: &'static str,
    prepare: String,
    message: fn(u64) -> Message,
}

fn workloads() -> Vec<Workload> {
    let token = |holders: u64| {
        format!(
            "local json = require('json'); Balances = {{}}; for i = 1, {holders} do Balances['holder-' .. i] = '1000' end; \
             Handlers.add('transfer', Handlers.utils.hasMatchingTag('Action', 'Transfer'), function (m) \
             local to, n = m.Tags.Recipient, tonumber(m.Tags.Quantity); \
             Balances['holder-1'] = tostring(tonumber(Balances['holder-1']) - n); \
             Balances[to] = tostring(tonumber(Balances[to] or '0') + n); \
             m.reply({{ Action = 'Debit-Notice', Quantity = tostring(n) }}); \
             ao.send({{ Target = to, Action = 'Credit-Notice', Quantity = tostring(n) }}) end)"
        )
    };
    vec![
        Workload {
            name: "eval",
            prepare: "x = 0".into(),
            message: |nonce| eval(nonce, "x = (x or 0) + 1; return x"),
        },
        Workload {
            name: "handler",
            prepare: "Handlers.add('ping', Handlers.utils.hasMatchingTag('Action', 'Ping'), \
                      function (m) m.reply({ Data = 'pong' }) end)"
                .into(),
            message: |nonce| message(nonce, &[("Action", "Ping")], "ping"),
        },
        Workload {
            name: "token, 1,000 holders",
            prepare: token(1_000),
            message: transfer,
        },
        Workload {
            name: "token, 100,000 holders",
            prepare: token(100_000),
            message: transfer,
        },
    ]
}

fn transfer(nonce: u64) -> Message {
    let to = format!("holder-{}", 2 + nonce % 900);
    message(
        nonce,
        &[
            ("Action", "Transfer"),
            ("Recipient", &to),
            ("Quantity", "1"),
        ],
        "",
    )
}

fn eval(nonce: u64, code: &str) -> Message {
    message(nonce, &[("Action", "Eval")], code)
}

fn message(nonce: u64, tags: &[(&str, &str)], data: &str) -> Message {
    let id = if nonce == 0 {
        "process".to_owned()
    } else {
        format!("{nonce:043}")
    };
    Message {
        id,
        target: "process".into(),
        owner: "owner".into(),
        from: "owner".into(),
        anchor: format!("{nonce:032}"),
        tags: tags
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect(),
        data: data.as_bytes().to_vec(),
        module: "module".into(),
        block_height: 1_500_000,
        timestamp: CLOCK + nonce,
        nonce,
        ..Message::default()
    }
}

/// The process item, what prepares the workload, and then so many messages of it.
fn inputs(workload: &Workload, count: u64) -> Vec<Message> {
    let mut inputs = vec![
        message(0, &[("Type", "Process")], "1984"),
        eval(1, &workload.prepare),
    ];
    inputs.extend((2..2 + count).map(workload.message));
    inputs
}

fn environment() -> Environment {
    let subject = |id: &str| Subject {
        id: id.into(),
        owner: "owner".into(),
        tags: Vec::new(),
    };
    Environment {
        process: subject("process"),
        module: subject("module"),
    }
}

/// Milliseconds a message, with a state root after every `stride` of them; wall and processor are the same here, since
/// one thread works.
fn ours(engine: &WasmEngine, wasm: &Path, workload: &Workload, stride: usize) -> f64 {
    let program = Program {
        module_id: ModuleId::default(),
        bytes: std::fs::read(wasm).expect("a module").into(),
        environment: environment(),
        memory_limit: 1 << 32,
        compute_limit: u64::MAX,
    };
    let mut process = engine.boot(&program, CLOCK).expect("it boots");
    let inputs = inputs(workload, OURS);
    let (first, rest) = inputs.split_at(2);
    for input in first {
        step(&mut *process, input);
    }
    process.state_root();
    let begin = Instant::now();
    for inputs in rest.chunks(stride) {
        for input in inputs {
            step(&mut *process, input);
        }
        process.state_root();
    }
    begin.elapsed().as_secs_f64() * 1000.0 / rest.len() as f64
}

fn step(process: &mut dyn Resident, input: &Message) {
    let outcome = process.step(input).expect("it runs");
    assert_eq!(outcome.result.error, None, "message {}", input.nonce);
}

/// Processor milliseconds a message of AO's loader.
fn loaders(
    loader: &Path,
    wasm: &Path,
    format: &str,
    workload: &Workload,
    count: u64,
    resident: bool,
) -> f64 {
    let file = std::env::temp_dir().join(format!("surety-bench-{}.ndjson", std::process::id()));
    let mut lines = vec![serde_json::to_string(&environment()).expect("JSON")];
    // The loader counts from the second message on, so what prepares is left out of the figure by subtraction.
    let run = |lines: &[String]| -> f64 {
        std::fs::write(&file, lines.join("\n")).expect("a file");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/ao-loader.mjs");
        let mut command = Command::new("node");
        command
            .arg("--experimental-wasm-memory64")
            .args([script.as_path(), loader, wasm])
            .arg(format)
            .arg(&file);
        if resident {
            command.arg("resident");
        }
        let done = command.output().expect("node runs");
        let text = String::from_utf8_lossy(&done.stdout);
        let last = text
            .lines()
            .last()
            .unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&done.stderr)));
        let last: Value = serde_json::from_str(last).expect("JSON");
        last["cpu_ms"].as_f64().expect("milliseconds")
    };
    let inputs = inputs(workload, count);
    lines.extend(
        inputs
            .iter()
            .map(|it| serde_json::to_string(it).expect("JSON")),
    );
    let prepared = run(&lines[..3]);
    let all = run(&lines);
    let _ = std::fs::remove_file(&file);
    (all - prepared).max(0.001) / count as f64
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::var_os(name).filter(|it| !it.is_empty());
    PathBuf::from(folder.unwrap_or_else(|| panic!("{name} is not set: use `make bench-exec`")))
}

fn main() {
    let (modules, loader) = (folder("SURETY_AOS_MODULES"), folder("SURETY_AO_LOADER"));
    let engine = WasmEngine::new(Profile::v1()).expect("an engine");
    let mut report = Report::new("execution");
    println!("milliseconds of one core per message; roots: BLAKE3 over the pages written");
    println!(
        "{:<12} {:<24} {:>9} {:>9} {:>12} {:>12} {:>9} {:>9}",
        "module",
        "workload",
        "ours G=16",
        "ours G=1",
        "loader copy",
        "loader res.",
        "x copy",
        "x res."
    );
    for (name, format) in MODULES {
        let wasm = modules.join(format!("{name}.wasm"));
        for workload in workloads() {
            let sixteen = ours(&engine, &wasm, &workload, 16);
            let one = ours(&engine, &wasm, &workload, 1);
            let copying = loaders(&loader, &wasm, format, &workload, COPYING, false);
            let resident = loaders(&loader, &wasm, format, &workload, RESIDENT, true);
            println!(
                "{name:<12} {:<24} {sixteen:>9.3} {one:>9.3} {copying:>12.2} {resident:>12.3} {:>9.1} {:>9.2}",
                workload.name,
                copying / sixteen,
                resident / sixteen
            );
            let metric = |what: &str| format!("{name}: {}, {what}", workload.name);
            let rate = |ms: f64| 1000.0 / ms;
            report.push(
                Figure::plain(&metric("G=16"), rate(sixteen), "messages/s/core")
                    .beside("ao-loader copying", rate(copying))
                    .wanted(Target::AtLeast(100.0)),
            );
            let resident_target = workload.name == "eval" || workload.name == "handler";
            let figure = Figure::plain(&metric("G=16"), rate(sixteen), "messages/s/core")
                .beside("ao-loader resident", rate(resident));
            report.push(match resident_target {
                true => figure.wanted(Target::AtLeast(1.1)),
                false => figure,
            });
            report.push(Figure::plain(&metric("G=1"), rate(one), "messages/s/core"));
        }
    }
    report.write();
}
