//! Random modules on both machines: the same refusals, results, gas and roots.

use std::sync::LazyLock;

use surety_attest::engine::{
    Abstain, Engine, EngineError, Environment, Message, Program, Reexecution, Resident, Start,
    StepOutcome, WasmEngine,
};
use surety_attest::state::Snapshot;
use surety_protocol::id::{Digest, ModuleId};
use surety_protocol::profile::Profile;

use super::smith;
use crate::random::Random;

/// Gas of an input, and of the boot.
const GAS: u64 = 200_000;
/// Inputs of a case.
const INPUTS: u64 = 8;
/// Modules that are tried until one can be made of the randomness.
const TRIES: usize = 16;

/// The same profile on both machines.
struct Machines {
    compiling: WasmEngine,
    interpreting: WasmEngine,
}

static MACHINES: LazyLock<Result<Machines, EngineError>> = LazyLock::new(|| {
    let profile = Profile {
        gas_max: GAS,
        stack_slots_max: 20_000,
        memory_bytes_max: 3 << 20,
        ..Profile::v1()
    };
    Ok(Machines {
        compiling: WasmEngine::new(profile.clone())?,
        interpreting: WasmEngine::interpreting(profile)?,
    })
});

/// What a process did, as far as it came.
#[derive(Debug, PartialEq)]
struct Run {
    /// The root after the boot, and each outcome with the root after it; or why it is refused.
    steps: Result<(Digest, Vec<(StepOutcome, Digest)>), EngineError>,
}

/// Under which the last step of every stretch is traced.
pub(super) const KEYS: [Digest; 2] = [Digest::new([1; 32]), Digest::new([2; 32])];

pub(super) fn case(random: &mut Random) -> Result<(), String> {
    let machines = MACHINES
        .as_ref()
        .map_err(|error| format!("no engine: {error}"))?;
    let Some(bytes) = (0..TRIES).find_map(|_| smith::module(random)) else {
        return Ok(());
    };
    let program = program(&bytes, random);
    let inputs: Vec<Message> = (0..INPUTS).map(|nonce| message(nonce, random)).collect();
    let clock = random.below(1 << 41);
    let compiled = run(&machines.compiling, &program, clock, &inputs)?;
    let interpreted = run(&machines.interpreting, &program, clock, &inputs)?;
    if compiled.0 != interpreted.0 {
        return Err(format!(
            "compiled {:?}\ninterpreted {:?}",
            compiled.0, interpreted.0
        ));
    }
    if let (Some(mut process), Some(mut other)) = (compiled.1, interpreted.1) {
        let told = |error: EngineError| format!("no snapshot: {error}");
        let start = process.snapshot().map_err(told)?;
        if start != other.snapshot().map_err(told)? {
            return Err("the snapshots differ".into());
        }
        stretch(machines, &program, start, random)?;
    }
    Ok(())
}

fn program(bytes: &[u8], random: &mut Random) -> Program {
    Program {
        module_id: ModuleId::default(),
        bytes: bytes.to_vec().into(),
        environment: Environment::default(),
        memory_limit: random.between(1, 40) << 16,
        compute_limit: random.between(1_000, 2 * GAS),
    }
}

fn message(nonce: u64, random: &mut Random) -> Message {
    Message {
        id: Some(format!("message-{nonce}")),
        data: random.bytes().to_vec(),
        timestamp: random.below(1 << 41),
        epoch: Some(0),
        nonce: Some(nonce),
        hash_chain: Some(String::new()),
        ..Message::default()
    }
}

