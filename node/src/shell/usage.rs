//! Wrong calls and calls for help, told like everything else (rule CM-1).

use std::ffi::OsString;

use clap::error::ErrorKind;
use serde_json::json;

use super::{CliError, Exit, Shell};

/// Whether `--json` is among the arguments, as far as one can tell of arguments that do not parse.
pub fn asks_for_json(args: &[OsString]) -> bool {
    args.iter()
        .take_while(|arg| *arg != "--")
        .any(|arg| arg == "--json")
}

/// Prints the help that was asked for, or says what is wrong with the call.
///
/// # Errors
/// What is wrong with the call.
pub fn explain(shell: &Shell, error: &clap::Error) -> Result<(), CliError> {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            shell.data(text.trim_end(), &json!({ "text": text }))
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            shell.progress(text.trim_end());
            Err(CliError::new(Exit::Usage, "usage", "a command is missing")
                .with_help("see `surety --help`"))
        }
        _ => {
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            let (message, rest) = text.split_once("\n\n").unwrap_or((text, ""));
            let wrong = CliError::new(Exit::Usage, "usage", one_line(message));
            Err(wrong.with_help(match one_line(rest) {
                rest if rest.is_empty() => "see `surety --help`".to_owned(),
                rest => rest,
            }))
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
