//! Assembles modules from their texts: the sample, and what stands for bulk memory in modules that use it.

use std::path::PathBuf;
use std::{env, fs};

const SAMPLE: &str = "sample/counter.wat";
const BULK: &str = "src/engine/module/bulk.wat";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={SAMPLE}");
    println!("cargo:rerun-if-changed={BULK}");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    fs::write(out.join("counter.wasm"), wat::parse_file(SAMPLE)?)?;
    let bulk = fs::read_to_string(BULK)?;
    // What differs between 32 and 64 bits; the longer words first.
    let narrow = [
        ("PTR_MEMORY", ""),
        ("PTR", "i32"),
        ("WIDE", "i64.extend_i32_u"),
        ("OUTSIDE", "offset=0xffffffff (i32.const -1)"),
    ];
    let wide = [
        ("PTR_MEMORY", "i64"),
        ("PTR", "i64"),
        ("WIDE", "i64.or (i64.const 0)"),
        ("OUTSIDE", "(i64.const -1)"),
    ];
    for (name, words) in [("bulk32.wasm", narrow), ("bulk64.wasm", wide)] {
        let (_, text) = bulk.split_once("(module").ok_or("no module")?;
        let text = words.iter().fold(text.to_owned(), |text, (word, what)| {
            text.replace(word, what)
        });
        fs::write(out.join(name), wat::parse_str(format!("(module{text}"))?)?;
    }
    Ok(())
}
