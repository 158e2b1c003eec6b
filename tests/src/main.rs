//! `surety-sim`: simulated networks with real signatures.

use std::process::ExitCode;

// Else it would be the other program under a false name.
const _: () = assert!(!surety_protocol::bls::IDEAL);

fn main() -> ExitCode {
    surety_harness::cli::main(std::env::args_os())
}
