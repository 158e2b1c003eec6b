//! Real AOS modules, 32 and 64 bits.

use surety_attest::engine::{
    Engine, EngineError, Message, Program, Resident, StepOutcome, WitnessFault,
};

use super::stage::{CLOCK, ENGINE, OWNER, PROCESS, boot, error, message, program};
use super::witness::Stretch;

/// One of the modules, or none and a word about it.
pub(crate) fn module(name: &str) -> Option<Program> {
    let folder = crate::needed::path("SURETY_AOS_MODULES")?;
    let bytes = std::fs::read(folder.join(name)).expect("a module");
    Some(program(&bytes))
}

/// AOS in both widths.
pub(crate) fn modules() -> Vec<(&'static str, Program)> {
    let names = ["aos2_0_4_32.wasm", "aos2_0_6.wasm"].into_iter();
    names
        .filter_map(|name| Some((name, module(name)?)))
        .collect()
}

/// The process item as slot 0: AOS learns its owner from it.
pub(crate) fn first() -> Message {
    let tags = [
        ("Data-Protocol", "ao"),
        ("Type", "Process"),
        ("Name", "test"),
    ];
    Message {
        id: Some(PROCESS.into()),
        ..message(0, &tags, "")
    }
}

pub(crate) fn eval(nonce: u64, code: &str) -> Message {
    message(nonce, &[("Action", "Eval")], code)
}

pub(crate) fn booted(program: &Program) -> Box<dyn Resident> {
    let mut process = boot(program);
    let outcome = process.step(&first()).unwrap();
    assert_eq!(outcome.result.error, None);
    process
}

pub(crate) fn data(outcome: &StepOutcome) -> String {
    let output = &outcome.result.output;
    output["data"]
        .as_str()
        .map_or_else(|| output.to_string(), str::to_owned)
}

const HANDLER: &str = r#"Handlers.add("ping", Handlers.utils.hasMatchingTag("Action", "Ping"),
    function (msg) ao.send({ Target = msg.From, Action = "Pong", Data = "pong " .. msg.Data }) end)"#;

#[test]
fn eval_and_handlers() {
    for (name, program) in modules() {
        let mut process = booted(&program);
        for count in 1..4 {
            let outcome = process
                .step(&eval(count, "x = (x or 0) + 1; return x"))
                .unwrap();
            assert_eq!(
                (outcome.result.error.clone(), data(&outcome)),
                (None, count.to_string()),
                "{name}"
            );
            assert!(
                (1_000_000..20_000_000).contains(&outcome.gas),
                "{name}: {} gas",
                outcome.gas
            );
        }
        process.step(&eval(4, HANDLER)).unwrap();
        let outcome = process
            .step(&message(5, &[("Action", "Ping")], "me"))
            .unwrap();
        let [sent] = outcome.result.messages.as_slice() else {
            panic!("{name}: {outcome:?}")
        };
        assert_eq!(
            (sent["Target"].as_str(), sent["Data"].as_str()),
            (Some(OWNER), Some("pong me"))
        );
    }
}

#[test]
fn two_runs_are_the_same_and_the_clock_matters() {
    for (_, program) in modules() {
        let run = |clock: u64| {
            let mut process = ENGINE.boot(&program, clock).unwrap();
            let mut outcomes = vec![
                process
                    .step(&Message {
                        timestamp: clock,
                        ..first()
                    })
                    .unwrap(),
            ];
            for nonce in 1..6 {
                outcomes.push(
                    process
                        .step(&eval(nonce, "return Inbox, ao.id, os.time()"))
                        .unwrap(),
                );
            }
            (outcomes, process.state_root().unwrap())
        };
        assert_eq!(run(CLOCK), run(CLOCK));
        assert_ne!(run(CLOCK).1, run(CLOCK + 5000).1);
    }
}

#[test]
fn a_restored_process_is_the_resident_one() {
    for (name, program) in modules() {
        let mut resident = booted(&program);
        resident.step(&eval(1, HANDLER)).unwrap();
        let mut restored = ENGINE
            .restore(&program, &resident.snapshot().unwrap())
            .unwrap();
        for nonce in 2..12 {
            let input = message(nonce, &[("Action", "Ping")], "me");
            assert_eq!(restored.step(&input), resident.step(&input), "{name}");
            assert_eq!(
                restored.state_root().unwrap(),
                resident.state_root().unwrap(),
                "{name}"
            );
        }
    }
}

#[test]
fn what_fails_leaves_no_trace() {
    let codes = [
        ("error('no')", "no"),
        (
            "local t = {} while true do t[#t+1] = ('x'):rep(1000) .. #t end",
            "surety: out of gas",
        ),
        (
            "local k = ('x'):rep(4096); Big = k:rep(3 * 1024); error('after growth')",
            "after growth",
        ),
        ("while true do end", "surety: out of gas"),
    ];
    for (name, program) in modules() {
        let program = Program {
            compute_limit: 1_000_000_000,
            ..program
        };
        let (mut seen, mut spared) = (booted(&program), booted(&program));
        let mut both = |nonce, seen: &mut dyn Resident| {
            let input = eval(nonce, "x = (x or 0) + 1; return x");
            assert_eq!(seen.step(&input), spared.step(&input), "{name}");
            assert_eq!(
                seen.state_root().unwrap(),
                spared.state_root().unwrap(),
                "{name}"
            );
            spared.snapshot().unwrap()
        };
        let before = both(1, &mut *seen);
        for (code, why) in codes {
            let outcome = seen.step(&eval(2, code)).unwrap();
            let text = outcome
                .result
                .error
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(text.contains(why), "{name}: {code}: {:?}", outcome.result);
            assert_eq!(seen.snapshot().unwrap(), before, "{name}: {code}");
        }
        for nonce in 3..8 {
            both(nonce, &mut *seen);
        }
    }
}

