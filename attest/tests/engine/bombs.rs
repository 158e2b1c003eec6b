//! Modules that want too much: refused before anything is made as large as they say, or ended by a limit; on both machines.

use std::sync::LazyLock;

use surety_attest::engine::{
    Engine, EngineError, ModuleRefused, Program, Resident, StepOutcome, WasmEngine,
};
use surety_protocol::profile::Profile;

use super::stage::{CLOCK, ENGINE, action, error, text};

pub(crate) static OTHER: LazyLock<WasmEngine> =
    LazyLock::new(|| WasmEngine::interpreting(Profile::v1()).expect("an engine"));

pub(crate) const REPLY: &str = r#"(data (i32.const 64) "{\"ok\":true,\"response\":{}}\00")"#;
pub(crate) const HANDLE: &str =
    r#"(func (export "handle") (param i32 i32) (result i32) i32.const 64)"#;
pub(crate) const MEMORY: &str = r#"(memory (export "memory") 1)"#;

/// The reason for which both machines refuse a module.
pub(crate) fn refused(program: &Program) -> ModuleRefused {
    let refusal = |engine: &dyn Engine| match engine.boot(program, CLOCK).map(drop) {
        Err(EngineError::Refused(why)) => why,
        other => panic!("{other:?}"),
    };
    let why = refusal(&*ENGINE);
    assert_eq!(refusal(&*OTHER), why);
    why
}

/// One step, which gives the same in both machines.
pub(crate) fn step(program: &Program) -> (StepOutcome, Box<dyn Resident>) {
    let run = |engine: &dyn Engine| {
        let mut process = engine.boot(program, CLOCK).unwrap();
        (process.step(&action(1, "Hello")).unwrap(), process)
    };
    let (mut ours, mut theirs) = (run(&*ENGINE), run(&*OTHER));
    assert_eq!(ours.0, theirs.0);
    assert_eq!(ours.1.state_root().unwrap(), theirs.1.state_root().unwrap());
    ours
}

/// A module whose `handle` does this and then replies.
fn deed(deed: &str) -> Program {
    text(&format!(
        r#"(memory (export "memory") 1 65536) {REPLY}
        (func (export "handle") (param $n i32) (param i32) (result i32) {deed} (i32.const 64))"#
    ))
}

#[test]
fn an_endless_loop_runs_out_of_gas() {
    let (outcome, _) = step(&deed("(loop (br 0))"));
    assert_eq!(error(&outcome), "surety: out of gas");
    assert_eq!(outcome.gas, 10_000_000);
}

#[test]
fn memory_grows_to_the_limit_and_every_page_of_it_is_touched() {
    let touch = r#"
        (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
        (local.set $n (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 4096)))
        (loop $next
          (i32.store (i32.add (local.get $n) (i32.const 2048)) (i32.const 7))
          (local.set $n (i32.sub (local.get $n) (i32.const 4096)))
          (br_if $next (i32.gt_s (local.get $n) (i32.const 0))))"#;
    let program = Program {
        memory_limit: 32 << 20,
        ..deed(touch)
    };
    let (outcome, mut process) = step(&program);
    assert_eq!(outcome.result.error, None);
    let state = process.snapshot().unwrap();
    // One page at the start, and steps of sixteen: the last that fits is below the limit.
    assert_eq!(state.wasm_pages, 497);
    assert_eq!(state.pages.len(), 497 * 16 - 1 + 1);
    // The same, but the step fails: nothing of it is left.
    let program = Program {
        memory_limit: 32 << 20,
        ..deed(&format!("{touch} unreachable"))
    };
    let (outcome, mut process) = step(&program);
    assert!(error(&outcome).contains("unreachable"));
    assert_eq!(process.snapshot().unwrap().wasm_pages, 1);
}

#[test]
fn memory_at_its_limit_does_not_grow() {
    let full = "(if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
        (if (i32.ne (memory.grow (i32.const 0)) (i32.const 1)) (then unreachable))
        (if (i32.ne (memory.grow (i32.const -1)) (i32.const -1)) (then unreachable))";
    let program = Program {
        memory_limit: 0x1_ffff,
        ..deed(full)
    };
    assert_eq!(step(&program).0.result.error, None);
}

