//! The machine that compiles: wasmtime's Cranelift.

mod compiled;
mod guest;
mod instance;

use std::sync::Arc;

use wasmtime::{
    AsContextMut, Config, Engine, InstancePre, Linker, Module, OptLevel, Val, ValType, WasmFeatures,
};

use self::guest::JitGuest;
pub(in crate::engine) use self::instance::JitInstance;
use super::{Halt, Number, Trap, Vm, low};
use crate::engine::host::HostFunction;
use crate::engine::module::{self, Checked};
use crate::engine::stack::WASM_STACK_BYTES;
use crate::engine::{Abstain, Artefacts, EngineError, Host};
use crate::memory::{Creator, GUARD, RESERVED, Watching, install};

/// Compiles modules and runs what it compiled. Its memories are watched by the kernel.
pub(in crate::engine) struct Jit {
    engine: Engine,
    artefacts: Option<Arc<dyn Artefacts>>,
}

impl Jit {
    /// A machine whose memories are watched in this way, with what the host has.
    ///
    /// # Errors
    /// Abstains if this host cannot watch memory pages.
    pub(in crate::engine) fn new(watching: Watching, host: Host) -> Result<Self, Abstain> {
        let creator = Creator::new(watching, host.memory_bytes_max);
        let engine = Engine::new(&config(creator)).map_err(|_| Abstain::Unsupported)?;
        if !install() {
            return Err(Abstain::Unsupported);
        }
        Ok(Self {
            engine,
            artefacts: host.artefacts,
        })
    }
}

/// A compiled module, its imports resolved.
pub(in crate::engine) struct JitCode {
    pre: InstancePre<instance::State>,
    /// The export names of the mutable globals, in order.
    globals: Vec<String>,
    wide: bool,
}

impl Vm for Jit {
    type Code = JitCode;
    type Instance = JitInstance;
    const WATCHES: bool = true;

    fn prepare(&self, module: &Checked) -> Result<JitCode, EngineError> {
        let compiled = compiled::compiled(&self.engine, self.artefacts.as_ref(), &module.bytes)?;
        let mut linker = Linker::new(&self.engine);
        link(&mut linker, &compiled).map_err(|_| Abstain::Engine)?;
        Ok(JitCode {
            pre: linker
                .instantiate_pre(&compiled)
                .map_err(|_| Abstain::Engine)?,
            globals: module.globals.clone(),
            wide: module.wide,
        })
    }

    fn instantiate(code: &JitCode, memory_bytes_max: u64) -> Result<JitInstance, Halt> {
        JitInstance::new(code, memory_bytes_max)
    }
}

/// Everything that could differ between hosts is fixed or off.
fn config(creator: Creator) -> Config {
    let mut config = Config::new();
    // What the check lets through, and nothing else.
    let allowed = module::features();
    config
        .wasm_features(
            WasmFeatures::all() & !WasmFeatures::from_bits_retain(allowed.bits()),
            false,
        )
        .wasm_memory64(true)
        .wasm_multi_value(true)
        .wasm_simd(true)
        .wasm_relaxed_simd(false)
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(true)
        // A module's table is small (rule MO-6), and calls through one that fills itself as it is used take more code.
        .table_lazy_init(false)
        .max_wasm_stack(WASM_STACK_BYTES)
        // Not used, but wasmtime wants it not to be smaller.
        .async_stack_size(2 * WASM_STACK_BYTES)
        // A long jump is an error that passes through every frame: no time for back traces.
        .wasm_backtrace_max_frames(None)
        .memory_reservation(RESERVED)
        .memory_guard_size(GUARD)
        .memory_may_move(false)
        // Its image would have to be mapped over memory that is ours.
        .memory_init_cow(false)
        .with_host_memory(Arc::new(creator));
    no_masks(&mut config);
    config
}

/// Addresses of 64 bits are compared with the memory's size and not masked as well, which is for processors that read ahead
/// of the comparison: a guest has no clock and no second thread to see what was read by, and what executes strangers' code
/// holds no secret (rule WK-1). The masks took an eighth of the time of a 64-bit AOS.
#[allow(
    unsafe_code,
    reason = "a flag by its name may change what compiled code may do; this one leaves the comparisons"
)]
fn no_masks(config: &mut Config) {
    // SAFETY: the comparison that traps stays; what goes is the selection of an address by its outcome.
    unsafe { config.cranelift_flag_set("enable_heap_access_spectre_mitigation", "false") };
}

/// Gives a checked module's imports their functions.
fn link(linker: &mut Linker<instance::State>, module: &Module) -> wasmtime::Result<()> {
    // A module may import a function twice.
    linker.allow_shadowing(true);
    for import in module.imports() {
        let Some(ty) = import.ty().func().cloned() else {
            continue;
        };
        let Some(function) = HostFunction::find(import.module(), import.name()) else {
            continue;
        };
        let answers = ty.results().next();
        let call = move |mut caller: wasmtime::Caller<'_, instance::State>,
                         args: &[Val],
                         results: &mut [Val]| {
            let args: Vec<Number> = args.iter().map(number).collect();
            // Nothing of the guest runs before its parts are known: a start function is an export.
            let parts = caller.data().parts.clone();
            let parts = parts.ok_or_else(|| wasmtime::Error::new(Halt::from(Abstain::Engine)))?;
            let mut guest = JitGuest::new(caller.as_context_mut(), parts);
            let answer = function.call(&mut guest, &args);
            let answer = answer.map_err(wasmtime::Error::new)?;
            if let (Some(result), Some(ty)) = (results.first_mut(), &answers) {
                *result = value(ty, answer.map_or(0, Number::bits));
            }
            Ok(())
        };
        linker.func_new(import.module(), import.name(), ty, call)?;
    }
    Ok(())
}

const fn number(value: &Val) -> Number {
    match value {
        Val::I64(value) => Number::I64(*value),
        Val::F32(bits) => Number::F32(*bits),
        Val::F64(bits) => Number::F64(*bits),
        Val::I32(value) => Number::I32(*value),
        _ => Number::I32(0),
    }
}

/// Bits as a value of this type, as many as it has.
const fn value(ty: &ValType, bits: u64) -> Val {
    match ty {
        ValType::I64 => Val::I64(bits.cast_signed()),
        ValType::F32 => Val::F32(low(bits).cast_unsigned()),
        ValType::F64 => Val::F64(bits),
        _ => Val::I32(low(bits)),
    }
}

/// What an error out of the machine means.
fn halted(error: wasmtime::Error) -> Halt {
    let error = match error.downcast::<Halt>() {
        Ok(halt) => return halt,
        Err(error) => error,
    };
    let trap = match error.downcast_ref::<wasmtime::Trap>() {
        Some(wasmtime::Trap::UnreachableCodeReached) => Trap::Unreachable,
        Some(wasmtime::Trap::MemoryOutOfBounds) => Trap::MemoryOutOfBounds,
        Some(wasmtime::Trap::TableOutOfBounds) => Trap::TableOutOfBounds,
        Some(wasmtime::Trap::IndirectCallToNull) => Trap::IndirectCallToNull,
        Some(wasmtime::Trap::BadSignature) => Trap::BadSignature,
        Some(wasmtime::Trap::IntegerOverflow) => Trap::IntegerOverflow,
        Some(wasmtime::Trap::IntegerDivisionByZero) => Trap::IntegerDivisionByZero,
        Some(wasmtime::Trap::BadConversionToInteger) => Trap::BadConversionToInteger,
        Some(wasmtime::Trap::StackOverflow) => return Abstain::Stack.into(),
        _ => return Abstain::Engine.into(),
    };
    trap.into()
}