#[test]
fn the_limits_of_lua_come_before_those_of_the_host() {
    let codes = [
        (
            "local function f(n) return 1 + f(n + 1) end return tostring(select(2, pcall(f, 1)))",
            "stack overflow",
        ),
        (
            "local function co(n) return coroutine.wrap(function() return co(n + 1) end)() end return tostring(select(2, pcall(co, 1)))",
            "C stack overflow",
        ),
        (
            "return tostring(select(2, pcall(string.rep, 'x', 1000000000)))",
            "not enough memory",
        ),
        (
            "local s = string.rep('(', 300) .. string.rep(')', 300); return tostring(select(2, pcall(string.find, 'x', s)))",
            "too many captures",
        ),
        (
            "return tostring(select(2, load('return ' .. ('('):rep(1000) .. '1' .. (')'):rep(1000))))",
            "too many C levels",
        ),
        // And it goes on.
        ("return 6 * 7", "42"),
    ];
    for (name, program) in modules() {
        let (mut one, mut other) = (booted(&program), booted(&program));
        for (nonce, (code, said)) in (1..).zip(codes) {
            let outcome = one.step(&eval(nonce, code)).unwrap();
            assert_eq!(error(&outcome), "", "{name}: {code}");
            assert!(data(&outcome).contains(said), "{name}: {code}");
            assert_eq!(other.step(&eval(nonce, code)).unwrap(), outcome);
            assert_eq!(one.state_root().unwrap(), other.state_root().unwrap());
        }
    }
}

#[test]
fn dates_are_those_of_the_calendar() {
    for (name, program) in modules() {
        let mut process = booted(&program);
        let code = "return os.date('!%Y-%m-%d %H:%M:%S', 1709210096) .. os.date('%c', 0) .. os.time({year=2024,month=2,day=29,hour=12,min=34,sec=56})";
        let outcome = process.step(&eval(1, code)).unwrap();
        assert!(
            data(&outcome).starts_with("2024-02-29 12:34:56Thu Jan  1 00:00:00 1970"),
            "{name}: {outcome:?}"
        );
    }
}

#[test]
fn a_stride_re_executes_from_its_witness_alone() {
    for (name, program) in modules() {
        let mut process = booted(&program);
        process.step(&eval(1, HANDLER)).unwrap();
        let inputs = (2..18).map(|nonce| match nonce % 5 {
            0 => eval(nonce, "error('no')"),
            1 => eval(
                nonce,
                "T = T or {}; for i = 1, 2000 do T[#T + 1] = {i} end; return #T",
            ),
            _ => message(nonce, &[("Action", "Ping")], "me"),
        });
        let stretch = Stretch::play(program, &mut *process, inputs.collect());
        let witness = stretch.witness();
        eprintln!(
            "{name}: {} pages, {} siblings",
            witness.pages.len(),
            witness.siblings.len()
        );
        assert_eq!(
            stretch.reexecute(&witness).as_ref(),
            Ok(&stretch.given),
            "{name}"
        );
    }
}

#[test]
fn without_any_page_the_witness_is_invalid() {
    for (name, program) in modules() {
        let mut process = booted(&program);
        let inputs = vec![eval(1, "x = 1; return x"), eval(2, "error('no')")];
        let stretch = Stretch::play(program, &mut *process, inputs);
        let missing = Err(EngineError::Witness(WitnessFault::MissingPage));
        for page in stretch.witness().pages {
            assert_eq!(
                stretch.reexecute_without(page.index),
                missing,
                "{name}: {}",
                page.index
            );
        }
    }
}

#[test]
fn memory_grows_within_a_stride() {
    for (name, program) in modules() {
        let mut process = booted(&program);
        let codes = [
            "local k = ('x'):rep(4096); Big = k:rep(3 * 1024); return #Big",
            "Big = nil; return 1",
            "return pcall(error)",
        ];
        let inputs = (1..)
            .zip(codes)
            .map(|(nonce, code)| eval(nonce, code))
            .collect();
        let before = process.snapshot().unwrap().wasm_pages;
        let stretch = Stretch::play(program, &mut *process, inputs);
        assert!(process.snapshot().unwrap().wasm_pages > before);
        assert_eq!(
            stretch.reexecute(&stretch.witness()).as_ref(),
            Ok(&stretch.given),
            "{name}"
        );
    }
}

#[test]
fn older_modules_run_too() {
    for name in ["aos.wasm", "aos2_0_1.wasm", "aos2_0_3.wasm"] {
        let Some(program) = module(name) else {
            return;
        };
        let mut process = booted(&program);
        let outcome = process.step(&eval(1, "return 6 * 7")).unwrap();
        assert_eq!(outcome.result.error, None, "{name}");
        assert!(data(&outcome).contains("42"), "{name}: {}", data(&outcome));
    }
}

#[test]
fn a_process_may_bring_its_code() {
    for (name, program) in modules() {
        let mut process = boot(&program);
        let born = Message {
            tags: vec![
                ("Type".into(), "Process".into()),
                ("On-Boot".into(), "Data".into()),
            ],
            data: b"Born = 'with ' .. 6 * 7".to_vec(),
            ..first()
        };
        let outcome = process.step(&born).unwrap();
        assert_eq!(outcome.result.error, None, "{name}");
        let outcome = process.step(&eval(1, "return Born")).unwrap();
        assert!(
            data(&outcome).contains("with 42"),
            "{name}: {}",
            data(&outcome)
        );
    }
}
