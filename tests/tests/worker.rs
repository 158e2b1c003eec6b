//! Workers as a node starts them: they give what the engine gives, are confined, and are replaced when they end.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use surety_attest::engine::{
    Abstain, Engine, EngineError, Environment, Message, Program, Start, WasmEngine,
};
use surety_attest::sample;
use surety_harness::built;
use surety_node::worker::{Worker, WorkerEngine};
use surety_protocol::id::{Digest, ModuleId};
use surety_protocol::profile::Profile;

const CLOCK: u64 = 1_700_000_000_000;

fn args(dir: &tempfile::TempDir, process_mib: u64) -> Vec<std::ffi::OsString> {
    built::worker_args(&dir.path().join("artefacts"), process_mib)
}

/// An engine in a worker that may take so many bytes, and the worker.
fn engine(dir: &tempfile::TempDir, memory_bytes: u64) -> (WorkerEngine, Arc<Worker>) {
    with(args(dir, 4096), memory_bytes)
}

fn with(args: Vec<std::ffi::OsString>, memory_bytes: u64) -> (WorkerEngine, Arc<Worker>) {
    over(Worker::new(built::surety().unwrap(), args, memory_bytes))
}

fn over(worker: Worker) -> (WorkerEngine, Arc<Worker>) {
    let worker = Arc::new(worker);
    let (evaluating, judging) = (Arc::clone(&worker), Arc::clone(&worker));
    let engine = WorkerEngine::new(Profile::v1(), evaluating, judging);
    (engine, worker)
}

fn of(bytes: Vec<u8>) -> Program {
    Program {
        module_id: ModuleId::default(),
        bytes: bytes.into(),
        environment: Environment::default(),
        memory_limit: 4 << 30,
        compute_limit: 2_000_000_000,
    }
}

/// A module whose `handle` does this.
fn module(handle: &str) -> Program {
    let text = format!(
        r#"(module (memory (export "memory") 1 65536)
        (data (i32.const 64) "{{\"ok\":true,\"response\":{{}}}}\00")
        (func (export "malloc") (param i32) (result i32) (i32.const 1024))
        (func (export "handle") (param i32 i32) (result i32) {handle} (i32.const 64)))"#
    );
    of(wat::parse_str(text).unwrap())
}

fn message(nonce: u64, action: &str) -> Message {
    Message {
        id: Some(format!("message-{nonce}")),
        tags: vec![("Action".into(), action.into())],
        data: b"not \xff UTF-8".to_vec(),
        timestamp: CLOCK + nonce,
        epoch: Some(0),
        nonce: Some(nonce),
        hash_chain: Some(String::new()),
        ..Message::default()
    }
}

/// What an engine gives of a script, step by step: outcomes, tries, roots, states.
fn script(engine: &dyn Engine, program: &Program) -> Vec<String> {
    let mut told = Vec::new();
    let mut resident = engine.boot(program, CLOCK).unwrap();
    let names = ["Hello", "Fail", "Hello", "Trap", "Loop", "Hello"];
    for (nonce, action) in (1..).zip(names.iter().cycle().take(24)) {
        let input = message(nonce, action);
        told.push(format!("{:?}", resident.dry_run(&input, u64::MAX)));
        match nonce % 3 {
            0 => told.push(format!(
                "{:?}",
                resident.traced_step(&input, &[Digest::default()])
            )),
            _ => told.push(format!("{:?}", resident.step(&input))),
        }
        if nonce % 5 == 0 {
            told.push(format!("{:?}", resident.state_root()));
        }
        if nonce % 7 == 0 {
            let snapshot = resident.snapshot().unwrap();
            resident = engine.restore(program, &snapshot).unwrap();
        }
    }
    let start = resident.snapshot().unwrap();
    let inputs: Vec<Message> = (30..34).map(|nonce| message(nonce, "Hello")).collect();
    let witness = engine.witness(program, &start, &inputs).unwrap();
    let root = start.root();
    let from = Start::Witness {
        root: &root,
        witness: &witness,
    };
    let keys = [root, start.tree().top()];
    told.push(format!(
        "{:?}",
        engine.reexecute(program, from, &inputs, &keys)
    ));
    told.push(format!("{:?}", engine.judge(program, from, &inputs, &keys)));
    let genesis = Start::Genesis { clock: CLOCK };
    told.push(format!(
        "{:?}",
        engine.judge(program, genesis, &inputs, &[])
    ));
    let other = start.tree().top();
    let false_start = Start::Witness {
        root: &other,
        witness: &witness,
    };
    told.push(format!(
        "{:?}",
        engine.judge(program, false_start, &inputs, &[])
    ));
    told.push(format!("{:?}", resident.page_tree().unwrap().top()));
    told.push(format!("{start:?}"));
    told
}

