//! What a witness proves, and what breaks it.

use serde_bytes::ByteBuf;
use surety_attest::engine::{
    Abstain, Engine, EngineError, Judged, Message, Program, Reexecution, Resident, Start,
    WasmEngine, WitnessFault,
};
use surety_attest::state::Snapshot;
use surety_protocol::codec::{decode, encode};
use surety_protocol::id::Digest;
use surety_protocol::profile::Profile;
use surety_protocol::witness::{PAGE_BYTES, PackedWitness, Witness};

use super::stage::{CLOCK, ENGINE, action, boot, counter, error, text};

/// Under which the last step of a stretch is traced.
pub(crate) const KEYS: [Digest; 2] = [Digest::new([1; 32]), Digest::new([2; 32])];

/// A stretch of a process: the state before, its inputs, and what the resident process gave.
pub(crate) struct Stretch {
    pub(crate) program: Program,
    pub(crate) start: Snapshot,
    pub(crate) inputs: Vec<Message>,
    pub(crate) given: Reexecution,
}

impl Stretch {
    pub(crate) fn play(program: Program, process: &mut dyn Resident, inputs: Vec<Message>) -> Self {
        let start = process.snapshot().unwrap();
        let (last, before) = inputs.split_last().unwrap();
        let mut steps: Vec<_> = before
            .iter()
            .map(|input| process.step(input).unwrap())
            .collect();
        let (step, traces) = process.traced_step(last, &KEYS).unwrap();
        steps.push(step);
        let given = Reexecution {
            steps,
            state_root: process.state_root().unwrap(),
            traces,
        };
        Self {
            program,
            start,
            inputs,
            given,
        }
    }

    pub(crate) fn witness(&self) -> Witness {
        ENGINE
            .witness(&self.program, &self.start, &self.inputs)
            .unwrap()
    }

    pub(crate) fn reexecute(&self, witness: &Witness) -> Result<Reexecution, EngineError> {
        let root = self.start.root();
        ENGINE.reexecute(
            &self.program,
            Start::Witness {
                root: &root,
                witness,
            },
            &self.inputs,
            &KEYS,
        )
    }

    /// With a witness that is right but for a page that it lacks: what is left proves the same
    /// root.
    pub(crate) fn reexecute_without(&self, page: u32) -> Result<Reexecution, EngineError> {
        let mut witness = self.witness();
        witness.pages.retain(|other| other.index != page);
        let known = witness.pages.iter().map(|page| page.index).collect();
        witness.siblings = self.start.tree().prove(&known).unwrap().siblings;
        self.reexecute(&witness)
    }
}

fn sixteen(program: Program) -> Stretch {
    let mut process = boot(&program);
    for nonce in 0..5 {
        process.step(&action(nonce, "Hello")).unwrap();
    }
    let names = [
        "Hello", "Fail", "Hello", "Trap", "Hello", "Loop", "Hello", "Hello",
    ];
    let inputs = (5..21)
        .map(|nonce| action(nonce, names[nonce as usize % 8]))
        .collect();
    Stretch::play(program, &mut *process, inputs)
}

#[test]
fn a_stride_re_executes_from_its_witness_alone() {
    let stretch = sixteen(counter());
    let witness = stretch.witness();
    assert!(witness.pages.len() < 32, "{} pages", witness.pages.len());
    let bytes = encode(&PackedWitness::of(&witness).unwrap()).unwrap();
    let travelled: PackedWitness = decode(&bytes).unwrap();
    let unpacked = travelled.unpack().unwrap();
    assert_eq!(stretch.reexecute(&unpacked), Ok(stretch.given));
}

#[test]
fn without_any_page_it_is_invalid() {
    let stretch = sixteen(counter());
    let missing = Err(EngineError::Witness(WitnessFault::MissingPage));
    for page in stretch.witness().pages {
        assert_eq!(
            stretch.reexecute_without(page.index),
            missing,
            "{}",
            page.index
        );
    }
}

