//! The meter against the engine's own, and where it stops a guest (rules GA-1 to GA-5).

use arbitrary::Unstructured;
use surety_protocol::hash::{Domain, digest};
use wasm_smith::{Config, Module as Smithed};
use wasmparser::{Operator, Parser, Payload};
use wasmtime::{Engine, Func, Instance, Module, Store, StoreLimits, StoreLimitsBuilder, Trap, Val};

use super::cost::Costs;
use super::{FRAME_SLOTS, GAS, LEAF_SLOTS, STACK};
use crate::engine::module::metered;

const GAS_LIMIT: i64 = 1_000_000;
const STACK_LIMIT: i32 = 10_000;

/// An instance and its store.
struct Run {
    store: Store<StoreLimits>,
    instance: Instance,
}

impl Run {
    fn new(module: &[u8], fuel: bool) -> Run {
        let mut config = wasmtime::Config::new();
        config
            .consume_fuel(fuel)
            .cranelift_nan_canonicalization(true)
            .wasm_memory64(true);
        let engine = Engine::new(&config).unwrap();
        let module = Module::new(&engine, module).unwrap();
        // Where memory has no end of its own.
        let limits = StoreLimitsBuilder::new().memory_size(4 << 20).build();
        let mut store = Store::new(&engine, limits);
        store.limiter(|limits| limits);
        if fuel {
            store.set_fuel(u64::MAX).unwrap();
        }
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        Run { store, instance }
    }

    /// The module under the meter, with so much to spend.
    fn metered(module: &[u8], gas: i64, stack: i32) -> Run {
        let mut run = Run::new(&metered(module, Costs::FUEL).unwrap(), false);
        run.set(GAS, Val::I64(gas));
        run.set(STACK, Val::I32(stack));
        run
    }

    fn set(&mut self, name: &str, value: Val) {
        let global = self.instance.get_global(&mut self.store, name).unwrap();
        global.set(&mut self.store, value).unwrap();
    }

    fn left(&mut self, name: &str) -> i64 {
        let global = self.instance.get_global(&mut self.store, name).unwrap();
        match global.get(&mut self.store) {
            Val::I64(left) => left,
            Val::I32(left) => left.into(),
            other => panic!("{other:?}"),
        }
    }

    /// Calls a function with arguments that nobody chose; gives the bits of its results.
    fn call(&mut self, function: Func) -> Result<Vec<u128>, Trap> {
        let ty = function.ty(&self.store);
        let zeros = |it: wasmtime::ValType| Val::default_for_ty(&it).unwrap();
        let chosen = |(at, it): (u64, wasmtime::ValType)| {
            let [a, b, ..] = *noise(at, 32).as_chunks::<8>().0 else {
                return zeros(it);
            };
            let bits = u64::from_le_bytes(a);
            match it {
                // Often small, as lengths and places are.
                wasmtime::ValType::I32 if at % 2 == 0 => Val::I32((bits % 100) as i32),
                wasmtime::ValType::I32 => Val::I32(bits as i32),
                wasmtime::ValType::I64 => Val::I64(bits.cast_signed() >> (bits % 64)),
                wasmtime::ValType::F32 => Val::F32(bits as u32),
                wasmtime::ValType::F64 => Val::F64(bits),
                wasmtime::ValType::V128 => {
                    let both = u128::from_le_bytes([a, b].concat().try_into().unwrap());
                    Val::V128(both.into())
                }
                it => zeros(it),
            }
        };
        let args: Vec<Val> = (0..).zip(ty.params()).map(chosen).collect();
        let mut results: Vec<Val> = ty.results().map(zeros).collect();
        match function.call(&mut self.store, &args, &mut results) {
            Ok(()) => Ok(results.iter().map(bits).collect()),
            Err(error) => Err(*error.downcast_ref::<Trap>().unwrap()),
        }
    }

    /// What is in the exported memories.
    fn memories(&mut self) -> Vec<Vec<u8>> {
        let exports = self.instance.exports(&mut self.store);
        let memories: Vec<_> = exports.filter_map(wasmtime::Export::into_memory).collect();
        let bytes = |it: &wasmtime::Memory| it.data(&self.store).to_vec();
        memories.iter().map(bytes).collect()
    }

    fn call_named(&mut self, name: &str) -> Result<Vec<u128>, Trap> {
        let function = self.instance.get_func(&mut self.store, name).unwrap();
        self.call(function)
    }
}

fn bits(value: &Val) -> u128 {
    match value {
        Val::I32(it) => it.cast_unsigned().into(),
        Val::I64(it) => it.cast_unsigned().into(),
        Val::F32(it) => (*it).into(),
        Val::F64(it) => (*it).into(),
        Val::V128(it) => it.as_u128(),
        other => panic!("{other:?}"),
    }
}

