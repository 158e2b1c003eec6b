//! However a script of inputs is executed, the results, the gas and the roots are the same: resident, with written pages
//! found by the kernel or by faults (rule LM-6), restored from a snapshot anywhere, from the genesis, beside other processes
//! on other threads, and on another machine (rule VM-1). And every stride of it re-executes from its witness, or fails.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_bytes::ByteBuf;
use surety_attest::engine::{
    Engine, EngineError, Message, Program, Reexecution, Start, StepOutcome, WasmEngine, Watching,
    WitnessFault,
};
use surety_attest::state::Snapshot;
use surety_protocol::id::Digest;
use surety_protocol::profile::Profile;
use surety_protocol::witness::PAGE_BYTES;

use super::aos::{eval, first, modules};
use super::stage::{CLOCK, ENGINE, action, counter, message, text};
use super::witness::{KEYS, Stretch};

static FAULTS: LazyLock<WasmEngine> =
    LazyLock::new(|| WasmEngine::watching(Profile::v1(), Watching::Faults).expect("an engine"));
static OTHER: LazyLock<WasmEngine> =
    LazyLock::new(|| WasmEngine::interpreting(Profile::v1()).expect("an engine"));

/// A program that others are executed beside: its inputs, and what they give alone.
static BESIDE: LazyLock<(Program, Vec<Message>, Vec<Seen>)> = LazyLock::new(|| {
    let names = ["Hello", "Fail", "Hello", "Trap", "Hello", "Hello"];
    let inputs = (0..).zip(names).map(|(nonce, name)| action(nonce, name));
    let (program, inputs) = (counter(), inputs.collect::<Vec<_>>());
    let seen = play(&ENGINE, &program, &inputs, &[]).0;
    (program, inputs, seen)
});

/// What an input gave, the root after it, and the step's traces.
type Seen = (StepOutcome, Digest, Vec<Digest>);

/// Executes a script; after each of these inputs the process is made anew from its snapshot.
fn play(
    engine: &WasmEngine,
    program: &Program,
    inputs: &[Message],
    renewed: &[usize],
) -> (Vec<Seen>, Vec<Snapshot>) {
    let mut process = engine.boot(program, CLOCK).unwrap();
    let mut seen = Vec::new();
    let mut states = vec![process.snapshot().unwrap()];
    for (index, input) in inputs.iter().enumerate() {
        let (outcome, traces) = process.traced_step(input, &KEYS).unwrap();
        if renewed.contains(&index) {
            process = engine
                .restore(program, &process.snapshot().unwrap())
                .unwrap();
        }
        seen.push((outcome, process.state_root().unwrap(), traces));
        states.push(process.snapshot().unwrap());
    }
    (seen, states)
}

/// Executes a script in every way and compares.
fn agree(program: &Program, inputs: &[Message], renewed: &[usize]) {
    let (seen, states) = play(&ENGINE, program, inputs, &[]);
    assert_eq!(play(&ENGINE, program, inputs, renewed).0, seen, "restored");
    assert_eq!(play(&FAULTS, program, inputs, renewed).0, seen, "by faults");
    assert_eq!(
        play(&OTHER, program, inputs, renewed).0,
        seen,
        "interpreted"
    );
    for engine in [&ENGINE, &FAULTS, &OTHER] {
        seldom(engine, program, inputs, renewed, &seen);
    }
    // Four processes of one engine at the same time, two of them of another program.
    let (other, others, theirs) = &*BESIDE;
    std::thread::scope(|scope| {
        let beside = [(program, inputs, &seen), (other, others, theirs)];
        let beside = [beside, beside].concat().into_iter();
        let beside = beside.map(|(program, inputs, seen)| {
            let thread = scope.spawn(move || play(&ENGINE, program, inputs, &[]).0);
            (thread, seen)
        });
        // All are begun before any is waited for.
        for (thread, seen) in beside.collect::<Vec<_>>() {
            assert_eq!(&thread.join().unwrap(), seen, "beside others");
        }
    });
    let whole = reexecution(&seen);
    for engine in [&ENGINE, &OTHER] {
        let start = Start::Genesis { clock: CLOCK };
        assert_eq!(
            engine.reexecute(program, start, inputs, &KEYS).as_ref(),
            Ok(&whole),
            "from zero"
        );
    }
    // Strides of the script, which begin anywhere, up to its end.
    let last = inputs.len() - 1;
    let ends = renewed.iter().skip(1).chain([&last]);
    for (from, to) in renewed.iter().zip(ends).filter(|(from, to)| from < to) {
        let stretch = Stretch {
            program: program.clone(),
            start: states[from + 1].clone(),
            inputs: inputs[from + 1..=*to].to_vec(),
            given: reexecution(&seen[from + 1..=*to]),
        };
        re_execute(&stretch);
    }
}

