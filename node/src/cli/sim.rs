//! `surety sim`: hands over to `surety-sim`, the network simulator, which lies beside this program.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use clap::Args;

use super::Context;
use crate::shell::{CliError, Exit};

/// The program that simulates.
const PROGRAM: &str = "surety-sim";

/// `surety sim`
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(super) struct SimArgs {
    /// What the simulator is told; see `surety sim --help`
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGUMENTS"
    )]
    arguments: Vec<OsString>,
}

pub(super) fn run(context: &Context, args: SimArgs) -> Result<(), CliError> {
    let program = std::env::current_exe()?.with_file_name(PROGRAM);
    let missing = !program.is_file();
    let flags = [("--json", context.shell.json()), ("--quiet", context.quiet)];
    let flags = flags
        .into_iter()
        .filter_map(|(flag, given)| given.then_some(flag));
    // Only a failure comes back: the simulator takes this program's place, and its exit code is ours.
    let error = Command::new(&program)
        .args(flags)
        .args(args.arguments)
        .exec();
    let message = match missing {
        true => format!("there is no simulator at {}", program.display()),
        false => format!("cannot run {}: {error}", program.display()),
    };
    Err(CliError::new(Exit::Failure, "sim-missing", message)
        .with_help("it is built with the whole workspace (`cargo build --release`) and lies beside `surety`"))
}
