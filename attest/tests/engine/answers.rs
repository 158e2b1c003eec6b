//! What the functions of the host answer is what the specification's table says, for ordinary and for extreme arguments, of
//! modules with 32-bit and with 64-bit memories (rules HO-1, HO-3, HO-6, HO-7).

use surety_attest::engine::{Engine, Program, WasmEngine};
use surety_protocol::profile::Profile;

use super::stage::{CLOCK, ENGINE, action, text};

const SPECS: &str = include_str!("../../../specs/execution.md");
/// Arguments, all of them the same.
const EXTREMES: [i64; 5] = [0, 1, -1, 0x7fff_ffff, -0x8000_0000];

/// A function of the table: where it is imported from, its name, its letters.
struct Function {
    module: &'static str,
    name: &'static str,
    parameters: &'static str,
    result: &'static str,
}

/// The rows of the table that name functions: what they answer, and each spelling of each.
fn rows() -> Vec<(&'static str, Vec<Function>)> {
    let table = SPECS
        .lines()
        .skip_while(|line| !line.starts_with("| answer | functions |"));
    let rows = table.skip(2).take_while(|line| line.starts_with("| "));
    let of_row = |row: &'static str| {
        let (answer, functions) = row[2..].split_once(" | ").unwrap();
        let functions = functions.trim_end_matches(" |").split(", ");
        (
            answer,
            functions.flat_map(spellings).collect::<Vec<Function>>(),
        )
    };
    let rows: Vec<_> = rows.map(of_row).filter(|(_, it)| !it.is_empty()).collect();
    assert!(rows.len() > 20, "the table is not where it was");
    rows
}

/// `name: letters -> letter`, or with another spelling after `or`; of WASI if a ring stands behind it.
fn spellings(cell: &'static str) -> Vec<Function> {
    let module = match cell.ends_with('°') {
        true => "wasi_snapshot_preview1",
        false => "env",
    };
    let mut quoted = cell.split('`').skip(1).step_by(2);
    let Some((name, first)) = quoted.next().and_then(|it| it.split_once(": ")) else {
        return Vec::new();
    };
    let read = |signature: &'static str| {
        let (parameters, result) = signature.split_once(" -> ").unwrap_or((signature, ""));
        Function {
            module,
            name,
            parameters: parameters.trim_matches(['(', ')']),
            result,
        }
    };
    std::iter::once(first).chain(quoted).map(read).collect()
}

/// The types of a letter.
fn types(letter: char, wide: bool) -> &'static [&'static str] {
    match (letter, wide) {
        ('i', _) | ('p', false) => &["i32"],
        ('I', _) | ('p' | 'J', true) => &["i64"],
        ('J', false) => &["i32", "i32"],
        ('d', _) => &["f64"],
        _ => panic!("a letter {letter}"),
    }
}

/// A module that ends with a trap unless a function answers this to these arguments.
fn asking(function: &Function, wide: bool, arguments: &[i64], answer: i64) -> Program {
    let p = if wide { "i64" } else { "i32" };
    let parameters: Vec<&str> = function
        .parameters
        .chars()
        .flat_map(|it| types(it, wide))
        .copied()
        .collect();
    let given = parameters.iter().enumerate().map(|(at, ty)| {
        let value = arguments.get(at).or(arguments.last()).unwrap();
        let value = if *ty == "i32" {
            i64::from(*value as i32)
        } else {
            *value
        };
        format!("({ty}.const {value})")
    });
    let given: String = given.collect();
    let ty = types(function.result.chars().next().unwrap(), wide)[0];
    let memory = if wide { "i64 1 3" } else { "1 3" };
    text(&format!(
        r#"(import "{}" "{}" (func $f (param {}) (result {ty})))
        (memory (export "memory") {memory})
        (data ({p}.const 64) "{{\"ok\":true,\"response\":{{}}}}\00")
        (func (export "malloc") (param {p}) (result {p}) ({p}.const 0x8000))
        (func (export "handle") (param {p} {p}) (result {p})
          (if ({ty}.ne (call $f {given}) ({ty}.const {answer})) (then unreachable))
          ({p}.const 64))"#,
        function.module,
        function.name,
        parameters.join(" ")
    ))
}

