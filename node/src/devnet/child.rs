//! The nodes of a local network as operating-system processes.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use super::plan::{Member, Plan, culprit};
use super::{DevnetError, Options, client, until};
use crate::client::Client;
use crate::config::{FILE_ENV, RoleName, Setting};
use crate::fault::Fault;
use crate::shell::Shell;

/// How long a node may take to stop before it is killed.
const STOP: Duration = Duration::from_secs(10);

/// A running node.
pub(super) struct Node {
    index: usize,
    dir: std::path::PathBuf,
    roles: Vec<RoleName>,
    pid: u32,
    p2p: Vec<String>,
    api: Client,
}

impl Node {
    pub(super) fn name(&self) -> String {
        format!("node-{}", self.index.saturating_add(1))
    }

    pub(super) const fn api(&self) -> &Client {
        &self.api
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "name": self.name(),
            "roles": self.roles,
            "http": self.api.base(),
            "p2p": self.p2p,
            "pid": self.pid,
            "dir": self.dir,
        })
    }
}

/// The operating-system processes, in the order of the nodes.
#[derive(Default)]
pub(super) struct Children(Vec<Running>);

/// One of them. Its standard input is held apart, because waiting for a child closes what it holds.
struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    log: String,
    /// Whether that was told.
    has_ended: bool,
}

impl Children {
    /// Waits until another one ends by itself: its number, and where its log is.
    pub(super) async fn next_ended(&mut self) -> (usize, String) {
        let running = (1..).zip(&mut self.0).filter(|(_, it)| !it.has_ended);
        let mut waits: FuturesUnordered<_> = running
            .map(|(number, it)| async move {
                // However it ended, the log says why.
                let _ = it.child.wait().await;
                it.has_ended = true;
                (number, it.log.clone())
            })
            .collect();
        match waits.next().await {
            Some(ended) => ended,
            None => std::future::pending().await,
        }
    }

    /// Ends everything (rule DN-3).
    pub(super) async fn stop(&mut self) {
        for running in &mut self.0 {
            // Closing its standard input tells a node to stop.
            drop(running.stdin.take());
        }
        for running in &mut self.0 {
            if tokio::time::timeout(STOP, running.child.wait())
                .await
                .is_err()
            {
                // It may have ended meanwhile.
                let _ = running.child.kill().await;
            }
        }
    }
}

/// All nodes.
pub(super) struct Network {
    nodes: Vec<Node>,
}

impl Network {
    pub(super) async fn start(
        plan: &Plan,
        options: &Options,
        children: &mut Children,
        shell: &Shell,
    ) -> Result<Network, DevnetError> {
        let mut network = Network { nodes: Vec::new() };
        for (index, member) in plan.members.iter().enumerate() {
            let bootstrap: Vec<String> = network
                .nodes
                .first()
                .map(|it| it.p2p.clone())
                .unwrap_or_default();
            let faults: Vec<Fault> = options
                .faults
                .iter()
                .filter(|it| {
                    let too = options.every_verifier && it.is_a_verifiers();
                    culprit(it) == index || (too && member.roles.contains(&RoleName::Verifier))
                })
                .copied()
                .collect();
            let node = launch(plan, index, member, &bootstrap, &faults, children).await?;
            shell.progress(format!(
                "{} runs (pid {}, {}, {})",
                node.name(),
                node.pid,
                node.api.base(),
                roles(&node.roles)
            ));
            network.nodes.push(node);
        }
        Ok(network)
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }

    pub(super) fn node(&self, index: usize) -> Option<&Node> {
        self.nodes.get(index)
    }

    /// The client of the first node that answers; of node 1, if none does.
    pub(super) async fn answering(&self) -> &Client {
        for node in &self.nodes {
            if node.api.get("/health/live").await.is_ok() {
                return &node.api;
            }
        }
        self.first_api()
    }

    /// The client of node 1, which every network has.
    #[allow(
        clippy::expect_used,
        reason = "a network that started has its first node"
    )]
    pub(super) fn first_api(&self) -> &Client {
        &self.nodes.first().expect("a started network has nodes").api
    }
}

