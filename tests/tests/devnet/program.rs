//! The program as a user starts it, and a local network that stays until it is stopped.

use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use surety_harness::built;

const PATIENCE: Duration = Duration::from_secs(90);

/// What a run of the program gave.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// The data of the last line.
    pub(crate) fn last(&self) -> Value {
        let line = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str::<Value>(line).expect(line)["data"].clone()
    }

    pub(crate) fn data(&self) -> Value {
        self.last()
    }
}

pub(crate) fn surety(arguments: &[&str]) -> Run {
    let done = Command::new(built::surety().unwrap())
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Run {
        code: done.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}

/// An environment variable that says something.
pub(crate) fn variable(name: &str) -> Option<PathBuf> {
    let value = std::env::var_os(name).filter(|it| !it.is_empty());
    value.map(PathBuf::from)
}

pub(crate) fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// What is at an address, if there is anything.
pub(crate) fn body(url: &str) -> Option<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    let bytes = runtime.block_on(async { reqwest::get(url).await?.bytes().await });
    Some(bytes.ok()?.to_vec())
}

/// The JSON at an address, if there is any.
pub(crate) fn get(url: &str) -> Option<Value> {
    serde_json::from_slice(&body(url)?).ok()
}

/// A local network that stays.
pub(crate) struct Devnet {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    ready: Value,
    /// What stays when a test fails, for whoever looks for the reason.
    dir: Option<tempfile::TempDir>,
    _stdin: Option<ChildStdin>,
}

impl Devnet {
    pub(crate) fn start(extra: &[&str]) -> Devnet {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(built::surety().unwrap())
            .args(["--json", "devnet", "--keep", "--dir"])
            .arg(dir.path())
            .args(extra)
            // As in a shell that has been told how to use another network.
            .env("SURETY_DIR", "/nowhere")
            .env("SURETY_PASSWORD_FILE", "/nowhere")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            // As a terminal starts it.
            .process_group(0)
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().expect("the network comes up").unwrap();
        let ready = serde_json::from_str::<Value>(&line).unwrap()["data"].clone();
        assert_eq!(text(&ready, "event"), "ready");
        Devnet {
            child,
            lines,
            ready,
            dir: Some(dir),
            _stdin: stdin,
        }
    }

    /// What the network said when it was ready.
    pub(crate) fn ready(&self) -> &Value {
        &self.ready
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.as_ref().unwrap().path()
    }

    /// Runs a command of the program against the first node, with the network's wallet.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let http = text(&self.ready, "http");
        let mut all = vec!["--json", "--node", http.as_str()];
        all.extend(arguments);
        let done = Command::new(built::surety().unwrap())
            .args(&all)
            .env("SURETY_DIR", self.dir())
            .env("SURETY_PASSWORD_FILE", self.dir().join("password"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Run {
            code: done.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
        }
    }

    pub(crate) fn spawn(&self) -> String {
        let (module, scheduler) = (text(&self.ready, "module"), text(&self.ready, "scheduler"));
        let authority = text(&self.ready, "authority");
        let spawned = self.run(&[
            "process",
            "spawn",
            "--module",
            &module,
            "--scheduler",
            &scheduler,
            "--authority",
            &authority,
        ]);
        assert_eq!(spawned.code, 0, "{}{}", spawned.stdout, spawned.stderr);
        text(&spawned.data(), "process")
    }

    /// Sends messages; gives the slot of the last.
    pub(crate) fn send(&self, process: &str, count: usize) -> u64 {
        let mut last = 0;
        for index in 0..count {
            let data = format!("message {index}");
            let sent = until("a message gets a slot", || {
                let sent = self.run(&[
                    "process", "send", process, "--action", "Count", "--data", &data,
                ]);
                (sent.code == 0).then_some(sent)
            });
            last = sent.data()["slot"].as_u64().unwrap();
        }
        last
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        self.try_get(path).expect(path)
    }

    /// The bytes of an answer.
    pub(crate) fn bytes(&self, path: &str) -> Vec<u8> {
        body(&format!("{}{path}", text(&self.ready, "http"))).expect(path)
    }

    fn try_get(&self, path: &str) -> Option<Value> {
        get(&format!("{}{path}", text(&self.ready, "http")))
    }

    /// Waits until so many slots are certified.
    pub(crate) fn certified(&self, process: &str, slots: u64) {
        self.certified_within(PATIENCE, process, slots);
    }

    /// The same with another patience.
    pub(crate) fn certified_within(&self, patience: Duration, process: &str, slots: u64) {
        wait(patience, "the slots are certified", || {
            let about = self.try_get(&format!("/v1/processes/{process}"))?;
            (about["certified"].as_u64()? >= slots).then_some(())
        });
    }

    /// Waits until so many offences are punished.
    pub(crate) fn slashed(&self, count: usize) -> Vec<Value> {
        until("the offence is punished", || {
            let found = self.try_get("/v1/slashings")?;
            let found = found["items"].as_array()?.clone();
            (found.len() >= count).then_some(found)
        })
    }

    pub(crate) fn operator(&self, node: usize) -> String {
        let http = text(&self.ready["nodes"][node], "http");
        let about = surety(&["--json", "--node", &http, "node", "status"]);
        text(&about.data(), "operator")
    }

    /// Kills a node as a power cut would.
    pub(crate) fn kill(&self, node: usize) -> Killed {
        let node = &self.ready["nodes"][node];
        let pid = node["pid"].as_u64().unwrap().to_string();
        assert!(
            Command::new("kill")
                .args(["-9", &pid])
                .status()
                .unwrap()
                .success()
        );
        Killed {
            dir: PathBuf::from(text(node, "dir")),
            child: None,
        }
    }

    /// Kills the workers of every node, as a machine that is out of memory would; how many they were.
    pub(crate) fn kill_workers(&self) -> usize {
        let nodes = self.ready["nodes"].as_array().unwrap().iter();
        let nodes: Vec<String> = nodes.map(|node| node["pid"].to_string()).collect();
        let mut killed = 0;
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let status = std::fs::read_to_string(entry.path().join("status")).unwrap_or_default();
            let parent = status.lines().find_map(|it| it.strip_prefix("PPid:"));
            if parent.is_some_and(|parent| nodes.iter().any(|it| it == parent.trim())) {
                let process = entry.file_name();
                let kill = Command::new("kill").arg("-9").arg(process).status();
                killed += usize::from(kill.unwrap().success());
            }
        }
        killed
    }

