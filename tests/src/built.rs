//! The programs of this workspace as cargo built them, beside whatever asks for them: a test, a benchmark, another program.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// Where `surety` lies.
///
/// # Errors
///
/// If the path of the running program is unknown.
pub fn surety() -> io::Result<PathBuf> {
    beside("surety")
}

/// The arguments with which `surety` is a worker that keeps what it compiles here, and whose processes may have so many MiB.
pub fn worker_args(artefacts: &Path, process_mib: u64) -> Vec<OsString> {
    let options = ["worker", "--log", "warn", "--log-format", "text"];
    let mut args: Vec<OsString> = options.map(Into::into).into();
    args.extend(["--artefacts".into(), artefacts.into()]);
    args.extend(["--process-mib".into(), process_mib.to_string().into()]);
    args
}

/// Where another program of the workspace lies.
///
/// # Errors
///
/// If the path of the running program is unknown.
pub fn beside(name: &str) -> io::Result<PathBuf> {
    let mut dir = std::env::current_exe()?;
    dir.pop();
    // Tests and benchmarks are built one directory deeper.
    if dir.ends_with("deps") {
        dir.pop();
    }
    Ok(dir.join(name))
}
