//! A first look at what a step costs: `cargo test --release -- --ignored --nocapture costs`.

use std::time::Instant;

use super::aos::{booted, eval, modules};
use super::witness::Stretch;

#[test]
#[ignore = "prints times"]
fn costs() {
    for (name, program) in modules() {
        let mut process = booted(&program);
        let inputs: Vec<_> = (1..=320)
            .map(|nonce| eval(nonce, "x = (x or 0) + 1; return x"))
            .collect();
        let begin = Instant::now();
        for stride in inputs.chunks(16) {
            for input in stride {
                process.step(input).unwrap();
            }
            process.state_root();
        }
        println!(
            "{name}: {:?} a message, with a root every 16",
            begin.elapsed() / 320
        );
        let stretch = Stretch::play(program, &mut *process, inputs[..16].to_vec());
        let begin = Instant::now();
        let witness = stretch.witness();
        println!(
            "{name}: witness of 16 in {:?}, {} pages",
            begin.elapsed(),
            witness.pages.len()
        );
        let begin = Instant::now();
        stretch.reexecute(&witness).unwrap();
        println!("{name}: re-execution of 16 in {:?}", begin.elapsed());
        let begin = Instant::now();
        for nonce in 0..10 {
            process.step(&eval(nonce, "error('no')")).unwrap();
        }
        println!("{name}: {:?} a failed message", begin.elapsed() / 10);
    }
}
