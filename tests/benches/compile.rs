//! What making a module ready takes, for the heaviest that the rules let through: `cargo bench --bench compile`.
//!
//! Each case is code that is full of one thing, in functions of several sizes, as many of them as rules MO-5 to MO-8 allow.
//! The memory is the most that the whole program had meanwhile.

#![allow(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::panic,
    reason = "a benchmark that cannot go on stops, and its figures are for people"
)]

use std::time::Instant;

use surety_attest::engine::{Engine, EngineError, WasmEngine};
use surety_protocol::profile::Profile;
use wasm_encoder::{
    CodeSection, ConstExpr, ExportKind, ExportSection, Function, FunctionSection, GlobalSection,
    GlobalType, MemorySection, MemoryType, Module, RefType, TableSection, TableType, TypeSection,
    ValType,
};

#[path = "report.rs"]
mod report;

use report::{Figure, Report};

/// A case: its name and what is repeated; the functions have no parameters, no results and `locals` of type `i32`.
const CASES: &[(&str, &[u8])] = &[
    ("add", &[0x20, 0, 0x20, 0, 0x6a, 0x21, 0]),
    ("store", &[0x20, 0, 0x20, 0, 0x36, 2, 0]),
    ("trapping conversion", &[0x20, 0, 0xb7, 0xaa, 0x21, 0]),
    (
        "float",
        &[0x20, 0, 0xb7, 0x9f, 0x9f, 0x9f, 0xfc, 3, 0x21, 0],
    ),
    ("memory.grow", &[0x20, 0, 0x40, 0, 0x21, 0]),
    ("call", &[0x10, 2]),
    ("call_indirect", &[0x20, 0, 0x11, 2, 0]),
    ("block", &[0x02, 0x40, 0x0b]),
    ("loop", &[0x03, 0x40, 0x20, 0, 0x0d, 0, 0x0b]),
    ("if", &[0x20, 0, 0x04, 0x40, 0x41, 1, 0x21, 0, 0x0b]),
    ("br_if", &[0x20, 0, 0x0d, 0]),
    (
        "br_table",
        &[
            0x02, 0x40, 0x02, 0x40, 0x20, 0, 0x0e, 2, 0, 1, 2, 0x0b, 0x0b,
        ],
    ),
];

/// Bytes of a function's repeated code before it is rewritten, and its locals.
const FUNCTIONS: [(usize, u32); 5] = [
    (20, 1),
    (1_000, 1),
    (20_000, 1),
    (20_000, 1_000),
    (10_000, 6_000),
];

/// A module with `count` functions of this body.
fn module(locals: u32, body: &[u8], count: usize) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32; 2], [ValType::I32]);
    types.ty().function([ValType::I32], [ValType::I32]);
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    let mut code = CodeSection::new();
    for ty in [0, 1] {
        functions.function(ty);
        let mut zero = Function::new([]);
        zero.raw([0x41, 0, 0x0b]);
        code.function(&zero);
    }
    for _ in 0..count {
        functions.function(2);
        let mut function = Function::new([(locals, ValType::I32)]);
        function.raw(body.iter().copied()).raw([0x0b]);
        code.function(&function);
    }
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        minimum: 10,
        maximum: None,
        table64: false,
        shared: false,
    });
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut globals = GlobalSection::new();
    let ty = GlobalType {
        val_type: ValType::I32,
        mutable: true,
        shared: false,
    };
    globals.global(ty, &ConstExpr::i32_const(0));
    let mut exports = ExportSection::new();
    exports
        .export("handle", ExportKind::Func, 0)
        .export("malloc", ExportKind::Func, 1)
        .export("memory", ExportKind::Memory, 0);
    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&tables)
        .section(&memories)
        .section(&globals)
        .section(&exports)
        .section(&code);
    module.finish()
}

/// A body of about so many bytes, of which every local is a part.
fn body(one: &[u8], locals: u32, bytes: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for local in 0..locals {
        body.extend([0x41, 1, 0x21]);
        leb(&mut body, local);
    }
    for _ in 0..bytes / one.len() {
        body.extend(one);
    }
    for local in 0..locals {
        body.push(0x20);
        leb(&mut body, local);
        body.push(0x1a);
    }
    body
}

fn leb(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The largest module of this kind that is not refused.
fn largest(profile: &Profile, locals: u32, body: &[u8]) -> Vec<u8> {
    let fits = |count: usize| {
        let engine = WasmEngine::interpreting(profile.clone()).expect("an engine");
        match engine.check(&module(locals, body, count)) {
            Ok(()) => true,
            Err(EngineError::Refused(_)) => false,
            Err(other) => panic!("{other}"),
        }
    };
    let limit = usize::try_from(profile.module_bytes_max).expect("a number");
    let (mut least, mut most) = (1, 65_536.min(limit / body.len() + 1));
    while most - least > (least / 16).max(1) {
        let middle = usize::midpoint(least, most);
        if fits(middle) {
            least = middle;
        } else {
            most = middle;
        }
    }
    module(locals, body, least)
}

/// Seconds of processor time of this program until now.
fn used() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("what the kernel counts");
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: f64 = ticks.map(|it| it.parse::<f64>().expect("ticks")).sum();
    ticks / 100.0
}

/// MiB of memory at most since it was forgotten.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("what the kernel counts");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|it| it.trim().trim_end_matches(" kB").parse::<f64>().ok());
    peak.expect("a peak") / 1024.0
}

fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").expect("the kernel forgets");
}

fn main() {
    let profile = Profile::v1();
    println!(
        "{:<42} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "case", "bytes", "seconds", "cpu", "wasmi", "peak MiB"
    );
    let mut report = Report::new("compile");
    // Some cases only, by a part of their name.
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let wanted = wanted.unwrap_or_default();
    for (name, one) in CASES.iter().filter(|case| case.0.contains(&wanted)) {
        for (bytes, locals) in FUNCTIONS {
            let body = body(one, locals, bytes);
            let module = largest(&profile, locals, &body);
            let interpreting = WasmEngine::interpreting(profile.clone()).expect("an engine");
            let begin = Instant::now();
            interpreting.check(&module).expect("it passed");
            let interpreted = begin.elapsed().as_secs_f64();
            drop(interpreting);
            let engine = WasmEngine::new(profile.clone()).expect("an engine");
            let before = used();
            forget_peak();
            let begin = Instant::now();
            engine.check(&module).expect("it compiles");
            let seconds = begin.elapsed().as_secs_f64();
            let cpu = used() - before;
            let peak = peak();
            let case = format!("{name}, {bytes} bytes, {locals} locals");
            println!(
                "{case:<42} {:>9} {seconds:>9.2} {cpu:>9.2} {interpreted:>9.2} {peak:>9.0}",
                module.len(),
            );
            report.push(Figure::plain(&case, cpu, "s of processor time"));
            report.push(Figure::plain(
                &format!("{case}, memory"),
                peak,
                "MiB at most",
            ));
        }
    }
    report.write();
}
