//! Gas and stack depth, counted by the module itself: its code is rewritten to pay before it runs.
//!
//! Whoever executes the rewritten bytes, with whatever engine, counts the same.
//!
//! # Rules
//!
//! - `[GA-1]` Two mutable globals are appended: `surety:gas` (`i64`), what may still be spent, and `surety:stack` (`i32`),
//!   the slots that calls may still take. The host sets both before it calls the guest and looks at both when the call
//!   returns or ends: below zero, the guest has run out. Neither is part of the state.
//! - `[GA-2]` A block is a stretch of operators of which each runs if the first does, as far as the shape of the code tells:
//!   it begins with the function, a turn of a `loop`, a branch of an `if`, behind a `br_if`, and behind the `end` of an
//!   `if` and of every `block` that something branches to, unless nothing within branches further out, nor returns: then
//!   the block before the `if` or `block` goes on behind its `end`. Its whole cost is taken where it begins, also
//!   from who leaves it early by a trap or a `longjmp`.
//! - `[GA-3]` Where a function and a turn of a loop begin, gas below zero ends the guest. In between it may go below.
//!   Within a function gas is in a local; it is written to the global before a call, a `return`, the function's end and
//!   an exhausted guest's, and read again behind a call.
//! - `[GA-4]` What each operator costs is in the table of [`cost`].
//! - `[GA-5]` A call takes a frame of slots and gives it back when it returns: parameters, locals, the most operands at a
//!   time, and [`FRAME_SLOTS`]. Too few slots left end the guest. A function that calls nothing and whose frame has at most
//!   [`LEAF_SLOTS`] takes none.
//! - `[GA-6]` An empty `block` stands before every `select` that does not follow a `local.get` or `global.get`, and before every
//!   `block`, `loop` and `if` whose type is one of the module's. It changes nothing, but keeps machines from taking a `select`
//!   together with the comparison before it, and from entering a block with parameters while locals that were fetched still
//!   wait below them: wasmi 2.0 does both wrongly.

mod blocks;
pub(super) mod cost;

use wasm_encoder::{BlockType, Function, Instruction};
use wasmparser::{BinaryReaderError, FunctionBody, Operator, ValType};

use super::module::parts;
use blocks::{Block, Blocks};
use cost::Costs;

/// The export of the gas that is left (rule GA-1).
pub(super) const GAS: &str = "surety:gas";
/// The export of the stack slots that are left (rule GA-1).
pub(super) const STACK: &str = "surety:stack";
/// Slots of every frame beside those that the function names: return address, saved registers.
const FRAME_SLOTS: u32 = 4;
/// Slots up to which the frame of a function that calls nothing is not counted: there is one of them at a time.
const LEAF_SLOTS: u32 = 256;

/// The indices of what rewritten code refers to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meter {
    /// The global of rule GA-1.
    pub(super) gas: u32,
    /// The other.
    pub(super) stack: u32,
}

/// What the validation of a function's body showed.
#[derive(Debug)]
pub(super) struct Survey {
    blocks: Blocks,
    operands_max: u32,
    calls: bool,
}

impl Survey {
    pub(super) fn new(costs: Costs) -> Self {
        Self {
            blocks: Blocks::new(costs),
            operands_max: 0,
            calls: false,
        }
    }

    /// Takes the next operator, and the operands on the stack after it; nothing if it has no price.
    #[must_use]
    pub(super) fn operator(&mut self, operator: &Operator<'_>, operands: u32) -> Option<()> {
        self.operands_max = self.operands_max.max(operands);
        self.calls |= matches!(
            operator,
            Operator::Call { .. } | Operator::CallIndirect { .. }
        );
        self.blocks.operator(operator)
    }
}

impl Meter {
    /// Rewrites a function of `module` that has so many parameters and gives such results (rules GA-2 to GA-6).
    pub(super) fn rewrite(
        &self,
        module: &[u8],
        body: &FunctionBody<'_>,
        survey: Survey,
        params: u32,
        results: BlockType,
    ) -> Result<Function, BinaryReaderError> {
        let mut locals = parts::locals(body)?;
        let declared = locals.iter().map(|(count, _)| *count);
        let gas = declared.fold(params, u32::saturating_add);
        locals.push((1, wasm_encoder::ValType::I64));
        let mut code = Code {
            out: Function::new(locals),
            meter: *self,
            gas,
            frame: frame(gas, &survey),
        };
        code.enter();
        // A branch to the function's own label comes to the end of this block, which has its place: depths stay right.
        code.out.instruction(&Instruction::Block(results));
        let mut blocks = survey.blocks.finish().into_iter().peekable();
        // Whether the condition of a `select` would be what was just fetched (rule GA-6).
        let mut got = false;
        for (index, next) in parts::operators(module, body)?.enumerate() {
            let (operator, bytes) = next?;
            if let Some(block) = blocks.next_if(|block| block.at == index) {
                code.pay(&block);
            }
            match operator {
                Operator::Call { .. } | Operator::CallIndirect { .. } => code.call(bytes),
                Operator::Select if !got => code.apart(bytes),
                Operator::Block { blockty }
                | Operator::Loop { blockty }
                | Operator::If { blockty }
                    if matches!(blockty, wasmparser::BlockType::FuncType(_)) =>
                {
                    code.apart(bytes);
                }
                Operator::Return => {
                    code.leave();
                    code.raw(bytes);
                }
                _ => code.raw(bytes),
            }
            got = matches!(
                operator,
                Operator::LocalGet { .. } | Operator::GlobalGet { .. }
            );
        }
        code.leave();
        code.out.instruction(&Instruction::End);
        Ok(code.out)
    }
}

