//! Which subnets a node carries.
//!
//! # Rules
//!
//! - `[CO-20]` What is told of a process is told in its subnet (rule N-19), and in no other. Who evaluates, schedules, pushes, indexes or
//!   audits carries all of them; who only verifies, as many as it takes for [`CARRIERS`] operators to carry each on average if all with
//!   stake only verified, [`CARRIED_MIN`] at least. It carries fewer than before only if that was so among an eighth less of them, and
//!   changes nothing while it knows of blocks that it has not applied. So in a small network everybody hears everything.

use surety_protocol::approval::Approval;
use surety_protocol::machine::Outbox;

use super::{Core, Effect};
use crate::net::Subnet;

/// Operators that are to carry a subnet on average: enough for a mesh where there are fewest, and some of them away.
const CARRIERS: usize = 24;
/// Subnets that everybody carries at least. Who has executed a claim and hears its approvals sees which of them are made up (rule VE-9):
/// with a quarter of all subnets a quarter of those who look do.
const CARRIED_MIN: usize = 4;

impl Core {
    /// Carries what the number of operators asks for now.
    pub(super) fn carry(&mut self, out: &mut Outbox<Effect>) {
        // What is history here is not how many there are.
        if self.replica.behind(&self.ledger) > 0 {
            return;
        }
        let operators = self.ledger.validators().len();
        let everybody = carried_among(operators, self.carried);
        if std::mem::replace(&mut self.carried, everybody) != everybody {
            let all = self.follows_all();
            out.push(Effect::Carry { everybody, all });
        }
    }

    /// Whether an approval was told in this subnet rightly, as far as can be said: its claim names the process.
    pub(super) fn told_in(&self, approval: &Approval, subnet: Subnet) -> bool {
        let claim = self.shared.claims.any(&approval.claim);
        claim.is_none_or(|it| Subnet::of(&it.statement.claim.process) == subnet)
    }
}

/// How many subnets everybody carries among so many operators, if it was so many before (rule CO-20).
pub fn carried_among(operators: usize, before: usize) -> usize {
    let needed = |operators: usize| {
        let shared = Subnet::COUNT.saturating_mul(CARRIERS);
        let each = shared.div_ceil(operators.max(1));
        each.clamp(CARRIED_MIN, Subnet::COUNT)
    };
    let fewer = operators.saturating_sub(operators.div_ceil(8));
    before.min(needed(fewer)).max(needed(operators))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_there_are_the_less_each_carries() {
        let expected = [
            (0, 16),
            (1, 16),
            (27, 16),
            (32, 14),
            (64, 7),
            (109, 5),
            (110, 4),
            (10_000, 4),
        ];
        for (operators, carried) in expected {
            let found = carried_among(operators, Subnet::COUNT);
            assert_eq!(found, carried, "{operators}");
        }
    }

    #[test]
    fn who_comes_and_goes_changes_nothing() {
        for operators in 1..500 {
            let carried = carried_among(operators, Subnet::COUNT);
            for others in [operators - 1, operators, operators + 1] {
                let then = carried_among(others, carried);
                // Once it has changed it stays.
                assert_eq!(carried_among(operators, then), then);
                assert_eq!(carried_among(others, then), then);
                assert!(then.abs_diff(carried) <= 2, "{operators}");
            }
        }
    }
}
