//! `surety`: the command line of a Surety node.

use std::process::ExitCode;

fn main() -> ExitCode {
    surety_node::cli::main(std::env::args_os())
}