/// A random module of what the profile allows.
fn smithed(seed: &[u8], vectors: bool) -> Option<Vec<u8>> {
    let config = Config {
        bulk_memory_enabled: false,
        exceptions_enabled: false,
        export_everything: true,
        extended_const_enabled: false,
        gc_enabled: false,
        max_imports: 0,
        max_memories: 1,
        max_memory32_bytes: 1 << 20,
        max_memory64_bytes: 1 << 20,
        max_tables: 1,
        max_table_elements: 1000,
        min_funcs: 1,
        reference_types_enabled: false,
        relaxed_simd_enabled: false,
        shared_everything_threads_enabled: false,
        simd_enabled: vectors,
        tail_call_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        allow_start_export: false,
        ..Config::default()
    };
    let module = Smithed::new(config, &mut Unstructured::new(seed)).ok()?;
    let bytes = module.to_bytes();
    // A segment out of bounds ends every instance alike.
    let engine = Engine::default();
    let compiled = Module::new(&engine, &bytes).ok()?;
    Instance::new(&mut Store::new(&engine, ()), &compiled, &[]).ok()?;
    metered(&bytes, Costs::FUEL).ok().map(|_| bytes)
}

/// Calls every export of a module with and without the meter; gives how many returned.
fn compare(module: &[u8]) -> usize {
    let mut plain = Run::new(module, false);
    let exports = plain.instance.exports(&mut plain.store);
    let functions = exports.filter(|it| it.clone().into_func().is_some());
    let names: Vec<String> = functions.map(|it| it.name().to_owned()).collect();
    let mut returned = 0;
    for name in names {
        // A new instance for each: what a call leaves in memory may depend on whether it was ended.
        let mut ours = Run::metered(module, GAS_LIMIT, STACK_LIMIT);
        let outcome = ours.call_named(&name);
        if ours.left(GAS) < 0 || ours.left(STACK) < 0 {
            continue;
        }
        let mut theirs = Run::new(module, true);
        assert_eq!(theirs.call_named(&name), outcome, "{name}");
        assert_eq!(theirs.memories(), ours.memories(), "{name}");
        if outcome.is_ok() {
            let fuel = u64::MAX - theirs.store.get_fuel().unwrap();
            let gas = GAS_LIMIT - ours.left(GAS);
            assert_eq!(u64::try_from(gas).unwrap(), fuel, "{name}");
            assert_eq!(ours.left(STACK), i64::from(STACK_LIMIT), "{name}");
            returned += 1;
        }
    }
    returned
}

/// So many bytes that nobody chose.
fn noise(seed: u64, bytes: u64) -> Vec<u8> {
    let block = |index: u64| {
        let parts = [&seed.to_be_bytes()[..], &index.to_be_bytes()];
        *digest(Domain::OBJECT, &parts).as_bytes()
    };
    (0..bytes / 32).flat_map(block).collect()
}

#[test]
fn gas_is_the_engines_fuel_where_both_count_alike() {
    for (vectors, seeds) in [(false, 0..400), (true, 400..1200)] {
        let (mut modules, mut returned) = (0, 0);
        for seed in seeds {
            if let Some(module) = smithed(&noise(seed, 4096), vectors) {
                modules += 1;
                returned += compare(&module);
            }
        }
        assert!(modules > 100, "{modules} modules");
        assert!(
            returned > 100,
            "{returned} calls of {modules} modules returned"
        );
    }
}

/// A module with these functions and an exported one named `f`.
fn wat(functions: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {functions})")).unwrap()
}

#[test]
fn every_way_out_of_a_function_gives_gas_and_stack_back() {
    let cases = [
        // Branches to the function's own label, taken and not.
        r#"(func (export "f") (result i32) (br 0 (i32.const 7)))"#,
        r#"(func (export "f") (result i32) (br_if 0 (i32.const 7) (i32.const 1)) drop (i32.const 8))"#,
        r#"(func (export "f") (result i32) (br_if 0 (i32.const 7) (i32.const 0)) drop (i32.const 8))"#,
        r#"(func (export "f") (result i32) (block (result i32) (br_table 0 1 (i32.const 7) (i32.const 1))) (return))"#,
        r#"(func (export "f") (result i32) (loop (result i32) (return (i32.const 7))))"#,
        // Several results.
        r#"(func (export "f") (result i32 i64) (br_if 0 (i32.const 7) (i64.const 8) (i32.const 0)))"#,
        r#"(func (export "f") (result f64 f64 f64) (return (f64.const 1) (f64.const 2) (f64.const 3)))"#,
        // Code that is never reached.
        r#"(func (export "f") (return) (loop (br 0)))"#,
        r#"(func (export "f") (block (br 0) (if (i32.const 1) (then (br 1)))) (nop))"#,
        // Calls, of itself too.
        r#"(func $g (param i32) (if (local.get 0) (then (call $g (i32.sub (local.get 0) (i32.const 1))))))
           (func (export "f") (call $g (i32.const 100)))"#,
        r#"(table funcref (elem $g)) (func $g (result i32) (i32.const 7))
           (func (export "f") (result i32) (call_indirect (result i32) (i32.const 0)))"#,
        // What is behind an end is paid for before: within each other, in a row, in one arm, in both, beside dead code.
        r#"(func (export "f") (block (block (br_if 0 (i32.const 1)) (nop) (drop (i32.const 1))) (drop (i32.const 2)))
           (block (br_if 0 (i32.const 0)) (drop (i32.const 3))) (drop (i32.const 4)))"#,
        r#"(func (export "f") (if (i32.const 0) (then (drop (i32.const 1))) (else (block (br 0) (drop (i32.const 2)))))
           (drop (i32.const 3)))"#,
        // Not so: something within goes further out.
        r#"(func (export "f") (block (block (br_if 1 (i32.const 1)) (br_if 0 (i32.const 1))) (drop (i32.const 2))))"#,
        r#"(func (export "f") (block (block (block (br_if 0 (i32.const 1)) (br_if 2 (i32.const 1)))) (drop (i32.const 2))))"#,
        r#"(func (export "f") (block (br_if 0 (i32.const 0)) (return)) (drop (i32.const 1)))"#,
        r#"(func (export "f") (block (br_table 0 1 (i32.const 1))) (drop (i32.const 1)))"#,
        r#"(func (export "f") (local i32) (loop (if (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1)))
           (i32.const 9)) (then (br 1))) (drop (i32.const 1))))"#,
        // Loops with a fork in the middle, and none.
        r#"(func (export "f") (local i32) (loop (block (br_if 0 (i32.and (local.get 0) (i32.const 1))) (nop))
           (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 50)))))"#,
    ];
    for case in cases {
        assert_eq!(compare(&wat(case)), 1, "{case}");
    }
}