#[test]
fn altered_it_is_of_another_state() {
    let stretch = sixteen(counter());
    let witness = stretch.witness();
    let wrong = Err(EngineError::Witness(WitnessFault::Root));
    for i in 0..witness.pages.len() {
        let mut altered = witness.clone();
        let mut bytes = altered.pages[i].bytes.to_vec();
        bytes.resize(PAGE_BYTES, 0);
        bytes[PAGE_BYTES - 1] ^= 1;
        altered.pages[i].bytes = ByteBuf::from(bytes);
        assert_eq!(stretch.reexecute(&altered), wrong);
    }
    for i in 0..witness.siblings.len() {
        let mut altered = witness.clone();
        altered.siblings[i] = Digest::new([i as u8; 32]);
        assert_eq!(stretch.reexecute(&altered), wrong);
        altered.siblings.remove(i);
        assert_eq!(stretch.reexecute(&altered), wrong);
    }
    assert_eq!(
        stretch.reexecute(&Witness {
            wasm_pages: 3,
            ..witness.clone()
        }),
        wrong
    );
    assert_eq!(
        stretch.reexecute(&Witness {
            globals: vec![0],
            ..witness
        }),
        wrong
    );
}

#[test]
fn from_the_genesis_nothing_else_is_needed() {
    let program = counter();
    let mut process = boot(&program);
    let inputs: Vec<Message> = (0..8).map(|nonce| action(nonce, "Hello")).collect();
    let stretch = Stretch::play(program, &mut *process, inputs);
    let start = Start::Genesis { clock: CLOCK };
    let again = ENGINE.reexecute(&stretch.program, start, &stretch.inputs, &KEYS);
    assert_eq!(again, Ok(stretch.given));
}

/// A module that does `deed` with the number of its step in `$n`.
fn steps(deed: &str) -> Program {
    text(&format!(
        r#"(memory (export "memory") 2 100)
        (data (i32.const 64) "{{\"ok\":true,\"response\":{{}}}}\00")
        (func (export "handle") (param i32 i32) (result i32) (local $n i32)
          (local.set $n (i32.load (i32.const 0x3000)))
          (i32.store (i32.const 0x3000) (i32.add (local.get $n) (i32.const 1)))
          {deed}
          (i32.const 64))"#
    ))
}

fn play(deed: &str) -> Stretch {
    let program = steps(deed);
    let mut process = boot(&program);
    let inputs = (0..8).map(|nonce| action(nonce, "Hello")).collect();
    Stretch::play(program, &mut *process, inputs)
}

#[test]
fn memory_may_grow_within_a_stretch() {
    // At every step: grow, read the new memory, write to it, and every third time fail.
    let stretch = play(
        r#"(local.set 0 (i32.shl (memory.grow (i32.const 2)) (i32.const 16)))
        (i32.store (i32.add (local.get 0) (i32.const 0x11000))
          (i32.add (i32.const 7) (i32.load (i32.add (local.get 0) (i32.const 0x5000)))))
        (i32.store8 (i32.const 0x3008) (i32.const 1))
        (if (i32.eq (i32.rem_u (i32.load (i32.add (local.get 0) (i32.const 0x4000))) (i32.const 3)) (i32.const 2)) (then (unreachable)))
        (if (i32.eq (local.get $n) (i32.const 4)) (then (unreachable)))"#,
    );
    assert_eq!(stretch.start.wasm_pages, 2);
    assert!(
        stretch
            .given
            .steps
            .iter()
            .any(|step| step.result.error.is_some())
    );
    let witness = stretch.witness();
    assert!(
        witness
            .pages
            .iter()
            .any(|page| page.index >= 32 && page.bytes.is_empty())
    );
    assert_eq!(stretch.reexecute(&witness), Ok(stretch.given));
}

#[test]
fn a_new_page_that_the_witness_does_not_place_makes_it_invalid() {
    let stretch =
        play("(drop (memory.grow (i32.const 1))) (i32.store (i32.const 0x20000) (i32.const 1))");
    let missing = Err(EngineError::Witness(WitnessFault::MissingPage));
    assert_eq!(stretch.reexecute_without(0x20), missing);
}

