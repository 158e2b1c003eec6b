//! What AOS costs per message here, beside AO's own loader and bare wasmtime in the same run: `make bench-exec`.
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

use serde_json::Value;
use surety_attest::engine::{
    Engine, Environment, Message, Program, Resident, Subject, WasmEngine, on_deep_stack,
};
use surety_protocol::id::ModuleId;
use surety_protocol::profile::Profile;

#[path = "bare.rs"]
mod bare;
#[path = "processor.rs"]
mod processor;
#[path = "report.rs"]
mod report;
#[path = "stride.rs"]
mod stride;

use bare::Bare;
use processor::processor;
use report::{Figure, Report, Target};

const CLOCK: u64 = 1_700_000_000_000;
/// Everybody in turn, so many times; the least of each counts, for what else this machine does only adds to it.
const ROUNDS: usize = 5;
/// Messages that are evaluated in a round, and that the loader evaluates while it copies its memory.
const MESSAGES: u64 = 400;
const COPYING: u64 = 20;

/// Milliseconds within which a stride is to be verified.
const SOON_MS: f64 = 50.0;

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
        id: Some(id),
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
        epoch: Some(0),
        nonce: Some(nonce),
        hash_chain: Some(String::new()),
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

fn program(wasm: &Path) -> Program {
    Program {
        module_id: ModuleId::default(),
        bytes: std::fs::read(wasm).expect("a module").into(),
        environment: environment(),
        memory_limit: 1 << 32,
        compute_limit: u64::MAX,
    }
}

/// Milliseconds a message, with a state root after every `stride` of them.
fn ours(engine: &WasmEngine, wasm: &Path, workload: &Workload, stride: usize) -> f64 {
    let program = program(wasm);
    let mut process = engine.boot(&program, CLOCK).expect("it boots");
    let inputs = inputs(workload, MESSAGES);
    let (first, rest) = inputs.split_at(2);
    for input in first {
        step(&mut *process, input);
    }
    process.state_root().expect("it executes");
    // As a node does: a job of many inputs on one thread.
    let taken = on_deep_stack(|| {
        let run = || {
            for inputs in rest.chunks(stride) {
                for input in inputs {
                    step(&mut *process, input);
                }
                process.state_root().expect("it executes");
            }
        };
        processor(run).0
    });
    taken.expect("a thread") / rest.len() as f64
}

/// Milliseconds a message of the module in wasmtime with nothing around it, or with wasmtime's fuel.
fn bare(wasm: &Path, workload: &Workload, fuel: bool) -> f64 {
    let wasm = std::fs::read(wasm).expect("a module");
    let inputs = inputs(workload, MESSAGES);
    let (first, rest) = inputs.split_at(2);
    let taken = on_deep_stack(|| {
        let mut process = Bare::boot(&wasm, &environment(), fuel);
        first.iter().for_each(|input| process.step(input));
        processor(|| rest.iter().for_each(|input| process.step(input))).0
    });
    taken.expect("a thread") / rest.len() as f64
}

