//! What is not a number has one spelling: every operator of floats, over every kind of operand, on both machines.

use surety_attest::engine::{Engine, WasmEngine};
use surety_protocol::profile::Profile;

use super::stage::{CLOCK, ENGINE, action, text};

/// Patterns of each width: quiet and signalling, of both signs, with payloads; infinities, zeros, subnormals, numbers.
const F32: &[u64] = &[
    0x7fc0_0000,
    0xffc0_0000,
    0x7f80_0001,
    0xff80_0001,
    0x7fff_ffff,
    0xffff_ffff,
    0x7fa0_0000,
    0x7fc1_2345,
    0xffaa_aaaa,
    0x7f80_0000,
    0xff80_0000,
    0,
    0x8000_0000,
    1,
    0x8000_0001,
    0x3f80_0000,
    0xbf80_0000,
    0x7f7f_ffff,
    0x4b80_0001,
    0x3f00_0000,
];
const F64: &[u64] = &[
    0x7ff8_0000_0000_0000,
    0xfff8_0000_0000_0000,
    0x7ff0_0000_0000_0001,
    0xfff0_0000_0000_0001,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_ffff,
    0x7ff4_0000_0000_0000,
    0x7ff8_1234_5678_9abc,
    0xfff5_5555_5555_5555,
    0x7ff0_0000_0000_0000,
    0xfff0_0000_0000_0000,
    0,
    1 << 63,
    1,
    (1 << 63) | 1,
    0x3ff0_0000_0000_0000,
    0xbff0_0000_0000_0000,
    0x7fef_ffff_ffff_ffff,
    0x4340_0000_0000_0001,
    0x3fe0_0000_0000_0000,
    0x36a0_0000_0000_0000,
    0x47ef_ffff_e000_0000,
];

/// Operators whose result is canonical if it is not a number.
const UNARY: &[&str] = &["ceil", "floor", "trunc", "nearest", "sqrt"];
const BINARY: &[&str] = &["add", "sub", "mul", "div", "min", "max"];
/// Operators that only move bits.
const MOVES: &[&str] = &["neg", "abs"];

/// What the operators store, in order, as the compiling machine leaves it; the other is compared with it.
fn stored(bytes: u64, stores: &[String]) -> Vec<u64> {
    let ty = if bytes == 4 { "i32" } else { "i64" };
    let code: String = stores
        .iter()
        .zip(0_u64..)
        .map(|(value, index)| {
            format!(
                "({ty}.store (i32.const {}) {value})",
                0x10000 + bytes * index
            )
        })
        .collect();
    let pages = 2 + stores.len() as u64 * bytes / 65_536;
    let program = text(&format!(
        r#"(memory (export "memory") {pages}) (data (i32.const 64) "{{\"ok\":true,\"response\":{{}}}}\00")
        (func (export "handle") (param i32 i32) (result i32) {code} (i32.const 64))"#
    ));
    let other = WasmEngine::interpreting(Profile::v1()).unwrap();
    let run = |engine: &dyn Engine| {
        let mut process = engine.boot(&program, CLOCK).unwrap();
        let outcome = process.step(&action(1, "Hello")).unwrap();
        assert_eq!(outcome.result.error, None);
        process.snapshot().unwrap()
    };
    let state = run(&*ENGINE);
    assert_eq!(run(&other), state);
    let byte = |at: u64| u64::from(state.page((at / 4096) as u32)[(at % 4096) as usize]);
    let word = |index: u64| {
        let at = 0x10000 + bytes * index;
        (0..bytes)
            .rev()
            .fold(0, |word, place| word << 8 | byte(at + place))
    };
    (0..stores.len() as u64).map(word).collect()
}

/// Whether all that is not a number, of which there is much, has this one spelling.
fn canonical(bytes: u64, stores: &[String], quiet: u64, infinity: u64) {
    let sign = 1_u64 << (bytes * 8 - 1);
    let mut seen = 0;
    for part in stores.chunks(400) {
        for (bits, store) in stored(bytes, part).into_iter().zip(part) {
            let is_nan = bits & !sign > infinity;
            seen += usize::from(is_nan);
            assert!(!is_nan || bits == quiet, "{store}: {bits:#x}");
        }
    }
    assert!(seen > 500, "{seen}");
}

