//! The programs of this workspace as cargo built them, beside whatever asks for them: a test, a benchmark, another program.

use std::io;
use std::path::PathBuf;

/// Where `surety` lies.
///
/// # Errors
///
/// If the path of the running program is unknown.
pub fn surety() -> io::Result<PathBuf> {
    beside("surety")
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
