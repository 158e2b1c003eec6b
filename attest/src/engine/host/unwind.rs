//! `setjmp` and `longjmp` as emscripten compiles them (rule HO-4).

use super::price::INVOKE_SLOTS;
use super::{Guest, GuestExt, Halt, Number};
use crate::engine::vm::Meters;

/// `invoke_x`: calls `target` and catches a long jump out of it.
pub(super) fn invoke(
    guest: &mut dyn Guest,
    target: &str,
    args: &[Number],
) -> Result<Option<Number>, Halt> {
    let meters = guest.meters();
    let slots = meters.stack;
    let left = Meters {
        stack: slots.saturating_sub(INVOKE_SLOTS),
        ..meters
    };
    guest.set_meters(left)?;
    if left.stack < 0 {
        return Err(Halt::Spent);
    }
    let answer = jump(guest, target, args)?;
    // The frames that a long jump left behind did not give back theirs.
    let meters = guest.meters();
    guest.set_meters(Meters {
        stack: slots,
        ..meters
    })?;
    Ok(answer)
}

/// The module was checked to export what is called (rule MO-3).
fn jump(guest: &mut dyn Guest, target: &str, args: &[Number]) -> Result<Option<Number>, Halt> {
    let stack = guest.enter("emscripten_stack_get_current", &[])?;
    match guest.enter(target, args) {
        Err(Halt::LongJump) => {
            let stack = stack.unwrap_or(Number::I32(0));
            guest.enter("_emscripten_stack_restore", &[stack])?;
            guest.enter("setThrew", &[Number::I32(1), Number::I32(0)])?;
            Ok(None)
        }
        outcome => outcome,
    }
}
