//! Executing what evidence asks for: nothing but the request goes in, and engines of different code bases must agree.

use surety_protocol::assignment::Assignment;
use surety_protocol::execution::{self, Execution, ExecutionRequest};

use crate::engine::{Abstain, Engine, EngineError, Judged, Start, WitnessFault};
use crate::message;

/// Executes a request statelessly (rules EX-1, EX-2, VM-3).
pub fn execute(engine: &dyn Engine, request: &ExecutionRequest) -> Execution {
    if engine.profile() != &request.profile {
        return Execution::Abstained("this node does not execute that profile".into());
    }
    let program = message::program(&request.profile, &request.process, &request.module);
    let mut messages = Vec::with_capacity(request.inputs.len());
    for input in &request.inputs {
        match message::message(&request.process, input) {
            Some(message) => messages.push(message),
            None => return Execution::Invalid("an input is not executable".into()),
        }
    }
    let unpacked;
    let start = match &request.start {
        execution::Start::Genesis => {
            let first = request
                .inputs
                .first()
                .map(|it| Assignment::from_item(&it.assignment));
            match first {
                Some(Ok(first)) => Start::Genesis {
                    clock: message::clock(&first),
                },
                _ => return Execution::Invalid("nothing to execute".into()),
            }
        }
        execution::Start::Witness { root, witness } => {
            unpacked = match witness.unpack() {
                Ok(witness) => witness,
                Err(fault) => return Execution::Invalid(WitnessFault::from(fault).to_string()),
            };
            Start::Witness {
                root,
                witness: &unpacked,
            }
        }
    };
    match engine.judge(&program, start, &messages, &request.traced) {
        Ok(Judged {
            steps,
            state_root,
            traces,
        }) => Execution::Done {
            steps,
            state_root,
            traces,
        },
        Err(EngineError::Abstain(Abstain::Differ)) => Execution::Differed,
        Err(EngineError::Abstain(why)) => Execution::Abstained(why.to_string()),
        Err(why) => Execution::Invalid(why.to_string()),
    }
}
