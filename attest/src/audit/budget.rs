//! How much an auditor may execute (rule AD-2).

use surety_protocol::time::Tick;

/// Minutes for which what was not used is kept.
pub const SAVED_MINUTES: u64 = 10;
const TICKS_PER_MINUTE: u64 = 60_000;

/// Inputs that may be executed, in parts of a minute so that none is lost.
#[derive(Debug)]
pub(super) struct Budget {
    per_minute: Option<u64>,
    /// Inputs times ticks per minute.
    left: u64,
    last: Option<Tick>,
}

impl Budget {
    pub(super) const fn new(per_minute: Option<u64>) -> Budget {
        Budget {
            per_minute,
            left: 0,
            last: None,
        }
    }

    /// Time passed; the first minute is there at once.
    pub(super) fn pass(&mut self, now: Tick) {
        let per_minute = self.per_minute.unwrap_or(0);
        let passed = self.last.map_or(TICKS_PER_MINUTE, |last| now.since(last));
        self.last = Some(now);
        let most = per_minute
            .saturating_mul(TICKS_PER_MINUTE)
            .saturating_mul(SAVED_MINUTES);
        let more = per_minute.saturating_mul(passed);
        self.left = self.left.saturating_add(more).min(most);
    }

    /// Whether so many inputs may be executed now; they are spent. One claim is never too much for a budget that is saved up.
    pub(super) fn spend(&mut self, inputs: usize) -> bool {
        let Some(per_minute) = self.per_minute else {
            return true;
        };
        let cost = u64::try_from(inputs).unwrap_or(u64::MAX);
        let cost = cost.min(per_minute.saturating_mul(SAVED_MINUTES));
        let cost = cost.saturating_mul(TICKS_PER_MINUTE);
        let enough = self.left >= cost && cost > 0;
        if enough {
            self.left = self.left.saturating_sub(cost);
        }
        enough
    }

    /// What was spent did not happen.
    pub(super) fn give_back(&mut self, inputs: usize) {
        let inputs = u64::try_from(inputs).unwrap_or(u64::MAX);
        let per_minute = self.per_minute.unwrap_or(0);
        let cost = inputs.min(per_minute.saturating_mul(SAVED_MINUTES));
        let cost = cost.saturating_mul(TICKS_PER_MINUTE);
        self.left = self.left.saturating_add(cost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_is_what_a_minute_gives() {
        let mut budget = Budget::new(Some(6));
        assert!(!budget.spend(1));
        budget.pass(Tick(1_000));
        assert!(budget.spend(4) && budget.spend(2) && !budget.spend(1));
        budget.pass(Tick(11_000));
        assert!(budget.spend(1) && !budget.spend(1));
        // In small steps as in a large one.
        for step in 1..=100 {
            budget.pass(Tick(11_000 + step * 100));
        }
        assert!(budget.spend(1) && !budget.spend(1));
    }

    #[test]
    fn what_is_saved_is_bounded_and_enough_for_any_claim() {
        let mut budget = Budget::new(Some(2));
        budget.pass(Tick(0));
        budget.pass(Tick(u64::MAX));
        assert!(budget.spend(64));
        assert!(!budget.spend(1));
        assert!((0..100).all(|_| Budget::new(None).spend(64)));
        let mut nothing = Budget::new(Some(0));
        nothing.pass(Tick(u64::MAX));
        assert!(!nothing.spend(1));
    }
}
