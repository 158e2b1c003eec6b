//! A host: a network namespace with one device.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::relay::{address, device_name};

/// What the names of all namespaces begin with.
const PREFIX: &str = "surety-";
/// How long processes of an earlier run may take to see that it is gone.
const PATIENCE: Duration = Duration::from_secs(15);

/// A network namespace that is removed when this is dropped; processes in it have to end by themselves.
pub(crate) struct Host {
    number: u8,
}

/// Runs `ip`; gives what it printed, or said was wrong.
fn ip(arguments: &[&str]) -> Result<String, String> {
    let done = Command::new("ip")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("ip: {error}"))?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
        false => {
            let said = String::from_utf8_lossy(&done.stderr);
            Err(format!("ip {}: {}", arguments.join(" "), said.trim()))
        }
    }
}

fn namespace(number: u8) -> String {
    format!("{PREFIX}{number}")
}

/// Why no networks can be made on this machine, if so.
pub(crate) fn missing() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("only root makes network namespaces".into());
    }
    if !Path::new("/dev/net/tun").exists() {
        return Some("there is no /dev/net/tun".into());
    }
    let probe = namespace(0);
    // One of an earlier run.
    let _ = ip(&["netns", "del", &probe]);
    let made = ip(&["netns", "add", &probe]).and_then(|_| ip(&["netns", "del", &probe]));
    made.err()
}

/// Removes what a run left that was killed.
pub(crate) fn remove_leftovers() {
    let listed = ip(&["netns", "list"]).expect("namespaces");
    let names = listed.lines().filter_map(|it| it.split(' ').next());
    for name in names.filter(|it| it.starts_with(PREFIX)) {
        // Its nodes end by themselves when it is gone; one that goes on belongs to a run that does.
        let deadline = Instant::now() + PATIENCE;
        while !ip(&["netns", "pids", name]).unwrap_or_default().is_empty() {
            assert!(
                Instant::now() < deadline,
                "{name} is used: does another run go on?"
            );
            std::thread::sleep(Duration::from_millis(200));
        }
        ip(&["netns", "del", name]).expect("a namespace is removed");
    }
}

/// Gives the device of a host that has no namespace of its own its address.
pub(crate) fn set_up_here(number: u8) {
    set_up(number, &[]);
}

fn set_up(number: u8, within: &[&str]) {
    let (device, network) = (device_name(number), format!("{}/24", address(number)));
    for arguments in [
        ["addr", "add", &network, "dev", &device].as_slice(),
        &["link", "set", &device, "up"],
    ] {
        ip(&[within, arguments].concat()).expect("a device is set up");
    }
}

impl Host {
    /// Makes the namespace and moves the device into it, with its address.
    pub(crate) fn new(number: u8) -> Host {
        let name = namespace(number);
        ip(&["netns", "add", &name]).expect("a namespace");
        let host = Host { number };
        let within = ["-n", &name];
        ip(&["-n", &name, "link", "set", "lo", "up"]).expect("a loopback device");
        let device = device_name(number);
        ip(&["link", "set", &device, "netns", &name]).expect("a device moves");
        set_up(number, &within);
        host
    }

    pub(crate) fn address(&self) -> String {
        address(self.number)
    }

    /// A program that is to run here.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &namespace(self.number)])
            .arg(program);
        command
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // There is nobody to tell.
        let _ = ip(&["netns", "del", &namespace(self.number)]);
    }
}
