//! A network that has been brought to life on loopback, and stopped: directories of nodes whose operators have bonded, and a module.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use surety_harness::built;

use super::program::text;

/// Directories of nodes, and what the network said of itself.
pub(crate) struct Founded {
    /// What stays when the benchmark fails, for whoever looks for the reason.
    dir: Option<tempfile::TempDir>,
    said: Value,
}

/// A program that is killed if it is not told to stop.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, most of the time.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Founded {
    /// Founds a network of so many nodes.
    pub(crate) fn new(nodes: usize) -> Founded {
        let dir = tempfile::tempdir().expect("a directory");
        let child = Command::new(built::surety().expect("the program"))
            .args(["--json", "devnet", "--keep", "--nodes", &nodes.to_string()])
            .arg("--dir")
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a network");
        let mut running = Running(child);
        let stdout = running.0.stdout.take().expect("its output");
        let mut lines = BufReader::new(stdout).lines();
        let line = lines.next().expect("the network comes up").expect("a line");
        let said: Value = serde_json::from_str(&line).expect("JSON");
        let pid = running.0.id().to_string();
        let told = Command::new("kill").args(["-INT", &pid]).status();
        assert!(told.expect("kill").success());
        // It reports, and ends with the last of its nodes.
        lines.for_each(drop);
        assert!(running.0.wait().expect("its end").success());
        Founded {
            dir: Some(dir),
            said: said["data"].clone(),
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.as_ref().expect("a directory").path()
    }

    /// A text that the network said when it was ready.
    pub(crate) fn said(&self, name: &str) -> String {
        text(&self.said, name)
    }

    /// What it said of a node.
    pub(crate) fn node(&self, index: usize) -> &Value {
        &self.said["nodes"][index]
    }
}

impl Drop for Founded {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(dir) = self.dir.take()
        {
            eprintln!("what the nodes said: {}", dir.keep().display());
        }
    }
}
