//! Which modules a profile executes, and how their state is laid open.
//!
//! # Rules
//!
//! - `[MO-1]` A module is valid WebAssembly 1.0 with mutable globals, saturating conversions, sign
//!   extension, multiple values, 64-bit memories, vectors of 128 bits, and of bulk memory
//!   `memory.copy` and `memory.fill`. Everything else is refused: relaxed vectors, threads,
//!   exceptions, tail calls, garbage collection, reference types; with them and the rest of bulk
//!   memory all ways to change a table or to drop a segment at run time, so that memory and globals
//!   are the whole state.
//! - `[MO-2]` It defines one memory, exported as `memory`, and exports `handle: (ptr, ptr) -> ptr`
//!   and `malloc: (ptr) -> ptr`, where `ptr` is `i32`, or `i64` if the memory is a 64-bit one.
//!   No function that it exports or imports takes or gives a vector, and no mutable global is one.
//! - `[MO-3]` It imports functions only, each known to the host by name and type. `invoke_x` needs
//!   the exports `dynCall_x`, `emscripten_stack_get_current`, `_emscripten_stack_restore` and
//!   `setThrew`.
//! - `[MO-4]` No export begins with `surety:`. What runs is the module rewritten: custom sections
//!   dropped; mutable global `i` exported as `surety:global:i`; the start function exported as
//!   `surety:start` instead of run at instantiation, since a restored process must not run it
//!   again; its code metered (rules GA-1 to GA-6).
//! - `[MO-5]` The frame of a function (rule GA-5, without the 4) has at most 16,384 slots; rewritten,
//!   it has at most 262,144 bytes, and the module at most [`GROWTH_MAX`] times the bytes that the
//!   profile allows for one.
//! - `[MO-6]` There are at most 65,536 types, imports, functions, globals, exports, segments of each
//!   kind, elements in all of them, and entries that a table starts with; and at most 1,000 mutable
//!   globals.
//! - `[MO-7]` A type has at most 64 parameters and 16 results, a `br_table` at most 16,384 targets
//!   beside the default; at most 64 loops lie within each other.
//! - `[MO-8]` All functions together weigh at most 16,777,216 points: 50 for each, 25 for a
//!   `call_indirect`, 8 for a `call` and for what costs 12 of gas or more, 2 for every other operator,
//!   1 for a target of a `br_table`; and for each `block`, `loop`, `if`, `br_if` and `br_table` 16
//!   more, an eighth of the function's locals and a thirty-second of all of these that it has (both
//!   rounded down).
//! - `[MO-9]` Before anything else `memory.copy` and `memory.fill` become calls of two functions that
//!   are appended to the module: `bulk.wat` has them, in terms of loads and stores. A data count
//!   section goes; a module that has one gets the two functions even where nothing calls them. One
//!   whose data count is wrong is left as it is, and is invalid.

mod bounds;
mod lower;
pub(super) mod parts;
mod rewrite;

use std::borrow::Cow;
use std::collections::BTreeMap;

use wasmparser::types::{CoreTypeId, EntityType, Types, TypesRef};
use wasmparser::{
    CompositeInnerType, ExternalKind, FuncToValidate, FuncType, FunctionBody, OperatorsReader,
    Parser, Payload, ValType, ValidPayload, Validator, ValidatorResources, WasmFeatures,
};

use self::bounds::{FRAME_SLOTS_MAX, Scales};
use super::host;
use super::meter::Survey;
use super::meter::cost::Costs;
use serde::{Deserialize, Serialize};
use surety_protocol::witness::GLOBALS_MAX;

const RESERVED_PREFIX: &str = "surety:";
/// Metering a module of AOS adds a third; code that is all calls and forks grows five times.
const GROWTH_MAX: u64 = 6;
/// The export of the start function (rule MO-4).
pub(super) const START: &str = "surety:start";

/// Why a module is not executed. Deterministic under one profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ModuleRefused {
    /// More bytes than the profile allows.
    #[error("{bytes} bytes, more than {limit}")]
    TooLarge {
        /// Bytes of the module.
        bytes: u64,
        /// Bytes that the profile allows.
        limit: u64,
    },
    /// Not valid, or with a feature that the profile does not have (rule MO-1).
    #[error("invalid or not allowed at byte {offset}")]
    Invalid {
        /// Where.
        offset: u64,
    },
    /// Imports a memory, a table or a global (rule MO-3).
    #[error("imports {module}.{name}, which is not a function")]
    ImportKind {
        /// The import's module.
        module: String,
        /// The import's name.
        name: String,
    },
    /// Imports a function that the host does not have, or has with another type (rule MO-3).
    #[error("imports {module}.{name}, which is not known with this type")]
    Import {
        /// The import's module.
        module: String,
        /// The import's name.
        name: String,
    },
    /// An export is missing or has another type (rules MO-2 and MO-3).
    #[error("does not export {0} as it should")]
    Export(String),
    /// An export has a reserved name (rule MO-4).
    #[error("exports the reserved name {0}")]
    ReservedName(String),
    /// A function has a larger frame than allowed, or grows too long (rule MO-5).
    #[error("a function is too large")]
    Function,
    /// There is too much of something (rules MO-6 and MO-7).
    #[error("too many {0}")]
    Bound(Cow<'static, str>),
    /// It would take too long to compile (rule MO-8).
    #[error("its functions weigh too much")]
    Weight,
    /// More mutable globals than allowed, or one that is not a number.
    #[error("too many mutable globals, or one that is not a number")]
    Globals,
    /// Its smallest memory is larger than the process may use.
    #[error("needs {bytes} bytes of memory, more than {limit}")]
    Memory {
        /// Bytes that it starts with.
        bytes: u64,
        /// Bytes that the process may use.
        limit: u64,
    },
    /// It does not survive its boot (rule EN-1).
    #[error("does not boot: {0}")]
    Boot(String),
}