fn step(process: &mut dyn Resident, input: &Message) {
    let outcome = process.step(input).expect("it runs");
    assert_eq!(outcome.result.error, None, "message {:?}", input.nonce);
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

/// The least of every figure over the rounds.
fn least<const N: usize>(mut round: impl FnMut() -> [f64; N]) -> [f64; N] {
    (0..ROUNDS).fold([f64::INFINITY; N], |least, _| {
        let figures = round();
        std::array::from_fn(|at| least[at].min(figures[at]))
    })
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::var_os(name).filter(|it| !it.is_empty());
    PathBuf::from(folder.unwrap_or_else(|| panic!("{name} is not set: use `make bench-exec`")))
}

/// What proofs of a stride take.
fn strides(engine: &WasmEngine, modules: &Path, only: &str, report: &mut Report) {
    println!();
    println!(
        "{:<12} {:<23} {:>6} {:>9} {:>7} {:>8} {:>8} {:>8} {:>8} {:>9} {:>8} {:>8} {:>8}",
        "a stride of",
        "16",
        "pages",
        "KiB",
        "lz4",
        "execute",
        "build",
        "verify",
        "x exec.",
        "2 engines",
        "snapshot",
        "restore",
        "wake"
    );
    for (name, _) in MODULES {
        let program = program(&modules.join(format!("{name}.wasm")));
        for workload in workloads() {
            if !format!("{name} {}", workload.name).contains(only) {
                continue;
            }
            let inputs = inputs(&workload, 32);
            let (before, stride) = inputs.split_at(inputs.len() - 16);
            let it = stride::measure(engine, &program, CLOCK, before, stride);
            println!(
                "{name:<12} {:<23} {:>6} {:>9.1} {:>7.1} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>9.1} {:>8.2} {:>8.2} {:>8.2}",
                workload.name,
                it.pages,
                it.bytes as f64 / 1024.0,
                it.compressed as f64 / 1024.0,
                it.execute,
                it.build,
                it.verify,
                it.verify / it.execute,
                it.judge,
                it.snapshot,
                it.restore,
                it.wake
            );
            let figure = |what: &str, value: f64, unit| {
                Figure::plain(&format!("{name}: {}, {what}", workload.name), value, unit)
            };
            report.push(figure("witness", it.bytes as f64, "bytes"));
            let compressed = it.compressed as f64;
            report.push(figure("witness, compressed with lz4", compressed, "bytes"));
            report.push(figure("witness, build", it.build, "cpu ms"));
            report.push(
                figure("witness, verify", it.verify, "cpu ms")
                    .beside("executing the stride", it.execute)
                    .wanted(Target::AtMost(5.0)),
            );
            report.push(
                figure("witness, verify soon", it.verify, "cpu ms")
                    .beside("wanted", SOON_MS)
                    .wanted(Target::AtMost(1.0)),
            );
            report.push(figure("witness, judge on two engines", it.judge, "cpu ms"));
            report.push(figure("snapshot", it.snapshot, "cpu ms"));
            report.push(figure("restore", it.restore, "cpu ms"));
            report.push(figure("wake and first message", it.wake, "cpu ms"));
        }
    }
}

fn main() {
    let (modules, loader) = (folder("SURETY_AOS_MODULES"), folder("SURETY_AO_LOADER"));
    // A word of what is wanted, or everything.
    let only = std::env::args().skip(1).find(|it| !it.starts_with('-'));
    let only = only.unwrap_or_default();
    let engine = WasmEngine::new(Profile::v1()).expect("an engine");
    let mut report = Report::new("execution");
    println!(
        "messages each second with G=16, then milliseconds of one core per message; G: messages from one state root to the next"
    );
    println!(
        "{:<12} {:<23} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>7} {:>7} {:>7} {:>7}",
        "module",
        "workload",
        "each s",
        "G=16",
        "G=1",
        "wasmtime",
        "its fuel",
        "loader",
        "resident",
        "G16/raw",
        "G1/raw",
        "x copy",
        "x res."
    );
    for (name, format) in MODULES {
        let wasm = modules.join(format!("{name}.wasm"));
        for workload in workloads() {
            if !format!("{name} {}", workload.name).contains(&only) {
                continue;
            }
            let [sixteen, one, raw, fuel, copying, resident] = least(|| {
                [
                    ours(&engine, &wasm, &workload, 16),
                    ours(&engine, &wasm, &workload, 1),
                    bare(&wasm, &workload, false),
                    bare(&wasm, &workload, true),
                    loaders(&loader, &wasm, format, &workload, COPYING, false),
                    loaders(&loader, &wasm, format, &workload, MESSAGES, true),
                ]
            });
            println!(
                "{name:<12} {:<23} {:>8.0} {sixteen:>8.3} {one:>8.3} {raw:>8.3} {fuel:>8.3} {copying:>8.2} {resident:>8.3} \
                 {:>7.2} {:>7.2} {:>7.1} {:>7.2}",
                workload.name,
                1000.0 / sixteen,
                sixteen / raw,
                one / raw,
                copying / sixteen,
                resident / sixteen
            );
            let metric = |what: &str| format!("{name}: {}, {what}", workload.name);
            let rate =
                |what: &str, ms: f64| Figure::plain(&metric(what), 1000.0 / ms, "messages/s/core");
            let cpu = |what: &str, ms: f64| Figure::plain(&metric(what), ms, "cpu ms/message");
            report.push(
                rate("G=16", sixteen)
                    .beside("ao-loader copying", 1000.0 / copying)
                    .wanted(Target::AtLeast(100.0)),
            );
            // How much of that can be had: with many balances the module itself is the larger part.
            report.push(rate("bare", raw).beside("ao-loader copying", 1000.0 / copying));
            let light = workload.name == "eval" || workload.name == "handler";
            let figure = rate("G=16", sixteen).beside("ao-loader resident", 1000.0 / resident);
            report.push(match light {
                true => figure.wanted(Target::AtLeast(1.1)),
                false => figure,
            });
            report.push(
                cpu("G=16", sixteen)
                    .beside("wasmtime raw", raw)
                    .wanted(Target::AtMost(1.5)),
            );
            report.push(
                cpu("G=1", one)
                    .beside("wasmtime raw", raw)
                    .wanted(Target::AtMost(2.3)),
            );
            report.push(cpu("G=16", sixteen).beside("wasmtime with its fuel", fuel));
        }
    }
    strides(&engine, &modules, &only, &mut report);
    report.write();
}
