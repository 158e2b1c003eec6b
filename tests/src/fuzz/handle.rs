//! The functions that make random code a module of AO.

use wasm_encoder::{BlockType, Function, Instruction as I, MemArg, ValType};

use super::smith::Type;
use crate::random::Random;

/// Where replies are written.
const REPLY: u64 = 0x400;
/// Where what functions give is kept.
const KEPT: u64 = 0x800;
/// A cell that `malloc` uses, and one that counts.
const FLIP: u64 = 0x7f0;
const COUNT: u64 = 0x7f8;
/// The place of a digit in the JSON text of a message.
const DIGIT: u64 = 15;
/// A good reply: the state is kept.
const GOOD: &[u8] = b"{\"ok\":true,\"response\":{\"Output\":1.5}}\0\0\0\0";
/// One with an error: it is not.
const BAD: &[u8] = b"{\"ok\":true,\"response\":{\"Error\":\"bad\"}}\0\0\0";
/// Calls that a message chooses from.
const CALLS_MAX: u64 = 9;

/// A function that can be called.
#[derive(Debug, Clone)]
pub(super) struct Callee {
    pub(super) index: u32,
    pub(super) ty: Type,
}

/// Writes functions for pointers of one width.
pub(super) struct Handle {
    wide: bool,
    callees: Vec<Callee>,
}

impl Handle {
    pub(super) const fn new(wide: bool, callees: Vec<Callee>) -> Self {
        Self { wide, callees }
    }

    /// `handle`.
    pub(super) fn write(&self, random: &mut Random) -> Function {
        // Two parameters, the choice, and one local of each type.
        let mut code = Function::new([
            (2, ValType::I32),
            (1, ValType::I64),
            (1, ValType::F32),
            (1, ValType::F64),
        ]);
        const CHOICE: u32 = 2;
        let calls = random.between(1, CALLS_MAX);
        code.instruction(&I::LocalGet(0))
            .instruction(&I::I32Load8U(at(DIGIT, 0)))
            .instruction(&I::I32Const(i32::try_from(calls).unwrap_or(1)))
            .instruction(&I::I32RemU)
            .instruction(&I::LocalSet(CHOICE));
        for choice in 0..calls {
            code.instruction(&I::LocalGet(CHOICE))
                .instruction(&I::I32Const(i32::try_from(choice).unwrap_or(0)))
                .instruction(&I::I32Eq)
                .instruction(&I::If(BlockType::Empty));
            for _ in 0..random.between(1, 2) {
                if let Some(callee) = random.pick(&self.callees) {
                    self.call(&mut code, callee, random);
                }
            }
            code.instruction(&I::End);
        }
        self.count(&mut code);
        let reply = if random.percent(10) { BAD } else { GOOD };
        for (index, piece) in reply.as_chunks::<8>().0.iter().enumerate() {
            pointer(&mut code, self.wide, REPLY + 8 * index as u64);
            code.instruction(&I::I64Const(i64::from_le_bytes(*piece)))
                .instruction(&I::I64Store(at(0, 3)));
        }
        pointer(&mut code, self.wide, REPLY);
        code.instruction(&I::End);
        code
    }

    /// Calls with arguments from anywhere and keeps what it gives.
    fn call(&self, code: &mut Function, callee: &Callee, random: &mut Random) {
        for param in &callee.ty.params {
            self.argument(code, *param, random);
        }
        code.instruction(&I::Call(callee.index));
        for result in callee.ty.results.iter().rev() {
            let (local, store) = match result {
                ValType::I64 => (4, I::I64Store(at(0, 0))),
                ValType::F32 => (5, I::F32Store(at(0, 0))),
                ValType::F64 => (6, I::F64Store(at(0, 0))),
                _ => (3, I::I32Store(at(0, 0))),
            };
            code.instruction(&I::LocalSet(local));
            pointer(code, self.wide, KEPT + 8 * random.below(64));
            code.instruction(&I::LocalGet(local)).instruction(&store);
        }
    }

    fn argument(&self, code: &mut Function, ty: ValType, random: &mut Random) {
        if random.percent(40) {
            // From the message, or what was kept before.
            let from = match random.below(2) {
                0 => KEPT + 8 * random.below(64),
                _ => random.below(0x1_0000),
            };
            pointer(code, self.wide, from);
            code.instruction(&match ty {
                ValType::I64 => I::I64Load(at(0, 0)),
                ValType::F32 => I::F32Load(at(0, 0)),
                ValType::F64 => I::F64Load(at(0, 0)),
                _ => I::I32Load(at(0, 0)),
            });
            return;
        }
        code.instruction(&match ty {
            ValType::I64 => I::I64Const(awkward(random).cast_signed()),
            ValType::F32 => {
                I::F32Const(wasm_encoder::Ieee32::new(awkward_float(random, 23) as u32))
            }
            ValType::F64 => I::F64Const(wasm_encoder::Ieee64::new(awkward_float(random, 52))),
            _ => I::I32Const((awkward(random) as u32).cast_signed()),
        });
    }