#[test]
fn an_endless_loop_runs_out_of_gas_and_an_endless_recursion_of_stack() {
    let endless = wat(r#"(func (export "f") (loop (br 0)))"#);
    let mut run = Run::metered(&endless, 1000, STACK_LIMIT);
    assert_eq!(run.call_named("f"), Err(Trap::UnreachableCodeReached));
    assert_eq!(
        (run.left(GAS), run.left(STACK)),
        (-1, i64::from(STACK_LIMIT))
    );

    let deep = wat(r#"(func $f (export "f") (call $f))"#);
    let mut run = Run::metered(&deep, GAS_LIMIT, STACK_LIMIT);
    assert_eq!(run.call_named("f"), Err(Trap::UnreachableCodeReached));
    // Four slots for each call, the least that a frame has.
    assert_eq!(run.left(STACK), i64::from(STACK_LIMIT % 4) - 4);
    assert!(run.left(GAS) > 0);

    // Nothing is left from the start: not even the first call.
    for (gas, stack) in [(0, STACK_LIMIT), (GAS_LIMIT, 0)] {
        let mut run = Run::metered(&deep, gas, stack);
        assert_eq!(run.call_named("f"), Err(Trap::UnreachableCodeReached));
        assert!(run.left(GAS) < 0 || run.left(STACK) < 0);
    }
}

#[test]
fn only_small_functions_that_call_nothing_take_no_stack() {
    let leaf = |locals: u32| {
        let locals = "i64 ".repeat(usize::try_from(locals).unwrap());
        let mut run = Run::metered(
            &wat(&format!(r#"(func (export "f") (local {locals}))"#)),
            100,
            1,
        );
        run.call_named("f").is_ok()
    };
    assert!(leaf(LEAF_SLOTS - FRAME_SLOTS));
    assert!(!leaf(LEAF_SLOTS - FRAME_SLOTS + 1));
}

#[test]
fn what_a_trap_leaves_is_the_last_that_was_written() {
    let module = wat(r#"(func $g) (func (export "f") (call $g) (nop) (unreachable))"#);
    let mut run = Run::metered(&module, 100, STACK_LIMIT);
    assert_eq!(run.call_named("f"), Err(Trap::UnreachableCodeReached));
    // Entry and call, entry; neither below zero, so that it is the guest's own trap.
    assert_eq!(run.left(GAS), 100 - 3);
    assert!(run.left(STACK) > 0);
}

/// Bytes of a module after the rewriting, for each hundred before.
fn growth(module: &[u8]) -> usize {
    metered(module, Costs::V1).unwrap().len() * 100 / module.len()
}

#[test]
fn calls_alone_grow_five_times() {
    let calls = "(call $f)".repeat(10_000);
    let calls = wat(&format!(
        r#"(func $f (export "f")) (func (export "g") {calls})"#
    ));
    assert_eq!(growth(&calls), 499);
}

#[test]
fn who_comes_back_together_pays_together() {
    let payments = |code: &str| {
        let metered = metered(&wat(&format!("(func {code})")), Costs::FUEL).unwrap();
        let payloads = Parser::new(0).parse_all(&metered).map(Result::unwrap);
        let bodies = payloads.filter_map(|it| match it {
            Payload::CodeSectionEntry(body) => Some(body),
            _ => None,
        });
        let operators = bodies.flat_map(|it| it.get_operators_reader().unwrap());
        operators
            .filter(|it| matches!(it, Ok(Operator::I64Sub)))
            .count()
    };
    let arm = "(if (i32.const 1) (then (nop) (drop (i32.const 1))))";
    assert_eq!(payments(&arm.repeat(3)), 1 + 3);
    // The function's own label is outside of each.
    let arm = "(if (i32.const 1) (then (drop (i32.const 1)) (br 1)))";
    assert_eq!(payments(&arm.repeat(3)), 1 + 3 + 2);
}
