//! Modules for WASI that were not made by emscripten.

use surety_attest::engine::{Engine, Program, WasmEngine};
use surety_protocol::profile::Profile;

use super::stage::{CLOCK, action, boot, text};

/// Draws 3000 bytes in two pieces, reads the clock, looks for a directory and writes to its output.
fn reactor() -> Program {
    text(
        r#"(import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_seek" (func $seek (param i32 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
        (memory (export "memory") 2)
        (global $begun (mut i32) (i32.const 0))
        (data (i32.const 64) "{\"ok\":true,\"response\":{}}\00")
        (func (export "_initialize") (global.set $begun (i32.add (global.get $begun) (i32.const 1))))
        (func (export "__wasm_call_ctors") unreachable)
        (func $expect (param i32 i32) (if (i32.ne (local.get 0) (local.get 1)) (then unreachable)))
        (func (export "handle") (param i32 i32) (result i32)
          (call $expect (global.get $begun) (i32.const 1))
          (call $expect (call $random (i32.const 0x1000) (i32.const 1)) (i32.const 0))
          (call $expect (call $random (i32.const 0x1001) (i32.const 2999)) (i32.const 0))
          (call $expect (call $time (i32.const 0) (i64.const 1) (i32.const 0x3000)) (i32.const 0))
          (call $expect (call $prestat (i32.const 3) (i32.const 0x3100)) (i32.const 8))
          (call $expect (call $seek (i32.const 1) (i64.const 0) (i32.const 0) (i32.const 0x3100)) (i32.const 70))
          (call $expect (call $args (i32.const 0x3200) (i32.const 0x3204)) (i32.const 0))
          (i32.const 64))"#,
    )
}

#[test]
fn a_reactor_is_initialized_once_and_draws_from_its_message() {
    let program = reactor();
    let mut process = boot(&program);
    let mut drawn = Vec::new();
    for nonce in [1, 1, 2] {
        let outcome = process.step(&action(nonce, "Hello")).unwrap();
        assert_eq!(outcome.result.error, None);
        drawn.push(process.snapshot().unwrap().page(1)[..3000].to_vec());
    }
    assert_eq!(drawn[0], drawn[1], "the same message draws the same");
    assert_ne!(drawn[0], drawn[2]);
    assert_ne!(
        drawn[0][..1000],
        drawn[0][1000..2000],
        "and never twice the same"
    );
    let time = u64::from_le_bytes(process.snapshot().unwrap().page(3)[..8].try_into().unwrap());
    assert_eq!(time, (CLOCK + 2) * 1_000_000);
    let mut other = WasmEngine::interpreting(Profile::v1())
        .unwrap()
        .boot(&program, CLOCK)
        .unwrap();
    for nonce in [1, 1, 2] {
        other.step(&action(nonce, "Hello")).unwrap();
    }
    assert_eq!(other.state_root().unwrap(), process.state_root().unwrap());
}
