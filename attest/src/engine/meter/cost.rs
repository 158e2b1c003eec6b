//! What an operator costs (rule GA-4).
//!
//! One unit is the time of the cheapest operator that does something. The weights are of classes, from measurements of
//! loops full of each class; a class is charged for its slowest member on ordinary data, so that no module is much slower
//! than its gas says.

mod vector;

use wasmparser::Operator;

/// What operators and the entry of a function cost.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Costs {
    pub(super) entry: u64,
    pub(super) operator: fn(&Operator<'_>) -> Option<u64>,
}

impl Costs {
    /// The costs of profile 1.
    pub(in crate::engine) const V1: Self = Self {
        entry: 4,
        operator: v1,
    };

    /// What an operator costs; nothing if it has no price.
    pub(in crate::engine) fn of(&self, operator: &Operator<'_>) -> Option<u64> {
        (self.operator)(operator)
    }
}

#[cfg(test)]
impl Costs {
    /// What wasmtime's fuel counts, so that the two can be compared: one for everything that is not only control flow, and
    /// one for the entry of a function.
    pub(in crate::engine) const FUEL: Self = Self {
        entry: 1,
        operator: |operator| {
            Some(match operator {
                Operator::Nop
                | Operator::Drop
                | Operator::Block { .. }
                | Operator::Loop { .. }
                | Operator::Unreachable
                | Operator::Return
                | Operator::Else
                | Operator::End => 0,
                _ => 1,
            })
        },
    };
}

/// Control flow that takes no time of its own is free: what branches pays. What has no price is refused (rule MO-1): no operator that
/// a later version of the parser may know gets in without one.
const fn v1(operator: &Operator<'_>) -> Option<u64> {
    use Operator as O;
    if let Some(cost) = vector::cost(operator) {
        return Some(cost);
    }
    Some(match operator {
        O::Nop
        | O::Block { .. }
        | O::Loop { .. }
        | O::Else
        | O::End
        | O::Unreachable
        | O::Return
        | O::Drop => 0,
        O::Br { .. } | O::BrIf { .. } | O::If { .. } => 2,
        O::BrTable { .. } => 8,
        O::Call { .. } => 4,
        O::CallIndirect { .. } => 12,
        O::GlobalGet { .. } | O::GlobalSet { .. } => 2,
        O::I32Load { .. }
        | O::I64Load { .. }
        | O::F32Load { .. }
        | O::F64Load { .. }
        | O::I32Load8S { .. }
        | O::I32Load8U { .. }
        | O::I32Load16S { .. }
        | O::I32Load16U { .. }
        | O::I64Load8S { .. }
        | O::I64Load8U { .. }
        | O::I64Load16S { .. }
        | O::I64Load16U { .. }
        | O::I64Load32S { .. }
        | O::I64Load32U { .. } => 12,
        O::I32Store { .. }
        | O::I64Store { .. }
        | O::F32Store { .. }
        | O::F64Store { .. }
        | O::I32Store8 { .. }
        | O::I32Store16 { .. }
        | O::I64Store8 { .. }
        | O::I64Store16 { .. }
        | O::I64Store32 { .. } => 4,
        O::I32Clz | O::I32Ctz | O::I32Popcnt | O::I64Clz | O::I64Ctz | O::I64Popcnt => 3,
        O::MemorySize { .. } => 4,
        O::MemoryGrow { .. } => 10_000,
        O::I32Mul | O::I64Mul => 3,
        O::I32DivS | O::I32DivU | O::I32RemS | O::I32RemU => 12,
        O::I64DivS | O::I64DivU | O::I64RemS | O::I64RemU => 16,
        // Each result is made canonical, which costs a comparison and a choice.
        O::F32Add | O::F32Sub | O::F32Mul | O::F64Add | O::F64Sub | O::F64Mul => 16,
        O::F32Min | O::F32Max | O::F64Min | O::F64Max | O::F32Div | O::F64Div => 32,
        O::F32Ceil
        | O::F32Floor
        | O::F32Trunc
        | O::F32Nearest
        | O::F64Ceil
        | O::F64Floor
        | O::F64Trunc
        | O::F64Nearest
        | O::F32Sqrt
        | O::F64Sqrt => 40,
        O::I32TruncF32S
        | O::I32TruncF32U
        | O::I32TruncF64S
        | O::I32TruncF64U
        | O::I64TruncF32S
        | O::I64TruncF32U
        | O::I64TruncF64S
        | O::I64TruncF64U
        | O::I32TruncSatF32S
        | O::I32TruncSatF32U
        | O::I32TruncSatF64S
        | O::I32TruncSatF64U
        | O::I64TruncSatF32S
        | O::I64TruncSatF32U
        | O::I64TruncSatF64S
        | O::I64TruncSatF64U
        | O::F32ConvertI32S
        | O::F32ConvertI32U
        | O::F32ConvertI64S
        | O::F32ConvertI64U
        | O::F64ConvertI32S
        | O::F64ConvertI32U
        | O::F64ConvertI64S
        | O::F64ConvertI64U
        | O::F32DemoteF64
        | O::F64PromoteF32 => 12,
        O::Select
        | O::LocalGet { .. }
        | O::LocalSet { .. }
        | O::LocalTee { .. }
        | O::I32Const { .. }
        | O::I64Const { .. }
        | O::F32Const { .. }
        | O::F64Const { .. }
        | O::I32Eqz
        | O::I32Eq
        | O::I32Ne
        | O::I32LtS
        | O::I32LtU
        | O::I32GtS
        | O::I32GtU
        | O::I32LeS
        | O::I32LeU
        | O::I32GeS
        | O::I32GeU
        | O::I64Eqz
        | O::I64Eq
        | O::I64Ne
        | O::I64LtS
        | O::I64LtU
        | O::I64GtS
        | O::I64GtU
        | O::I64LeS
        | O::I64LeU
        | O::I64GeS
        | O::I64GeU
        | O::F32Eq
        | O::F32Ne
        | O::F32Lt
        | O::F32Gt
        | O::F32Le
        | O::F32Ge
        | O::F64Eq
        | O::F64Ne
        | O::F64Lt
        | O::F64Gt
        | O::F64Le
        | O::F64Ge
        | O::I32Add
        | O::I32Sub
        | O::I32And
        | O::I32Or
        | O::I32Xor
        | O::I32Shl
        | O::I32ShrS
        | O::I32ShrU
        | O::I32Rotl
        | O::I32Rotr
        | O::I64Add
        | O::I64Sub
        | O::I64And
        | O::I64Or
        | O::I64Xor
        | O::I64Shl
        | O::I64ShrS
        | O::I64ShrU
        | O::I64Rotl
        | O::I64Rotr
        | O::F32Abs
        | O::F32Neg
        | O::F32Copysign
        | O::F64Abs
        | O::F64Neg
        | O::F64Copysign
        | O::I32WrapI64
        | O::I64ExtendI32S
        | O::I64ExtendI32U
        | O::I32ReinterpretF32
        | O::I64ReinterpretF64
        | O::F32ReinterpretI32
        | O::F64ReinterpretI64
        | O::I32Extend8S
        | O::I32Extend16S
        | O::I64Extend8S
        | O::I64Extend16S
        | O::I64Extend32S => 1,
        _ => return None,
    })
}
