//! A node in a host's namespace, started as its user starts it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

use surety_harness::built;
use surety_node::config::{FILE_NAME, HTTP_PORT, P2P_PORT};

use super::host::Host;

/// How long nodes may take to stop before they are killed.
const STOP: Duration = Duration::from_secs(10);

/// A running node.
pub(crate) struct Node {
    child: Child,
    /// The node stops when it closes.
    stdin: Option<ChildStdin>,
}

/// What a node is told besides what its directory says.
pub(crate) struct Told<'a> {
    pub(crate) bootstrap: Vec<String>,
    pub(crate) fault: Option<&'a str>,
}

/// Where a node on a host answers HTTP.
pub(crate) fn http(host: &Host) -> String {
    format!("http://{}:{HTTP_PORT}", host.address())
}

/// Where a node on a host listens for others.
pub(crate) fn listen(host: &Host) -> Vec<String> {
    let address = host.address();
    vec![
        format!("/ip4/{address}/udp/{P2P_PORT}/quic-v1"),
        format!("/ip4/{address}/tcp/{P2P_PORT}"),
    ]
}

/// The configuration of a directory with the addresses of a host in it.
fn moved(config: &str, host: &Host, told: &Told<'_>) -> String {
    let gone = ["http ", "listen ", "bootstrap ", "faults "];
    let mut lines: Vec<String> = config
        .lines()
        .filter(|line| !gone.iter().any(|it| line.starts_with(it)))
        .map(str::to_owned)
        .collect();
    lines.push(format!("http = \"{}:{HTTP_PORT}\"", host.address()));
    lines.push(format!("listen = {:?}", listen(host)));
    lines.push(format!("bootstrap = {:?}", told.bootstrap));
    let faults: Vec<&str> = told.fault.into_iter().collect();
    lines.push(format!("faults = {faults:?}"));
    lines.join("\n")
}

impl Node {
    /// Starts the node of a directory on a host, and waits until it is ready.
    pub(crate) fn start(host: &Host, dir: &Path, told: &Told<'_>) -> Node {
        let file = dir.join(FILE_NAME);
        let config = std::fs::read_to_string(&file).expect("a configuration");
        std::fs::write(&file, moved(&config, host, told)).expect("a configuration");
        let log = File::create(dir.join("log-of-namespace")).expect("a log");
        let mut child = host
            .command(&built::surety().expect("the program"))
            .args(["--json", "node", "run", "--until-stdin-closes", "--dir"])
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            // A terminal's Ctrl-C is for the benchmark, and nodes end with it.
            .process_group(0)
            .spawn()
            .expect("a node");
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("its output");
        let node = Node { child, stdin };
        let mut lines = BufReader::new(stdout).lines();
        let ready = lines.next().and_then(Result::ok);
        assert!(ready.is_some(), "{} does not start", dir.display());
        // What it says later is read, so that it can say it.
        std::thread::spawn(move || lines.for_each(drop));
        node
    }

    /// Tells the node to stop.
    fn stop(&mut self) {
        drop(self.stdin.take());
    }
}

/// Stops nodes, all at once.
pub(crate) fn stop(nodes: &mut [Node]) {
    nodes.iter_mut().for_each(Node::stop);
    let deadline = Instant::now() + STOP;
    for node in nodes {
        while matches!(node.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop();
        // It has ended, most of the time.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
