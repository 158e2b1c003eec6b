//! How written pages are found changes no root (rule LM-6).

use surety_attest::engine::{Engine, Message, Program, WasmEngine, Watching};
use surety_protocol::id::Digest;
use surety_protocol::profile::Profile;

use super::aos::{eval, first, modules};
use super::stage::{CLOCK, action, counter};

/// The root after each input, found in one way; at a few places the process is made anew from its snapshot.
fn roots(watching: Watching, program: &Program, inputs: &[Message]) -> Vec<Digest> {
    let engine = WasmEngine::watching(Profile::v1(), watching).unwrap();
    let mut process = engine.boot(program, CLOCK).unwrap();
    let mut roots = vec![process.state_root()];
    for (index, input) in inputs.iter().enumerate() {
        process.step(input).unwrap();
        roots.push(process.state_root());
        if index % 13 == 7 {
            process = engine.restore(program, &process.snapshot()).unwrap();
            assert_eq!(Some(&process.state_root()), roots.last());
        }
    }
    roots
}

#[test]
fn by_faults_and_by_the_kernel_the_roots_are_the_same() {
    let sample: Vec<Message> = (1..60).map(|nonce| action(nonce, "Hello")).collect();
    let mut cases = vec![("sample", counter(), sample)];
    for (name, program) in modules() {
        let mut inputs = vec![first()];
        for nonce in 1..40 {
            let code = match nonce % 4 {
                0 => "t = t or {}; t[#t + 1] = string.rep('x', 3000); return #t",
                1 => "error('nothing of this stays')",
                // Memory grows.
                2 => "big = (big or '') .. string.rep('y', 2000000); return #big",
                _ => "x = (x or 0) + 1; return x",
            };
            inputs.push(eval(nonce, code));
        }
        cases.push((name, program, inputs));
    }
    for (name, program, inputs) in cases {
        let by_faults = roots(Watching::Faults, &program, &inputs);
        assert_eq!(
            roots(Watching::Kernel, &program, &inputs),
            by_faults,
            "{name}"
        );
    }
}
