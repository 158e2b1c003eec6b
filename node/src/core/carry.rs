//! Which subnets a node carries.
//!
//! # Rules
//!
//! - `[CO-20]` What is told of a process is told in its subnet (rule N-19), and in no other. Who evaluates, schedules, pushes, indexes or
//!   audits carries all of them; who only verifies, as many as it takes for [`CARRIERS`] operators to carry each if all with stake only
//!   verified, [`CARRIED_MIN`] at least. So in a small network everybody hears everything.

use surety_protocol::approval::Approval;
use surety_protocol::machine::Outbox;

use super::{Core, Effect};
use crate::net::Subnet;

/// Operators that are to carry a subnet: enough for a mesh, were some of them away.
const CARRIERS: usize = 16;
/// Subnets that everybody carries at least. Who has executed a claim and hears its approvals sees which of them are made up (rule VE-9):
/// with a quarter of all subnets a quarter of those who look do.
const CARRIED_MIN: usize = 4;

impl Core {
    /// Carries what the number of operators asks for now.
    pub(super) fn carry(&mut self, out: &mut Outbox<Effect>) {
        let everybody = carried_among(self.ledger.validators().len());
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

/// How many subnets everybody carries among so many operators.
pub fn carried_among(operators: usize) -> usize {
    let needed = (Subnet::COUNT * CARRIERS).div_ceil(operators.max(1));
    needed.clamp(CARRIED_MIN, Subnet::COUNT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_there_are_the_less_each_carries() {
        let expected = [
            (0, 16),
            (1, 16),
            (16, 16),
            (17, 16),
            (20, 13),
            (32, 8),
            (64, 4),
            (10_000, 4),
        ];
        for (operators, carried) in expected {
            assert_eq!(carried_among(operators), carried, "{operators}");
        }
    }
}