    /// Stops the network as Ctrl-C in a terminal does, which every process of the group hears; gives its report.
    pub(crate) fn stop(mut self) -> Value {
        let group = format!("-{}", self.child.id());
        assert!(
            Command::new("kill")
                .args(["-INT", "--", &group])
                .status()
                .unwrap()
                .success()
        );
        let line = self.lines.next().expect("a report").unwrap();
        assert!(self.child.wait().unwrap().success());
        serde_json::from_str::<Value>(&line).unwrap()["data"].clone()
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        // Every node stops when its parent is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking()
            && let Some(dir) = self.dir.take()
        {
            eprintln!("what the nodes said: {}", dir.keep().display());
        }
    }
}

/// A node that was killed.
pub(crate) struct Killed {
    dir: PathBuf,
    child: Option<Child>,
}

impl Killed {
    /// Starts it again on its directory.
    pub(crate) fn restart(&mut self) {
        self.restart_with(&[]);
    }

    /// Starts it again, told something else.
    pub(crate) fn restart_with(&mut self, arguments: &[&str]) {
        assert!(self.try_restart_with(arguments), "the node comes up again");
    }

    /// Starts it again, told something by which it may end before it is ready; whether it was.
    pub(crate) fn try_restart_with(&mut self, arguments: &[&str]) -> bool {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.join("log-after-restart"))
            .unwrap();
        let mut child = Command::new(built::surety().unwrap())
            .args(["--json", "node", "run", "--until-stdin-closes", "--dir"])
            .arg(&self.dir)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        self.child = Some(child);
        let ready = lines.next().is_some();
        // What it says later is read, so that it can say it.
        std::thread::spawn(move || lines.for_each(drop));
        ready
    }

    /// Whether it runs, since it was started again.
    pub(crate) fn runs(&mut self) -> bool {
        let child = self.child.as_mut();
        child.is_some_and(|it| it.try_wait().unwrap().is_none())
    }

    /// Whether it ended as one that crashes on purpose does (rule FA-3), and in no other way.
    pub(crate) fn crashed(&mut self) -> bool {
        let child = self.child.as_mut();
        let ended = child.and_then(|it| it.try_wait().unwrap());
        ended.and_then(|it| it.signal()) == Some(Signal::ABORT.as_raw())
    }

    /// Kills it once more.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Asks until a condition holds.
pub(crate) fn until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    wait(PATIENCE, what, ask)
}

fn wait<T>(patience: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited too long: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