/// All of it for one type of float.
fn all(ty: &str, patterns: &[u64], quiet: u64, infinity: u64) {
    let (bytes, int) = if ty == "f32" { (4, "i32") } else { (8, "i64") };
    let sign = 1_u64 << (bytes * 8 - 1);
    let float = |bits: u64| format!("({ty}.reinterpret_{int} ({int}.const {bits:#x}))");
    let back = |value: String| format!("({int}.reinterpret_{ty} {value})");
    let mut stores = Vec::new();
    for operator in UNARY {
        for a in patterns {
            stores.push(back(format!("({ty}.{operator} {})", float(*a))));
        }
    }
    for operator in BINARY {
        for a in patterns {
            for b in patterns {
                stores.push(back(format!(
                    "({ty}.{operator} {} {})",
                    float(*a),
                    float(*b)
                )));
            }
        }
    }
    canonical(bytes, &stores, quiet, infinity);
    // Bits that are moved stay what they are, by whichever way.
    let mut moves = Vec::new();
    for a in patterns {
        moves.push((back(float(*a)), *a));
        moves.push((
            back(format!("({ty}.copysign {} {})", float(*a), float(sign))),
            a | sign,
        ));
        moves.push((
            back(format!("(select {} {} (i32.const 1))", float(*a), float(0))),
            *a,
        ));
        for operator in MOVES {
            let moved = if *operator == "neg" {
                a ^ sign
            } else {
                a & !sign
            };
            moves.push((back(format!("({ty}.{operator} {})", float(*a))), moved));
        }
    }
    let code: Vec<String> = moves.iter().map(|(code, _)| code.clone()).collect();
    for (bits, (code, expected)) in stored(bytes, &code).into_iter().zip(&moves) {
        assert_eq!(bits, *expected, "{code}");
    }
}

#[test]
fn of_32_bits() {
    all("f32", F32, 0x7fc0_0000, 0x7f80_0000);
}

#[test]
fn of_64_bits() {
    all("f64", F64, 0x7ff8_0000_0000_0000, 0x7ff0_0000_0000_0000);
}

#[test]
fn conversions_are_canonical_too() {
    let narrow = F64.iter().map(|bits| {
        format!(
            "(i32.reinterpret_f32 (f32.demote_f64 (f64.reinterpret_i64 (i64.const {bits:#x}))))"
        )
    });
    for bits in stored(4, &narrow.collect::<Vec<_>>()) {
        assert!(
            bits & 0x7fff_ffff <= 0x7f80_0000 || bits == 0x7fc0_0000,
            "{bits:#x}"
        );
    }
    let wide = F32.iter().map(|bits| {
        format!(
            "(i64.reinterpret_f64 (f64.promote_f32 (f32.reinterpret_i32 (i32.const {bits:#x}))))"
        )
    });
    for bits in stored(8, &wide.collect::<Vec<_>>()) {
        let positive = bits & !(1 << 63);
        assert!(
            positive <= 0x7ff0 << 48 || bits == 0x7ff8 << 48,
            "{bits:#x}"
        );
    }
    let mut saturated = Vec::new();
    for (ty, int, patterns) in [("f32", "i32", F32), ("f64", "i64", F64)] {
        for to in ["i32", "i64"] {
            for sign in ["s", "u"] {
                for bits in patterns {
                    let value = format!(
                        "({to}.trunc_sat_{ty}_{sign} ({ty}.reinterpret_{int} ({int}.const {bits:#x})))"
                    );
                    saturated.push(match to {
                        "i32" => format!("(i64.extend_i32_u {value})"),
                        _ => value,
                    });
                }
            }
        }
    }
    stored(8, &saturated);
}

