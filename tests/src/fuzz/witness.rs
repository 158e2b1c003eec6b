//! Re-execution of a real stride from altered witnesses: it never gives anything but what the stride gave.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_bytes::ByteBuf;
use surety_attest::engine::{
    Engine, EngineError, Environment, Message, Program, Reexecution, Start, WasmEngine,
    WitnessFault,
};
use surety_attest::sample;
use surety_attest::state::Snapshot;
use surety_protocol::codec::{decode, encode};
use surety_protocol::id::{Digest, ModuleId};
use surety_protocol::profile::Profile;
use surety_protocol::witness::{PAGE_BYTES, PackedWitness, Witness, WitnessPage};

use super::modules::{KEYS, traced};
use super::mutate::mutate;
use crate::random::Random;

/// Inputs of the stride.
const INPUTS: u64 = 8;
/// Altered witnesses of one case.
const CHANGES: usize = 8;

/// A stride, and all that is needed to execute it again.
struct Stride {
    machines: [WasmEngine; 2],
    program: Program,
    start: Snapshot,
    inputs: Vec<Message>,
    given: Reexecution,
    witness: Witness,
}

static STRIDE: LazyLock<Result<Stride, EngineError>> = LazyLock::new(|| {
    let profile = Profile::v1();
    let compiling = WasmEngine::new(profile.clone())?;
    let interpreting = WasmEngine::interpreting(profile)?;
    let program = Program {
        module_id: ModuleId::default(),
        bytes: sample::WASM.into(),
        environment: Environment::default(),
        memory_limit: 16 << 20,
        compute_limit: 300_000,
    };
    let mut process = compiling.boot(&program, 0)?;
    for nonce in 0..3 {
        process.step(&message(nonce))?;
    }
    let start = process.snapshot()?;
    let inputs: Vec<Message> = (3..3 + INPUTS).map(message).collect();
    let (steps, traces) = traced(&mut *process, &inputs)?;
    let given = Reexecution {
        steps,
        state_root: process.state_root()?,
        traces,
    };
    let witness = compiling.witness(&program, &start, &inputs)?;
    Ok(Stride {
        machines: [compiling, interpreting],
        program,
        start,
        inputs,
        given,
        witness,
    })
});

fn message(nonce: u64) -> Message {
    let name = ["Hello", "Fail", "Hello", "Trap", "Loop"];
    let name = name.get((nonce % 5) as usize).copied().unwrap_or_default();
    Message {
        id: Some(format!("message-{nonce}")),
        tags: vec![("Action".into(), name.into())],
        epoch: Some(0),
        nonce: Some(nonce),
        hash_chain: Some(String::new()),
        ..Message::default()
    }
}

pub(super) fn case(random: &mut Random) -> Result<(), String> {
    let stride = STRIDE
        .as_ref()
        .map_err(|error| format!("no stride: {error}"))?;
    for _ in 0..CHANGES {
        stride.altered(random)?;
    }
    stride.without_a_page(random)?;
    stride.of_another_state(random)
}

impl Stride {
    /// What each machine gives.
    fn both(&self, root: &Digest, witness: &Witness) -> [Result<Reexecution, EngineError>; 2] {
        self.machines.each_ref().map(|engine| {
            engine.reexecute(
                &self.program,
                Start::Witness { root, witness },
                &self.inputs,
                &KEYS,
            )
        })
    }

    /// Altered in any way, for the root of the true state.
    fn altered(&self, random: &mut Random) -> Result<(), String> {
        let witness = if random.percent(50) {
            let packed = PackedWitness::of(&self.witness).map_err(|fault| fault.to_string())?;
            let mut bytes = encode(&packed).map_err(|error| error.to_string())?;
            mutate(&mut bytes, random);
            let Ok(packed) = decode::<PackedWitness>(&bytes) else {
                return Ok(());
            };
            match packed.unpack() {
                Ok(witness) => witness,
                Err(_) => return Ok(()),
            }
        } else {
            let mut witness = self.witness.clone();
            for _ in 0..random.between(1, 3) {
                alter(&mut witness, random);
            }
            witness
        };
        for outcome in self.both(&self.start.root(), &witness) {
            match outcome {
                Ok(given) if given == self.given => {}
                Err(EngineError::Witness(_)) => {}
                other => return Err(format!("an altered witness gives {other:?}")),
            }
        }
        Ok(())
    }

