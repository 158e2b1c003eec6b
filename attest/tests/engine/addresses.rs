//! Wherever an address lies, in reserved space, in its guard, or beyond, what is not in memory traps, on both machines (rule
//! VM-1).

use std::sync::LazyLock;

use surety_attest::engine::{Engine, Program, WasmEngine};
use surety_protocol::profile::Profile;

use super::stage::{CLOCK, action, boot, error, text};

static OTHER: LazyLock<WasmEngine> =
    LazyLock::new(|| WasmEngine::interpreting(Profile::v1()).expect("an engine"));

/// Bytes of memory.
const END: u64 = 2 << 16;

/// A module of one width that reaches for one place; the index is in memory, so that no compiler knows it.
fn reaching(wide: bool, access: &str, index: u64, offset: u64) -> Program {
    let (pointer, memory) = if wide { ("i64", "i64 2") } else { ("i32", "2") };
    let index: String = index
        .to_le_bytes()
        .iter()
        .map(|it| format!("\\{it:02x}"))
        .collect();
    let at = format!("({pointer}.load ({pointer}.const 0x100))");
    let access = match access {
        "i64.store" => format!("(i64.store offset={offset} {at} (i64.const 0))"),
        load => format!("(drop ({load} offset={offset} {at}))"),
    };
    text(&format!(
        r#"(memory (export "memory") {memory})
        (data ({pointer}.const 64) "{{\"ok\":true,\"response\":{{}}}}\00")
        (data ({pointer}.const 0x100) "{index}")
        (func (export "malloc") (param {pointer}) (result {pointer}) {pointer}.const 0x8000)
        (func (export "handle") (param {pointer} {pointer}) (result {pointer})
          {access} {pointer}.const 64)"#
    ))
}

#[test]
fn what_is_not_in_memory_traps_wherever_it_lies() {
    let edges = [1_u64 << 25, 1 << 31, 1 << 32, 1 << 63];
    let around = edges.iter().flat_map(|it| [it - 1, *it]);
    let places: Vec<u64> = [0, END - 8, END - 1, END, u64::MAX]
        .into_iter()
        .chain(around)
        .collect();
    let offsets = [
        0,
        7,
        1 << 25,
        (1 << 31) - 1,
        1 << 31,
        (1 << 32) - 1,
        1 << 32,
    ];
    for (access, size) in [("i32.load8_u", 1_u64), ("i64.load", 8), ("i64.store", 8)] {
        for wide in [false, true] {
            let fits = |it: &u64| wide || u32::try_from(*it).is_ok();
            for index in places.iter().copied().filter(fits) {
                for offset in offsets.into_iter().filter(fits) {
                    let program = reaching(wide, access, index, offset);
                    let outcome = boot(&program).step(&action(1, "Hello")).unwrap();
                    let mut other = OTHER.boot(&program, CLOCK).unwrap();
                    let here = format!("{access} of {wide} at {index:#x} + {offset:#x}");
                    assert_eq!(other.step(&action(1, "Hello")).unwrap(), outcome, "{here}");
                    let end = u128::from(index) + u128::from(offset) + u128::from(size);
                    if end <= u128::from(END) {
                        assert_eq!(outcome.result.error, None, "{here}");
                    } else {
                        let why = "surety: trap: memory access out of bounds";
                        assert_eq!(error(&outcome), why, "{here}");
                    }
                }
            }
        }
    }
}
