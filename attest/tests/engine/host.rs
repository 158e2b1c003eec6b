//! The functions of the host: total whatever they are given, and paid for.

use super::stage::{action, boot, error, text};

const MEMORY: &str = r#"(memory (export "memory") 1)"#;

#[test]
fn host_functions_are_total() {
    // Every pointer is outside of memory, every number is as large as can be.
    let calls = [
        (
            r#"(import "env" "_gmtime_js" (func $f (param i32 i32 i32)))"#,
            "(call $f (i32.const -1) (i32.const 0x7fffffff) (i32.const -1))",
        ),
        (
            r#"(import "env" "_mktime_js" (func $f (param i32) (result i32)))"#,
            "(drop (call $f (i32.const -1)))",
        ),
        (
            r#"(import "env" "strftime" (func $f (param i32 i32 i32 i32) (result i32)))"#,
            "(drop (call $f (i32.const -1) (i32.const -1) (i32.const -1) (i32.const -1)))",
        ),
        (
            r#"(import "env" "_tzset_js" (func $f (param i32 i32 i32 i32)))"#,
            "(call $f (i32.const -1) (i32.const -1) (i32.const -1) (i32.const -1))",
        ),
        (
            r#"(import "wasi_snapshot_preview1" "fd_write" (func $f (param i32 i32 i32 i32) (result i32)))"#,
            "(drop (call $f (i32.const 1) (i32.const 0) (i32.const -1) (i32.const 0)))",
        ),
        (
            r#"(import "wasi_snapshot_preview1" "clock_time_get" (func $f (param i32 i32 i32 i32) (result i32)))"#,
            "(drop (call $f (i32.const -1) (i32.const -1) (i32.const -1) (i32.const 65529)))",
        ),
    ];
    for (import, call) in calls {
        let program = text(&format!(
            r#"{import} {MEMORY}
            (func (export "handle") (param i32 i32) (result i32) {call} (i32.const 64))"#
        ));
        let outcome = boot(&program).step(&action(1, "Hello")).unwrap();
        assert!(
            error(&outcome).contains("out of bounds"),
            "{call}: {:?}",
            outcome.result
        );
    }
}

#[test]
fn copies_are_clamped_and_cost_gas() {
    let program = |to: &str, from: &str, bytes: &str| {
        text(&format!(
            r#"(import "env" "_emscripten_memcpy_js" (func $copy (param i32 i32 i32)))
        {MEMORY} (data (i32.const 64) "{{\"ok\":true,\"response\":{{}}}}\00") (data (i32.const 0xfffc) "abcd")
        (func (export "handle") (param i32 i32) (result i32)
          (call $copy (i32.const {to}) (i32.const {from}) (i32.const {bytes})) (i32.const 64))"#
        ))
    };
    let copied = |to, from, bytes| {
        let mut process = boot(&program(to, from, bytes));
        let outcome = process.step(&action(1, "Hello")).unwrap();
        assert_eq!(outcome.result.error, None);
        (
            process.snapshot().unwrap().page(1)[..8].to_vec(),
            outcome.gas,
        )
    };
    // From the last four bytes of memory, eight are asked for and four come.
    assert_eq!(copied("0x1000", "0xfffc", "8").0, b"abcd\0\0\0\0");
    assert_eq!(copied("0x1000", "0xfffe", "2").0, b"cd\0\0\0\0\0\0");
    // The end wraps around to before the start, or the place is beyond memory: nothing moves.
    assert_eq!(copied("0x1000", "0xfffc", "0xffff0004").0, [0; 8]);
    assert_eq!(copied("-1", "0", "4").0, [0; 8]);
    let (_, nothing) = copied("0x1000", "0x2000", "0");
    assert_eq!(copied("0x1000", "0x2000", "0x8000").1, nothing + 0x8000 / 4);
}

#[test]
fn the_work_of_the_host_is_paid_for() {
    const PIECE: u64 = 300;
    const CALLBACK: u64 = 2500;
    let wasi = "wasi_snapshot_preview1";
    let cases = [
        (
            format!(r#"(import "{wasi}" "sched_yield" (func $f (result i32)))"#),
            "(drop (call $f))",
            0,
        ),
        (
            r#"(import "env" "_emscripten_memcpy_js" (func $f (param i32 i32 i32)))"#.to_owned(),
            "(call $f (i32.const 0x1000) (i32.const 0x2000) (i32.const 0))",
            PIECE,
        ),
        (
            format!(r#"(import "{wasi}" "random_get" (func $f (param i32 i32) (result i32)))"#),
            "(drop (call $f (i32.const 0x1000) (i32.const 2000)))",
            // It is drawn and written in pieces of 1,024 bytes.
            2000 + (PIECE + 256) + (PIECE + 244),
        ),
        (
            format!(
                r#"(import "{wasi}" "fd_write" (func $f (param i32 i32 i32 i32) (result i32)))"#
            ),
            "(drop (call $f (i32.const 1) (i32.const 0x1000) (i32.const 3) (i32.const 0x2000)))",
            4 * (PIECE + 1),
        ),
        (
            r#"(import "env" "strftime" (func $f (param i32 i32 i32 i32) (result i32)))"#
                .to_owned(),
            "(drop (call $f (i32.const 0x1000) (i32.const 99) (i32.const 0x200) (i32.const 0x2000)))",
            // The format, the date, and the text of 24 letters and its zero.
            2 * 2000 + (PIECE + 1) + (PIECE + 9) + (PIECE + 7),
        ),
        (
            r#"(import "env" "invoke_v" (func $f (param i32)))"#.to_owned(),
            "(call $f (i32.const 7))",
            // What is called: one function that is empty, one with a constant.
            2 * CALLBACK + 4 + 5,
        ),
    ];
    for (import, call, price) in cases {
        let gas = |times: usize| {
            let program = text(&format!(
                r#"{import} {MEMORY} (data (i32.const 0x200) "%c\00")
                (data (i32.const 64) "{{\"ok\":true,\"response\":{{}}}}\00")
                (func (export "dynCall_v") (param i32))
                (func (export "emscripten_stack_get_current") (result i32) (i32.const 0))
                (func (export "_emscripten_stack_restore") (param i32))
                (func (export "setThrew") (param i32 i32))
                (func (export "handle") (param i32 i32) (result i32) {} (i32.const 64))"#,
                call.repeat(times)
            ));
            let outcome = boot(&program).step(&action(1, "Hello")).unwrap();
            assert_eq!(outcome.result.error, None);
            outcome.gas
        };
        let constants = call.matches("const").count() as u64;
        assert_eq!(gas(2) - gas(1), constants + 4 + 500 + price, "{import}");
    }
}
