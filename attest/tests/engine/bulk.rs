//! `memory.copy` and `memory.fill` do what WebAssembly says, whatever stands for them (rule MO-9).

use proptest::prelude::*;
use surety_attest::engine::{Engine, Program, WasmEngine};
use surety_protocol::profile::Profile;

use super::stage::{CLOCK, ENGINE, action, boot, error, text};

/// Where the bytes are that the model knows of; memory ends with them.
const FROM: u64 = 0x1_f000;
const BYTES: usize = 0x1000;

/// A module of one width that does `deed` once and answers.
fn doing(wide: bool, deed: &str) -> Program {
    let (pointer, memory) = if wide { ("i64", "i64 2") } else { ("i32", "2") };
    let pattern: String = (0..BYTES)
        .map(|at| format!("\\{:02x}", at * 7 % 251))
        .collect();
    text(&format!(
        r#"(memory (export "memory") {memory})
        (data ({pointer}.const 64) "{{\"ok\":true,\"response\":{{}}}}\00")
        (data ({pointer}.const {FROM}) "{pattern}")
        (func (export "malloc") (param {pointer}) (result {pointer}) {pointer}.const 0x8000)
        (func (export "handle") (param {pointer} {pointer}) (result {pointer})
          {deed} {pointer}.const 64)"#
    ))
}

fn pattern() -> Vec<u8> {
    (0..BYTES).map(|at| (at * 7 % 251) as u8).collect()
}

/// What the bytes are afterwards; nothing if the step trapped.
fn done(program: &Program) -> Option<Vec<u8>> {
    let mut process = boot(program);
    let outcome = process.step(&action(1, "Hello")).unwrap();
    let other = WasmEngine::interpreting(Profile::v1()).unwrap();
    let mut interpreted = other.boot(program, CLOCK).unwrap();
    assert_eq!(interpreted.step(&action(1, "Hello")).unwrap(), outcome);
    assert_eq!(
        interpreted.state_root().unwrap(),
        process.state_root().unwrap()
    );
    if outcome.result.error.is_some() {
        assert_eq!(error(&outcome), "surety: trap: memory access out of bounds");
        return None;
    }
    let snapshot = process.snapshot().unwrap();
    Some(snapshot.page((FROM / 4096) as u32).to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn copies_and_fills_are_those_of_the_model(
        wide: bool,
        to in 0..BYTES,
        from in 0..BYTES,
        bytes in prop_oneof![0..80_usize, 0..BYTES + 8],
        value: u8,
    ) {
        let pointer = if wide { "i64" } else { "i32" };
        let at = |place: usize| format!("({pointer}.const {})", FROM as usize + place);
        let count = format!("({pointer}.const {bytes})");
        let copied = done(&doing(wide, &format!("(memory.copy {} {} {count})", at(to), at(from))));
        let mut model = pattern();
        let fits = to.max(from) + bytes <= BYTES;
        let expected = fits.then(|| {
            model.copy_within(from..from + bytes, to);
            model
        });
        prop_assert_eq!(copied, expected);

        let filled = done(&doing(wide, &format!("(memory.fill {} (i32.const {value}) {count})", at(to))));
        let mut model = pattern();
        let expected = (to + bytes <= BYTES).then(|| {
            model[to..to + bytes].fill(value);
            model
        });
        prop_assert_eq!(filled, expected);
    }
}

#[test]
fn what_lies_outside_traps_before_anything_moves() {
    for wide in [false, true] {
        let pointer = if wide { "i64" } else { "i32" };
        let end = 2 << 16;
        for (to, from, bytes) in [
            (0, 0, -1_i64),
            (-1, 0, 2),
            (0, -1, 2),
            (end - 1, 0, 2),
            (end + 1, 0, 0),
            (0, end + 1, 0),
        ] {
            let number = |value: i64| format!("({pointer}.const {value})");
            let deed = format!(
                "(memory.copy {} {} {})",
                number(to),
                number(from),
                number(bytes)
            );
            assert_eq!(done(&doing(wide, &deed)), None, "{deed}");
        }
        // Nothing, right at the end.
        let deed = format!(
            "(memory.copy ({pointer}.const {end}) ({pointer}.const {end}) ({pointer}.const 0))"
        );
        assert_eq!(done(&doing(wide, &deed)), Some(pattern()));
    }
}

#[test]
fn the_rest_of_bulk_memory_is_refused() {
    for case in [
        r#"(data $d "x") (func (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1)))"#,
        r#"(data $d "x") (func (data.drop $d))"#,
        r#"(table $t 2 funcref) (func (table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 1)))"#,
    ] {
        let copies = "(func (memory.copy (i32.const 0) (i32.const 0) (i32.const 1)))";
        let program = text(&format!(
            r#"(memory (export "memory") 1) {case} {copies}
            (func (export "handle") (param i32 i32) (result i32) i32.const 64)"#
        ));
        assert!(ENGINE.check(&program.bytes).is_err(), "{case}");
    }
}
