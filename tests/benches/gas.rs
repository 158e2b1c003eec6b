//! What a unit of gas takes, for each class of operator: `cargo bench --bench gas`.
//!
//! A class is measured by a loop full of it. No class should take much more time for its gas than the others: the slowest
//! decides how long the gas of one input can last.

#![allow(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark that cannot go on stops, and its figures are for people"
)]

use std::time::Instant;

use surety_attest::engine::{Engine, Environment, Message, Program, WasmEngine};
use surety_protocol::id::ModuleId;
use surety_protocol::profile::Profile;

#[path = "report.rs"]
mod report;

use report::{Figure, Report};

/// Turns of each loop.
const TURNS: u64 = 200_000;
/// Copies of the class in one turn.
const COPIES: usize = 32;
/// Runs of each loop; the fastest counts.
const RUNS: usize = 5;

/// A class: its name, what the loop works on, and the operators; they take the value on the stack and leave one.
type Class = (&'static str, Kind, &'static str);

#[derive(Clone, Copy)]
enum Kind {
    I32,
    I64,
    F64,
    V128,
    /// Functions of the host, which leave an `i32` alone.
    Host,
}

impl Kind {
    /// Turns of a loop: a call of the host takes as long as a thousand operators.
    const fn turns(self) -> u64 {
        match self {
            Kind::Host => TURNS / 100,
            _ => TURNS,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Kind::I32 | Kind::Host => "i32",
            Kind::I64 => "i64",
            Kind::F64 => "f64",
            Kind::V128 => "v128",
        }
    }

    const fn first(self) -> &'static str {
        match self {
            Kind::V128 => "v128.const i32x4 1 2 3 4",
            Kind::I32 | Kind::Host => "i32.const 12345",
            Kind::I64 => "i64.const 12345",
            Kind::F64 => "f64.const 12345",
        }
    }
}

