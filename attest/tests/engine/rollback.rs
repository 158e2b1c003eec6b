//! What failed never happened: memory, its size and globals are those of before.

use surety_attest::engine::{Program, Resident};
use surety_protocol::profile::Profile;

use super::stage::{action, boot, counter, error, message, text};

/// Applies `failing` among good inputs, and shows that the process is the one that never saw it.
fn never_saw(program: &Program, failing: &surety_attest::engine::Message, why: &str) {
    let (mut seen, mut spared) = (boot(program), boot(program));
    let both = |nonce, seen: &mut dyn Resident, spared: &mut dyn Resident| {
        let input = action(nonce, "Hello");
        assert_eq!(seen.step(&input), spared.step(&input), "after {why}");
        assert_eq!(
            seen.state_root().unwrap(),
            spared.state_root().unwrap(),
            "after {why}"
        );
    };
    both(1, &mut *seen, &mut *spared);
    for _ in 0..2 {
        let outcome = seen.step(failing).unwrap();
        assert!(error(&outcome).contains(why), "{:?}", outcome.result.error);
        assert_eq!(
            seen.snapshot().unwrap(),
            spared.snapshot().unwrap(),
            "{why}"
        );
    }
    for nonce in 2..12 {
        both(nonce, &mut *seen, &mut *spared);
    }
}

#[test]
fn of_the_sample() {
    for (name, why) in [
        ("Fail", "asked"),
        ("Trap", "unreachable"),
        ("Loop", "out of gas"),
    ] {
        never_saw(&counter(), &action(9, name), why);
    }
}

/// A module that answers well, after `deed` if the message carries a tag `Action: Bad`. It counts
/// in a global and in memory. The deed may leave the address of another reply.
fn deed(deed: &str) -> Program {
    text(&format!(
        r#"(import "env" "exit" (func $exit (param i32)))
        (import "env" "_abort_js" (func $abort))
        (import "env" "_emscripten_throw_longjmp" (func $longjmp))
        (memory (export "memory") 1 200)
        (global $g (mut i64) (i64.const 5))
        (global $flip (mut i32) (i32.const 0))
        (data (i32.const 64) "{{\"ok\":true,\"response\":{{}}}}\00")
        (data (i32.const 128) "{{\"ok\":true,\"response\":{{\"Error\":{{\"a\":1}}}}}}\00")
        (data (i32.const 192) "{{\"ok\":true\00")
        (data (i32.const 256) "\"value\":\"Bad\"\00")
        (func $has (param $at i32) (result i32) (local $i i32)
          (loop $next
            (local.set $i (i32.const 0))
            (block $no (loop $compare
              (if (i32.eqz (i32.load8_u (i32.add (i32.const 256) (local.get $i)))) (then (return (i32.const 1))))
              (br_if $no (i32.ne (i32.load8_u (i32.add (i32.const 256) (local.get $i)))
                                 (i32.load8_u (i32.add (local.get $at) (local.get $i)))))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br $compare)))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $next (i32.load8_u (local.get $at))))
          (i32.const 0))
        (func (export "handle") (param i32 i32) (result i32)
          (global.set $g (i64.add (global.get $g) (i64.const 1)))
          (i64.store (i32.const 0x3000) (global.get $g))
          (i32.store8 (i32.add (i32.const 0x4000) (i32.wrap_i64 (global.get $g))) (i32.const 1))
          (if (call $has (local.get 0)) (then {deed}))
          (i32.const 64))
        (func (export "malloc") (param i32) (result i32)
          (global.set $flip (i32.xor (global.get $flip) (i32.const 0x2000)))
          (i32.add (i32.const 0x8000) (global.get $flip)))"#
    ))
}

#[test]
fn of_everything_that_can_go_wrong() {
    let grow = "(drop (memory.grow (i32.const 3)))";
    let cases = [
        ("unreachable", "unreachable"),
        ("(return (i32.const 128))", ""),
        ("(return (i32.const 192))", "malformed reply"),
        ("(return (i32.const -9))", "memory access out of bounds"),
        (
            "(drop (i32.load (i32.const 0x100000)))",
            "memory access out of bounds",
        ),
        (
            "(drop (i32.load (i32.const -1)))",
            "memory access out of bounds",
        ),
        (
            "(drop (i32.div_u (i32.const 1) (i32.const 0)))",
            "division by zero",
        ),
        (
            "(drop (i32.trunc_f32_s (f32.const nan)))",
            "conversion to integer",
        ),
        (
            "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))",
            "integer overflow",
        ),
        ("(call $exit (i32.const 3))", "exit 3"),
        ("(call $abort)", "abort"),
        ("(call $longjmp)", "longjmp"),
        ("(loop (br 0))", "out of gas"),
    ];
    for (bad, why) in cases {
        let failing = message(9, &[("Action", "Bad")], "");
        never_saw(&deed(bad), &failing, why);
        never_saw(&deed(&format!("{grow} {bad}")), &failing, why);
    }
}

#[test]
fn growth_is_kept_only_by_what_succeeds() {
    let program = deed("(drop (memory.grow (i32.const 3)))");
    let mut process = boot(&program);
    assert_eq!(process.snapshot().unwrap().wasm_pages, 1);
    process.step(&message(1, &[("Action", "Bad")], "")).unwrap();
    assert_eq!(process.snapshot().unwrap().wasm_pages, 4);
    // A process whose limit is reached learns it as a guest does: growing fails.
    let tight = Program {
        memory_limit: 4 << 16,
        ..deed("(if (i32.eq (memory.grow (i32.const 4)) (i32.const -1)) (then (unreachable)))")
    };
    let outcome = boot(&tight)
        .step(&message(1, &[("Action", "Bad")], ""))
        .unwrap();
    assert!(error(&outcome).contains("unreachable"));
}

#[test]
fn a_reply_may_be_as_long_as_the_profile_says() {
    // A reply of so many digits: not an object, so that its length decides only how it fails.
    let reply = |bytes: u64| {
        let fill = format!(
            r#"(drop (memory.grow (i32.const 199)))
            (local.set 0 (i32.const 0x10000))
            (loop $next
              (i64.store (local.get 0) (i64.const 0x3131313131313131))
              (local.set 0 (i32.add (local.get 0) (i32.const 8)))
              (br_if $next (i32.lt_u (local.get 0) (i32.const {}))))
            (return (i32.const 0x10000))"#,
            0x10000 + bytes
        );
        let program = Program {
            compute_limit: 100_000_000,
            ..deed(&fill)
        };
        boot(&program)
            .step(&message(1, &[("Action", "Bad")], ""))
            .unwrap()
    };
    let most = Profile::v1().reply_bytes_max;
    let (fits, long) = (reply(most), reply(most + 8));
    assert!(error(&fits).contains("malformed"), "{:?}", fits.result);
    assert!(fits.gas < 100_000_000);
    assert!(error(&long).contains("too long"), "{:?}", long.result);
    assert_eq!(long.gas, 100_000_000, "what gives no reply costs its limit");
}

#[test]
fn globals_are_state() {
    let mut process = boot(&deed("nop"));
    process.step(&action(1, "Hello")).unwrap();
    assert_eq!(process.snapshot().unwrap().globals, [6, 0]);
}