/// Executes a script again, asking for the root after these inputs only; before each of them it is tried without effect.
fn seldom(
    engine: &WasmEngine,
    program: &Program,
    inputs: &[Message],
    asked: &[usize],
    seen: &[Seen],
) {
    let mut process = engine.boot(program, CLOCK).unwrap();
    for (index, (input, (outcome, root, _))) in inputs.iter().zip(seen).enumerate() {
        let asks = asked.contains(&index);
        if asks {
            assert_eq!(
                process.dry_run(input, u64::MAX).as_ref(),
                Ok(outcome),
                "tried"
            );
        }
        assert_eq!(process.step(input).as_ref(), Ok(outcome), "asked seldom");
        if asks {
            assert_eq!(process.state_root().as_ref(), Ok(root), "asked seldom");
        }
    }
    let last = seen.last().map(|(_, root, _)| *root);
    assert_eq!(process.state_root().ok(), last, "asked at the end");
}

fn reexecution(seen: &[Seen]) -> Reexecution {
    Reexecution {
        steps: seen.iter().map(|(outcome, ..)| outcome.clone()).collect(),
        state_root: seen.last().unwrap().1,
        traces: seen.last().unwrap().2.clone(),
    }
}

/// From its witness on both machines; and not without a page, nor with one altered.
fn re_execute(stretch: &Stretch) {
    let witness = stretch.witness();
    let root = stretch.start.root();
    let start = Start::Witness {
        root: &root,
        witness: &witness,
    };
    for engine in [&ENGINE, &OTHER] {
        let again = engine.reexecute(&stretch.program, start, &stretch.inputs, &KEYS);
        assert_eq!(again.as_ref(), Ok(&stretch.given), "from a witness");
    }
    // All pages take too long where there are many.
    let step = witness.pages.len().div_ceil(4).max(1);
    for (place, page) in witness.pages.iter().enumerate().step_by(step) {
        let missing = Err(EngineError::Witness(WitnessFault::MissingPage));
        if page.index < stretch.start.page_count() {
            assert_eq!(
                stretch.reexecute_without(page.index),
                missing,
                "{}",
                page.index
            );
        }
        let mut altered = witness.clone();
        let mut bytes = page.bytes.to_vec();
        bytes.resize(PAGE_BYTES, 0);
        bytes[place % PAGE_BYTES] ^= 1;
        altered.pages[place].bytes = ByteBuf::from(bytes);
        let wrong = Err(EngineError::Witness(WitnessFault::Root));
        assert_eq!(stretch.reexecute(&altered), wrong, "{}", page.index);
    }
}

/// Runs `cases` random scripts.
fn scripts<T: std::fmt::Debug>(
    cases: u32,
    script: impl Strategy<Value = (Vec<T>, Vec<usize>)>,
    run: impl Fn(&[T], &[usize]),
) {
    let config = Config {
        cases,
        failure_persistence: None,
        // A failing script is short already, and each takes a while.
        max_shrink_iters: 8,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&script, |(inputs, renewed)| {
            run(&inputs, &renewed);
            Ok(())
        })
        .unwrap();
}

/// Some steps of `of`, and after which of them the process is made anew.
fn script<T: std::fmt::Debug + Clone>(
    of: impl Strategy<Value = T>,
    length: std::ops::Range<usize>,
) -> impl Strategy<Value = (Vec<T>, Vec<usize>)> {
    prop::collection::vec(of, length).prop_flat_map(|steps| {
        let length = steps.len();
        let places = prop::collection::btree_set(0..length, 1..4.min(length));
        (
            Just(steps),
            places.prop_map(|places| places.into_iter().collect()),
        )
    })
}

#[test]
fn of_the_sample() {
    let target = "T".repeat(43);
    let steps = select(vec!["Hello", "Hello", "Fail", "Trap", "Loop", "Forward"]);
    let program = Program {
        compute_limit: 500_000,
        ..counter()
    };
    scripts(24, script(steps, 4..24), |names, renewed| {
        let input = |(nonce, name): (u64, &&str)| match *name {
            "Forward" => message(nonce, &[("Forward-To", &target)], "data"),
            name => action(nonce, name),
        };
        let inputs: Vec<Message> = (0..).zip(names).map(input).collect();
        agree(&program, &inputs, renewed);
    });
}

