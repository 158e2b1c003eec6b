//! `surety-sim-ideal`: simulated networks with signatures that cost nothing.

use std::process::ExitCode;

// Else it would be the other program under a false name.
const _: () = assert!(surety_protocol::bls::IDEAL);

fn main() -> ExitCode {
    surety_harness::cli::main(std::env::args_os())
}
