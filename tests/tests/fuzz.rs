//! A fixed number of cases of each target, which take a minute together; `make fuzz` runs more of them.

#![allow(clippy::panic, reason = "a test that panics has failed")]

use surety_harness::fuzz::Target;

fn clean(target: Target, cases: u64) {
    for seed in 1..=cases {
        if let Err(why) = target.case(seed) {
            let name = target.name();
            panic!("{why}\nrepeat it with surety-fuzz {name} --seed {seed} --cases 1");
        }
    }
}

#[test]
fn random_modules() {
    clean(Target::Modules, 1_400);
}

#[test]
fn decoders() {
    clean(Target::Decoders, 4_800);
}

#[test]
fn altered_witnesses() {
    clean(Target::Witness, 2_300);
}
