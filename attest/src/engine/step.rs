//! The calls that boot a module and that apply an input (rules EN-1 and EN-2).

use super::module::START;
use super::vm::{Guest, Halt, Meters, Number};
use super::{EngineError, ModuleRefused};

/// What a guest exports that takes its texts on the stack (rule EN-2).
const STACK_EXPORTS: [&str; 4] = [
    "_emscripten_stack_alloc",
    "_emscripten_stack_restore",
    "emscripten_stack_get_current",
    "emscripten_stack_get_free",
];

/// Why a call into the guest gave no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// The guest's own doing: a result (rule EN-3). The text is part of the result.
    Failed(String),
    /// The witness' or the host's doing: no result.
    Error(EngineError),
}

impl From<Halt> for Stop {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Host(abstain) => Self::Error(abstain.into()),
            Halt::Witness(fault) => Self::Error(fault.into()),
            guest => Self::Failed(format!("surety: {guest}")),
        }
    }
}

impl Stop {
    /// The same where no result can be: what ends a boot refuses the module (rule EN-1).
    pub(super) fn refusing(self) -> EngineError {
        match self {
            Self::Failed(why) => ModuleRefused::Boot(why).into(),
            Self::Error(error) => error,
        }
    }
}

/// What calls into the guest may use (rules EN-4 and GA-1).
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    pub(super) gas: u64,
    pub(super) stack_slots: u32,
}

/// Boots (rule EN-1).
pub(super) fn boot(guest: &mut impl Guest, allowance: Allowance) -> Result<(), Stop> {
    allow(guest, allowance)?;
    // What initializes calls the constructors itself.
    let last = ["_initialize", "__wasm_call_ctors"];
    let last = last.into_iter().find(|export| guest.has(export));
    let exports = [START, "emscripten_stack_init"].into_iter().chain(last);
    for export in exports {
        if guest.has(export) {
            call(guest, export, &[])?;
        }
    }
    Ok(())
}

/// Applies an input; gives the module's reply and the gas.
pub(super) fn step(
    guest: &mut impl Guest,
    allowance: Allowance,
    texts: [&[u8]; 2],
    reply_bytes_max: u64,
) -> Result<(Vec<u8>, u64), Stop> {
    allow(guest, allowance)?;
    let stack = stack_for(guest, &texts)?;
    let allocate = stack.map_or("malloc", |_| "_emscripten_stack_alloc");
    let [message, environment] = texts;
    let message = give(guest, allocate, message)?;
    let environment = give(guest, allocate, environment)?;
    let reply = call(guest, "handle", &[message, environment])?;
    if let Some(stack) = stack {
        call(guest, "_emscripten_stack_restore", &[stack])?;
    }
    let text = guest.text(reply, reply_bytes_max)?;
    if stack.is_none() && guest.has("free") {
        call(guest, "free", &[environment])?;
        call(guest, "free", &[message])?;
    }
    let left = u64::try_from(guest.meters().gas).unwrap_or(0);
    let text = text.ok_or_else(|| Stop::Failed("surety: the reply is too long".to_owned()))?;
    Ok((text, allowance.gas.saturating_sub(left)))
}

fn allow(guest: &mut impl Guest, allowance: Allowance) -> Result<(), Halt> {
    guest.set_meters(Meters {
        gas: i64::try_from(allowance.gas).unwrap_or(i64::MAX),
        stack: i32::try_from(allowance.stack_slots).unwrap_or(i32::MAX),
    })
}

/// Where the guest's stack is, if its texts belong there (rule EN-2).
fn stack_for(guest: &mut impl Guest, texts: &[&[u8]]) -> Result<Option<u64>, Stop> {
    if !STACK_EXPORTS.iter().all(|export| guest.has(export)) {
        return Ok(None);
    }
    let free = call(guest, "emscripten_stack_get_free", &[])?;
    let bytes = texts.iter().map(|text| text.len() as u64).sum::<u64>();
    if bytes > free / 2 {
        return Ok(None);
    }
    call(guest, "emscripten_stack_get_current", &[]).map(Some)
}

/// Puts a text, ended by a zero, where a function of the guest says.
fn give(guest: &mut impl Guest, allocate: &str, text: &[u8]) -> Result<u64, Stop> {
    let bytes = [text, &[0]].concat();
    let at = call(guest, allocate, &[bytes.len() as u64])?;
    if at == 0 {
        return Err(Stop::Failed("surety: no memory for the message".to_owned()));
    }
    guest.write(at, &bytes)?;
    Ok(at)
}

/// Calls an export with these integers; gives its integer.
fn call(guest: &mut impl Guest, export: &str, args: &[u64]) -> Result<u64, Stop> {
    let args: Vec<Number> = args
        .iter()
        .map(|arg| Number::I64(arg.cast_signed()))
        .collect();
    let called = match guest.call(export, &args) {
        Err(halt @ (Halt::Host(_) | Halt::Witness(_))) => return Err(halt.into()),
        called => called,
    };
    // Whatever ended it, running out came first.
    let left = guest.meters();
    if left.stack < 0 {
        return Err(Stop::Failed("surety: out of stack".to_owned()));
    }
    if left.gas < 0 {
        return Err(Stop::Failed("surety: out of gas".to_owned()));
    }
    Ok(called?.map_or(0, Number::bits))
}
