//! `surety`: the command line of a Surety node.

use std::process::ExitCode;

// Nobody runs a node whose signatures anybody can forge.
const _: () = assert!(!surety_protocol::bls::IDEAL);

fn main() -> ExitCode {
    surety_node::cli::main(std::env::args_os())
}