    /// With some pages less, and a proof that is right for the others.
    fn without_a_page(&self, random: &mut Random) -> Result<(), String> {
        let mut witness = self.witness.clone();
        witness.pages.retain(|_| random.percent(90));
        prove(&mut witness, &self.start)?;
        let [compiled, _] = self.both(&self.start.root(), &witness);
        let whole = witness.pages.len() == self.witness.pages.len();
        let expected = if whole {
            Ok(&self.given)
        } else {
            Err(&EngineError::Witness(WitnessFault::MissingPage))
        };
        if compiled.as_ref() != expected {
            return Err(format!("with pages less, it gives {compiled:?}"));
        }
        Ok(())
    }

    /// A right witness of a state that the process never had: both machines do with it what they will, but the same.
    fn of_another_state(&self, random: &mut Random) -> Result<(), String> {
        let mut state = self.start.clone();
        for _ in 0..random.between(1, 8) {
            let page = random.pick(&self.witness.pages);
            let Some(index) = page.map(|page| page.index) else {
                break;
            };
            let mut page = *state.page(index);
            let at = random.below(PAGE_BYTES as u64) as usize;
            for (byte, new) in page.iter_mut().skip(at).zip(random.bytes()) {
                *byte = if random.percent(30) { 0 } else { new };
            }
            state.put(index, &page);
        }
        for global in &mut state.globals {
            if random.percent(20) {
                *global ^= random.next() >> random.below(64);
                // As wide as it is: the sample's are of 32 bits.
                *global &= u64::from(u32::MAX);
            }
        }
        let mut witness = self.witness.clone();
        for page in &mut witness.pages {
            let bytes = state.page(page.index);
            let zero = bytes.iter().all(|byte| *byte == 0);
            page.bytes = ByteBuf::from(if zero { Vec::new() } else { bytes.to_vec() });
        }
        witness.globals.clone_from(&state.globals);
        prove(&mut witness, &state)?;
        let [compiled, interpreted] = self.both(&state.root(), &witness);
        match (&compiled, &interpreted) {
            // The other cannot see this one.
            (Err(EngineError::Witness(WitnessFault::MissingPage)), _) => Ok(()),
            (Err(EngineError::Abstain(_)), _) | (_, Err(EngineError::Abstain(_))) => {
                Err(format!("abstained: {compiled:?}, {interpreted:?}"))
            }
            _ if compiled == interpreted => Ok(()),
            _ => Err(format!(
                "compiled {compiled:?}\ninterpreted {interpreted:?}"
            )),
        }
    }
}

/// Makes the proof right for the pages that are there.
fn prove(witness: &mut Witness, state: &Snapshot) -> Result<(), String> {
    let known: BTreeSet<u32> = witness.pages.iter().map(|page| page.index).collect();
    let proof = state.tree().prove(&known).ok_or("no proof")?;
    witness.siblings = proof.siblings;
    Ok(())
}

/// One change to a field.
fn alter(witness: &mut Witness, random: &mut Random) {
    let pages = witness.pages.len() as u64;
    let at = random.below(pages) as usize;
    match random.below(9) {
        0 => {
            witness.pages.remove(at);
        }
        1 => {
            if let Some(page) = witness.pages.get(at).cloned() {
                witness.pages.insert(at, page);
            }
        }
        2 => {
            let other = random.below(pages) as usize;
            witness.pages.swap(at, other);
        }
        3 => {
            if let Some(page) = witness.pages.get_mut(at) {
                page.index = random.next() as u32 >> random.below(32);
            }
        }
        4 => {
            if let Some(page) = witness.pages.get_mut(at) {
                page.bytes.resize(PAGE_BYTES, 0);
                let byte = random.below(PAGE_BYTES as u64) as usize;
                if let Some(byte) = page.bytes.get_mut(byte) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
        5 => {
            let index = random.below(1 << 22) as u32;
            let bytes = ByteBuf::from(vec![1; PAGE_BYTES]);
            witness.pages.push(WitnessPage { index, bytes });
            witness.pages.sort_by_key(|page| page.index);
        }
        6 => witness.wasm_pages = random.next() as u32 >> random.below(32),
        7 => witness.globals.push(random.next()),
        _ => {
            let sibling = random.below(witness.siblings.len() as u64) as usize;
            if random.percent(50) {
                witness.siblings.remove(sibling);
            } else {
                witness
                    .siblings
                    .insert(sibling, Digest::new(random.bytes()));
            }
        }
    }
}