/// The types of values that a module can have (rule MO-1).
pub(super) const fn encoded(ty: ValType) -> wasm_encoder::ValType {
    match ty {
        ValType::I32 => wasm_encoder::ValType::I32,
        ValType::I64 => wasm_encoder::ValType::I64,
        ValType::F32 => wasm_encoder::ValType::F32,
        ValType::F64 => wasm_encoder::ValType::F64,
        ValType::V128 => wasm_encoder::ValType::V128,
        ValType::Ref(_) => wasm_encoder::ValType::FUNCREF,
    }
}

/// The slots of a function's frame, or none if it is not counted (rule GA-5).
fn frame(locals: u32, survey: &Survey) -> Option<i32> {
    let named = locals.saturating_add(survey.operands_max);
    let slots = named.saturating_add(FRAME_SLOTS);
    let counted = survey.calls || slots > LEAF_SLOTS;
    counted.then(|| i32::try_from(slots).unwrap_or(i32::MAX))
}

/// A function while it is written.
struct Code {
    out: Function,
    meter: Meter,
    /// The local that gas is in.
    gas: u32,
    frame: Option<i32>,
}

impl Code {
    fn raw(&mut self, bytes: &[u8]) {
        self.out.raw(bytes.iter().copied());
    }

    /// An operator with an empty block before it (rule GA-6).
    fn apart(&mut self, bytes: &[u8]) {
        self.emit([Instruction::Block(BlockType::Empty), Instruction::End]);
        self.raw(bytes);
    }

    fn emit<const N: usize>(&mut self, instructions: [Instruction<'_>; N]) {
        for instruction in &instructions {
            self.out.instruction(instruction);
        }
    }

    /// Takes the frame and fetches the gas.
    fn enter(&mut self) {
        let stack = self.meter.stack;
        if let Some(frame) = self.frame {
            self.emit([
                Instruction::GlobalGet(stack),
                Instruction::I32Const(frame),
                Instruction::I32Sub,
                Instruction::GlobalSet(stack),
                Instruction::GlobalGet(stack),
                Instruction::I32Const(0),
                Instruction::I32LtS,
                Instruction::If(BlockType::Empty),
                Instruction::Unreachable,
                Instruction::End,
            ]);
        }
        self.fetch();
    }

    /// Gives the frame back and writes the gas.
    fn leave(&mut self) {
        self.flush();
        let stack = self.meter.stack;
        if let Some(frame) = self.frame {
            self.emit([
                Instruction::GlobalGet(stack),
                Instruction::I32Const(frame),
                Instruction::I32Add,
                Instruction::GlobalSet(stack),
            ]);
        }
    }

    fn fetch(&mut self) {
        let (local, global) = (self.gas, self.meter.gas);
        self.emit([Instruction::GlobalGet(global), Instruction::LocalSet(local)]);
    }

    fn flush(&mut self) {
        let (local, global) = (self.gas, self.meter.gas);
        self.emit([Instruction::LocalGet(local), Instruction::GlobalSet(global)]);
    }

    fn call(&mut self, bytes: &[u8]) {
        self.flush();
        self.raw(bytes);
        self.fetch();
    }

    /// Takes what a block costs (rules GA-2 and GA-3).
    fn pay(&mut self, block: &Block) {
        let gas = self.gas;
        self.emit([
            Instruction::LocalGet(gas),
            Instruction::I64Const(i64::try_from(block.cost).unwrap_or(i64::MAX)),
            Instruction::I64Sub,
        ]);
        if !block.checked {
            return self.emit([Instruction::LocalSet(gas)]);
        }
        self.emit([
            Instruction::LocalTee(gas),
            Instruction::I64Const(0),
            Instruction::I64LtS,
            Instruction::If(BlockType::Empty),
        ]);
        self.flush();
        self.emit([Instruction::Unreachable, Instruction::End]);
    }
}

#[cfg(test)]
mod tests;
