//! Weaves random code into a module of AO: imports before its functions, whose numbers move, and our functions behind them.

use wasm_encoder::{
    CodeSection, ConstExpr, ElementSection, Elements, EntityType, ExportKind, ExportSection,
    Function, FunctionSection, ImportSection, RawSection, StartSection, TypeSection, ValType,
};
use wasmparser::{ElementItems, ElementKind, Operator, Payload};

use super::handle::{Callee, Handle};
use super::smith::{Parts, Type, encoded};
use crate::random::Random;

/// Functions that random modules import: module, name, parameters, results; `p` is a pointer.
const HOST: &[(&str, &str, &str, &str)] = &[
    ("env", "emscripten_resize_heap", "p", "i"),
    ("env", "_emscripten_memcpy_js", "ppp", ""),
    ("env", "emscripten_get_heap_max", "", "p"),
    ("env", "emscripten_date_now", "", "d"),
    ("env", "_emscripten_throw_longjmp", "", ""),
    ("env", "exit", "i", ""),
    ("env", "strftime", "pppp", "p"),
    ("env", "_tzset_js", "pppp", ""),
    ("env", "_emscripten_system", "p", "i"),
    ("wasi_snapshot_preview1", "fd_write", "ippp", "i"),
    ("wasi_snapshot_preview1", "fd_read", "ippp", "i"),
    ("wasi_snapshot_preview1", "environ_sizes_get", "pp", "i"),
    ("env", "invoke_v", "p", ""),
    ("env", "invoke_ii", "pi", "i"),
    ("env", "invoke_dd", "pd", "d"),
    ("env", "invoke_jf", "pf", "j"),
];

/// The families of `invoke_x` above: letters, parameters, results.
const INVOKED: &[(&str, &str, &str)] = &[
    ("v", "i", ""),
    ("ii", "ii", "i"),
    ("dd", "id", "d"),
    ("jf", "if", "j"),
];

fn spell(letters: &str, pointer: ValType) -> Vec<ValType> {
    let types = letters.chars().map(|letter| match letter {
        'p' => pointer,
        'd' => ValType::F64,
        'f' => ValType::F32,
        'j' => ValType::I64,
        _ => ValType::I32,
    });
    types.collect()
}

/// Writes the module that is made of random parts.
pub(super) struct Weaver<'a, 'r> {
    parts: Parts<'a>,
    random: &'r mut Random,
    types: Vec<Type>,
    /// Module, name and type of each import.
    imports: Vec<(&'static str, &'static str, u32)>,
    /// Export name, type and code of each function that is added.
    added: Vec<(String, u32, Function)>,
}

impl<'a, 'r> Weaver<'a, 'r> {
    pub(super) fn new(parts: Parts<'a>, random: &'r mut Random) -> Self {
        Self {
            types: parts.types.clone(),
            parts,
            random,
            imports: Vec::new(),
            added: Vec::new(),
        }
    }

    const fn pointer(&self) -> ValType {
        if self.parts.wide {
            ValType::I64
        } else {
            ValType::I32
        }
    }

    /// The index of a type, which is added if it is new.
    fn type_index(&mut self, ty: Type) -> Option<u32> {
        let found = self.types.iter().position(|it| *it == ty);
        let index = found.unwrap_or_else(|| {
            self.types.push(ty);
            self.types.len() - 1
        });
        u32::try_from(index).ok()
    }

    fn add(&mut self, name: &str, ty: Type, function: Function) -> Option<()> {
        let ty = self.type_index(ty)?;
        self.added.push((name.to_owned(), ty, function));
        Some(())
    }

    /// The whole module.
    pub(super) fn weave(mut self) -> Option<Vec<u8>> {
        let pointer = self.pointer();
        for _ in 0..self.random.below(6) {
            let (module, name, params, results) = *self.random.pick(HOST)?;
            let ty = Type::new(&spell(params, pointer), &spell(results, pointer));
            let ty = self.type_index(ty)?;
            self.imports.push((module, name, ty));
        }
        self.needed(pointer)?;
        let mut out = wasm_encoder::Module::new();
        self.types_and_functions(&mut out)?;
        let payloads = std::mem::take(&mut self.parts.payloads);
        let mut code = CodeSection::new();
        let mut bodies = 0;
        for payload in &payloads {
            match payload {
                Payload::MemorySection(_) | Payload::TableSection(_) => {
                    self.copy(payload, &mut out)
                }
                Payload::GlobalSection(_) => self.copy(payload, &mut out),
                _ => {}
            }
        }
        self.exports(&mut out)?;
        for payload in &payloads {
            if let Payload::StartSection { func, .. } = payload {
                let function_index = self.shifted(*func)?;
                out.section(&StartSection { function_index });
            }
        }
        for payload in &payloads {
            match payload {
                Payload::ElementSection(section) => self.elements(section, &mut out)?,
                Payload::CodeSectionEntry(body) => {
                    code.function(&self.body(body)?);
                    bodies += 1;
                    if bodies == self.parts.functions.len() {
                        for (_, _, function) in &self.added {
                            code.function(function);
                        }
                        out.section(&code);
                    }
                }
                Payload::DataSection(_) => self.copy(payload, &mut out),
                _ => {}
            }
        }
        Some(out.finish())
    }

