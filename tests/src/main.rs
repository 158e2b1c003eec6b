//! `surety-sim`: simulated networks with real signatures.

use std::process::ExitCode;

fn main() -> ExitCode {
    surety_harness::cli::main(std::env::args_os())
}
