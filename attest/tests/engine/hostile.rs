//! Modules that mean harm, or that the profile does not have.

use surety_attest::engine::{Engine, EngineError, ModuleRefused, Program};
use surety_protocol::profile::Profile;

use super::stage::{CLOCK, ENGINE, action, boot, error, text};

const MEMORY: &str = r#"(memory (export "memory") 1)"#;
const HANDLE: &str = r#"(func (export "handle") (param i32 i32) (result i32) i32.const 64)"#;

fn refusal(program: &Program) -> ModuleRefused {
    match ENGINE.check(&program.bytes) {
        Err(EngineError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn bytes_that_are_no_module() {
    for bytes in [
        &b""[..],
        b"garbage",
        b"\0asm\x01\0\0\0\xff",
        b"\0asm\x0d\0\x01\0",
    ] {
        let refused = ENGINE.check(bytes);
        assert!(
            matches!(refused, Err(EngineError::Refused(_))),
            "{bytes:?}: {refused:?}"
        );
    }
    let limit = Profile::v1().module_bytes_max;
    let large = vec![0; limit as usize + 1];
    let refused = EngineError::Refused(ModuleRefused::TooLarge {
        bytes: limit + 1,
        limit,
    });
    assert_eq!(ENGINE.check(&large), Err(refused));
}

#[test]
fn features_that_the_profile_does_not_have() {
    let cases = [
        r#"(memory (export "memory") 1 2 shared)"#,
        r#"(memory (export "memory") 1) (memory 1)"#,
        r#"(memory (export "memory") 1) (table $t 2 funcref) (func (drop (table.grow $t (ref.null func) (i32.const 1))))"#,
        r#"(memory (export "memory") 1) (table $t 2 funcref) (func (table.set $t (i32.const 0) (ref.null func)))"#,
        r#"(memory (export "memory") 1) (table $t 2 funcref) (func (table.fill $t (i32.const 0) (ref.null func) (i32.const 1)))"#,
        r#"(memory (export "memory") 1) (table $t 2 funcref) (func (table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 1)))"#,
        r#"(memory (export "memory") 1) (table $t 2 funcref) (elem $e func) (func (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 0)))"#,
        r#"(memory (export "memory") 1) (data $d "x") (func (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1)))"#,
        r#"(memory (export "memory") 1) (func (drop (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0))))"#,
        r#"(memory (export "memory") 1) (tag) (func (throw 0))"#,
        r#"(memory (export "memory") 1) (func $f (return_call $f))"#,
        r#"(memory (export "memory") 1) (global (mut funcref) (ref.null func))"#,
        r#"(memory (export "memory") 1) (func (drop (i32.atomic.load (i32.const 0))))"#,
    ];
    for case in cases {
        let refused = refusal(&text(&format!("{case} {HANDLE}")));
        assert!(
            matches!(refused, ModuleRefused::Invalid { .. }),
            "{case}: {refused:?}"
        );
    }
}

#[test]
fn imports_that_the_host_does_not_have() {
    let import = |what: &str| refusal(&text(&format!("{what} {MEMORY} {HANDLE}")));
    let unknown = |what| {
        assert!(
            matches!(import(what), ModuleRefused::Import { .. }),
            "{what}"
        )
    };
    unknown(r#"(import "env" "fork" (func))"#);
    unknown(r#"(import "wasi_snapshot_preview1" "exit" (func (param i32)))"#);
    // Known, but with another type.
    unknown(r#"(import "env" "exit" (func (param i64)))"#);
    unknown(r#"(import "env" "exit" (func (param i32) (result i32)))"#);
    unknown(r#"(import "env" "_gmtime_js" (func (param i64 i32)))"#);
    unknown(r#"(import "env" "invoke_v" (func (param i64)))"#);
    unknown(r#"(import "env" "invoke_vv" (func (param i32 v128)))"#);
    let kind = |what| {
        assert!(
            matches!(import(what), ModuleRefused::ImportKind { .. }),
            "{what}"
        )
    };
    kind(r#"(import "env" "g" (global i32))"#);
    kind(r#"(import "env" "g" (global (mut i32)))"#);
    kind(r#"(import "env" "t" (table 1 funcref))"#);
    let memory = refusal(&text(&format!(
        r#"(import "env" "memory" (memory 1)) (export "memory" (memory 0)) {HANDLE}"#
    )));
    assert!(matches!(memory, ModuleRefused::ImportKind { .. }));
    // What invoke_x needs.
    assert_eq!(
        import(r#"(import "env" "invoke_vi" (func (param i32 i32)))"#),
        ModuleRefused::Export("dynCall_vi".into())
    );
}

#[test]
fn exports_that_are_missing_or_reserved() {
    let export = |name: &str| ModuleRefused::Export(name.into());
    assert_eq!(refusal(&text(MEMORY)), export("handle"));
    assert_eq!(refusal(&text(HANDLE)), export("memory"));
    assert_eq!(
        refusal(&text(&format!("(memory 1) {HANDLE}"))),
        export("memory")
    );
    let wrong = r#"(func (export "handle") (param i32) (result i32) i32.const 64)"#;
    assert_eq!(
        refusal(&text(&format!("{MEMORY} {wrong}"))),
        export("handle")
    );
    let vector = r#"(func (export "v") (param v128))"#;
    assert_eq!(
        refusal(&text(&format!("{MEMORY} {HANDLE} {vector}"))),
        export("v")
    );
    let reserved = r#"(func (export "surety:start"))"#;
    assert_eq!(
        refusal(&text(&format!("{MEMORY} {HANDLE} {reserved}"))),
        ModuleRefused::ReservedName("surety:start".into())
    );
}

#[test]
fn a_module_that_does_not_boot_is_refused_for_good() {
    let refused = |body: &str| match ENGINE.boot(&text(body), CLOCK).map(drop) {
        Err(EngineError::Refused(ModuleRefused::Boot(why))) => why,
        other => panic!("{body}: {other:?}"),
    };
    let with = |what: &str| format!("{MEMORY} {HANDLE} {what}");
    assert!(refused(&with("(func $s unreachable) (start $s)")).contains("unreachable"));
    assert!(
        refused(&with(r#"(func (export "__wasm_call_ctors") unreachable)"#))
            .contains("unreachable")
    );
    assert!(refused(&with(r#"(data (i32.const 65535) "xx")"#)).contains("out of bounds"));
    let small = Program {
        memory_limit: 65_535,
        ..text(&with(""))
    };
    let refused = ENGINE.boot(&small, CLOCK).map(drop);
    let memory = ModuleRefused::Memory {
        bytes: 65_536,
        limit: 65_535,
    };
    assert_eq!(refused, Err(EngineError::Refused(memory)));
}

#[test]
fn boot_runs_in_its_order_and_only_once() {
    let log = |digit: u32| {
        format!(
            "(i32.store (i32.const 0x100) (i32.add (i32.mul (i32.load (i32.const 0x100)) (i32.const 10)) (i32.const {digit})))"
        )
    };
    let program = text(&format!(
        r#"{MEMORY} {HANDLE}
        (data (i32.const 64) "{{\"ok\":true,\"response\":{{}}}}\00")
        (func (export "main") (param i32 i32) (result i32) {} i32.const 0)
        (func (export "__wasm_call_ctors") {})
        (func (export "emscripten_stack_init") {})
        (func $start {}) (start $start)"#,
        log(4),
        log(3),
        log(2),
        log(1)
    ));
    let mut process = boot(&program);
    let order = |process: &mut dyn surety_attest::engine::Resident| {
        u32::from_le_bytes(
            process.snapshot().unwrap().page(0)[0x100..0x104]
                .try_into()
                .unwrap(),
        )
    };
    // `main` is not called.
    assert_eq!(order(&mut *process), 123);
    process.step(&action(1, "Hello")).unwrap();
    let mut restored = ENGINE
        .restore(&program, &process.snapshot().unwrap())
        .unwrap();
    restored.step(&action(2, "Hello")).unwrap();
    assert_eq!(order(&mut *restored), 123);
}

#[test]
fn endless_recursion_runs_out_of_stack() {
    let program = text(&format!(
        r#"{MEMORY} (func $deep (param i32) (result i32)
          (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (local.get 0)))
        (func (export "handle") (param i32 i32) (result i32) (call $deep (i32.const 0)))"#
    ));
    let program = Program {
        compute_limit: u64::MAX,
        ..program
    };
    let mut process = boot(&program);
    let before = process.state_root().unwrap();
    let outcome = process.step(&action(1, "Hello")).unwrap();
    assert_eq!(error(&outcome), "surety: out of stack");
    assert_eq!(outcome.gas, Profile::v1().gas_max);
    assert_eq!(process.state_root().unwrap(), before);
}
