//! Bulk memory in terms of what every machine has (rule MO-9).
//!
//! A machine copies in native code, whose faults on watched pages would be the host's, and whose time a fixed price cannot
//! tell. Loads and stores of the module itself fault and pay like all others.

use std::borrow::Cow;

use wasm_encoder::{CodeSection, Encode, Function, Instruction, RawSection, SectionId};
use wasmparser::{BinaryReader, FunctionBody, Operator, Parser, Payload, TypeRef};

use super::{ModuleRefused, invalid};
use crate::engine::meter;

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
                Payload::DataCountSection { .. } => counts.bulk = true,
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
        Operator::MemoryCopy { .. } | Operator::MemoryFill { .. }
    )
}

/// The module without bulk memory; the same if it has none. It need not be valid: what is not remains so.
pub(super) fn lower(module: &[u8]) -> Result<Cow<'_, [u8]>, ModuleRefused> {
    let counts = Counts::of(module).map_err(invalid)?;
    if !counts.bulk {
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
        let section = payload.as_section();
        let data = |(id, range)| Some((id, module.get(range)?));
        let (id, data) = section.and_then(data).unwrap_or_default();
        match payload {
            // It only announces what bulk memory would use.
            Payload::DataCountSection { .. } => {}
            Payload::TypeSection(_) => {
                let types = entries(compiled, SectionId::Type)?;
                append(&mut out, id, data, &types)?;
            }
            Payload::FunctionSection(_) => {
                let mut indices = Vec::new();
                for place in 0..2 {
                    counts.types.saturating_add(place).encode(&mut indices);
                }
                append(&mut out, id, data, &indices)?;
            }
            Payload::CodeSectionStart { count, .. } => bodies = count,
            Payload::CodeSectionEntry(body) => {
                code.function(&rewritten(module, &body, counts.functions)?);
                bodies = bodies.saturating_sub(1);
                if bodies == 0 {
                    for body in function_bodies(compiled)? {
                        code.raw(&body);
                    }
                    out.section(&code);
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
    let mut locals = Vec::new();
    for group in body.get_locals_reader()? {
        let (count, ty) = group?;
        locals.push((count, meter::encoded(ty)));
    }
    let mut function = Function::new(locals);
    let mut operators = body
        .get_operators_reader()?
        .into_iter_with_offsets()
        .peekable();
    while let Some(next) = operators.next() {
        let (operator, at) = next?;
        let end = match operators.peek() {
            Some(Ok((_, next))) => *next,
            _ => body.range().end,
        };
        match operator {
            Operator::MemoryCopy { .. } => function.instruction(&Instruction::Call(first)),
            Operator::MemoryFill { .. } => {
                function.instruction(&Instruction::Call(first.saturating_add(1)))
            }
            _ => function.raw(module.get(at..end).unwrap_or_default().iter().copied()),
        };
    }
    Ok(function)
}

/// A section with two entries appended.
fn append(
    out: &mut wasm_encoder::Module,
    id: u8,
    data: &[u8],
    more: &[u8],
) -> Result<(), wasmparser::BinaryReaderError> {
    let mut reader = BinaryReader::new(data, 0);
    let before = reader.read_var_u32()?;
    let mut all = Vec::with_capacity(data.len() + more.len() + 5);
    before.saturating_add(2).encode(&mut all);
    all.extend_from_slice(data.get(reader.original_position()..).unwrap_or_default());
    all.extend_from_slice(more);
    out.section(&RawSection { id, data: &all });
    Ok(())
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

fn function_bodies(module: &[u8]) -> Result<Vec<Vec<u8>>, wasmparser::BinaryReaderError> {
    let mut bodies = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::CodeSectionEntry(body) = payload? {
            bodies.push(module.get(body.range()).unwrap_or_default().to_vec());
        }
    }
    Ok(bodies)
}