#[test]
fn a_worker_gives_what_the_engine_gives() {
    let dir = tempfile::tempdir().unwrap();
    let (workers, _) = engine(&dir, 8 << 30);
    let here = WasmEngine::new(Profile::v1()).unwrap();
    let program = Program {
        compute_limit: 500_000,
        ..of(sample::WASM.to_vec())
    };
    for (given, expected) in script(&workers, &program)
        .iter()
        .zip(script(&here, &program))
    {
        assert_eq!(*given, expected);
    }
    for refused in [&b"garbage"[..], b"", b"\0asm\x01\0\0\0\xff"] {
        assert_eq!(workers.check(refused), here.check(refused));
        assert!(workers.check(refused).is_err());
    }
    let unreachable = wat::parse_str("(module (func unreachable) (start 0))").unwrap();
    assert_eq!(workers.check(&unreachable), here.check(&unreachable));
    // What was compiled is there for the next.
    let kept = std::fs::read_dir(dir.path().join("artefacts"))
        .unwrap()
        .count();
    assert!(kept >= 1);
}

#[test]
fn a_reply_may_be_nested_as_deep_as_a_reply_can_be() {
    let dir = tempfile::tempdir().unwrap();
    let (workers, _) = engine(&dir, 8 << 30);
    let here = WasmEngine::new(Profile::v1()).unwrap();
    for depth in [1, 60, 120, 124, 125, 126, 127, 128, 200] {
        let reply = format!(
            r#"{{\"ok\":true,\"response\":{{\"Output\":{}1.1{}}}}}\00"#,
            "[".repeat(depth),
            "]".repeat(depth)
        );
        let text = format!(
            r#"(module (memory (export "memory") 1) (data (i32.const 64) "{reply}")
            (func (export "malloc") (param i32) (result i32) (i32.const 4096))
            (func (export "handle") (param i32 i32) (result i32) (i32.const 64)))"#
        );
        let program = of(wat::parse_str(text).unwrap());
        let input = message(1, "Hello");
        let step = |engine: &dyn Engine| engine.boot(&program, CLOCK).unwrap().step(&input);
        assert_eq!(step(&workers), step(&here), "{depth}");
    }
}

fn status(process: u32, file: &str) -> String {
    std::fs::read_to_string(format!("/proc/{process}/{file}")).unwrap()
}

#[test]
fn a_worker_is_confined() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, worker) = engine(&dir, 8 << 30);
    assert_eq!(
        worker.process(),
        None,
        "none is started before it is needed"
    );
    engine.check(sample::WASM).unwrap();
    let process = worker.process().unwrap();
    let told = status(process, "status");
    let field = |name: &str| {
        let line = told.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(field("Seccomp:"), "2");
    assert_eq!(field("NoNewPrivs:"), "1");
    assert_eq!(status(process, "oom_score_adj").trim(), "1000");
    assert_eq!(status(process, "environ"), "");
    // Its one socket, its null output, the log, and what the kernel tells of its own memory.
    let open: Vec<String> = std::fs::read_dir(format!("/proc/{process}/fd"))
        .unwrap()
        .map(|it| std::fs::read_link(it.unwrap().path()).unwrap())
        .map(|it| it.display().to_string())
        .collect();
    let known = ["socket:", "pipe:", "/dev/null", "anon_inode:[userfaultfd]"];
    // The log alone is a pipe: what the node itself was started with is closed.
    assert!(
        open.iter().filter(|it| it.starts_with("pipe:")).count() <= 1,
        "{open:?}"
    );
    for file in open {
        let own = file == format!("/proc/{process}/pagemap");
        assert!(own || known.iter().any(|it| file.starts_with(it)), "{file}");
    }
}

#[test]
fn a_killed_worker_is_an_abstention_and_another_is_started() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, worker) = engine(&dir, 8 << 30);
    let program = of(sample::WASM.to_vec());
    let mut resident = engine.boot(&program, CLOCK).unwrap();
    resident.step(&message(1, "Hello")).unwrap();
    let state = resident.snapshot().unwrap();
    let first = worker.process().unwrap();
    let kill = || {
        let process = worker.process().unwrap().to_string();
        let killed = Command::new("kill").args(["-9", &process]).status();
        assert!(killed.unwrap().success());
    };
    kill();
    let lost = Err(EngineError::Abstain(Abstain::Worker));
    assert_eq!(resident.step(&message(2, "Hello")), lost);
    assert_eq!(resident.dry_run(&message(2, "Hello"), u64::MAX), lost);
    assert!(resident.state_root().is_err());
    let mut again = engine.restore(&program, &state).unwrap();
    again.step(&message(2, "Hello")).unwrap();
    assert_ne!(worker.process().unwrap(), first);
    // In the middle of something long, too; where this machine was so slow that it was over by then, another time.
    let lost_within = || {
        let mut again = engine.restore(&program, &state).unwrap();
        let mut long = engine.boot(&endless(), CLOCK).unwrap();
        let waiting = std::thread::spawn(move || long.step(&message(1, "Hello")));
        again.dry_run(&message(3, "Hello"), u64::MAX).unwrap();
        kill();
        let outcome = waiting.join().unwrap();
        assert!(outcome == lost || outcome.is_ok(), "{outcome:?}");
        outcome == lost
    };
    assert!((0..5).any(|_| lost_within()));
}