    /// Counts in memory, so that no two steps leave the same state.
    fn count(&self, code: &mut Function) {
        pointer(code, self.wide, COUNT);
        pointer(code, self.wide, COUNT);
        code.instruction(&I::I64Load(at(0, 0)))
            .instruction(&I::I64Const(1))
            .instruction(&I::I64Add)
            .instruction(&I::I64Store(at(0, 0)));
    }

    /// `malloc`: one of two places, in turn.
    pub(super) fn malloc(wide: bool) -> Function {
        let mut code = Function::new([]);
        pointer(&mut code, wide, FLIP);
        pointer(&mut code, wide, FLIP);
        code.instruction(&I::I32Load(at(0, 0)))
            .instruction(&I::I32Const(0x2000))
            .instruction(&I::I32Xor)
            .instruction(&I::I32Store(at(0, 0)));
        pointer(&mut code, wide, FLIP);
        code.instruction(&I::I32Load(at(0, 0)))
            .instruction(&I::I32Const(0x2000))
            .instruction(&I::I32And)
            .instruction(&I::I32Const(0x8000))
            .instruction(&I::I32Add);
        if wide {
            code.instruction(&I::I64ExtendI32U);
        }
        code.instruction(&I::End);
        code
    }

    /// Answers with a number.
    pub(super) fn constant(wide: bool, value: u64) -> Function {
        let mut code = Function::new([]);
        pointer(&mut code, wide, value);
        code.instruction(&I::End);
        code
    }

    /// Keeps its first parameter, a pointer, in memory.
    pub(super) fn keep(wide: bool, ty: ValType) -> Function {
        let mut code = Function::new([]);
        pointer(&mut code, wide, KEPT);
        code.instruction(&I::LocalGet(0));
        code.instruction(&match ty {
            ValType::I64 => I::I64Store(at(0, 0)),
            _ => I::I32Store(at(0, 0)),
        });
        code.instruction(&I::End);
        code
    }

    /// `dynCall_x`: calls through the table, if there is one, with a type.
    pub(super) fn dyn_call(table: Option<bool>, params: &[ValType], ty: u32) -> Function {
        let mut code = Function::new([]);
        if let Some(wide) = table {
            for index in 1..params.len() {
                code.instruction(&I::LocalGet(u32::try_from(index).unwrap_or(0)));
            }
            code.instruction(&I::LocalGet(0));
            if wide {
                code.instruction(&I::I64ExtendI32U);
            }
            code.instruction(&I::CallIndirect {
                type_index: ty,
                table_index: 0,
            });
        } else {
            code.instruction(&I::Unreachable);
        }
        code.instruction(&I::End);
        code
    }
}

const fn at(offset: u64, align: u32) -> MemArg {
    MemArg {
        offset,
        align,
        memory_index: 0,
    }
}

fn pointer(code: &mut Function, wide: bool, value: u64) {
    if wide {
        code.instruction(&I::I64Const(value.cast_signed()));
    } else {
        code.instruction(&I::I32Const((value as u32).cast_signed()));
    }
}

/// Zero, the ends of ranges, small numbers, addresses near the end of memory, any number.
fn awkward(random: &mut Random) -> u64 {
    match random.below(6) {
        0 => 0,
        1 => 1 << random.below(64),
        2 => (1_u64 << random.below(64)).wrapping_neg(),
        3 => random.below(64),
        4 => 0x1_0000_u64.wrapping_add(random.below(16)).wrapping_sub(8),
        _ => random.next(),
    }
}

/// A float by its bits, whose fraction has so many: often no number, with any sign, quiet or not, with any payload.
fn awkward_float(random: &mut Random, fraction: u32) -> u64 {
    let any = random.next();
    let ones: u64 = if fraction == 23 { 0xff } else { 0x7ff };
    let sign = (any & 1) * (ones + 1);
    let fraction_bits = random.next() & ((1 << fraction) - 1);
    let (exponent, fraction_bits) = match random.below(5) {
        0 => (ones, fraction_bits),
        1 => (ones, fraction_bits & (1 << (fraction - 1))),
        2 => (0, fraction_bits),
        3 => (ones / 2 + 31 + random.below(34), fraction_bits),
        _ => (random.next() & ones, fraction_bits),
    };
    ((sign | exponent) << fraction) | fraction_bits
}
