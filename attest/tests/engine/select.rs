//! `select` by every kind of comparison and between every kind of operand, on both machines (rule GA-6).

use super::bombs::{REPLY, step};
use super::stage::text;

/// Operands: a constant, locals, what was just computed or loaded.
const OPERANDS: [&str; 5] = [
    "(i32.const 1)",
    "(local.get 0)",
    "(local.get 1)",
    "(i32.add (local.get 1) (i32.const 3))",
    "(i32.load (i32.const 32))",
];
const PAIRS: [(i32, i32); 7] = [(0, 0), (0, 7), (5, 7), (7, 5), (5, 5), (5, 0), (-1, 3)];

/// A condition, and what it is.
type Condition = (String, Box<dyn Fn(i32, i32) -> bool>);

fn conditions() -> Vec<Condition> {
    type Compare = fn(i32, i32) -> bool;
    let compares: [(&str, Compare); 6] = [
        ("eq", |a, b| a == b),
        ("ne", |a, b| a != b),
        ("lt_s", |a, b| a < b),
        ("ge_s", |a, b| a >= b),
        ("gt_u", |a, b| a.cast_unsigned() > b.cast_unsigned()),
        ("le_u", |a, b| a.cast_unsigned() <= b.cast_unsigned()),
    ];
    let mut conditions: Vec<Condition> = vec![
        ("(local.get 0)".into(), Box::new(|a, _| a != 0)),
        (
            "(i32.and (local.get 0) (local.get 1))".into(),
            Box::new(|a, b| a & b != 0),
        ),
    ];
    for (name, holds) in compares {
        for other in ["(local.get 1)", "(i32.const 0)", "(i32.const 5)"] {
            let value = move |b| match other {
                "(i32.const 0)" => 0,
                "(i32.const 5)" => 5,
                _ => b,
            };
            conditions.push((
                format!("(i32.{name} (local.get 0) {other})"),
                Box::new(move |a, b| holds(a, value(b))),
            ));
            conditions.push((
                format!("(i64.{name} (i64.extend_i32_s (local.get 0)) (i64.extend_i32_s {other}))"),
                Box::new(move |a, b| holds(a, value(b))),
            ));
        }
    }
    conditions
}

/// A condition as it is, or the other way around.
fn negated((code, holds): Condition) -> Condition {
    let code = format!("(i32.eqz {code})");
    (code, Box::new(move |a, b| !holds(a, b)))
}

#[test]
fn it_gives_what_its_condition_says() {
    let all = conditions()
        .into_iter()
        .chain(conditions().into_iter().map(negated));
    for (code, holds) in all {
        let (mut functions, mut stores) = (String::new(), String::new());
        let mut expected = Vec::new();
        for (i, this) in OPERANDS.iter().enumerate() {
            for (j, that) in OPERANDS.iter().enumerate() {
                functions.push_str(&format!(
                    "(func $f{i}{j} (param i32 i32) (result i32) (select {this} {that} {code}))"
                ));
                for (a, b) in PAIRS {
                    stores.push_str(&format!(
                        "(i32.store (i32.const {}) (call $f{i}{j} (i32.const {a}) (i32.const {b})))",
                        0x1000 + 4 * expected.len()
                    ));
                    let values = [1, a, b, b + 3, 9];
                    expected.push(values[if holds(a, b) { i } else { j }]);
                }
            }
        }
        let program = text(&format!(
            r#"(memory (export "memory") 1) {REPLY} (data (i32.const 32) "\09\00\00\00") {functions}
            (func (export "handle") (param i32 i32) (result i32) {stores} (i32.const 64))"#
        ));
        let (outcome, mut process) = step(&program);
        assert_eq!(outcome.result.error, None);
        let state = process.snapshot().unwrap();
        let got: Vec<i32> = state
            .page(1)
            .as_chunks::<4>()
            .0
            .iter()
            .map(|it| i32::from_le_bytes(*it))
            .collect();
        assert_eq!(got[..expected.len()], expected, "{code}");
    }
}