const CLASSES: &[Class] = &[
    ("empty loop", Kind::I32, ""),
    ("i32.add", Kind::I32, "(local.get $n) (i32.add)"),
    (
        "i32.xor, rotl",
        Kind::I32,
        "(local.get $n) (i32.xor) (i32.const 7) (i32.rotl)",
    ),
    (
        "i32.popcnt, clz",
        Kind::I32,
        "(i32.popcnt) (local.get $n) (i32.xor) (i32.clz) (local.get $n) (i32.add)",
    ),
    ("i32.mul", Kind::I32, "(local.get $n) (i32.mul)"),
    (
        "i32.div_u",
        Kind::I32,
        "(i32.const 3) (i32.div_u) (i32.const -7) (i32.xor)",
    ),
    ("i64.mul", Kind::I64, "(local.get $w) (i64.mul)"),
    (
        "i64.div_s",
        Kind::I64,
        "(local.get $w) (i64.div_s) (i64.const 0x7fffffffffffff01) (i64.xor)",
    ),
    (
        "i64.rem_u",
        Kind::I64,
        "(local.get $w) (i64.rem_u) (i64.const 0x7fffffffffffff01) (i64.xor)",
    ),
    (
        "select",
        Kind::I32,
        "(local.get $n) (local.get $n) (i32.const 1) (i32.and) (select) (local.get $n) (i32.add)",
    ),
    (
        "br_if over a block",
        Kind::I32,
        "(local.set $x) (block (br_if 0 (i32.and (local.get $x) (i32.const 1))) (local.set $x (i32.add (local.get $x) (i32.const 3)))) (i32.add (local.get $x) (local.get $n))",
    ),
    (
        "load, near",
        Kind::I32,
        "(i32.const 0xfff) (i32.and) (i32.load) (local.get $n) (i32.add)",
    ),
    (
        "load, far",
        Kind::I32,
        "(i32.const 0x41c64e6d) (i32.mul) (i32.const 12345) (i32.add) (local.tee $x) (i32.const 0x3ffffff) (i32.and) (i32.load) (local.get $x) (i32.xor)",
    ),
    (
        "store, near",
        Kind::I32,
        "(local.set $x) (i32.store offset=8192 (i32.and (local.get $x) (i32.const 0xfff)) (local.get $x)) (i32.add (local.get $x) (i32.const 5))",
    ),
    ("f64.add", Kind::F64, "(f64.const 1.5) (f64.add)"),
    ("f64.mul", Kind::F64, "(f64.const 1.0000001) (f64.mul)"),
    ("f64.div", Kind::F64, "(f64.const 1.0000001) (f64.div)"),
    ("f64.sqrt", Kind::F64, "(f64.sqrt) (f64.const 9) (f64.add)"),
    (
        "f64.nearest",
        Kind::F64,
        "(f64.nearest) (f64.const 0.7) (f64.add)",
    ),
    (
        "f64.min",
        Kind::F64,
        "(f64.const 4) (f64.min) (f64.const 1) (f64.add)",
    ),
    (
        "f64 to i64 and back",
        Kind::F64,
        "(i64.trunc_sat_f64_s) (f64.convert_i64_s) (f64.const 1.5) (f64.add)",
    ),
    ("call", Kind::I32, "(call $id)"),
    (
        "call_indirect",
        Kind::I32,
        "(i32.const 0) (call_indirect (param i32) (result i32))",
    ),
    (
        "br_table",
        Kind::I32,
        "(local.set $x) (block (block (block (br_table 0 1 2 (i32.and (local.get $x) (i32.const 3)))))) (i32.add (local.get $x) (local.get $n))",
    ),
    (
        "i32x4.add",
        Kind::V128,
        "(v128.const i32x4 1 2 3 4) (i32x4.add)",
    ),
    (
        "i8x16.shl",
        Kind::V128,
        "(local.get $n) (i8x16.shl) (v128.const i32x4 1 2 3 4) (v128.xor)",
    ),
    (
        "i8x16.popcnt",
        Kind::V128,
        "(i8x16.popcnt) (v128.const i32x4 1 2 3 4) (i32x4.add)",
    ),
    (
        "i64x2.mul",
        Kind::V128,
        "(v128.const i64x2 0x1000000001 77) (i64x2.mul)",
    ),
    (
        "i8x16.swizzle",
        Kind::V128,
        "(v128.const i32x4 1 2 3 4) (i8x16.swizzle)",
    ),
    (
        "i64x2.shr_s",
        Kind::V128,
        "(local.get $n) (i64x2.shr_s) (v128.const i64x2 -1 5) (v128.xor)",
    ),
    (
        "f32x4.add",
        Kind::V128,
        "(v128.const f32x4 1 2 3 4) (f32x4.add)",
    ),
    (
        "f64x2.div",
        Kind::V128,
        "(v128.const f64x2 1.0000001 1.1) (f64x2.div)",
    ),
    (
        "f64x2.sqrt",
        Kind::V128,
        "(f64x2.sqrt) (v128.const f64x2 9 9) (f64x2.add)",
    ),
    (
        "f32x4.min",
        Kind::V128,
        "(v128.const f32x4 1 2 3 4) (f32x4.min)",
    ),
    (
        "i32x4.trunc_sat_f32x4_u",
        Kind::V128,
        "(i32x4.trunc_sat_f32x4_u) (f32x4.convert_i32x4_u)",
    ),
    (
        "v128.load, store",
        Kind::V128,
        "(local.set $v) (v128.store offset=4096 (i32.const 0) (local.get $v)) (v128.load offset=4096 (i32.const 0))",
    ),
    (
        "i32x4.extract_lane",
        Kind::V128,
        "(i32x4.extract_lane 1) (i32x4.splat)",
    ),
    ("host: nothing", Kind::Host, "(drop (call $yield))"),
    (
        "host: copies 64 bytes",
        Kind::Host,
        "(call $copy (i32.const 0x3000) (i32.const 0x2000) (i32.const 64))",
    ),
    (
        "host: copies 64 KiB",
        Kind::Host,
        "(call $copy (i32.const 0x30000) (i32.const 0x10000) (i32.const 0x10000))",
    ),
    (
        "host: draws 1 KiB",
        Kind::Host,
        "(drop (call $random (i32.const 0x3000) (i32.const 1024)))",
    ),
    (
        "host: writes 64 pieces",
        Kind::Host,
        "(drop (call $write (i32.const 1) (i32.const 0x4000) (i32.const 64) (i32.const 0x3000)))",
    ),
    (
        "host: strftime of %c%c",
        Kind::Host,
        "(drop (call $strftime (i32.const 0x3000) (i32.const 256) (i32.const 512) (i32.const 0x4000)))",
    ),
    (
        "host: a broken-down time",
        Kind::Host,
        "(call $gmtime (i32.const 1700000000) (i32.const 0) (i32.const 0x3000))",
    ),
    ("host: invoke", Kind::Host, "(call $invoke (i32.const 0))"),
    (
        "global.get, set",
        Kind::I32,
        "(global.set $g) (global.get $g) (i32.const 1) (i32.add)",
    ),
];