/// More stretches of written pages than the kernel tells at once, and exactly as many.
#[test]
fn of_pages_that_lie_apart() {
    for pages in [2_048, 4_096, 5_000] {
        let bytes = pages * 2 * PAGE_BYTES;
        let wasm_pages = bytes.div_ceil(65_536) + 1;
        let program = text(&format!(
            r#"(memory (export "memory") {wasm_pages}) (global $step (mut i32) (i32.const 0))
            (data (i32.const 64) "{{\"ok\":true,\"response\":{{}}}}\00")
            (func (export "handle") (param i32 i32) (result i32) (local $at i32)
              (global.set $step (i32.add (global.get $step) (i32.const 1)))
              (local.set $at (i32.const 0x10000))
              (loop $next
                (i32.store8 (local.get $at) (global.get $step))
                (local.set $at (i32.add (local.get $at) (i32.const 0x2000)))
                (br_if $next (i32.lt_u (local.get $at) (i32.const {}))))
              (i32.const 64))"#,
            0x10000 + bytes
        ));
        let inputs: Vec<Message> = (0..4).map(|nonce| action(nonce, "Hello")).collect();
        agree(&program, &inputs, &[1]);
    }
}

/// What AOS is asked to do: all that a Lua program does to a machine.
const CODES: &[&str] = &[
    "x = (x or 0) + 1; return x",
    "t = t or {}; for i = 1, 500 do t[#t + 1] = {i, tostring(i)} end; return #t",
    "t = nil; collectgarbage(); return collectgarbage('count')",
    "error('nothing of this stays')",
    "x = 1; local y = nil; return y.z",
    "big = (big or '') .. string.rep('y', 1500000); return #big",
    "big = nil; return string.rep('x', 1000000000)",
    "return pcall(string.rep, 'x', 1000000000)",
    "return tostring(0/0), tostring(-(0/0)), tostring(math.huge - math.huge), 2^53, -0.0, 1e308 * 10",
    "return string.format('%a %g %.17g', 0/0, 1/3, math.pi), math.tointeger(2^31), 7 // 0.0, -7 % math.huge",
    "local s = 0; for i = 1, 200 do s = s + math.sin(i) * math.sqrt(i) / math.exp(i / 50) end; return s",
    "return string.pack('>dfi8', 0/0, 0/0, -1)",
    "local co = coroutine.wrap(function() for i = 1, 50 do coroutine.yield(i) end end); local s = 0; for i = 1, 50 do s = s + co() end; return s",
    "c = c or coroutine.create(function() local n = 0 while true do n = n + coroutine.yield(n) end end); return coroutine.resume(c, 3)",
    "local function co(n) return coroutine.wrap(function() return co(n + 1) end)() end return pcall(co, 1)",
    "local function f(n) return 1 + f(n + 1) end return tostring(select(2, pcall(f, 1)))",
    "local function f(n) return 1 + f(n + 1) end return f(1)",
    "return select('#', pcall(error, setmetatable({}, {__tostring = function() error('twice') end})))",
    "Handlers.add('boom', Handlers.utils.hasMatchingTag('Action', 'Boom'), function(m) error('in a handler') end); return 1",
    "Handlers.add('ping', Handlers.utils.hasMatchingTag('Action', 'Ping'), function(m) n = (n or 0) + 1; ao.send({Target = m.From, Data = 'pong ' .. n}) end); return 1",
    "local t = {} for i = 1, 300 do t[i] = (i * 7919) % 1000 end table.sort(t, function(a, b) return a > b end); return t[1], t[300]",
    "return (('abc'):rep(2000):gsub('b', function(b) return b .. b end))",
    "return load('return ' .. ('('):rep(150) .. '1' .. (')'):rep(150))()",
    "while true do end",
    "local s = 'x' while true do s = s .. s end",
    "return os.time(), os.date('%c', 0), os.clock(), tostring({}):sub(1, 6)",
];

/// An input of AOS: code to evaluate, or a message with this action.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Eval(&'static str),
    Send(&'static str),
}

#[test]
fn of_aos() {
    for (name, program) in modules() {
        // What costs more than the others runs out of gas, and the interpreter is done soon.
        let program = Program {
            compute_limit: 60_000_000,
            memory_limit: 96 << 20,
            ..program
        };
        let deeds = prop_oneof![
            4 => select(CODES).prop_map(Deed::Eval),
            1 => select(vec!["Boom", "Ping", "Nothing"]).prop_map(Deed::Send),
        ];
        scripts(3, script(deeds, 6..10), |deeds, renewed| {
            let input = |(nonce, deed): (u64, &Deed)| match *deed {
                Deed::Eval(code) => eval(nonce, code),
                Deed::Send(action) => message(nonce, &[("Action", action)], "me"),
            };
            let inputs: Vec<Message> = [first()]
                .into_iter()
                .chain((1..).zip(deeds).map(input))
                .collect();
            eprintln!("{name}: {deeds:?}");
            agree(&program, &inputs, renewed);
        });
    }
}