/// A module that passed, rewritten.
#[derive(Debug)]
pub(super) struct Checked {
    /// The rewritten bytes (rule MO-4).
    pub(super) bytes: Vec<u8>,
    /// Whether its memory has 64-bit addresses.
    pub(super) wide: bool,
    /// The export names of its mutable globals, in order.
    pub(super) globals: Vec<String>,
    /// WebAssembly pages that its memory starts with.
    pub(super) wasm_pages_min: u64,
    /// WebAssembly pages that its memory may have, if it says.
    pub(super) wasm_pages_max: Option<u64>,
}

/// Checks the rules and rewrites.
pub(super) fn check(module: &[u8], bytes_max: u64) -> Result<Checked, ModuleRefused> {
    let bytes = u64::try_from(module.len()).unwrap_or(u64::MAX);
    if bytes > bytes_max {
        return Err(ModuleRefused::TooLarge {
            bytes,
            limit: bytes_max,
        });
    }
    let module = &*lower::lower(module)?;
    let (types, surveys) = validate(module, Costs::V1)?;
    let types = types.as_ref();
    let exports = Exports::read(module, types)?;
    let wide = exports.memory()?;
    let pointer = host::pointer(wide);
    exports.function("handle", &[pointer, pointer], &[pointer])?;
    exports.function("malloc", &[pointer], &[pointer])?;
    check_imports(types, &exports, wide)?;
    let globals = mutable_globals(types)?;
    let rewritten = rewrite::rewrite(module, types, surveys, &globals)?;
    let bytes = u64::try_from(rewritten.len()).unwrap_or(u64::MAX);
    let limit = bytes_max.saturating_mul(GROWTH_MAX);
    if bytes > limit {
        return Err(ModuleRefused::TooLarge { bytes, limit });
    }
    Ok(Checked {
        bytes: rewritten,
        wide,
        globals: globals.into_iter().map(rewrite::global_name).collect(),
        wasm_pages_min: types.memory_at(0).initial,
        wasm_pages_max: types.memory_at(0).maximum,
    })
}

/// A valid module as it is executed, with other costs.
#[cfg(test)]
pub(super) fn metered(module: &[u8], costs: Costs) -> Result<Vec<u8>, ModuleRefused> {
    let (types, surveys) = validate(module, costs)?;
    rewrite::rewrite(module, types.as_ref(), surveys, &[])
}

/// Validates a module (rule MO-1) and surveys its functions on the way.
fn validate(module: &[u8], costs: Costs) -> Result<(Types, Vec<Survey>), ModuleRefused> {
    let mut validator = Validator::new_with_features(features());
    let mut surveys = Vec::new();
    let mut scales = Scales::default();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.map_err(invalid)?;
        let valid = validator.payload(&payload).map_err(invalid)?;
        bounds::count(&payload)?;
        match valid {
            ValidPayload::Func(function, body) => {
                surveys.push(survey(function, &body, costs, &mut scales)?);
            }
            ValidPayload::End(types) => return Ok((types, surveys)),
            ValidPayload::Ok | ValidPayload::Parser(_) => {}
        }
    }
    Err(ModuleRefused::Invalid { offset: 0 })
}

fn survey(
    function: FuncToValidate<ValidatorResources>,
    body: &FunctionBody<'_>,
    costs: Costs,
    scales: &mut Scales,
) -> Result<Survey, ModuleRefused> {
    let mut validator = function.into_validator(Default::default());
    let mut reader = body.get_binary_reader();
    validator.read_locals(&mut reader).map_err(invalid)?;
    // Parameters too.
    let locals = validator.len_locals();
    let fits = |operands: u32| locals.saturating_add(operands) <= FRAME_SLOTS_MAX;
    let mut operators = OperatorsReader::new(reader);
    let mut survey = Survey::new(costs);
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset().map_err(invalid)?;
        validator.op(offset, &operator).map_err(invalid)?;
        if !fits(validator.operand_stack_height()) {
            return Err(ModuleRefused::Function);
        }
        let unpriced = ModuleRefused::Invalid {
            offset: u64::try_from(offset).unwrap_or(u64::MAX),
        };
        let priced = survey.operator(&operator, validator.operand_stack_height());
        priced.ok_or(unpriced)?;
        scales.operator(&operator)?;
    }
    operators.finish().map_err(invalid)?;
    scales.function(locals)?;
    Ok(survey)
}