#[test]
fn segments_of_data_beyond_memory_refuse_the_module() {
    for at in ["65536", "-1", "0x7fffffff"] {
        let why = refused(&text(&format!(
            r#"{MEMORY} {HANDLE} (data (i32.const {at}) "x")"#
        )));
        let ModuleRefused::Boot(why) = why else {
            panic!("{why:?}");
        };
        assert!(why.contains("memory access out of bounds"), "{why}");
    }
    // Half a million bytes, each a hundred times.
    let same = format!(r#"(data (i32.const 0) "{}")"#, "x".repeat(5_000)).repeat(100);
    step(&text(&format!("{MEMORY} {HANDLE} {same} {REPLY}")));
}

#[test]
fn a_module_of_200_mib_is_not_looked_at() {
    let bytes = vec![0; 200 << 20];
    let limit = Profile::v1().module_bytes_max;
    let refused = EngineError::Refused(ModuleRefused::TooLarge {
        bytes: 200 << 20,
        limit,
    });
    assert_eq!(ENGINE.check(&bytes), Err(refused.clone()));
    assert_eq!(OTHER.check(&bytes), Err(refused));
}

#[test]
fn recursion_through_the_host_runs_out_of_stack() {
    let program = text(&format!(
        r#"(import "env" "invoke_v" (func $invoke (param i32)))
        {MEMORY} {REPLY} (table funcref (elem $deep))
        (func $deep (call $invoke (i32.const 0)))
        (func (export "dynCall_v") (param i32) (call_indirect (local.get 0)))
        (func (export "emscripten_stack_get_current") (result i32) (i32.const 0x4000))
        (func (export "_emscripten_stack_restore") (param i32))
        (func (export "setThrew") (param i32 i32))
        (func (export "handle") (param i32 i32) (result i32) (call $deep) (i32.const 64))"#
    ));
    let (outcome, _) = step(&program);
    assert_eq!(error(&outcome), "surety: out of stack");
}

#[test]
fn replies_that_are_nowhere_too_long_or_no_text() {
    let (outcome, _) = step(&deed("(return (i32.const -9))"));
    assert_eq!(error(&outcome), "surety: trap: memory access out of bounds");
    // From here to the end of memory there is no zero.
    let (outcome, _) = step(&deed(
        "(i32.store (i32.const 0xfffc) (i32.const -1)) (return (i32.const 0xfffc))",
    ));
    assert_eq!(error(&outcome), "surety: trap: memory access out of bounds");
    // One that asks for a gibibyte, fills all that it gets, and replies with it: no more of it is read than a reply may have.
    let program = Program {
        memory_limit: 1 << 30,
        compute_limit: 9_000_000_000,
        ..deed(
            "(drop (memory.grow (i32.const 16000)))
            (loop $next (br_if $next (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
            (local.set $n (i32.const 0x10000))
            (loop $next
              (i64.store (local.get $n) (i64.const -1))
              (local.set $n (i32.add (local.get $n) (i32.const 8)))
              (br_if $next (i32.lt_u (local.get $n) (i32.shl (memory.size) (i32.const 16)))))
            (return (i32.const 0x10000))",
        )
    };
    for engine in [&*ENGINE as &dyn Engine, &*OTHER] {
        let mut process = engine.boot(&program, CLOCK).unwrap();
        let outcome = process.step(&action(1, "Hello")).unwrap();
        assert_eq!(error(&outcome), "surety: the reply is too long");
        assert_eq!(process.snapshot().unwrap().wasm_pages, 1);
    }
    // What is no UTF-8 becomes U+FFFD, within texts and outside of them.
    let reply = |bytes: &str| {
        step(&text(&format!(
            r#"{MEMORY} {HANDLE} (data (i32.const 64) "{bytes}\00")"#
        )))
        .0
        .result
    };
    let good = reply(r#"{\"ok\":true,\"response\":{\"Output\":\"\ff\c3\28\ed\a0\80\"}}"#);
    assert_eq!(good.output, "\u{fffd}\u{fffd}(\u{fffd}\u{fffd}\u{fffd}");
    let bad = reply(r#"{\"ok\":true,\"response\":{\ff}}"#);
    assert_eq!(bad.error.unwrap(), "surety: malformed reply");
    let nested = |depth: usize| {
        let list = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        reply(&format!(
            r#"{{\"ok\":true,\"response\":{{\"Output\":{list}}}}}"#
        ))
    };
    assert_eq!(nested(125).error, None);
    assert_eq!(
        nested(1_000_000 / 32).error.unwrap(),
        "surety: malformed reply"
    );
}