#[test]
fn a_guests_own_access_out_of_bounds_is_a_result() {
    for outside in ["0x20000", "0x10000000", "-4"] {
        let stretch = play(&format!("(drop (i32.load (i32.const {outside})))"));
        assert!(error(&stretch.given.steps[0]).contains("out of bounds"));
        assert_eq!(stretch.reexecute(&stretch.witness()), Ok(stretch.given));
    }
}

#[test]
fn what_only_the_host_touches_is_part_of_the_witness() {
    // The reply lies in a page that the guest never touches, the environment in another.
    let program = text(
        r#"(memory (export "memory") 4)
        (data (i32.const 0x20000) "{\"ok\":true,\"response\":{}}\00")
        (global $n (mut i32) (i32.const 0))
        (func (export "handle") (param i32 i32) (result i32) (i32.const 0x20000))
        (func (export "malloc") (param i32) (result i32)
          (global.set $n (i32.xor (global.get $n) (i32.const 1)))
          (i32.add (i32.const 0x10000) (i32.shl (global.get $n) (i32.const 14))))"#,
    );
    let mut process = boot(&program);
    let stretch = Stretch::play(program, &mut *process, vec![action(0, "Hello")]);
    let witness = stretch.witness();
    let indices: Vec<u32> = witness.pages.iter().map(|page| page.index).collect();
    assert_eq!(indices, [0x10, 0x14, 0x20]);
    assert_eq!(stretch.reexecute(&witness), Ok(stretch.given.clone()));
    for index in indices {
        let missing = Err(EngineError::Witness(WitnessFault::MissingPage));
        assert_eq!(stretch.reexecute_without(index), missing);
    }
}

#[test]
fn a_witness_of_a_state_that_the_module_cannot_have_is_unfit() {
    let stretch = sixteen(counter());
    let unfit = Err(EngineError::Witness(WitnessFault::Unfit));
    for change in [
        |start: &mut Snapshot| start.wasm_pages = 1,
        |start: &mut Snapshot| start.wasm_pages = 65,
        |start: &mut Snapshot| start.globals.push(0),
        |start: &mut Snapshot| assert!(start.put(32, &[1; PAGE_BYTES])),
    ] {
        let mut start = stretch.start.clone();
        change(&mut start);
        let mut witness = stretch.witness();
        witness.wasm_pages = start.wasm_pages;
        witness.globals.clone_from(&start.globals);
        if start.pages.contains_key(&32) {
            let page = surety_protocol::witness::WitnessPage {
                index: 32,
                bytes: ByteBuf::from(vec![1; PAGE_BYTES]),
            };
            witness.pages.push(page);
            witness.pages.sort_by_key(|page| page.index);
        }
        let known = witness.pages.iter().map(|page| page.index).collect();
        witness.siblings = start.tree().prove(&known).unwrap().siblings;
        let root = start.root();
        let start = Start::Witness {
            root: &root,
            witness: &witness,
        };
        assert_eq!(
            ENGINE.reexecute(&stretch.program, start, &stretch.inputs, &KEYS),
            unfit
        );
    }
}

#[test]
fn two_engines_that_differ_judge_nobody() {
    let stretch = sixteen(counter());
    let witness = stretch.witness();
    let root = stretch.start.root();
    let judged = |engine: &WasmEngine, witness: &Witness| {
        let start = Start::Witness {
            root: &root,
            witness,
        };
        engine.judge(&stretch.program, start, &stretch.inputs, &KEYS)
    };
    assert_eq!(
        judged(&ENGINE, &witness),
        Ok(Judged::from(stretch.given.clone()))
    );
    // Another engine, to which the same instructions mean something else: they end earlier.
    let other = Profile {
        gas_max: 1_000_000,
        ..Profile::v1()
    };
    let wrong = WasmEngine::interpreting(other).unwrap();
    let both = WasmEngine::new(Profile::v1()).unwrap().judging_with(wrong);
    assert_eq!(
        judged(&both, &witness),
        Err(EngineError::Abstain(Abstain::Differ))
    );
    // Evidence that is at fault itself is so for both.
    let altered = Witness {
        wasm_pages: 3,
        ..witness
    };
    let fault = Err(EngineError::Witness(WitnessFault::Root));
    assert_eq!(judged(&both, &altered), fault);
}
