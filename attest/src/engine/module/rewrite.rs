//! What is executed instead of a module: the same, with its state laid open and its code paying for itself (rule MO-4).

use std::collections::BTreeMap;

use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, Encode, ExportKind, ExportSection, GlobalSection,
    GlobalType, RawSection,
};
use wasmparser::types::TypesRef;
use wasmparser::{ExternalKind, Parser, Payload, ValType};

use super::bounds::FUNCTION_BYTES_MAX;
use super::{ModuleRefused, RESERVED_PREFIX, START, function_type, invalid, parts};
use crate::engine::meter::{self, Meter, Survey};

/// The globals that the meter adds (rule GA-1).
const METERS: [(&str, wasm_encoder::ValType); 2] = [
    (meter::GAS, wasm_encoder::ValType::I64),
    (meter::STACK, wasm_encoder::ValType::I32),
];

/// Rewrites a valid module; `surveys` are of its functions, in order, and `globals` are the mutable ones.
pub(super) fn rewrite(
    module: &[u8],
    types: TypesRef<'_>,
    surveys: Vec<Survey>,
    globals: &[u32],
) -> Result<Vec<u8>, ModuleRefused> {
    let payloads: Vec<Payload<'_>> = Parser::new(0)
        .parse_all(module)
        .collect::<Result<_, _>>()
        .map_err(invalid)?;
    let mut rewriter = Rewriter {
        module,
        types,
        imported: imported_functions(types),
        results: Results::of(types),
        meter: Meter {
            gas: types.global_count(),
            stack: types.global_count().saturating_add(1),
        },
        out: wasm_encoder::Module::new(),
    };
    let start = payloads.iter().find_map(|payload| match payload {
        Payload::StartSection { func, .. } => Some(*func),
        _ => None,
    });
    let mut surveys = surveys.into_iter();
    let mut code = CodeSection::new();
    let mut has_globals = false;
    for payload in &payloads {
        match payload {
            Payload::CustomSection(_)
            | Payload::StartSection { .. }
            | Payload::CodeSectionStart { .. } => {}
            Payload::TypeSection(_) => rewriter.types(payload)?,
            Payload::GlobalSection(_) => {
                has_globals = true;
                rewriter.globals(payload)?;
            }
            Payload::ExportSection(section) => {
                // A module without globals gets a section for the meter's, which belongs right before this one.
                if !has_globals {
                    rewriter.out.section(&meters());
                }
                let section = section.clone();
                rewriter.exports(section, globals, start)?;
            }
            Payload::CodeSectionEntry(body) => {
                if let Some(survey) = surveys.next() {
                    let function = rewriter.function(body, survey, code.len())?;
                    code.function(&function);
                }
                if surveys.len() == 0 {
                    rewriter.out.section(&code);
                }
            }
            _ => rewriter.copy(payload),
        }
    }
    Ok(rewriter.out.finish())
}

/// The name by which a mutable global is exported.
pub(super) fn global_name(index: u32) -> String {
    format!("{RESERVED_PREFIX}global:{index}")
}

struct Rewriter<'a> {
    module: &'a [u8],
    types: TypesRef<'a>,
    /// Functions that the module imports: they come before its own.
    imported: u32,
    results: Results,
    meter: Meter,
    out: wasm_encoder::Module,
}

