//! The one output door of the command line.
//!
//! # Rules
//!
//! - `[SH-1]` Results go to stdout, everything else to stderr. With `--json` stdout carries only
//!   envelopes, one per line: `{"schema":1,"ok":true,"data":...}` or
//!   `{"schema":1,"ok":false,"error":{"code","message","help"}}`, and stderr nothing.
//! - `[SH-2]` `--quiet` silences progress; never a result, never an error.
//! - `[SH-3]` Text from strangers cannot drive the terminal: control characters are shown escaped.
//! - `[SH-4]` A reader that went away ends the command quietly with success, it does not make it
//!   panic.
//! - `[SH-5]` The exit code says what kind of end it was: see [`Exit`].

mod exit;
mod table;
pub mod usage;

use std::borrow::Cow;
use std::fmt::{Display, Write as _};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

pub use exit::{CliError, Exit};
pub use table::Table;

/// The version of the JSON envelope.
const ENVELOPE: u32 = 1;

type Stream = Mutex<Box<dyn Write + Send>>;

/// Where a command's output goes and in which form.
pub struct Shell {
    json: bool,
    quiet: bool,
    terminal: bool,
    out: Stream,
    err: Stream,
}

#[derive(Serialize)]
struct Success<'a, T> {
    schema: u32,
    ok: bool,
    data: &'a T,
}

#[derive(Serialize)]
struct Failure<'a> {
    schema: u32,
    ok: bool,
    error: Reason<'a>,
}

#[derive(Serialize)]
struct Reason<'a> {
    code: &'a str,
    message: &'a str,
    help: Option<&'a str>,
}

impl Shell {
    /// The shell of this process: stdout and stderr.
    pub fn new(json: bool, quiet: bool) -> Self {
        let out = io::stdout();
        let terminal = out.is_terminal();
        Self {
            terminal,
            ..Self::to(json, quiet, Box::new(out), Box::new(io::stderr()))
        }
    }

    /// A shell that writes elsewhere, for tests.
    pub fn to(
        json: bool,
        quiet: bool,
        out: Box<dyn Write + Send>,
        err: Box<dyn Write + Send>,
    ) -> Self {
        Self {
            json,
            quiet,
            terminal: false,
            out: Mutex::new(out),
            err: Mutex::new(err),
        }
    }

    /// Whether results are printed as JSON.
    pub fn json(&self) -> bool {
        self.json
    }

    /// Prints a result: the text for people, or the value in its envelope.
    ///
    /// # Errors
    /// Stdout cannot be written. One that was closed ends the command with success (rule SH-4).
    pub fn data(&self, human: impl Display, value: &impl Serialize) -> Result<(), CliError> {
        let line = match self.json {
            true => envelope(&Success {
                schema: ENVELOPE,
                ok: true,
                data: value,
            })?,
            false => escape_lines(&human.to_string()).into_owned(),
        };
        match print(&self.out, &line) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(CliError::closed()),
            written => Ok(written?),
        }
    }

    /// Prints a table as a result: aligned on a terminal, tab-separated elsewhere. One without rows has no lines.
    ///
    /// # Errors
    /// As [`Shell::data`].
    pub fn table(&self, table: &Table, value: &impl Serialize) -> Result<(), CliError> {
        if table.is_empty() && !self.json {
            self.progress("there are none");
            return Ok(());
        }
        match self.terminal {
            true => self.data(table, value),
            false => self.data(table.tab_separated(), value),
        }
    }

    /// Prints why a command failed. What cannot be printed is dropped: there is nobody to tell.
    pub fn error(&self, error: &CliError) {
        if error.is_silent() {
            return;
        }
        let help = error.help.as_deref();
        if self.json {
            let reason = Reason {
                code: error.code,
                message: &error.message,
                help,
            };
            if let Ok(line) = envelope(&Failure {
                schema: ENVELOPE,
                ok: false,
                error: reason,
            }) {
                let _ = print(&self.out, &line);
            }
            return;
        }
        let mut text = format!("error: {}", escape_controls(&error.message));
        if let Some(help) = help {
            // A String takes every write.
            let _ = write!(text, "\n  help: {}", escape_controls(help));
        }
        let _ = print(&self.err, &text);
    }

    /// Says why a command failed, if it did; gives the exit code.
    pub fn end(&self, outcome: Result<(), CliError>) -> ExitCode {
        match outcome {
            Ok(()) => Exit::Ok.into(),
            Err(error) => {
                self.error(&error);
                error.exit.into()
            }
        }
    }

    /// Says on stderr what is going on, unless nobody wants to know.
    pub fn progress(&self, message: impl Display) {
        if !self.json && !self.quiet {
            let _ = print(&self.err, &escape_lines(&message.to_string()));
        }
    }
}

fn envelope(value: &impl Serialize) -> Result<String, CliError> {
    Ok(serde_json::to_string(value)?)
}

/// Writes a whole line at once, so that lines of several threads do not mix.
fn print(stream: &Stream, line: &str) -> io::Result<()> {
    let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
    let end = if line.ends_with('\n') { "" } else { "\n" };
    stream.write_all(format!("{line}{end}").as_bytes())?;
    stream.flush()
}

/// Replaces every character that a terminal or a log reader would obey by its `\uXXXX` form: C0 and
/// C1 controls, delete, line separators and direction overrides.
pub fn escape_controls(text: &str) -> Cow<'_, str> {
    escape(text, |_| false)
}

/// As [`escape_controls`], but a result for people may have lines and columns.
fn escape_lines(text: &str) -> Cow<'_, str> {
    escape(text, |character| matches!(character, '\n' | '\t'))
}

fn escape(text: &str, allowed: impl Fn(char) -> bool) -> Cow<'_, str> {
    let obeyed = |character: char| {
        let separates = matches!(character, '\u{2028}' | '\u{2029}');
        let turns = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        (character.is_control() || separates || turns) && !allowed(character)
    };
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if obeyed(character) {
            // All of them lie in the basic plane; a String takes every write.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests;
