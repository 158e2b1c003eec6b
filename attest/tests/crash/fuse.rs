//! Where a machine stops: after so many effects.

use surety_attest::effect::Effect;

/// Counts effects down to the one that is not performed any more.
#[derive(Debug, Default)]
pub(crate) struct Fuse(pub(crate) Option<usize>);

impl Fuse {
    /// Whether the machine stops before this effect; it stays stopped then.
    pub(crate) fn burns(&mut self) -> bool {
        match &mut self.0 {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }
}

/// A machine with what performs its effects, which stops anywhere.
pub(crate) trait Crashing {
    /// Where.
    fn fuse(&mut self) -> &mut Fuse;

    /// Makes a record durable.
    fn persist(&mut self, record: Effect);

    /// Performs any other effect.
    fn act(&mut self, effect: Effect);

    /// What one step persists is one batch, before anything else (rule F-1).
    fn perform(&mut self, effects: Vec<Effect>) {
        let (records, rest): (Vec<_>, Vec<_>) = effects
            .into_iter()
            .partition(|it| matches!(it, Effect::Persist(_)));
        if !records.is_empty() && self.fuse().burns() {
            return;
        }
        for record in records {
            self.persist(record);
        }
        for effect in rest {
            if self.fuse().burns() {
                return;
            }
            self.act(effect);
        }
    }
}
