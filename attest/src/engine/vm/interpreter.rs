//! The machine that interprets: wasmi, which shares no code with the other that decides what an instruction does.

mod guest;
mod instance;

use wasmi::errors::{ErrorKind, HostError, InstantiationError};
use wasmi::{AsContextMut, Config, Engine, Linker, Module, TrapCode, Val, ValType};

use self::guest::InterpreterGuest;
pub(in crate::engine) use self::instance::InterpreterInstance;
use super::{Halt, Number, Trap, Vm, low};
use crate::engine::host::HostFunction;
use crate::engine::module::Checked;
use crate::engine::{Abstain, EngineError};

/// Bytes of the interpreter's own stack: far more than the slots that a guest may take (rule GA-5), so that they end first.
const STACK_BYTES: usize = 256 << 20;
/// Calls within each other, as far from where the slots end.
const CALLS_MAX: usize = 1 << 20;

/// Interprets modules. Its memories cannot be watched: what changed is found by comparison.
pub(in crate::engine) struct Interpreter {
    engine: Engine,
    memory_bytes_max: u64,
}

impl Interpreter {
    /// A machine on a host that has so much memory for one process.
    pub(in crate::engine) fn new(memory_bytes_max: u64) -> Self {
        let mut config = Config::default();
        config
            .set_max_stack_height(STACK_BYTES)
            .set_max_recursion_depth(CALLS_MAX)
            // What the check lets through, and nothing else.
            .wasm_memory64(true)
            .wasm_simd(true)
            .wasm_relaxed_simd(false)
            .wasm_bulk_memory(false)
            .wasm_reference_types(false)
            .wasm_tail_call(false)
            .wasm_extended_const(false)
            .wasm_multi_memory(false)
            .ignore_custom_sections(true);
        Self {
            engine: Engine::new(&config),
            memory_bytes_max,
        }
    }
}

/// A translated module and the functions that it imports.
pub(in crate::engine) struct InterpreterCode {
    module: Module,
    linker: Linker<instance::State>,
    /// The export names of the mutable globals, in order.
    globals: Vec<String>,
    wide: bool,
    /// Bytes that this host has for one process.
    host_bytes: u64,
}

impl Vm for Interpreter {
    type Code = InterpreterCode;
    type Instance = InterpreterInstance;
    const WATCHES: bool = false;

    fn prepare(&self, module: &Checked) -> Result<InterpreterCode, EngineError> {
        let translated = Module::new(&self.engine, &module.bytes).map_err(|_| Abstain::Engine)?;
        let mut linker = Linker::new(&self.engine);
        link(&mut linker, &translated).map_err(|_| Abstain::Engine)?;
        Ok(InterpreterCode {
            module: translated,
            linker,
            globals: module.globals.clone(),
            wide: module.wide,
            host_bytes: self.memory_bytes_max,
        })
    }

    fn instantiate(
        code: &InterpreterCode,
        memory_bytes_max: u64,
    ) -> Result<InterpreterInstance, Halt> {
        InterpreterInstance::new(code, memory_bytes_max)
    }
}

impl HostError for Halt {}

/// Gives a checked module's imports their functions.
fn link(linker: &mut Linker<instance::State>, module: &Module) -> Result<(), wasmi::Error> {
    // A module may import a function twice.
    linker.allow_shadowing(true);
    for import in module.imports() {
        let function = HostFunction::find(import.module(), import.name());
        let (Some(ty), Some(function)) = (import.ty().func().cloned(), function) else {
            continue;
        };
        let call = move |mut caller: wasmi::Caller<'_, instance::State>,
                         args: &[Val],
                         results: &mut [Val]| {
            let args: Vec<Number> = args.iter().map(number).collect();
            // Nothing of the guest runs before its parts are known: a start function is an export.
            let parts = caller.data().parts.clone();
            let parts = parts.ok_or_else(|| wasmi::Error::host(Halt::from(Abstain::Engine)))?;
            let mut guest = InterpreterGuest::new(caller.as_context_mut(), parts);
            let answer = function.call(&mut guest, &args);
            let answer = answer.map_err(wasmi::Error::host)?;
            if let Some(result) = results.first_mut() {
                *result = value(result.ty(), answer.map_or(0, Number::bits));
            }
            Ok(())
        };
        linker.func_new(import.module(), import.name(), ty, call)?;
    }
    Ok(())
}

fn number(value: &Val) -> Number {
    match value {
        Val::I32(value) => Number::I32(*value),
        Val::I64(value) => Number::I64(*value),
        Val::F32(value) => Number::F32(value.to_bits()),
        Val::F64(value) => Number::F64(value.to_bits()),
        _ => Number::I32(0),
    }
}

/// Bits as a value of this type, as many as it has.
fn value(ty: ValType, bits: u64) -> Val {
    match ty {
        ValType::I64 => Val::I64(bits.cast_signed()),
        ValType::F32 => Val::F32(wasmi::F32::from_bits(low(bits).cast_unsigned())),
        ValType::F64 => Val::F64(wasmi::F64::from_bits(bits)),
        _ => Val::I32(low(bits)),
    }
}

/// What an error out of the machine means.
fn halted(error: &wasmi::Error) -> Halt {
    if let Some(halt) = error.downcast_ref::<Halt>() {
        return halt.clone();
    }
    if let ErrorKind::Instantiation(InstantiationError::ElementSegmentDoesNotFit { .. }) =
        error.kind()
    {
        return Trap::TableOutOfBounds.into();
    }
    let trap = match error.as_trap_code() {
        Some(TrapCode::UnreachableCodeReached) => Trap::Unreachable,
        Some(TrapCode::MemoryOutOfBounds) => Trap::MemoryOutOfBounds,
        Some(TrapCode::TableOutOfBounds) => Trap::TableOutOfBounds,
        Some(TrapCode::IndirectCallToNull) => Trap::IndirectCallToNull,
        Some(TrapCode::BadSignature) => Trap::BadSignature,
        Some(TrapCode::IntegerOverflow) => Trap::IntegerOverflow,
        Some(TrapCode::IntegerDivisionByZero) => Trap::IntegerDivisionByZero,
        Some(TrapCode::BadConversionToInteger) => Trap::BadConversionToInteger,
        Some(TrapCode::StackOverflow) => return Abstain::Stack.into(),
        Some(TrapCode::OutOfSystemMemory) => return Abstain::Memory.into(),
        _ => return Abstain::Engine.into(),
    };
    trap.into()
}
