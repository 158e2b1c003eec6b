//! `setjmp` and `longjmp` as emscripten compiles them (rule HO-4).

use wasmtime::{Caller, Func, Trap, Val, ValType};

use super::{Ended, Host, INVOKE_GAS, INVOKE_SLOTS, charge, low, numbers};

/// `invoke_x`: calls `target` and catches a long jump out of it.
pub(super) fn invoke(
    mut caller: Caller<'_, Host>,
    target: &str,
    args: &[Val],
    results: &mut [Val],
) -> wasmtime::Result<()> {
    charge(&mut caller, INVOKE_GAS)?;
    let meters = caller.data().meters.ok_or(Ended::Spent)?;
    let slots = meters.stack(&mut caller);
    let left = slots.saturating_sub(INVOKE_SLOTS);
    meters.set_stack(&mut caller, left)?;
    if left < 0 {
        return Err(Ended::Spent.into());
    }
    let outcome = jump(&mut caller, target, args, results);
    // The frames that a long jump left behind did not give back theirs.
    if outcome.is_ok() {
        meters.set_stack(&mut caller, slots)?;
    }
    outcome
}

fn jump(
    caller: &mut Caller<'_, Host>,
    target: &str,
    args: &[Val],
    results: &mut [Val],
) -> wasmtime::Result<()> {
    let mut stack = [Val::I32(0)];
    call(caller, "emscripten_stack_get_current", &[], &mut stack)?;
    match call(caller, target, args, results) {
        Err(error) if error.downcast_ref() == Some(&Ended::LongJump) => {
            call(caller, "_emscripten_stack_restore", &stack, &mut [])?;
            call(caller, "setThrew", &[Val::I32(1), Val::I32(0)], &mut [])?;
            if let Some(result) = results.first_mut() {
                *result = Val::default_for_ty(&result.ty(&*caller)?).unwrap_or(Val::I32(0));
            }
            Ok(())
        }
        outcome => outcome,
    }
}

/// Calls an export, making each integer as wide as its parameter. The module was checked to export
/// it (rule MO-3).
fn call(
    caller: &mut Caller<'_, Host>,
    name: &str,
    args: &[Val],
    results: &mut [Val],
) -> wasmtime::Result<()> {
    let function: Func = caller
        .get_export(name)
        .and_then(wasmtime::Extern::into_func)
        .ok_or(Trap::IndirectCallToNull)?;
    let params = function.ty(&*caller);
    let args: Vec<Val> = params
        .params()
        .zip(args)
        .map(|(ty, arg)| fit(&ty, *arg))
        .collect();
    function.call(caller, &args, results)
}

fn fit(ty: &ValType, arg: Val) -> Val {
    let number = numbers(&[arg]).first().copied().unwrap_or(0);
    match ty {
        ValType::I32 => Val::I32(low(number)),
        ValType::I64 => Val::I64(number.cast_signed()),
        _ => arg,
    }
}