/// Whether the function answers so, on both machines.
fn answers(function: &Function, wide: bool, arguments: &[i64], answer: i64) {
    let other = WasmEngine::interpreting(Profile::v1()).unwrap();
    let program = asking(function, wide, arguments, answer);
    for engine in [&*ENGINE, &other] {
        let mut process = engine.boot(&program, CLOCK).unwrap();
        let outcome = process.step(&action(1, "Hello")).unwrap();
        let (name, error) = (function.name, outcome.result.error);
        assert_eq!(error, None, "{name} of {arguments:?}, wide: {wide}");
    }
}

#[test]
fn a_fixed_answer_is_given_whatever_is_asked() {
    let mut asked = 0;
    for (answer, functions) in rows() {
        let fixed = answer.strip_prefix("answers ").unwrap_or(answer);
        let Ok(fixed) = fixed.replace(',', "").parse::<i64>() else {
            continue;
        };
        for function in &functions {
            for wide in [false, true] {
                for argument in EXTREMES {
                    answers(function, wide, &[argument], fixed);
                    asked += 1;
                }
            }
        }
    }
    assert!(asked > 400, "{asked}");
}

#[test]
fn descriptors_are_answered_by_their_number() {
    let mut asked = 0;
    for (answer, functions) in rows() {
        let Some((those, others)) = answer.split_once(" for the descriptors 0, 1 and 2, else ")
        else {
            continue;
        };
        let (those, others): (i64, i64) = (those.parse().unwrap(), others.parse().unwrap());
        for function in &functions {
            // A module has the spelling of its own width, and either is understood.
            for wide in [false, true] {
                for (descriptor, answer) in [
                    (0, those),
                    (1, those),
                    (2, those),
                    (3, others),
                    (-1, others),
                    (i64::from(i32::MIN), others),
                ] {
                    answers(function, wide, &[descriptor, 0x1000], answer);
                    asked += 1;
                }
            }
        }
    }
    assert!(asked > 40, "{asked}");
}

/// The modules here have one page and at most three.
#[test]
fn memory_grows_to_what_is_asked_for_and_not_beyond_its_limit() {
    let rows = rows();
    let named = |name: &str| {
        let mut all = rows.iter().flat_map(|(_, functions)| functions);
        all.find(|it| it.name == name).unwrap()
    };
    let (resize, most) = (
        named("emscripten_resize_heap"),
        named("emscripten_get_heap_max"),
    );
    for wide in [false, true] {
        answers(most, wide, &[], 3 << 16);
        for (bytes, answer) in [
            (0, 1),
            (1, 1),
            (0x1_0000, 1),
            (0x1_0001, 1),
            (0x3_0000 - 1, 1),
            (0x3_0000, 1),
            (0x3_0001, 0),
            (0x7fff_ffff, 0),
            (-1, 0),
        ] {
            answers(resize, wide, &[bytes], answer);
            // So does a limit of the process below that of the module.
            let limited = Program {
                memory_limit: 0x2_ffff,
                ..asking(
                    resize,
                    wide,
                    &[bytes],
                    i64::from((0..=0x2_0000).contains(&bytes)),
                )
            };
            let mut process = ENGINE.boot(&limited, CLOCK).unwrap();
            let outcome = process.step(&action(1, "Hello")).unwrap();
            assert_eq!(outcome.result.error, None, "{bytes:#x}, wide: {wide}");
            let pages = match bytes {
                ..=0x1_0000 => 1,
                0x1_0001..=0x2_0000 => 2,
                _ => 1,
            };
            assert_eq!(process.snapshot().unwrap().wasm_pages, pages, "{bytes:#x}");
        }
    }
}
