//! Wrong calls and calls for help, told like everything else (rule CM-1).

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Command;
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
        let see = format!("see `{} --help`", verb(&C::command(), args));
        shell.end(explain(&shell, see, &error))
    })
}

/// The verb that was called, as far as there is such: what it is told with.
fn verb(program: &Command, args: &[OsString]) -> String {
    let (mut name, mut at) = (program.get_name().to_owned(), program);
    let mut args = args.iter().skip(1).take_while(|arg| *arg != "--");
    while let Some(arg) = args.next() {
        if let Some(below) = at.find_subcommand(arg) {
            name = format!("{name} {}", below.get_name());
            at = below;
        } else if takes_value(program, arg) || takes_value(at, arg) {
            args.next();
        }
    }
    name
}

/// Whether what follows an argument is the value of an option.
fn takes_value(command: &Command, arg: &OsString) -> bool {
    let mut options = command.get_arguments();
    let named = |long: &str| arg.to_str().and_then(|it| it.strip_prefix("--")) == Some(long);
    let option = options.find(|it| it.get_long().is_some_and(named));
    option.is_some_and(|it| it.get_action().takes_values())
}

/// Whether `--json` is among the arguments, as far as one can tell of arguments that do not parse.
pub(crate) fn asks_for_json(args: &[OsString]) -> bool {
    args.iter()
        .take_while(|arg| *arg != "--")
        .any(|arg| arg == "--json")
}

/// Prints the help that was asked for, or says what is wrong with the call.
fn explain(shell: &Shell, see: String, error: &clap::Error) -> Result<(), CliError> {
    let text = error.render().to_string();
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
            // A call of any verb is no advice.
            Some(call) if call.ends_with("<COMMAND>") => None,
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

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::verb;

    #[test]
    fn the_verb_that_was_called_is_the_one_with_the_help() {
        let bond = Command::new("bond").arg(Arg::new("quantity"));
        let node = Arg::new("node").long("node").global(true);
        let program = Command::new("surety")
            .arg(node)
            .subcommand(Command::new("stake").subcommand(bond));
        let of = |args: &[&str]| {
            let args: Vec<_> = args.iter().map(Into::into).collect();
            verb(&program, &args)
        };
        assert_eq!(of(&["/bin/surety"]), "surety");
        assert_eq!(
            of(&["surety", "--node", "x", "stake", "bonds"]),
            "surety stake"
        );
        assert_eq!(of(&["surety", "stake", "bond", "1x"]), "surety stake bond");
        assert_eq!(of(&["surety", "--node", "stake", "x"]), "surety");
        assert_eq!(of(&["surety", "stake", "--node", "bond"]), "surety stake");
        assert_eq!(of(&["surety", "--", "stake"]), "surety");
    }
}
