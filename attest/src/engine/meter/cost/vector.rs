//! What operators on vectors cost: one instruction of the processor for some, a dozen for others.

use wasmparser::Operator;

/// Those that no class below names: integers, lanes, comparisons, what moves bits about.
const OTHERS: u64 = 8;

macro_rules! is_vector {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $ty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
        const fn is_vector(operator: &Operator<'_>) -> bool {
            matches!(operator, $(Operator::$op { .. })|*)
        }
    };
}
wasmparser::for_each_visit_simd_operator!(is_vector);

/// The cost of an operator on vectors; nothing if it is another.
pub(super) const fn cost(operator: &Operator<'_>) -> Option<u64> {
    use Operator as O;
    if !is_vector(operator) {
        return None;
    }
    Some(match operator {
        O::V128Const { .. } | O::V128Not | O::V128And | O::V128AndNot | O::V128Or | O::V128Xor => 2,
        O::V128Load { .. }
        | O::V128Load8x8S { .. }
        | O::V128Load8x8U { .. }
        | O::V128Load16x4S { .. }
        | O::V128Load16x4U { .. }
        | O::V128Load32x2S { .. }
        | O::V128Load32x2U { .. }
        | O::V128Load8Splat { .. }
        | O::V128Load16Splat { .. }
        | O::V128Load32Splat { .. }
        | O::V128Load64Splat { .. }
        | O::V128Load32Zero { .. }
        | O::V128Load64Zero { .. }
        | O::V128Load8Lane { .. }
        | O::V128Load16Lane { .. }
        | O::V128Load32Lane { .. }
        | O::V128Load64Lane { .. } => 16,
        O::V128Store { .. }
        | O::V128Store8Lane { .. }
        | O::V128Store16Lane { .. }
        | O::V128Store32Lane { .. }
        | O::V128Store64Lane { .. } => 6,
        O::I8x16Shl
        | O::I8x16ShrS
        | O::I8x16ShrU
        | O::I8x16Popcnt
        | O::I64x2ShrS
        | O::I64x2Mul
        | O::I32x4TruncSatF32x4S
        | O::I32x4TruncSatF32x4U
        | O::I32x4TruncSatF64x2SZero
        | O::I32x4TruncSatF64x2UZero
        | O::F32x4ConvertI32x4S
        | O::F32x4ConvertI32x4U
        | O::F64x2ConvertLowI32x4S
        | O::F64x2ConvertLowI32x4U
        | O::F32x4DemoteF64x2Zero
        | O::F64x2PromoteLowF32x4 => 24,
        // Each lane of a result is made canonical.
        O::F32x4Add | O::F32x4Sub | O::F32x4Mul | O::F64x2Add | O::F64x2Sub | O::F64x2Mul => 24,
        O::F32x4Div
        | O::F32x4Min
        | O::F32x4Max
        | O::F32x4Sqrt
        | O::F32x4Ceil
        | O::F32x4Floor
        | O::F32x4Trunc
        | O::F32x4Nearest
        | O::F64x2Div
        | O::F64x2Min
        | O::F64x2Max
        | O::F64x2Sqrt
        | O::F64x2Ceil
        | O::F64x2Floor
        | O::F64x2Trunc
        | O::F64x2Nearest => 48,
        _ => OTHERS,
    })
}
