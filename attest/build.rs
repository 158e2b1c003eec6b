//! Assembles the sample module from its text.

use std::path::PathBuf;
use std::{env, fs};

const SAMPLE: &str = "sample/counter.wat";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={SAMPLE}");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    fs::write(out.join("counter.wasm"), wat::parse_file(SAMPLE)?)?;
    Ok(())
}
