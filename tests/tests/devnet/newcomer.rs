//! A node that somebody new runs beside a network.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use surety_harness::built;
use tempfile::TempDir;

use crate::program::{Devnet, body, get, text};

/// The node, its directory, and the network's wallet as its operator.
pub(crate) struct Newcomer {
    child: Option<Child>,
    home: TempDir,
    http: String,
}

impl Newcomer {
    /// Makes the directory, as the README says.
    pub(crate) fn init(net: &Devnet) -> Newcomer {
        let it = Newcomer {
            child: None,
            home: tempfile::tempdir().unwrap(),
            http: String::new(),
        };
        let (password, genesis) = (net.dir().join("password"), net.dir().join("genesis.cbor"));
        let wallet = text(net.ready(), "wallet");
        let made = ["node", "init", "--operator", &wallet, "--light-kdf"];
        let (genesis, password) = (genesis.to_str().unwrap(), password.to_str().unwrap());
        let files = ["--genesis", genesis, "--password-file", password];
        it.run(net, &[&made[..], &files].concat());
        it
    }

    pub(crate) fn dir(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn http(&self) -> &str {
        &self.http
    }

    /// Runs the program in the node's directory against the network's first node; gives the data of its last line.
    pub(crate) fn run(&self, net: &Devnet, arguments: &[&str]) -> Value {
        let (done, told) = self.ask(net, arguments);
        assert!(done, "{arguments:?}: {told}");
        told["data"].clone()
    }

    /// The same for what may be refused: whether it was done, and the last line.
    fn ask(&self, net: &Devnet, arguments: &[&str]) -> (bool, Value) {
        let node = text(net.ready(), "http");
        let done = Command::new(built::surety().unwrap())
            .args(["--json", "--node", &node])
            .args(arguments)
            .env("SURETY_DIR", self.dir())
            .env("SURETY_PASSWORD_FILE", net.dir().join("password"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        let last = said.lines().last().unwrap_or("{}");
        let told = serde_json::from_str(last).expect(last);
        (done.status.success(), told)
    }

    /// Registers the node, with the wallet's key.
    pub(crate) fn register(&self, net: &Devnet) {
        self.stake(net, &["register"]);
    }

    /// Does something with the operator's stake.
    pub(crate) fn stake(&self, net: &Devnet, verb: &[&str]) {
        let (done, told) = self.ask_stake(net, verb);
        assert!(done, "{verb:?}: {told}");
    }

    /// Why nothing is done with the operator's stake: the code.
    pub(crate) fn stake_refused(&self, net: &Devnet, verb: &[&str]) -> String {
        let (done, told) = self.ask_stake(net, verb);
        assert!(!done, "{verb:?}: {told}");
        text(&told["error"], "code")
    }

    fn ask_stake(&self, net: &Devnet, verb: &[&str]) -> (bool, Value) {
        let keys = net.dir().join("keys");
        let signing = ["--key-dir", keys.to_str().unwrap(), "--wait"];
        self.ask(net, &[&["stake"], verb, &signing].concat())
    }

    /// Starts it by a command that runs nodes.
    pub(crate) fn start(&mut self, net: &Devnet, command: &[&str]) {
        let bootstrap = net.ready()["nodes"][0]["p2p"][0].as_str().unwrap();
        let log = std::fs::File::create(self.dir().join("log")).unwrap();
        let mut child = Command::new(built::surety().unwrap())
            .arg("--json")
            .args(command)
            .args(["--until-stdin-closes", "--dir"])
            .arg(self.dir())
            .args(["--http", "127.0.0.1:0"])
            .args(["--listen", "/ip4/127.0.0.1/udp/0/quic-v1"])
            .args(["--bootstrap", bootstrap])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().expect("the node comes up").unwrap();
        let ready = serde_json::from_str::<Value>(&line).unwrap()["data"].clone();
        std::thread::spawn(move || lines.for_each(drop));
        self.http = text(&ready, "http");
        self.child = Some(child);
    }

    /// What its metrics say.
    pub(crate) fn metrics(&self) -> Option<String> {
        String::from_utf8(body(&format!("{}/metrics", self.http))?).ok()
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        get(&format!("{}{path}", self.http))
    }
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
