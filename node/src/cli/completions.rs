//! `surety completions`: what completes the command line in a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde_json::json;

use super::{Cli, Context};
use crate::shell::CliError;

/// `surety completions`
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(super) fn run(context: &Context, args: CompletionsArgs) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "surety", &mut script);
    let script = String::from_utf8_lossy(&script);
    context.shell.data(
        &script,
        &json!({ "shell": args.shell.to_string(), "script": script }),
    )
}