/// As much gas as the profile allows: some seconds.
fn endless() -> Program {
    Program {
        compute_limit: u64::MAX,
        ..module("(loop (br 0))")
    }
}

#[test]
fn a_worker_that_takes_too_long_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::new(built::surety().unwrap(), args(&dir, 4096), 8 << 30);
    let (engine, worker) = over(worker.within(Duration::from_millis(700)));
    // To start and to compile takes its time too, on a slow machine too much; but what was compiled stays.
    let booted = |program: &Program| {
        let mut tries = (0..20).map(|_| engine.boot(program, CLOCK));
        tries.find_map(Result::ok).expect("it boots")
    };
    let mut resident = booted(&endless());
    let first = worker.process().unwrap();
    let outcome = resident.step(&message(1, "Hello"));
    assert_eq!(outcome, Err(EngineError::Abstain(Abstain::Worker)));
    // The next one is served by another.
    booted(&of(sample::WASM.to_vec()));
    assert_ne!(worker.process().unwrap(), first);
}

#[test]
fn a_worker_that_takes_too_much_memory_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, worker) = engine(&dir, 128 << 20);
    // Each page of 256 MiB, again and again.
    let greedy = module(
        "(drop (memory.grow (i32.const 4095)))
        (loop $again
          (local.set 0 (i32.const 0x10000))
          (loop $next
            (i32.store (local.get 0) (i32.const 1))
            (local.set 0 (i32.add (local.get 0) (i32.const 4096)))
            (br_if $next (i32.lt_u (local.get 0) (i32.const 0x0fff0000))))
          (br $again))",
    );
    let mut resident = engine.boot(&greedy, CLOCK).unwrap();
    let first = worker.process().unwrap();
    let outcome = resident.step(&message(1, "Hello"));
    assert_eq!(outcome, Err(EngineError::Abstain(Abstain::Worker)));
    // The next one is served by another.
    let other = of(sample::WASM.to_vec());
    engine.boot(&other, CLOCK).unwrap();
    assert_ne!(worker.process().unwrap(), first);
}

#[test]
fn a_process_that_grows_beyond_what_the_host_allows_costs_only_itself() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, worker) = with(args(&dir, 64), 8 << 30);
    let grows = module("(drop (memory.grow (i32.const 1024)))");
    let mut resident = engine.boot(&grows, CLOCK).unwrap();
    let root = resident.state_root().unwrap();
    let (first, abstains) = (worker.process(), Err(EngineError::Abstain(Abstain::Memory)));
    assert_eq!(resident.step(&message(1, "Hello")), abstains);
    assert_eq!(resident.state_root(), Ok(root));
    let witness = engine.witness(
        &grows,
        &resident.snapshot().unwrap(),
        &[message(1, "Hello")],
    );
    assert_eq!(witness.map(drop), abstains.clone().map(drop));
    let start = Start::Genesis { clock: CLOCK };
    let judged = engine.judge(&grows, start, &[message(1, "Hello")], &[]);
    assert_eq!(judged.map(drop), abstains.map(drop));
    // Where its own limit comes first, growing fails, and the module decides.
    let limited = Program {
        memory_limit: 32 << 20,
        ..grows
    };
    let mut resident = engine.boot(&limited, CLOCK).unwrap();
    assert_eq!(
        resident.step(&message(1, "Hello")).unwrap().result.error,
        None
    );
    // Too large from the start.
    let large = wat::parse_str(
        r#"(module (memory (export "memory") 2000)
        (func (export "malloc") (param i32) (result i32) (i32.const 1024))
        (func (export "handle") (param i32 i32) (result i32) (i32.const 64)))"#,
    );
    let large = engine.boot(&of(large.unwrap()), CLOCK);
    assert_eq!(large.map(drop), Err(EngineError::Abstain(Abstain::Memory)));
    assert_eq!(worker.process(), first, "nobody else noticed");
}

/// A worker started by hand, and this end of its socket.
fn by_hand(dir: &tempfile::TempDir) -> (std::process::Child, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let child = Command::new(built::surety().unwrap())
        .args(args(dir, 4096))
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    (child, ours)
}

#[test]
fn a_worker_ends_with_its_node_and_at_nonsense() {
    let dir = tempfile::tempdir().unwrap();
    let frames: [&[u8]; 4] = [
        b"",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x05hello",
        b"\x0f\xff\xff\xff",
    ];
    for frame in frames {
        let (mut child, mut socket) = by_hand(&dir);
        socket.write_all(frame).unwrap();
        drop(socket);
        let begin = Instant::now();
        let ended = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "{frame:?}");
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(ended.success(), "{frame:?}: {ended}");
    }
    // Started by a person it says what it is.
    let started = Command::new(built::surety().unwrap())
        .args(args(&dir, 4096))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(started.status.code(), Some(1));
    assert!(!started.stderr.is_empty());
}
