//! What it costs to prove a stride, to check the proof, to keep a state and to come back to it.

use surety_attest::engine::{Engine, Judged, Message, Program, Start, WasmEngine, on_deep_stack};
use surety_protocol::codec;
use surety_protocol::witness::{PAGE_BYTES, PackedWitness};

use crate::processor::processor;

/// Inputs of a stride.
const STRIDE: usize = 16;

/// Figures of one stride, in milliseconds of one core and in bytes.
pub(crate) struct Stride {
    pub(crate) pages: usize,
    pub(crate) bytes: usize,
    /// The same as evidence has it, compressed.
    pub(crate) compressed: usize,
    pub(crate) execute: f64,
    pub(crate) build: f64,
    pub(crate) verify: f64,
    pub(crate) judge: f64,
    /// Taking the state out, putting it into a new process, and that with its first message.
    pub(crate) snapshot: f64,
    pub(crate) restore: f64,
    pub(crate) wake: f64,
}

/// Plays `before`, and then measures the stride after it.
pub(crate) fn measure(
    engine: &WasmEngine,
    program: &Program,
    clock: u64,
    before: &[Message],
    stride: &[Message],
) -> Stride {
    assert_eq!(stride.len(), STRIDE);
    on_deep_stack(|| {
        let mut process = engine.boot(program, clock).expect("it boots");
        for input in before {
            process.step(input).expect("it runs");
        }
        let root = process.state_root().expect("a root");
        let (snapshot, start) = processor(|| process.snapshot());
        let start = start.expect("a state");
        let (execute, after) = processor(|| {
            for input in stride {
                process.step(input).expect("it runs");
            }
            process.state_root().expect("a root")
        });
        let (build, (witness, packed)) = processor(|| {
            let witness = engine.witness(program, &start, stride).expect("a witness");
            let packed = PackedWitness::of(&witness).expect("it is well-formed");
            (witness, packed)
        });
        let bytes = witness.pages.len() * PAGE_BYTES + witness.siblings.len() * 32;
        let compressed = codec::encode(&packed).expect("it fits").len();
        let check = |judge: bool| {
            let witness = packed.unpack().expect("it was packed");
            let from = Start::Witness {
                root: &root,
                witness: &witness,
            };
            let given = match judge {
                false => engine
                    .reexecute(program, from, stride, &[])
                    .map(Judged::from),
                true => engine.judge(program, from, stride, &[]),
            };
            assert_eq!(given.expect("it runs").state_root, after);
        };
        let (verify, ()) = processor(|| check(false));
        check(true);
        let (judge, ()) = processor(|| check(true));
        let (restore, process) = processor(|| engine.restore(program, &start));
        let mut process = process.expect("it fits");
        let (first, outcome) = processor(|| process.step(&stride[0]));
        outcome.expect("it runs");
        Stride {
            pages: witness.pages.len(),
            bytes,
            compressed,
            execute,
            build,
            verify,
            judge,
            snapshot,
            restore,
            wake: restore + first,
        }
    })
    .expect("a thread")
}
