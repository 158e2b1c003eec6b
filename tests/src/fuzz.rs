//! Cases that nobody chose, each from a numbered seed: what they show at any boundary is repeated by that number.
//!
//! No guide looks at coverage here. What decides is whether two machines agree, and random modules reach what there is to
//! reach of a compiler sooner than mutated bytes do.
//!
//! # Rules
//!
//! - `[FU-1]` A case is a function of its target and its seed. It fails if it gives a reason or panics.
//! - `[FU-2]` An abstention of an engine is a failure here: nothing in a case needs more than a host has.

mod decoders;
mod draw;
mod handle;
mod modules;
pub(crate) mod mutate;
mod smith;
mod weave;
mod witness;

use std::panic::{AssertUnwindSafe, catch_unwind};

use surety_attest::engine::on_deep_stack;

use crate::random::Random;

/// What is put to the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Random modules on both machines.
    Modules,
    /// Everything that is decoded from bytes of others.
    Decoders,
    /// Re-execution from altered witnesses.
    Witness,
}

impl Target {
    /// All of them.
    pub const ALL: [Target; 3] = [Target::Modules, Target::Decoders, Target::Witness];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Target::Modules => "modules",
            Target::Decoders => "decoders",
            Target::Witness => "witness",
        }
    }

    /// The target of this name.
    pub fn of_name(name: &str) -> Option<Target> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    /// Runs the case with this seed (rule FU-1).
    ///
    /// # Errors
    /// What went wrong.
    pub fn case(self, seed: u64) -> Result<(), String> {
        let random = &mut Random::new(seed);
        let case = AssertUnwindSafe(|| match self {
            Target::Modules => modules::case(random),
            Target::Decoders => decoders::case(random),
            Target::Witness => witness::case(random),
        });
        // On a stack as engines want it, so that they make no thread for every call.
        let outcome = on_deep_stack(|| catch_unwind(case));
        match outcome.map_err(|abstain| abstain.to_string())? {
            Ok(outcome) => outcome,
            Err(panic) => Err(format!("panicked: {}", told(&*panic))),
        }
    }
}

fn told(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let fixed = panic.downcast_ref::<&str>().copied();
    text.or(fixed).unwrap_or("without a word")
}
