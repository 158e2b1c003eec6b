//! What the tests share: an engine, programs and messages.

use std::sync::LazyLock;

use surety_attest::engine::{
    Engine, Environment, Message, Program, Resident, StepOutcome, Subject, WasmEngine,
};
use surety_attest::sample;
use surety_protocol::id::ModuleId;
use surety_protocol::profile::Profile;

pub(crate) const CLOCK: u64 = 1_790_000_000_000;
pub(crate) const PROCESS: &str = "PROCESS-PROCESS-PROCESS-PROCESS-PROCESS-PRO";
pub(crate) const OWNER: &str = "OWNER-OWNER-OWNER-OWNER-OWNER-OWNER-OWNER-O";

pub(crate) static ENGINE: LazyLock<WasmEngine> =
    LazyLock::new(|| WasmEngine::new(Profile::v1()).expect("an engine"));

pub(crate) fn program(bytes: &[u8]) -> Program {
    let tags = vec![
        ("Data-Protocol".into(), "ao".into()),
        ("Type".into(), "Process".into()),
    ];
    let process = Subject {
        id: PROCESS.into(),
        owner: OWNER.into(),
        tags,
    };
    let module = Subject {
        id: "MODULE".into(),
        owner: OWNER.into(),
        tags: vec![],
    };
    Program {
        module_id: ModuleId::new([1; 32]),
        bytes: bytes.to_vec().into(),
        environment: Environment { process, module },
        memory_limit: 512 << 20,
        compute_limit: u64::MAX,
    }
}

/// The sample, with a limit that makes endless loops short.
pub(crate) fn counter() -> Program {
    Program {
        compute_limit: 10_000_000,
        ..program(sample::WASM)
    }
}

/// A program from WebAssembly text, with the two exports that every module needs unless it has
/// them.
pub(crate) fn text(body: &str) -> Program {
    let mut text = format!("(module {body}");
    if !body.contains("\"malloc\"") {
        text.push_str(r#"(func (export "malloc") (param i32) (result i32) i32.const 0x8000)"#);
    }
    text.push(')');
    let bytes = wat::parse_str(&text).expect("text");
    Program {
        compute_limit: 10_000_000,
        ..program(&bytes)
    }
}

pub(crate) fn message(nonce: u64, tags: &[(&str, &str)], data: &str) -> Message {
    Message {
        id: Some(format!("message-{nonce}")),
        target: PROCESS.into(),
        owner: OWNER.into(),
        from: OWNER.into(),
        anchor: "0".into(),
        tags: tags
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
        data: data.into(),
        module: "MODULE".into(),
        block_height: 1_600_000,
        timestamp: CLOCK + nonce,
        epoch: Some(0),
        nonce: Some(nonce),
        hash_chain: Some(String::new()),
        ..Message::default()
    }
}

pub(crate) fn action(nonce: u64, action: &str) -> Message {
    message(nonce, &[("Action", action)], "")
}

pub(crate) fn boot(program: &Program) -> Box<dyn Resident> {
    ENGINE.boot(program, CLOCK).expect("boots")
}

pub(crate) fn error(outcome: &StepOutcome) -> &str {
    outcome
        .result
        .error
        .as_ref()
        .and_then(|error| error.as_str())
        .unwrap_or("")
}
