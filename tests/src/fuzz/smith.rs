//! Random modules that the rules let through: code by `wasm-smith`, woven into what a module of AO needs (rule MO-2).
//!
//! Random code alone would never read a message nor reply. So `handle` is ours: the message chooses a random function or a
//! host function, which gets arguments from the message and from a list of awkward numbers; what it gives is kept in
//! memory, bit for bit; then a reply is written. Elements of tables are now and then functions of the host, so that random
//! code calls those too.

use arbitrary::Unstructured;
use wasm_encoder::ValType;
use wasm_smith::{Config, Module as Smithed};
use wasmparser::{Parser, Payload};

use super::weave::Weaver;
use crate::random::Random;

/// Bytes of randomness for one module.
const ENTROPY_BYTES: usize = 4096;

/// A function type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Type {
    pub(super) params: Vec<ValType>,
    pub(super) results: Vec<ValType>,
}

impl Type {
    pub(super) fn new(params: &[ValType], results: &[ValType]) -> Self {
        Self {
            params: params.to_vec(),
            results: results.to_vec(),
        }
    }
}

/// A random module; `None` if the randomness does not make one.
pub(super) fn module(random: &mut Random) -> Option<Vec<u8>> {
    let smithed = smithed(random)?;
    let parts = Parts::read(&smithed)?;
    Weaver::new(parts, random).weave()
}

/// A random module of what the profile allows.
fn smithed(random: &mut Random) -> Option<Vec<u8>> {
    let mut entropy = Vec::with_capacity(ENTROPY_BYTES);
    while entropy.len() < ENTROPY_BYTES {
        entropy.extend(random.bytes());
    }
    let size = random.between(1, 12);
    let size = usize::try_from(size).ok()?;
    let config = Config {
        bulk_memory_enabled: false,
        // Most random code would end at once, and leave nothing behind.
        disallow_traps: random.percent(70),
        exceptions_enabled: false,
        extended_const_enabled: false,
        gc_enabled: false,
        max_data_segments: size,
        max_element_segments: size,
        max_funcs: size,
        max_globals: size * 2,
        max_imports: 0,
        max_instructions: 40 * size,
        max_memories: 1,
        max_memory32_bytes: 1 << 20,
        max_memory64_bytes: 1 << 20,
        max_nesting_depth: 8,
        max_table_elements: 200,
        max_tables: 1,
        max_types: size,
        memory64_enabled: random.percent(50),
        min_funcs: 1,
        min_memories: 1,
        min_tables: u32::from(random.percent(80)),
        min_types: 1,
        reference_types_enabled: false,
        relaxed_simd_enabled: false,
        shared_everything_threads_enabled: false,
        simd_enabled: random.percent(40),
        tail_call_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        allow_start_export: random.percent(20),
        ..Config::default()
    };
    let module = Smithed::new(config, &mut Unstructured::new(&entropy)).ok()?;
    Some(module.to_bytes()).filter(|bytes| !has_vector_global(bytes))
}

/// Whether a mutable global is a vector, which is refused (rule MO-2).
fn has_vector_global(module: &[u8]) -> bool {
    let sections = Parser::new(0).parse_all(module).filter_map(Result::ok);
    let globals = sections.filter_map(|payload| match payload {
        Payload::GlobalSection(globals) => Some(globals),
        _ => None,
    });
    let mut types = globals.flatten().filter_map(|global| Some(global.ok()?.ty));
    types.any(|ty| ty.mutable && ty.content_type == wasmparser::ValType::V128)
}

/// The parts of a module that are woven.
pub(super) struct Parts<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) payloads: Vec<Payload<'a>>,
    pub(super) types: Vec<Type>,
    /// The type of each function.
    pub(super) functions: Vec<u32>,
    /// Whether pointers have 64 bits.
    pub(super) wide: bool,
    /// Whether there is a table, and its addresses have 64 bits.
    pub(super) table: Option<bool>,
}

impl<'a> Parts<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let payloads: Vec<Payload<'a>> = Parser::new(0)
            .parse_all(bytes)
            .collect::<Result<_, _>>()
            .ok()?;
        let mut parts = Self {
            bytes,
            payloads: Vec::new(),
            types: Vec::new(),
            functions: Vec::new(),
            wide: false,
            table: None,
        };
        for payload in &payloads {
            match payload {
                Payload::TypeSection(section) => {
                    for ty in section.clone().into_iter_err_on_gc_types() {
                        let ty = ty.ok()?;
                        parts.types.push(Type {
                            params: ty.params().iter().map(encoded).collect::<Option<_>>()?,
                            results: ty.results().iter().map(encoded).collect::<Option<_>>()?,
                        });
                    }
                }
                Payload::FunctionSection(section) => {
                    let functions: Result<Vec<u32>, _> = section.clone().into_iter().collect();
                    parts.functions = functions.ok()?;
                }
                Payload::MemorySection(section) => {
                    parts.wide = section.clone().into_iter().next()?.ok()?.memory64;
                }
                Payload::TableSection(section) => {
                    parts.table = Some(section.clone().into_iter().next()?.ok()?.ty.table64);
                }
                _ => {}
            }
        }
        parts.payloads = payloads;
        Some(parts)
    }
}

/// The types that a module of the profile has.
pub(super) const fn encoded(ty: &wasmparser::ValType) -> Option<ValType> {
    match ty {
        wasmparser::ValType::I32 => Some(ValType::I32),
        wasmparser::ValType::I64 => Some(ValType::I64),
        wasmparser::ValType::F32 => Some(ValType::F32),
        wasmparser::ValType::F64 => Some(ValType::F64),
        _ => None,
    }
}
