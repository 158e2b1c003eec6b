//! What tests need and not every machine has: modules, vectors, clients. A test without them says that it was skipped, in a line
//! that `tests/run` counts. Tests of every crate include this file.

use std::cell::Cell;
use std::io::Write;
use std::path::PathBuf;

thread_local! {
    /// Whether this test, which has a thread of its own, has said it.
    static SAID: Cell<bool> = const { Cell::new(false) };
}

/// The path that an environment variable names, or none and a line about it.
pub(crate) fn path(variable: &str) -> Option<PathBuf> {
    let found = std::env::var_os(variable).filter(|it| !it.is_empty());
    if found.is_none() && !SAID.replace(true) {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("?");
        let line = format!("skipped: {test}: {variable} is not set\n");
        // What is printed by a macro is kept back for tests that fail.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    found.map(PathBuf::from)
}