impl Rewriter<'_> {
    /// A section as it is, byte for byte.
    fn copy(&mut self, payload: &Payload<'_>) {
        if let Some((id, data)) = parts::section(self.module, payload) {
            self.out.section(&RawSection { id, data });
        }
    }

    /// The types, and those that the results of functions make when they are several.
    fn types(&mut self, payload: &Payload<'_>) -> Result<(), ModuleRefused> {
        let mut more = Vec::new();
        for results in &self.results.lists {
            // A function type, no parameters, these results.
            more.extend([0x60, 0]);
            results.len().encode(&mut more);
            for result in results {
                meter::encoded(*result).encode(&mut more);
            }
        }
        self.append(payload, self.results.lists.len(), &more)
    }

    fn globals(&mut self, payload: &Payload<'_>) -> Result<(), ModuleRefused> {
        let mut section = Vec::new();
        meters().encode(&mut section);
        // Length and count, one byte each, come before the entries.
        let more = section.get(2..).unwrap_or_default();
        self.append(payload, METERS.len(), more)
    }

    /// A section with entries appended.
    fn append(
        &mut self,
        payload: &Payload<'_>,
        count: usize,
        more: &[u8],
    ) -> Result<(), ModuleRefused> {
        let (id, data) = parts::section(self.module, payload).unwrap_or_default();
        parts::append(&mut self.out, id, data, count, more).map_err(invalid)
    }

    fn exports(
        &mut self,
        section: wasmparser::ExportSectionReader<'_>,
        globals: &[u32],
        start: Option<u32>,
    ) -> Result<(), ModuleRefused> {
        let mut exports = ExportSection::new();
        for export in section {
            let export = export.map_err(invalid)?;
            exports.export(export.name, encoded(export.kind), export.index);
        }
        for index in globals {
            exports.export(&global_name(*index), ExportKind::Global, *index);
        }
        for ((name, _), index) in METERS.iter().zip(self.meter.gas..) {
            exports.export(name, ExportKind::Global, index);
        }
        if let Some(start) = start {
            exports.export(START, ExportKind::Func, start);
        }
        self.out.section(&exports);
        Ok(())
    }

    /// The `index`-th function that the module defines.
    fn function(
        &self,
        body: &wasmparser::FunctionBody<'_>,
        survey: Survey,
        index: u32,
    ) -> Result<wasm_encoder::Function, ModuleRefused> {
        let ty = function_type(self.types, self.imported.saturating_add(index));
        let ty = ty.ok_or(ModuleRefused::Invalid { offset: 0 })?;
        let params = u32::try_from(ty.params().len()).unwrap_or(u32::MAX);
        let results = self.results.block_type(ty.results());
        let rewritten = self
            .meter
            .rewrite(self.module, body, survey, params, results);
        let rewritten = rewritten.map_err(invalid)?;
        if rewritten.byte_len() > FUNCTION_BYTES_MAX {
            return Err(ModuleRefused::Function);
        }
        Ok(rewritten)
    }
}

/// The lists of several results that functions have: a block that gives as many needs a type of its own.
struct Results {
    lists: Vec<Vec<ValType>>,
    /// The index of the type of each.
    types: BTreeMap<Vec<ValType>, u32>,
}

impl Results {
    fn of(types: TypesRef<'_>) -> Self {
        let mut lists = Vec::new();
        let mut known = BTreeMap::new();
        let mut next = types.core_type_count_in_module();
        for index in 0..types.function_count() {
            let results = function_type(types, index).map_or(&[][..], |ty| ty.results());
            if results.len() > 1 && !known.contains_key(results) {
                lists.push(results.to_vec());
                known.insert(results.to_vec(), next);
                next = next.saturating_add(1);
            }
        }
        Self {
            lists,
            types: known,
        }
    }

    fn block_type(&self, results: &[ValType]) -> BlockType {
        match results {
            [] => BlockType::Empty,
            [one] => BlockType::Result(meter::encoded(*one)),
            several => {
                BlockType::FunctionType(self.types.get(several).copied().unwrap_or(u32::MAX))
            }
        }
    }
}

/// The globals of the meter. They start at zero, so that nothing runs before the host allowed it.
fn meters() -> GlobalSection {
    let mut section = GlobalSection::new();
    for (_, val_type) in METERS {
        let ty = GlobalType {
            val_type,
            mutable: true,
            shared: false,
        };
        let zero = match val_type {
            wasm_encoder::ValType::I64 => ConstExpr::i64_const(0),
            _ => ConstExpr::i32_const(0),
        };
        section.global(ty, &zero);
    }
    section
}

fn imported_functions(types: TypesRef<'_>) -> u32 {
    let functions = types.core_imports().into_iter().flatten();
    let functions =
        functions.filter(|(_, _, ty)| matches!(ty, wasmparser::types::EntityType::Func(_)));
    u32::try_from(functions.count()).unwrap_or(u32::MAX)
}

const fn encoded(kind: ExternalKind) -> ExportKind {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Func,
        ExternalKind::Table => ExportKind::Table,
        ExternalKind::Memory => ExportKind::Memory,
        ExternalKind::Global => ExportKind::Global,
        ExternalKind::Tag => ExportKind::Tag,
    }
}
