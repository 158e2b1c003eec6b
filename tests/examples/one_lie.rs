//! Runs a process for a hundred messages, lies about one, and writes the file that proves it:
//! `one_lie [MODULE.wasm] [OUT.cbor]`; then `surety audit verify OUT.cbor`.

use surety_harness::lone_process::Failed;
use surety_harness::one_lie::{Falsehood, hundred, tell};
use surety_protocol::time::Slot;

fn main() -> Result<(), Failed> {
    let mut arguments = std::env::args().skip(1);
    let module = match arguments.next() {
        Some(path) => std::fs::read(path)?,
        None => surety_attest::sample::WASM.to_vec(),
    };
    let out = arguments.next().unwrap_or_else(|| "one-lie.cbor".into());
    let aos = module.as_slice() != surety_attest::sample::WASM;
    let lie = tell(&module, &hundred(aos), Slot(77), Falsehood::Result)?;
    std::fs::write(&out, &lie.evidence)?;
    println!(
        "{} lied about slot {} of {}: {out}, {} bytes",
        lie.offender,
        lie.slot,
        lie.process,
        lie.evidence.len()
    );
    Ok(())
}