    /// What rules MO-2 and MO-3 ask for, and now and then what rule EN-2 would rather use.
    fn needed(&mut self, pointer: ValType) -> Option<()> {
        let imported = u32::try_from(self.imports.len()).ok()?;
        let functions = self.parts.functions.iter().zip(imported..);
        let defined = functions.map(|(ty, index)| (index, *ty));
        let imports = self.imports.iter().zip(0..);
        let imports = imports.map(|((_, _, ty), index)| (index, *ty));
        let callees: Option<Vec<Callee>> = defined
            .chain(imports)
            .map(|(index, ty)| {
                let ty = self.types.get(usize::try_from(ty).ok()?)?.clone();
                Some(Callee { index, ty })
            })
            .collect();
        let handle = Handle::new(self.parts.wide, callees?).write(self.random);
        self.add("handle", Type::new(&[pointer; 2], &[pointer]), handle)?;
        let wide = self.parts.wide;
        self.add(
            "malloc",
            Type::new(&[pointer], &[pointer]),
            Handle::malloc(wide),
        )?;
        let restore = Handle::keep(wide, pointer);
        let stack = self.random.percent(30);
        for (name, params, results) in [
            ("_emscripten_stack_alloc", &[pointer][..], &[pointer][..]),
            ("emscripten_stack_get_free", &[], &[pointer]),
        ] {
            if stack {
                let code = if params.is_empty() {
                    Handle::constant(wide, 0x4000)
                } else {
                    Handle::malloc(wide)
                };
                self.add(name, Type::new(params, results), code)?;
            }
        }
        self.add(
            "emscripten_stack_get_current",
            Type::new(&[], &[pointer]),
            Handle::constant(wide, 0xff00),
        )?;
        self.add(
            "_emscripten_stack_restore",
            Type::new(&[pointer], &[]),
            restore,
        )?;
        let threw = Type::new(&[pointer, ValType::I32], &[]);
        self.add("setThrew", threw, Handle::keep(wide, pointer))?;
        for (letters, params, results) in INVOKED {
            let params = spell(params, pointer);
            let ty = Type::new(&params, &spell(results, pointer));
            let called = Type::new(params.get(1..)?, &ty.results);
            let called = self.type_index(called)?;
            let code = Handle::dyn_call(self.parts.table, &params, called);
            self.add(&format!("dynCall_{letters}"), ty, code)?;
        }
        Some(())
    }

    /// A function's index after those that are imported.
    fn shifted(&self, index: u32) -> Option<u32> {
        index.checked_add(u32::try_from(self.imports.len()).ok()?)
    }

    fn types_and_functions(&self, out: &mut wasm_encoder::Module) -> Option<()> {
        let mut types = TypeSection::new();
        for ty in &self.types {
            types
                .ty()
                .function(ty.params.iter().copied(), ty.results.iter().copied());
        }
        out.section(&types);
        let mut imports = ImportSection::new();
        for (module, name, ty) in &self.imports {
            imports.import(module, name, EntityType::Function(*ty));
        }
        out.section(&imports);
        let mut functions = FunctionSection::new();
        for ty in self
            .parts
            .functions
            .iter()
            .chain(self.added.iter().map(|(_, ty, _)| ty))
        {
            functions.function(*ty);
        }
        out.section(&functions);
        Some(())
    }

    fn exports(&self, out: &mut wasm_encoder::Module) -> Option<()> {
        let mut exports = ExportSection::new();
        exports.export("memory", ExportKind::Memory, 0);
        let first = self.shifted(u32::try_from(self.parts.functions.len()).ok()?)?;
        for ((name, _, _), index) in self.added.iter().zip(first..) {
            exports.export(name, ExportKind::Func, index);
        }
        out.section(&exports);
        Some(())
    }

    fn elements(
        &mut self,
        section: &wasmparser::ElementSectionReader<'_>,
        out: &mut wasm_encoder::Module,
    ) -> Option<()> {
        let mut elements = ElementSection::new();
        for element in section.clone() {
            let element = element.ok()?;
            let (ElementKind::Active { offset_expr, .. }, ElementItems::Functions(items)) =
                (element.kind, element.items)
            else {
                return None;
            };
            let mut functions = Vec::new();
            for item in items {
                let index = match self.random.below(4) {
                    0 if !self.imports.is_empty() => {
                        self.random.below(self.imports.len() as u64) as u32
                    }
                    _ => self.shifted(item.ok()?)?,
                };
                functions.push(index);
            }
            let range = offset_expr.get_binary_reader().range();
            // Without the `end`, which the encoder writes itself.
            let offset = self
                .parts
                .bytes
                .get(range.start..range.end.checked_sub(1)?)?;
            let offset = ConstExpr::raw(offset.iter().copied());
            elements.active(None, &offset, Elements::Functions(functions.into()));
        }
        out.section(&elements);
        Some(())
    }

    /// A random function, its calls going where they went.
    fn body(&self, body: &wasmparser::FunctionBody<'_>) -> Option<Function> {
        let mut locals = Vec::new();
        for group in body.get_locals_reader().ok()? {
            let (count, ty) = group.ok()?;
            locals.push((count, encoded(&ty)?));
        }
        let mut code = Function::new(locals);
        let operators: Result<Vec<_>, _> = body
            .get_operators_reader()
            .ok()?
            .into_iter_with_offsets()
            .collect();
        let operators = operators.ok()?;
        let ends = operators.iter().skip(1).map(|(_, at)| *at);
        let ends = ends.chain([body.range().end]);
        for ((operator, at), end) in operators.iter().zip(ends) {
            match operator {
                Operator::Call { function_index } => {
                    let index = self.shifted(*function_index)?;
                    code.instruction(&wasm_encoder::Instruction::Call(index));
                }
                _ => {
                    code.raw(self.parts.bytes.get(*at..end)?.iter().copied());
                }
            }
        }
        Some(code)
    }

    fn copy(&self, payload: &Payload<'_>, out: &mut wasm_encoder::Module) {
        let section = payload.as_section();
        let data = section.and_then(|(id, range)| Some((id, self.parts.bytes.get(range)?)));
        if let Some((id, data)) = data {
            out.section(&RawSection { id, data });
        }
    }
}
