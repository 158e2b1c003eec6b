//! How a command ends: exit codes, and errors that say what, why and what to do.

use std::io;
use std::process::ExitCode;

use crate::config::ConfigError;
use crate::key::KeyError;
use crate::store::StoreError;
use crate::telemetry::TelemetryError;

/// What kind of end a command had; the number is its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did what it was asked.
    Ok = 0,
    /// It failed for a reason that is none of the others.
    Failure = 1,
    /// It was called wrongly.
    Usage = 2,
    /// The configuration, a key or a file it names cannot be used.
    Config = 3,
    /// Signing was refused: it could be punished.
    Refused = 4,
    /// The node did not answer.
    Unreachable = 5,
    /// What was to be verified is not true.
    VerificationFailed = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CliError {
    /// The kind of end.
    pub exit: Exit,
    /// A name that scripts can rely on, in kebab-case.
    pub code: &'static str,
    /// What went wrong and why, in one sentence.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// The code of the end that is no error: nobody reads the output any more.
const CLOSED: &str = "output-closed";

impl CliError {
    /// An error without advice.
    pub fn new(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            exit,
            code,
            message: message.into(),
            help: None,
        }
    }

    /// The same error with advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// An error whose message tells also its causes.
    fn caused(exit: Exit, code: &'static str, error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let text = inner.to_string();
            // Some libraries repeat their cause in their own text.
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = inner.source();
        }
        Self::new(exit, code, message)
    }

    /// The output was closed by its reader: stop, print nothing, succeed.
    pub(super) fn closed() -> Self {
        Self::new(Exit::Ok, CLOSED, "the reader of the output went away")
    }

    pub(super) fn is_silent(&self) -> bool {
        self.code == CLOSED
    }
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        Self::caused(Exit::Failure, "io", &error)
    }
}

impl From<serde_json::Error> for CliError {
    fn from(error: serde_json::Error) -> Self {
        Self::caused(Exit::Failure, "json", &error)
    }
}

impl From<TelemetryError> for CliError {
    fn from(error: TelemetryError) -> Self {
        Self::caused(Exit::Config, "log", &error)
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        let help = error.help();
        Self {
            help,
            ..Self::caused(Exit::Config, "config", &error)
        }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let (exit, code, help) = match &error {
            StoreError::Locked { .. } => (
                Exit::Failure,
                "store-locked",
                "stop the other node, or give this one its own directory with --dir",
            ),
            StoreError::NewerSchema { .. } => (
                Exit::Config,
                "store-newer",
                "run the program that wrote it, or a newer one",
            ),
            StoreError::OlderSchema { .. } => (
                Exit::Config,
                "store-older",
                "run the program that wrote it, or start in a network of this one with an empty directory",
            ),
            StoreError::Foreign { .. } => (
                Exit::Config,
                "store-foreign",
                "choose an empty directory with --dir",
            ),
            StoreError::Incomplete { .. } | StoreError::Corrupt { .. } => (
                Exit::Failure,
                "store-corrupt",
                "restore the directory from a backup; before signing with the same keys on an empty \
                 directory, import their protection file, or wait until what they signed is too old to count",
            ),
            StoreError::Directory { .. } => (
                Exit::Config,
                "store-directory",
                "check that the directory exists and that this user may write to it",
            ),
            _ => (
                Exit::Failure,
                "store",
                "check the disk's free space and health, and restart",
            ),
        };
        Self::caused(exit, code, &error).with_help(help)
    }
}

impl From<KeyError> for CliError {
    fn from(error: KeyError) -> Self {
        let (code, help) = match &error {
            KeyError::WrongPassword => ("key-password", Some("try again with the key's password")),
            KeyError::NoPassword => (
                "key-password",
                Some("give a file with --password-file or SURETY_PASSWORD_FILE, or use a terminal"),
            ),
            KeyError::Exists { .. } => ("key-exists", Some("remove the file first if you mean it")),
            KeyError::NotFound { .. } => (
                "key-missing",
                Some("make one with `surety key new`, or see `surety key list`"),
            ),
            KeyError::Ambiguous { .. } => ("key-ambiguous", Some("keep one key of a kind")),
            _ => ("key", None),
        };
        Self {
            help: help.map(str::to_owned),
            ..Self::caused(Exit::Config, code, &error)
        }
    }
}
