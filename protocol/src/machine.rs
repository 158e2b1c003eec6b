//! The one shape of everything stateful in the core: inputs in, effects out.
//!
//! # Rules
//!
//! - `[MA-1]` A machine is deterministic: the same state and the same inputs give the same effects. Time is an
//!   argument, randomness an input.
//! - `[MA-2]` Effects are data. Whoever drives a machine makes every `Persist` of a step durable before it
//!   performs any other effect of that step.
//! - `[MA-3]` An [`Outbox`] is bounded. An effect that does not fit is an error of the step's author, so the
//!   bound counts what was refused and the driver reports it.

/// Effects of one step that a machine may emit; far more than any step does.
pub const EFFECTS_MAX: usize = 65_536;

/// A deterministic machine (rule MA-1).
pub trait Machine {
    /// What can happen to it.
    type Input;
    /// What it can ask for.
    type Effect;

    /// Takes one input and emits its effects.
    fn step(&mut self, now: crate::time::Tick, input: Self::Input, out: &mut Outbox<Self::Effect>);
}

/// The effects of a step, in the order in which they are to be performed.
#[derive(Debug)]
pub struct Outbox<E> {
    effects: Vec<E>,
    refused: usize,
}

impl<E> Default for Outbox<E> {
    fn default() -> Self {
        Self {
            effects: Vec::new(),
            refused: 0,
        }
    }
}

impl<E> Outbox<E> {
    /// Adds an effect.
    pub fn push(&mut self, effect: E) {
        if self.effects.len() < EFFECTS_MAX {
            self.effects.push(effect);
        } else {
            self.refused = self.refused.saturating_add(1);
        }
    }

    /// Takes all effects, leaving the outbox empty.
    pub fn drain(&mut self) -> Vec<E> {
        std::mem::take(&mut self.effects)
    }

    /// How many effects did not fit.
    pub const fn refused(&self) -> usize {
        self.refused
    }
}
