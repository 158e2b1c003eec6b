//! Bulk memory in terms of what every machine has (rule MO-9).
//!
//! A machine copies in native code, whose faults on watched pages would be the host's, and whose time a fixed price cannot
//! tell. Loads and stores of the module itself fault and pay like all others.

use std::borrow::Cow;

use wasm_encoder::{CodeSection, Encode, Function, Instruction, RawSection, SectionId};
use wasmparser::{FunctionBody, Operator, Parser, Payload, TypeRef};

use super::{ModuleRefused, invalid, parts};

/// The two functions for 32-bit memories and for 64-bit ones, compiled from `bulk.wat`.
const NARROW: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/bulk32.wasm"));
const WIDE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/bulk64.wasm"));

/// What of a module tells where functions are appended.
#[derive(Default)]
struct Counts {
    types: u32,
    functions: u32,
    wide: bool,
    bulk: bool,
    /// Data segments, and how many were announced.
    segments: u32,
    announced: Option<u32>,
}

impl Counts {
    fn of(module: &[u8]) -> Result<Self, wasmparser::BinaryReaderError> {
        let mut counts = Self::default();
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::TypeSection(section) => counts.types = section.count(),
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        if matches!(import?.ty, TypeRef::Func(_)) {
                            counts.functions = counts.functions.saturating_add(1);
                        }
                    }
                }
                Payload::FunctionSection(section) => {
                    counts.functions = counts.functions.saturating_add(section.count());
                }
                Payload::MemorySection(section) => {
                    for memory in section.into_iter().take(1) {
                        counts.wide = memory?.memory64;
                    }
                }
                Payload::DataCountSection { count, .. } => counts.announced = Some(count),
                Payload::DataSection(section) => counts.segments = section.count(),
                Payload::CodeSectionEntry(body) if !counts.bulk => {
                    for operator in body.get_operators_reader()? {
                        counts.bulk |= is_bulk(&operator?);
                    }
                }
                _ => {}
            }
        }
        Ok(counts)
    }
}

const fn is_bulk(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::MemoryCopy {
            dst_mem: 0,
            src_mem: 0
        } | Operator::MemoryFill { mem: 0 }
    )
}

/// The module without bulk memory; the same if it has none. It need not be valid: what is not remains so.
pub(super) fn lower(module: &[u8]) -> Result<Cow<'_, [u8]>, ModuleRefused> {
    let counts = Counts::of(module).map_err(invalid)?;
    // An announcement of another number of segments stays, and with it the module invalid.
    let announced = counts.announced.is_some_and(|it| it == counts.segments);
    let disagrees = counts.announced.is_some() && !announced;
    if disagrees || !(counts.bulk || announced) {
        return Ok(Cow::Borrowed(module));
    }
    lowered(module, &counts).map(Cow::Owned).map_err(invalid)
}

fn lowered(module: &[u8], counts: &Counts) -> Result<Vec<u8>, wasmparser::BinaryReaderError> {
    let compiled = if counts.wide { WIDE } else { NARROW };
    let mut out = wasm_encoder::Module::new();
    let mut code = CodeSection::new();
    let mut bodies = 0_u32;
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        let (id, data) = parts::section(module, &payload).unwrap_or_default();
        match payload {
            // It only announces what bulk memory would use.
            Payload::DataCountSection { .. } => {}
            Payload::TypeSection(_) => {
                let types = entries(compiled, SectionId::Type)?;
                parts::append(&mut out, id, data, 2, &types)?;
            }
            Payload::FunctionSection(_) => {
                let mut indices = Vec::new();
                for place in 0..2 {
                    counts.types.saturating_add(place).encode(&mut indices);
                }
                parts::append(&mut out, id, data, 2, &indices)?;
            }
            Payload::CodeSectionStart { count, .. } => {
                bodies = count;
                if bodies == 0 {
                    finish(&mut out, &mut code, compiled)?;
                }
            }
            Payload::CodeSectionEntry(body) => {
                code.function(&rewritten(module, &body, counts.functions)?);
                bodies = bodies.saturating_sub(1);
                if bodies == 0 {
                    finish(&mut out, &mut code, compiled)?;
                }
            }
            _ if id != 0 || !data.is_empty() => {
                out.section(&RawSection { id, data });
            }
            _ => {}
        }
    }
    Ok(out.finish())
}

/// A function whose bulk operators call: `first` is the index of what copies, the next of what fills.
fn rewritten(
    module: &[u8],
    body: &FunctionBody<'_>,
    first: u32,
) -> Result<Function, wasmparser::BinaryReaderError> {
    let mut function = Function::new(parts::locals(body)?);
    for next in parts::operators(module, body)? {
        let (operator, bytes) = next?;
        match operator {
            Operator::MemoryCopy {
                dst_mem: 0,
                src_mem: 0,
            } => function.instruction(&Instruction::Call(first)),
            Operator::MemoryFill { mem: 0 } => {
                function.instruction(&Instruction::Call(first.saturating_add(1)))
            }
            _ => function.raw(bytes.iter().copied()),
        };
    }
    Ok(function)
}

/// The entries of a section of our own module, which has fewer than 128.
fn entries(module: &[u8], wanted: SectionId) -> Result<Vec<u8>, wasmparser::BinaryReaderError> {
    for payload in Parser::new(0).parse_all(module) {
        if let Some((id, range)) = payload?.as_section()
            && id == u8::from(wanted)
        {
            let data = module.get(range).and_then(|data| data.get(1..));
            return Ok(data.unwrap_or_default().to_vec());
        }
    }
    Ok(Vec::new())
}

/// Ends the code with our own functions.
fn finish(
    out: &mut wasm_encoder::Module,
    code: &mut CodeSection,
    compiled: &[u8],
) -> Result<(), wasmparser::BinaryReaderError> {
    for payload in Parser::new(0).parse_all(compiled) {
        if let Payload::CodeSectionEntry(body) = payload? {
            code.raw(compiled.get(body.range()).unwrap_or_default());
        }
    }
    out.section(code);
    Ok(())
}
