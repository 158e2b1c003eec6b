//! What is too large to be made ready is refused before that (rules MO-5 to MO-8); what just is not, is taken by both machines.

use surety_attest::engine::{Engine, EngineError, ModuleRefused, Program};

use super::bombs::{HANDLE, MEMORY, REPLY, refused, step};
use super::stage::{ENGINE, text};

/// A module with so many of something.
fn many(what: &str, count: usize) -> Program {
    text(&format!("{MEMORY} {HANDLE} {}", what.repeat(count)))
}

#[test]
fn tables_are_small() {
    let table = |entries: u64| {
        text(&format!(
            "{MEMORY} {HANDLE} {REPLY} (table {entries} funcref)"
        ))
    };
    step(&table(65_536));
    let bound = |what: &'static str| ModuleRefused::Bound(what.into());
    assert_eq!(refused(&table(65_537)), bound("table entries"));
    assert_eq!(refused(&table(10_000_000)), bound("table entries"));
    let elements = |segments: usize, each: usize| {
        let segment = format!("(elem (i32.const 0) {})", "$f ".repeat(each));
        text(&format!(
            "{MEMORY} {HANDLE} (func $f) (table 65536 funcref) {}",
            segment.repeat(segments)
        ))
    };
    assert_eq!(refused(&elements(5, 16_384)), bound("elements"));
    assert_eq!(refused(&elements(65_537, 0)), bound("element segments"));
    // Beyond the end of the table.
    let outside = text(&format!(
        "{MEMORY} {HANDLE} (func $f) (table 1 funcref) (elem (i32.const 1) $f)"
    ));
    let ModuleRefused::Boot(why) = refused(&outside) else {
        panic!("another refusal");
    };
    assert!(why.contains("table access out of bounds"), "{why}");
}

#[test]
fn there_are_not_too_many_of_anything() {
    let bound = |what: &'static str| ModuleRefused::Bound(what.into());
    assert_eq!(refused(&many("(func)", 65_536)), bound("functions"));
    assert_eq!(
        refused(&many("(global i32 (i32.const 0))", 65_537)),
        bound("globals")
    );
    assert_eq!(
        refused(&many(r#"(data (i32.const 0) "")"#, 65_537)),
        bound("data segments")
    );
    let types = |count: usize| many("(type (func (param i32 i64)))", count);
    assert_eq!(refused(&types(65_537)), bound("types"));
    let exports: String = (0..65_536)
        .map(|index| format!(r#"(export "e{index}" (memory 0))"#))
        .collect();
    assert_eq!(refused(&many(&exports, 1)), bound("exports"));
    let import = r#"(import "env" "abort" (func))"#.repeat(65_537);
    assert_eq!(
        refused(&text(&format!("{import} {MEMORY} {HANDLE}"))),
        bound("imports")
    );
    let wide = format!("(type (func (param {})))", "i32 ".repeat(65));
    assert_eq!(
        refused(&many(&wide, 1)),
        bound("parameters or results of a type")
    );
    let wide = format!("(type (func (result {})))", "i32 ".repeat(17));
    assert_eq!(
        refused(&many(&wide, 1)),
        bound("parameters or results of a type")
    );
}

#[test]
fn frames_are_bounded() {
    let locals = |count: usize| {
        text(&format!(
            "{MEMORY} {HANDLE} {REPLY} (func (local {}))",
            "i64 ".repeat(count)
        ))
    };
    step(&locals(16_384));
    assert_eq!(refused(&locals(16_385)), ModuleRefused::Function);
    let operands = |count: usize| {
        let push = "(i32.const 0) ".repeat(count);
        text(&format!(
            "{MEMORY} {HANDLE} {REPLY} (func {push} unreachable)"
        ))
    };
    step(&operands(16_384));
    assert_eq!(refused(&operands(16_385)), ModuleRefused::Function);
    let two_billion = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x0a\x01\x08\x01\xff\xff\xff\xff\x07\x7f\x0b";
    let refused = ENGINE.check(two_billion);
    assert!(
        matches!(refused, Err(EngineError::Refused(_))),
        "{refused:?}"
    );
}

#[test]
fn functions_are_not_long() {
    let nops = |count: usize| {
        text(&format!(
            "{MEMORY} {HANDLE} {REPLY} (func {})",
            "nop ".repeat(count)
        ))
    };
    step(&nops(262_000));
    assert_eq!(refused(&nops(262_144)), ModuleRefused::Function);
}

#[test]
fn what_takes_minutes_to_compile_is_refused() {
    let functions = |count: usize, one: &str, times: usize| {
        let function = format!("(func (local i32) {})", one.repeat(times));
        text(&format!(
            "{MEMORY} {HANDLE} (func $f) (table 1 funcref) {}",
            function.repeat(count)
        ))
    };
    let heavy = |program: &Program| assert_eq!(refused(program), ModuleRefused::Weight);
    // Forks that are many in one function, with many locals, and in many functions.
    heavy(&functions(1, "(br_if 0 (local.get 0))", 26_000));
    let locals = format!(
        "{MEMORY} {HANDLE} (func (local {}) {})",
        "i32 ".repeat(16_000),
        "(if (local.get 0) (then (local.set 9 (i32.const 1))))".repeat(8_000)
    );
    heavy(&text(&locals));
    heavy(&functions(400, "(loop (br_if 0 (local.get 0)))", 2_000));
    heavy(&functions(50, "(call_indirect (local.get 0))", 14_000));
    let loops = |depth: usize| {
        let body = format!("{}{}", "(loop ".repeat(depth), ")".repeat(depth));
        text(&format!("{MEMORY} {HANDLE} {REPLY} (func {body})"))
    };
    step(&loops(64));
    assert_eq!(
        refused(&loops(65)),
        ModuleRefused::Bound("loops within each other".into())
    );
}

#[test]
fn blocks_may_lie_as_deep_as_a_function_is_long() {
    let blocks = format!("{}{}", "(block ".repeat(20_000), ")".repeat(20_000));
    step(&text(&format!("{MEMORY} {HANDLE} {REPLY} (func {blocks})")));
    let table = |targets: usize| {
        let targets = "0 ".repeat(targets + 1);
        text(&format!(
            "{MEMORY} {HANDLE} {REPLY} (func (br_table {targets} (i32.const 0)))"
        ))
    };
    step(&table(16_384));
    assert_eq!(
        refused(&table(16_385)),
        ModuleRefused::Bound("targets of a br_table".into())
    );
}

#[test]
fn imports_and_types_of_many_results_are_found_at_once() {
    // Many imports, each of which needs an export that stands behind as many others.
    let import = r#"(import "env" "invoke_v" (func (param i32)))"#.repeat(16_000);
    let exports: String = (0..16_000)
        .map(|index| format!(r#"(export "a{index}" (memory 0))"#))
        .collect();
    let imports = text(&format!(
        r#"{import} {MEMORY} {REPLY} {exports}
        (func (export "dynCall_v") (param i32))
        (func (export "emscripten_stack_get_current") (result i32) (i32.const 0))
        (func (export "_emscripten_stack_restore") (param i32))
        (func (export "setThrew") (param i32 i32))
        {HANDLE}"#
    ));
    step(&imports);
    // Many functions, each with results of its own.
    let functions: String = (0..16_000_u32)
        .map(|number| {
            let results: String = (0..16)
                .map(|bit| {
                    if number >> bit & 1 == 0 {
                        "i32 "
                    } else {
                        "i64 "
                    }
                })
                .collect();
            format!("(func (result {results}) unreachable)")
        })
        .collect();
    step(&text(&format!("{MEMORY} {HANDLE} {REPLY} {functions}")));
}