/// What wasmparser validates and the compiler accepts (rule MO-1).
pub(super) fn features() -> WasmFeatures {
    WasmFeatures::WASM1
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::MEMORY64
        | WasmFeatures::SIMD
}

/// The exports of a valid module.
struct Exports<'a> {
    types: TypesRef<'a>,
    by_name: BTreeMap<&'a str, (ExternalKind, u32)>,
}

impl<'a> Exports<'a> {
    fn read(module: &'a [u8], types: TypesRef<'a>) -> Result<Self, ModuleRefused> {
        let mut by_name = BTreeMap::new();
        for payload in Parser::new(0).parse_all(module) {
            if let Payload::ExportSection(section) = payload.map_err(invalid)? {
                for export in section {
                    let export = export.map_err(invalid)?;
                    if export.name.starts_with(RESERVED_PREFIX) {
                        return Err(ModuleRefused::ReservedName(export.name.to_owned()));
                    }
                    let function = Some(export).filter(|it| it.kind == ExternalKind::Func);
                    let function = function.and_then(|it| function_type(types, it.index));
                    if function.is_some_and(has_vector) {
                        return Err(ModuleRefused::Export(export.name.to_owned()));
                    }
                    by_name.insert(export.name, (export.kind, export.index));
                }
            }
        }
        Ok(Self { types, by_name })
    }

    fn find(&self, name: &str, kind: ExternalKind) -> Result<u32, ModuleRefused> {
        let found = self.by_name.get(name).filter(|found| found.0 == kind);
        found
            .map(|(_, index)| *index)
            .ok_or_else(|| ModuleRefused::Export(name.to_owned()))
    }

    /// Whether the one memory has 64-bit addresses.
    fn memory(&self) -> Result<bool, ModuleRefused> {
        self.find("memory", ExternalKind::Memory)?;
        Ok(self.types.memory_at(0).memory64)
    }

    fn function(
        &self,
        name: &str,
        params: &[ValType],
        results: &[ValType],
    ) -> Result<(), ModuleRefused> {
        let index = self.find(name, ExternalKind::Func)?;
        let function = function_type(self.types, index);
        match function.filter(|ty| ty.params() == params && ty.results() == results) {
            Some(_) => Ok(()),
            None => Err(ModuleRefused::Export(name.to_owned())),
        }
    }
}

/// Whether a function takes or gives a vector: the host has no such values (rule MO-2).
fn has_vector(function: &FuncType) -> bool {
    let mut values = function.params().iter().chain(function.results());
    values.any(|ty| *ty == ValType::V128)
}

/// The type of a function by its index.
fn function_type(types: TypesRef<'_>, index: u32) -> Option<&FuncType> {
    signature(types, types.core_function_at(index))
}

fn signature(types: TypesRef<'_>, id: CoreTypeId) -> Option<&FuncType> {
    match &types.get(id)?.composite_type.inner {
        CompositeInnerType::Func(function) => Some(function),
        _ => None,
    }
}

fn check_imports(
    types: TypesRef<'_>,
    exports: &Exports<'_>,
    wide: bool,
) -> Result<(), ModuleRefused> {
    for (module, name, ty) in types.core_imports().into_iter().flatten() {
        let named = || (module.to_owned(), name.to_owned());
        let function = match ty {
            EntityType::Func(id) => signature(types, id),
            _ => None,
        };
        let Some(function) = function else {
            let (module, name) = named();
            return Err(ModuleRefused::ImportKind { module, name });
        };
        if has_vector(function) || !host::knows(module, name, function, wide) {
            let (module, name) = named();
            return Err(ModuleRefused::Import { module, name });
        }
        if let Some(letters) = host::invoked(module, name) {
            let (_, params) = function
                .params()
                .split_first()
                .unwrap_or((&ValType::I32, &[]));
            let params = [&[ValType::I32], params].concat();
            exports.function(&format!("dynCall_{letters}"), &params, function.results())?;
            let pointer = host::pointer(wide);
            exports.function("emscripten_stack_get_current", &[], &[pointer])?;
            exports.function("_emscripten_stack_restore", &[pointer], &[])?;
            exports.function("setThrew", &[pointer, ValType::I32], &[])?;
        }
    }
    Ok(())
}

/// The indices of the mutable globals. None is imported, so they begin at 0.
fn mutable_globals(types: TypesRef<'_>) -> Result<Vec<u32>, ModuleRefused> {
    let mut mutable = Vec::new();
    for index in 0..types.global_count() {
        let global = types.global_at(index);
        if !global.mutable {
            continue;
        }
        let number =
            [ValType::I32, ValType::I64, ValType::F32, ValType::F64].contains(&global.content_type);
        if !number || mutable.len() == GLOBALS_MAX {
            return Err(ModuleRefused::Globals);
        }
        mutable.push(index);
    }
    Ok(mutable)
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err wants")]
fn invalid(error: wasmparser::BinaryReaderError) -> ModuleRefused {
    ModuleRefused::Invalid {
        offset: u64::try_from(error.offset()).unwrap_or(u64::MAX),
    }
}