/// The same of vectors: every lane.
fn lanes(ty: &str, int: &str, count: usize, patterns: &[u64], quiet: u64, infinity: u64) {
    let bytes = 16 / count as u64;
    let sign = 1_u64 << (bytes * 8 - 1);
    // As many patterns as there are lanes, from one on.
    let vector = |from: usize| {
        let lanes = (0..count).map(|lane| patterns[(from + lane) % patterns.len()]);
        let lanes: Vec<u64> = lanes.collect();
        let text: Vec<String> = lanes.iter().map(|it| format!("{it:#x}")).collect();
        (format!("(v128.const {int} {})", text.join(" ")), lanes)
    };
    let shape = |operator: &str| format!("{ty}.{operator}");
    let lane = |of: &str, lane: usize| format!("({int}.extract_lane {lane} {of})");
    let firsts = (0..patterns.len()).step_by(count);
    let mut stores = Vec::new();
    for a in firsts.clone() {
        for operator in UNARY {
            let value = format!("({} {})", shape(operator), vector(a).0);
            stores.extend((0..count).map(|it| lane(&value, it)));
        }
        for operator in BINARY {
            for b in 0..patterns.len() {
                let value = format!("({} {} {})", shape(operator), vector(a).0, vector(b).0);
                stores.extend((0..count).map(|it| lane(&value, it)));
            }
        }
    }
    canonical(bytes, &stores, quiet, infinity);
    // What moves bits, or chooses one of two, leaves them as they are.
    let less = |a: u64, b: u64| match bytes {
        4 => f32::from_bits(a as u32) < f32::from_bits(b as u32),
        _ => f64::from_bits(a) < f64::from_bits(b),
    };
    let mut moves = Vec::new();
    for a in firsts {
        let (first, firsts) = vector(a);
        let mut push = |operator: &str, second: &str, expected: Vec<u64>| {
            let value = format!("({} {first} {second})", shape(operator));
            let each = expected.into_iter().enumerate();
            moves.extend(each.map(|(at, bits)| (lane(&value, at), bits)));
        };
        push("neg", "", firsts.iter().map(|it| it ^ sign).collect());
        push("abs", "", firsts.iter().map(|it| it & !sign).collect());
        for b in 0..patterns.len() {
            let (second, seconds) = vector(b);
            let pairs = || firsts.iter().copied().zip(seconds.iter().copied());
            let smaller = pairs().map(|(a, b)| if less(b, a) { b } else { a });
            push("pmin", &second, smaller.collect());
            let larger = pairs().map(|(a, b)| if less(a, b) { b } else { a });
            push("pmax", &second, larger.collect());
        }
    }
    for part in moves.chunks(400) {
        let code: Vec<String> = part.iter().map(|(code, _)| code.clone()).collect();
        for (bits, (code, expected)) in stored(bytes, &code).into_iter().zip(part) {
            assert_eq!(bits, *expected, "{code}");
        }
    }
}

#[test]
fn of_vectors_of_32_bits() {
    lanes("f32x4", "i32x4", 4, F32, 0x7fc0_0000, 0x7f80_0000);
}

#[test]
fn of_vectors_of_64_bits() {
    lanes("f64x2", "i64x2", 2, F64, 0x7ff8 << 48, 0x7ff0 << 48);
}

#[test]
fn conversions_of_vectors_are_canonical_too() {
    let narrow = F64.iter().flat_map(|bits| {
        let value = format!("(f32x4.demote_f64x2_zero (v128.const i64x2 {bits:#x} 0))");
        [0, 2].map(|lane| format!("(i32x4.extract_lane {lane} {value})"))
    });
    for bits in stored(4, &narrow.collect::<Vec<_>>()) {
        let positive = bits & 0x7fff_ffff;
        assert!(positive <= 0x7f80_0000 || bits == 0x7fc0_0000, "{bits:#x}");
    }
    let wide = F32.iter().map(|bits| {
        format!(
            "(i64x2.extract_lane 0 (f64x2.promote_low_f32x4 (v128.const i32x4 {bits:#x} 0 0 0)))"
        )
    });
    for bits in stored(8, &wide.collect::<Vec<_>>()) {
        let positive = bits & !(1 << 63);
        assert!(
            positive <= 0x7ff0 << 48 || bits == 0x7ff8 << 48,
            "{bits:#x}"
        );
    }
    // To whole numbers: the same on both machines.
    let whole = F32.iter().flat_map(|bits| {
        ["i32x4.trunc_sat_f32x4_s", "i32x4.trunc_sat_f32x4_u"].map(|operator| {
            format!("(i32x4.extract_lane 0 ({operator} (v128.const i32x4 {bits:#x} 0 0 0)))")
        })
    });
    stored(4, &whole.collect::<Vec<_>>());
    let whole = F64.iter().flat_map(|bits| {
        [
            "i32x4.trunc_sat_f64x2_s_zero",
            "i32x4.trunc_sat_f64x2_u_zero",
        ]
        .map(|operator| {
            format!("(i32x4.extract_lane 0 ({operator} (v128.const i64x2 {bits:#x} 0)))")
        })
    });
    stored(4, &whole.collect::<Vec<_>>());
}
