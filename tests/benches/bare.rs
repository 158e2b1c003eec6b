//! The rival that shows what determinism costs: the same module in wasmtime with as little around it as it runs with. No
//! gas unless asked for, no watching, no rollback, no root.

use surety_attest::engine::{Environment, Message};
use wasmtime::{
    Caller, Config, Engine, Func, FuncType, Instance, Linker, Memory, Module, Store, Val,
};

/// `_emscripten_throw_longjmp`.
#[derive(Debug, thiserror::Error)]
#[error("longjmp")]
struct LongJump;

/// A booted module.
pub(crate) struct Bare {
    store: Store<()>,
    instance: Instance,
    memory: Memory,
    environment: Vec<u8>,
}

impl Bare {
    /// Compiles and boots; with `fuel`, wasmtime counts its own.
    pub(crate) fn boot(wasm: &[u8], environment: &Environment, fuel: bool) -> Bare {
        let mut config = Config::new();
        config
            .wasm_memory64(true)
            .consume_fuel(fuel)
            .wasm_backtrace_max_frames(None)
            .max_wasm_stack(4 << 20)
            .async_stack_size(8 << 20);
        let engine = Engine::new(&config).expect("an engine");
        let module = Module::new(&engine, wasm).expect("it compiles");
        let mut linker = Linker::new(&engine);
        for import in module.imports() {
            let (name, ty) = (import.name().to_owned(), import.ty());
            let ty = ty.unwrap_func().clone();
            let results = ty.clone();
            let call = move |mut caller: Caller<'_, ()>, args: &[Val], out: &mut [Val]| {
                perform(&mut caller, &name, args, &results, out)
            };
            linker
                .func_new(import.module(), import.name(), ty, call)
                .expect("a function");
        }
        let mut store = Store::new(&engine, ());
        if fuel {
            store.set_fuel(u64::MAX).expect("fuel");
        }
        let instance = linker.instantiate(&mut store, &module).expect("it starts");
        let memory = instance.get_memory(&mut store, "memory").expect("memory");
        let mut bare = Bare {
            store,
            instance,
            memory,
            environment: text(environment),
        };
        bare.call("emscripten_stack_init", &[]);
        bare.call("__wasm_call_ctors", &[]);
        bare
    }

    /// Applies an input and reads the reply as a result's JSON.
    pub(crate) fn step(&mut self, message: &Message) {
        let stack = self.call("emscripten_stack_get_current", &[]);
        let message = self.give(&text(message));
        let environment = self.give(&self.environment.clone());
        let reply = self.call("handle", &[message, environment]);
        let reply = self.memory.data(&self.store)[reply as usize..]
            .split(|byte| *byte == 0)
            .next()
            .expect("a text");
        let reply: serde_json::Value = serde_json::from_slice(reply).expect("a reply");
        assert!(reply["response"]["Error"].is_null(), "{reply}");
        self.call("_emscripten_stack_restore", &[stack]);
    }

    fn give(&mut self, text: &[u8]) -> u64 {
        let at = self.call("_emscripten_stack_alloc", &[text.len() as u64]);
        let data = self.memory.data_mut(&mut self.store);
        data[at as usize..][..text.len()].copy_from_slice(text);
        at
    }

    fn call(&mut self, export: &str, args: &[u64]) -> u64 {
        let function = self.instance.get_func(&mut self.store, export);
        let function = function.expect("an export");
        let args: Vec<Val> = args.iter().map(|it| Val::I64(*it as i64)).collect();
        let results = run(&mut self.store, function, &args).expect("it runs");
        results.first().map_or(0, |it| number(it) as u64)
    }
}

fn text(value: &impl serde::Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec(value).expect("JSON");
    text.push(0);
    text
}

fn run(
    mut store: impl wasmtime::AsContextMut,
    function: Func,
    args: &[Val],
) -> wasmtime::Result<Vec<Val>> {
    let ty = function.ty(&store);
    let args: Vec<Val> = ty
        .params()
        .zip(args)
        .map(|(ty, arg)| match ty {
            wasmtime::ValType::I32 => Val::I32(number(arg) as i32),
            wasmtime::ValType::I64 => Val::I64(number(arg)),
            _ => *arg,
        })
        .collect();
    let zero = |ty| Val::default_for_ty(&ty).expect("a number");
    let mut results: Vec<Val> = ty.results().map(zero).collect();
    function.call(&mut store, &args, &mut results)?;
    Ok(results)
}

fn number(value: &Val) -> i64 {
    match value {
        Val::I32(value) => i64::from(value.cast_unsigned()),
        Val::I64(value) => *value,
        _ => 0,
    }
}

/// What the modules of the benchmark ask of their host while they run.
fn perform(
    caller: &mut Caller<'_, ()>,
    name: &str,
    args: &[Val],
    ty: &FuncType,
    results: &mut [Val],
) -> wasmtime::Result<()> {
    for (result, ty) in results.iter_mut().zip(ty.results()) {
        *result = Val::default_for_ty(&ty).expect("a number");
    }
    let export = |caller: &mut Caller<'_, ()>, name: &str| {
        let found = caller.get_export(name).and_then(|it| it.into_func());
        found.expect("an export")
    };
    let memory = |caller: &mut Caller<'_, ()>| {
        let found = caller.get_export("memory").and_then(|it| it.into_memory());
        found.expect("memory")
    };
    if let Some(letters) = name.strip_prefix("invoke_") {
        let stack = export(caller, "emscripten_stack_get_current");
        let stack = run(&mut *caller, stack, &[])?;
        let target = export(caller, &format!("dynCall_{letters}"));
        match run(&mut *caller, target, args) {
            Ok(given) => results.copy_from_slice(&given),
            Err(error) if error.is::<LongJump>() => {
                let restore = export(caller, "_emscripten_stack_restore");
                run(&mut *caller, restore, &stack)?;
                let threw = export(caller, "setThrew");
                run(&mut *caller, threw, &[Val::I32(1), Val::I32(0)])?;
            }
            Err(error) => return Err(error),
        }
        return Ok(());
    }
    match name {
        "_emscripten_throw_longjmp" => return Err(wasmtime::Error::new(LongJump)),
        "_emscripten_memcpy_js" => {
            let [to, from, bytes] = [0, 1, 2].map(|i| number(&args[i]) as usize);
            let data = memory(caller).data_mut(&mut *caller);
            let end = from.saturating_add(bytes).min(data.len());
            let count = end.saturating_sub(from).min(data.len() - to);
            data.copy_within(from..from + count, to);
        }
        "emscripten_date_now" => results[0] = Val::F64(10_000_f64.to_bits()),
        "emscripten_resize_heap" => {
            let memory = memory(caller);
            let wanted = (number(&args[0]) as u64).div_ceil(65_536);
            let more = wanted.saturating_sub(memory.size(&*caller));
            let grown = memory.grow(&mut *caller, more).is_ok();
            results[0] = Val::I32(i32::from(grown));
        }
        _ => {}
    }
    Ok(())
}
