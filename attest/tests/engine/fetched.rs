//! Locals that were fetched before a block and are set within it keep what they were, on both machines (rule GA-6).

use super::bombs::{REPLY, step};
use super::stage::text;

/// What lies between the local and the block: its type, and how it comes there.
const PARAMS: [(&str, &str); 9] = [
    ("i32", "(i32.const 3)"),
    ("i32", "(i32.const 70000)"),
    ("i32", "(local.get 0)"),
    ("i32", "(local.get $y)"),
    ("i32", "(i32.add (local.get 0) (i32.const 3))"),
    ("i64", "(i64.const 99999999999)"),
    ("f32", "(f32.const 1)"),
    ("f64", "(f64.const nan)"),
    ("f64", "(f64.sqrt (f64.const 2))"),
];

/// Blocks that set the local in one of their branches, or in none; P is the type of what they take.
const BLOCKS: [&str; 14] = [
    "local.get 0 if (param P) drop i32.const 8 local.set $x else drop end",
    "local.get 0 if (param P) drop else drop i32.const 8 local.set $x end",
    "local.get 0 if (param P) drop i32.const 8 local.set $x else drop i32.const 9 local.set $x end",
    "local.get 0 if (param P) (result P) i32.const 8 local.set $x end drop",
    "local.get 0 if (param P) (result P) i32.const 8 local.tee $x drop end drop",
    "local.get 0 if (param P) drop block i32.const 8 local.set $x end else drop end",
    "local.get 0 if i32.const 8 local.set $x else end drop",
    "local.get 0 if local.get 0 if i32.const 8 local.set $x end else end drop",
    "block (param P) drop local.get 0 i32.eqz br_if 0 i32.const 9 local.set $x end",
    "block (param P) (result P) local.get 0 i32.eqz br_if 0 i32.const 9 local.set $x end drop",
    "block local.get 0 i32.eqz br_if 0 i32.const 9 local.set $x end drop",
    "loop (param P) drop local.get 0 i32.eqz if else i32.const 9 local.set $x end end",
    "loop (param P) (result P) local.get 0 if i32.const 9 local.set $x end end drop",
    "local.get 0 block (param P i32) if (param P) drop i32.const 8 local.set $x else drop end end",
];

#[test]
fn they_keep_what_they_were() {
    let (mut functions, mut stores, mut count) = (String::new(), String::new(), 0);
    for (ty, param) in PARAMS {
        for block in BLOCKS {
            let block = block.replace(" P", &format!(" {ty}"));
            functions.push_str(&format!(
                "(func $f{count} (param i32) (result i32) (local $x i32) (local $y i32)
                  (local.set $x (i32.const 7)) local.get $x {param} {block})"
            ));
            for branch in [0, 1] {
                // What the machine has in its registers from the calls before is not what it should find.
                stores.push_str(&format!(
                    "(call $spoil) (i32.store (i32.const {}) (call $f{count} (i32.const {branch})))",
                    0x1000 + 8 * count + 4 * branch
                ));
            }
            count += 1;
        }
    }
    let locals = "i64 ".repeat(40);
    let spoil: String = (0..40)
        .map(|local| format!("(local.set {local} (i64.const 0x5555555555555555))"))
        .collect();
    let program = text(&format!(
        r#"(memory (export "memory") 1) {REPLY} (func $spoil (local {locals}) {spoil}) {functions}
        (func (export "handle") (param i32 i32) (result i32) {stores} (i32.const 64))"#
    ));
    let (outcome, mut process) = step(&program);
    assert_eq!(outcome.result.error, None);
    let state = process.snapshot().unwrap();
    let got = state.page(1).as_chunks::<4>().0;
    for (place, got) in got.iter().take(2 * count).enumerate() {
        let (param, block) = (
            PARAMS[place / 2 / BLOCKS.len()],
            BLOCKS[place / 2 % BLOCKS.len()],
        );
        assert_eq!(i32::from_le_bytes(*got), 7, "{param:?} {block}");
    }
}