/// Boots and steps; gives the process too, if there is one.
fn run(
    engine: &WasmEngine,
    program: &Program,
    clock: u64,
    inputs: &[Message],
) -> Result<(Run, Option<Box<dyn Resident>>), String> {
    let mut process = match engine.boot(program, clock) {
        Ok(process) => process,
        Err(EngineError::Abstain(abstain)) => return Err(format!("abstained: {abstain}")),
        Err(refused) => {
            return Ok((
                Run {
                    steps: Err(refused),
                },
                None,
            ));
        }
    };
    let told = |error: EngineError| format!("no root: {error}");
    let root = process.state_root().map_err(told)?;
    let mut steps = Vec::new();
    for input in inputs {
        let outcome = process
            .step(input)
            .map_err(|error| format!("at {:?}: {error}", input.id))?;
        steps.push((outcome, process.state_root().map_err(told)?));
    }
    let run = Run {
        steps: Ok((root, steps)),
    };
    Ok((run, Some(process)))
}

/// From a snapshot on: resident and from a witness, on both.
fn stretch(
    machines: &Machines,
    program: &Program,
    start: Snapshot,
    random: &mut Random,
) -> Result<(), String> {
    let inputs: Vec<Message> = (0..INPUTS).map(|nonce| message(nonce, random)).collect();
    let root = start.root();
    let told = |error: EngineError| format!("from a snapshot: {error}");
    let restored = machines.compiling.restore(program, &start).map_err(told)?;
    let given = on(restored, &inputs)?;
    let restored = machines
        .interpreting
        .restore(program, &start)
        .map_err(told)?;
    if on(restored, &inputs)? != given {
        return Err("from a snapshot, the machines differ".into());
    }
    let witness = match machines.compiling.witness(program, &start, &inputs) {
        Err(EngineError::Abstain(Abstain::WitnessTooLarge)) => return Ok(()),
        witness => witness.map_err(|error| format!("no witness: {error}"))?,
    };
    let from = Start::Witness {
        root: &root,
        witness: &witness,
    };
    for engine in [&machines.compiling, &machines.interpreting] {
        let again = engine.reexecute(program, from, &inputs, &KEYS);
        if again.as_ref() != Ok(&given) {
            return Err(format!("from the witness {again:?}, resident {given:?}"));
        }
    }
    Ok(())
}

fn on(mut process: Box<dyn Resident>, inputs: &[Message]) -> Result<Reexecution, String> {
    let mut given = || {
        let (steps, traces) = traced(&mut *process, inputs)?;
        Ok(Reexecution {
            steps,
            state_root: process.state_root()?,
            traces,
        })
    };
    given().map_err(|error: EngineError| format!("restored: {error}"))
}

/// Applies inputs, and traces the last.
pub(super) fn traced(
    process: &mut dyn Resident,
    inputs: &[Message],
) -> Result<(Vec<StepOutcome>, Vec<Digest>), EngineError> {
    let Some((last, before)) = inputs.split_last() else {
        return Ok((Vec::new(), Vec::new()));
    };
    let steps = before.iter().map(|input| process.step(input));
    let mut steps = steps.collect::<Result<Vec<_>, _>>()?;
    let (step, traces) = process.traced_step(last, &KEYS)?;
    steps.push(step);
    Ok((steps, traces))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_random_modules_run_and_many_inputs_leave_a_trace() {
        let machines = MACHINES.as_ref().unwrap();
        let (mut booted, mut kept, mut failed) = (0, 0, 0);
        for seed in 0..100 {
            let random = &mut Random::new(seed);
            let bytes = (0..TRIES).find_map(|_| smith::module(random)).unwrap();
            let program = Program {
                memory_limit: 4 << 20,
                compute_limit: GAS,
                ..program(&bytes, random)
            };
            let inputs: Vec<Message> = (0..INPUTS).map(|nonce| message(nonce, random)).collect();
            let (run, _) = run(&machines.compiling, &program, 0, &inputs).unwrap();
            if let Ok((_, steps)) = run.steps {
                booted += 1;
                let good = steps
                    .iter()
                    .filter(|(outcome, _)| outcome.result.error.is_none());
                kept += good.count();
                failed += steps.len();
            }
        }
        failed -= kept;
        assert!(booted > 50, "{booted} of 100 modules boot");
        assert!(
            kept > 150 && failed > 50,
            "{kept} inputs are kept, {failed} fail"
        );
    }
}
