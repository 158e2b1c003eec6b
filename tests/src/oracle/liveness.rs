//! What is missing for a run to be over (rule OC-5).

use std::collections::BTreeSet;

use surety_node::core::Core;
use surety_protocol::evidence::OffenceKind;
use surety_protocol::id::{Address, ProcessId};

use super::{Lie, Oracle, Told, lie, slashed};

impl Oracle {
    /// What is missing for the run to be over (rule OC-5).
    pub fn missing(&self, honest: &[&Core]) -> Option<String> {
        if let Some((item, process)) = self
            .pushed
            .iter()
            .find(|(item, _)| !self.slots.contains_key(&(**item).into()))
        {
            return Some(format!(
                "message {item} of a process to {process} has no slot"
            ));
        }
        for process in self.processes() {
            let size = self.size(&process);
            for core in honest {
                let who = core.shared().operator;
                let log = core.shared().logs.get(&process).map_or(0, |log| log.size);
                if log != size && core.follows(&process) {
                    return Some(format!("{who} has {log} of {size} slots of {process}"));
                }
                let certified = core.ledger().latest(&process).map_or(0, |it| it.size);
                let ended =
                    || self.is_forked(&process) && honest.iter().any(|it| has_ended(it, &process));
                if certified != size && !ended() {
                    return Some(format!(
                        "{certified} of {size} slots of {process} are certified"
                    ));
                }
            }
        }
        for core in honest {
            let all = slashed(core.ledger());
            let slashed: BTreeSet<Lie> = all.iter().map(lie).collect();
            if let Some(told) = self.lies().difference(&slashed).next() {
                return Some(format!("unpunished: {told:?}"));
            }
            // Who has lost everything for something else has nothing left to be punished with.
            let punished = all.iter().map(|it| it.0).collect::<BTreeSet<Address>>();
            for (claim, told) in &self.approved {
                if core.ledger().is_proven_false(claim) && !punished.contains(&told.0) {
                    return Some(format!("unpunished: {told:?}"));
                }
            }
            if let Some(told) = self.blind.unpunished(&punished) {
                return Some(format!("unpunished: {told:?}"));
            }
            let height = core.ledger().height();
            if height < self.height.minus(1) {
                return Some(format!("{} is at block {height}", core.shared().operator));
            }
        }
        None
    }

    /// Whether somebody signed two assignments of a slot of a process.
    fn is_forked(&self, process: &ProcessId) -> bool {
        let double =
            |(_, kind, of, _): &Told| *kind == OffenceKind::DoubleAssignment && of == process;
        self.told.iter().any(double)
    }
}

/// Whether one of two assignments of a slot was certified, while the log went on from the other (rule OC-5).
fn has_ended(core: &Core, process: &ProcessId) -> bool {
    let shared = core.shared();
    let certified = core.ledger().latest(process);
    let claim = certified.and_then(|it| shared.claims.any(&it.claim));
    let last = claim.and_then(|it| it.leaves.last());
    last.is_some_and(|leaf| {
        let log = shared.logs.get(process);
        let here = log.and_then(|it| it.assignment(leaf.slot));
        here.is_some_and(|it| it != leaf.assignment)
    })
}
