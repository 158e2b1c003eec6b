//! Wrong calls and calls for help, told like everything else (rule CM-1).

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use serde_json::json;

use super::{CliError, Exit, Shell};

/// The command line of a program, or the exit code after saying what is wrong with it or giving the help that was asked for.
///
/// # Errors
/// The exit code of a program that has nothing more to do.
pub fn parse<C: clap::Parser>(args: &[OsString]) -> Result<C, ExitCode> {
    C::try_parse_from(args).map_err(|error| {
        let shell = Shell::new(asks_for_json(args), false);
        shell.end(explain(&shell, C::command().get_name(), &error))
    })
}

/// Whether `--json` is among the arguments, as far as one can tell of arguments that do not parse.
pub(crate) fn asks_for_json(args: &[OsString]) -> bool {
    args.iter()
        .take_while(|arg| *arg != "--")
        .any(|arg| arg == "--json")
}

/// Prints the help that was asked for, or says what is wrong with the call.
fn explain(shell: &Shell, program: &str, error: &clap::Error) -> Result<(), CliError> {
    let text = error.render().to_string();
    let see = format!("see `{program} --help`");
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            shell.data(text.trim_end(), &json!({ "text": text }))
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            shell.progress(text.trim_end());
            Err(CliError::new(Exit::Usage, "usage", "a command is missing").with_help(see))
        }
        _ => {
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            let (message, rest) = text.split_once("\n\n").unwrap_or((text, ""));
            let wrong = CliError::new(Exit::Usage, "usage", one_line(message));
            Err(wrong.with_help(advice(rest).unwrap_or(see)))
        }
    }
}

/// What clap says below an error, piece by piece, without where to find more of it.
fn advice(rest: &str) -> Option<String> {
    let paragraphs = rest.split("\n\n").flat_map(|it| it.split("tip: "));
    let told = paragraphs.map(one_line).filter_map(|it| {
        let more = it.is_empty() || it.starts_with("For more information");
        match it.strip_prefix("Usage: ") {
            Some(call) => Some(format!("call it like this: {call}")),
            None => (!more).then_some(it),
        }
    });
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| told.join("; "))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