fn module(class: &Class) -> Vec<u8> {
    let (_, kind, operators) = class;
    let (ty, first, turns) = (kind.name(), kind.first(), kind.turns());
    let body = operators.to_string().repeat(COPIES);
    let text = format!(
        r#"(module
          (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
          (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
          (import "env" "_emscripten_memcpy_js" (func $copy (param i32 i32 i32)))
          (import "env" "_gmtime_js" (func $gmtime (param i32 i32 i32)))
          (import "env" "strftime" (func $strftime (param i32 i32 i32 i32) (result i32)))
          (import "env" "invoke_v" (func $invoke (param i32)))
          (func (export "dynCall_v") (param i32))
          (func (export "emscripten_stack_get_current") (result i32) (i32.const 0))
          (func (export "_emscripten_stack_restore") (param i32))
          (func (export "setThrew") (param i32 i32))
          (data (i32.const 512) "%c%c\00")
          (memory (export "memory") 1026)
          (table funcref (elem $id))
          (global $g (mut i32) (i32.const 0))
          (data (i32.const 64) "{{\"ok\":true,\"response\":{{\"Output\":1}}}}")
          (func (export "malloc") (param i32) (result i32) (i32.const 1024))
          (func $id (param i32) (result i32) (local.get 0))
          (func $run (param $n i32) (result {ty}) (local $x i32) (local $w i64) (local $v {ty})
            (local.set $w (i64.const 1000003))
            (local.set $v ({first}))
            (loop
              (local.get $v) {body} (local.set $v)
              (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get $v))
          (func (export "handle") (param i32 i32) (result i32)
            (drop (call $run (i32.const {turns})))
            (i32.const 64)))"#
    );
    wat::parse_str(text).unwrap_or_else(|error| panic!("{}: {error}", class.0))
}

/// Gas and the shortest time of one step, in nanoseconds.
fn measure(engine: &WasmEngine, module: &[u8]) -> (u64, f64) {
    let program = Program {
        module_id: ModuleId::default(),
        bytes: module.to_vec().into(),
        environment: Environment::default(),
        memory_limit: 1 << 30,
        compute_limit: u64::MAX,
    };
    let mut process = engine.boot(&program, 0).expect("it boots");
    let mut best = f64::INFINITY;
    let mut gas = 0;
    for _ in 0..=RUNS {
        let begin = Instant::now();
        let outcome = process.step(&Message::default()).expect("it runs");
        best = best.min(begin.elapsed().as_secs_f64() * 1e9);
        assert_eq!(outcome.result.error, None);
        gas = outcome.gas;
    }
    (gas, best)
}

fn main() {
    let engine = WasmEngine::new(Profile::v1()).expect("an engine");
    let (base_gas, base_ns) = measure(&engine, &module(&CLASSES[0]));
    println!(
        "{:<22} {:>10} {:>10} {:>12}",
        "class", "gas", "ns", "ns/1000 gas"
    );
    let mut report = Report::new("gas");
    for class in CLASSES {
        let (mut gas, mut ns) = measure(&engine, &module(class));
        let (_, kind, operators) = class;
        let mut each = kind.turns() as f64;
        if !operators.is_empty() {
            each *= COPIES as f64;
        }
        // Beside a call of the host the loop does not count.
        if !operators.is_empty() && !matches!(kind, Kind::Host) {
            (gas, ns) = (gas - base_gas, (ns - base_ns).max(0.0));
        }
        let per_gas = ns / gas as f64 * 1000.0;
        println!(
            "{:<22} {:>10.1} {:>10.2} {per_gas:>12.1}",
            class.0,
            gas as f64 / each,
            ns / each
        );
        report.push(Figure::plain(class.0, per_gas, "ns per 1000 gas"));
    }
    report.write();
}