async fn launch(
    plan: &Plan,
    index: usize,
    member: &Member,
    bootstrap: &[String],
    faults: &[Fault],
    children: &mut Children,
) -> Result<Node, DevnetError> {
    let config = configuration(plan, member, bootstrap, faults);
    write(&member.dir.join("surety.toml"), &config)?;
    let failed = || DevnetError::Start {
        node: index.saturating_add(1),
        log: log(&member.dir),
    };
    let log_file = File::create(member.dir.join("log")).map_err(|error| DevnetError::File {
        what: log(&member.dir),
        error,
    })?;
    let program = std::env::current_exe().map_err(|error| DevnetError::File {
        what: "this program".into(),
        error,
    })?;
    let mut command = Command::new(program);
    // All that a node is told stands in its file. What the shell says of another network or node is not for it.
    for setting in Setting::ALL {
        if !matches!(setting, Setting::Log | Setting::LogFormat) {
            command.env_remove(setting.env());
        }
    }
    let mut child = command
        .env_remove(FILE_ENV)
        .args(["--json", "node", "run", "--until-stdin-closes", "--dir"])
        .arg(&member.dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log_file)
        // A terminal's Ctrl-C is for the parent, who first asks what the network did.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| DevnetError::File {
            what: "surety node run".into(),
            error,
        })?;
    let pid = child.id().unwrap_or_default();
    let stdout = child.stdout.take();
    let stdin = child.stdin.take();
    children.0.push(Running {
        child,
        stdin,
        log: log(&member.dir),
        has_ended: false,
    });
    let stdout = stdout.ok_or_else(failed)?;
    let mut lines = BufReader::new(stdout).lines();
    // The node says one line when it is ready, or ends.
    let line = tokio::time::timeout(super::PATIENCE, lines.next_line())
        .await
        .map_err(|_| failed())?
        .ok()
        .flatten()
        .ok_or_else(failed)?;
    // What it says when it ends goes where its log is.
    let ending = member.dir.join("stdout");
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            // Nobody reads a file that cannot be written.
            let _ = tokio::fs::write(&ending, line).await;
        }
    });
    let said: Value = serde_json::from_str(&line).map_err(|_| failed())?;
    if let Some(why) = said.pointer("/error/message").and_then(Value::as_str) {
        let node = index.saturating_add(1);
        return Err(DevnetError::Other(format!(
            "node {node} does not start: {why}"
        )));
    }
    let data = said.get("data").ok_or_else(failed)?;
    let http = data
        .get("http")
        .and_then(Value::as_str)
        .ok_or_else(failed)?;
    let listen = data
        .get("listen")
        .and_then(Value::as_array)
        .ok_or_else(failed)?;
    let p2p: Vec<String> = listen
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    // A node that is started again keeps its addresses.
    let fixed = fixed(&config, http, &p2p);
    write(&member.dir.join("surety.toml"), &fixed)?;
    let api = client(http)?;
    until("a node answers", || async {
        api.get("/health/live").await.ok()
    })
    .await?;
    Ok(Node {
        index,
        dir: member.dir.clone(),
        roles: member.roles.clone(),
        pid,
        p2p,
        api,
    })
}

fn configuration(plan: &Plan, member: &Member, bootstrap: &[String], faults: &[Fault]) -> String {
    let quoted = |values: &[String]| {
        let values: Vec<String> = values.iter().map(|it| format!("\"{it}\"")).collect();
        format!("[{}]", values.join(", "))
    };
    let roles: Vec<String> = member.roles.iter().map(ToString::to_string).collect();
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let mut text = format!(
        "operator = \"{}\"\nitem_key = \"{}\"\nroles = {}\nhttp = \"127.0.0.1:0\"\n\
         listen = [\"/ip4/127.0.0.1/udp/0/quic-v1\", \"/ip4/127.0.0.1/tcp/0\"]\n\
         bootstrap = {}\ngenesis = \"{}\"\npassword_file = \"{}\"\n",
        member.operator.address(),
        member.item_kind,
        quoted(&roles),
        quoted(bootstrap),
        plan.dir.join("genesis.cbor").display(),
        plan.password_file.display(),
    );
    if !faults.is_empty() {
        text.push_str(&format!("faults = {}\n", quoted(&faults)));
    }
    text
}

/// The configuration with the ports that the system chose.
fn fixed(config: &str, http: &str, p2p: &[String]) -> String {
    let listen: Vec<String> = p2p
        .iter()
        .filter_map(|it| it.split("/p2p/").next())
        .map(|it| format!("\"{it}\""))
        .collect();
    let http = http.trim_start_matches("http://");
    config
        .lines()
        .map(|line| match line.split(' ').next() {
            Some("http") => format!("http = \"{http}\"\n"),
            Some("listen") => format!("listen = [{}]\n", listen.join(", ")),
            _ => format!("{line}\n"),
        })
        .collect()
}

fn write(path: &Path, text: &str) -> Result<(), DevnetError> {
    std::fs::write(path, text).map_err(|error| DevnetError::File {
        what: path.display().to_string(),
        error,
    })
}

fn log(dir: &Path) -> String {
    dir.join("log").display().to_string()
}

fn roles(roles: &[RoleName]) -> String {
    let names: Vec<&str> = roles.iter().map(|it| it.name()).collect();
    names.join(", ")
}
