//! Which duties are executed now, and what others lack (rules VE-4, VE-12 and VE-13).

use std::collections::BTreeSet;
use std::sync::Arc;

use surety_protocol::id::{Address, ClaimId, ProcessId};
use surety_protocol::machine::Outbox;
use surety_protocol::time::Height;

use super::places::{Places, Tickets};
use super::{Duty, Stage, Verifier};
use crate::claims::Claims;
use crate::effect::{Effect, Job, Want};

/// What is asked for between two blocks.
const ASKED_MAX: usize = 256;
/// The most blocks between two attempts that come to nothing.
const PAUSE_MAX: u64 = 8;

impl Duty {
    /// An attempt came to nothing: the next one is after a pause, which grows (rule VE-12).
    fn pause(&mut self, height: Height) {
        self.stage = Stage::Lacking;
        self.tries = self.tries.saturating_add(1);
        self.next = height.plus(self.tries.min(PAUSE_MAX));
    }
}

impl Verifier {
    /// The claims or leaves of a process that this node has are more than before.
    pub fn more(&mut self, process: ProcessId) {
        self.stirred.insert(process);
    }

    /// A log has so many slots: claims that waited for the last of them need not pause, once.
    pub fn grew(&mut self, process: ProcessId, size: u64) {
        let height = self.height;
        for (_, id) in self.waiting.of(&process) {
            let duty = self.duties.get_mut(&id);
            if let Some(duty) = duty.filter(|it| !it.whole && it.size <= size) {
                duty.whole = true;
                duty.next = duty.next.min(height);
            }
        }
        self.stirred.insert(process);
    }

    /// A state or the module of a process is here that was not: what waits for it need not pause.
    pub fn here(&mut self, process: ProcessId) {
        let height = self.height;
        for (_, id) in self.waiting.of(&process) {
            if let Some(duty) = self.duties.get_mut(&id) {
                duty.next = duty.next.min(height);
            }
        }
        self.stirred.insert(process);
    }

    /// An attempt at what was committed then came to nothing.
    pub(super) fn pause(&mut self, id: ClaimId, committed: Height) {
        let height = self.height;
        let duty = self.duties.get_mut(&id);
        if let Some(duty) = duty.filter(|it| it.committed == committed) {
            duty.pause(height);
            self.waiting
                .insert(duty.process, duty.claimant, committed, id);
        }
    }

    /// All of a step was told: moves on every duty that can.
    pub fn settle(&mut self, claims: &Claims, out: &mut Outbox<Effect>) {
        let stirred = std::mem::take(&mut self.stirred);
        let passed = std::mem::take(&mut self.passed);
        let freed = std::mem::take(&mut self.executing.freed);
        let Some(facts) = self.beacons.get(&self.height).map(Arc::clone) else {
            return;
        };
        let tickets = Tickets::of(&facts.validators);
        if passed {
            let duties = &self.duties;
            self.waiting.retain(|id, committed| {
                let duty = duties.get(id).filter(|it| it.committed == committed);
                duty.is_some_and(|it| matches!(it.stage, Stage::Drawn | Stage::Lacking))
            });
            self.executing.forget(self.height);
            self.asked = Places::new();
            let all: Vec<ClaimId> = self.waiting.oldest_first().collect();
            for id in &all {
                self.proceed(id, true, &tickets, claims, out);
            }
            return;
        }
        if freed {
            self.fill(&tickets, claims, out);
        }
        let of = stirred.iter().flat_map(|it| self.waiting.of(it));
        let mut tried: Vec<(Height, ClaimId)> = of.collect();
        tried.sort_unstable();
        for (_, id) in &tried {
            self.proceed(id, false, &tickets, claims, out);
        }
    }

    /// Gives the places that are free to duties that were held up, the first committed first.
    fn fill(&mut self, tickets: &Tickets<'_>, claims: &Claims, out: &mut Outbox<Effect>) {
        let mut next: BTreeSet<(Height, Address)> = self.waiting.held().collect();
        while let Some((_, claimant)) = next.pop_first() {
            if !self.executing.has_place(&claimant, tickets) {
                continue;
            }
            if let Some((id, committed)) = self.waiting.release(&claimant) {
                self.proceed(&id, false, tickets, claims, out);
                next.extend(committed.map(|it| (it, claimant)));
            }
        }
    }

    /// Executes a claim if it is due and can be; asks for what it lacks, again if `again`.
    fn proceed(
        &mut self,
        id: &ClaimId,
        again: bool,
        tickets: &Tickets<'_>,
        claims: &Claims,
        out: &mut Outbox<Effect>,
    ) {
        let height = self.height;
        let duty = self.duties.get_mut(id).filter(|it| it.from <= height);
        let Some(duty) = duty else {
            return;
        };
        let new = match duty.stage {
            Stage::Drawn => !duty.looked,
            Stage::Lacking if duty.next <= height => false,
            Stage::Lacking | Stage::Executing | Stage::Done => return,
        };
        let Some(claim) = claims.copy(id, &duty.claimant, &self.operator) else {
            return;
        };
        let lacking = duty.want.clone().filter(|want| !claims.has(want));
        let room = self.executing.has_place(&duty.claimant, tickets);
        // What is new says at once what it lacks, though there may be no place yet.
        if lacking.is_none() && !room && !new {
            return self.waiting.hold(duty.claimant, duty.committed, *id);
        }
        match lacking.map_or_else(|| claims.lead(claim), Err) {
            Ok(_) if !room => {
                duty.looked = true;
                self.waiting.hold(duty.claimant, duty.committed, *id);
            }
            Ok(lead) => {
                // [VE-4]
                let Some(traced) = duty.plan.traced(&claim.statement.claim) else {
                    duty.stage = Stage::Done;
                    return;
                };
                duty.stage = Stage::Executing;
                let draw = (*id, duty.committed);
                self.executing.begin(draw, duty.claimant, height);
                out.push(Effect::Execute(Job::Check {
                    claim: Box::new(claim.clone()),
                    committed: duty.committed,
                    lead,
                    traced,
                }));
            }
            Err(want) => {
                let first = duty.want.as_ref() != Some(&want);
                let place = self.asked.has(ASKED_MAX, &duty.claimant, tickets);
                if (first || again) && place {
                    self.asked.take(duty.claimant);
                    out.push(Effect::Fetch(want.clone()));
                }
                lacks(duty, want, claims, height);
            }
        }
    }
}

/// Notes what a duty lacks; what is here, and yet is not enough, is not looked at again and again.
fn lacks(duty: &mut Duty, want: Want, claims: &Claims, height: Height) {
    match claims.has(&want) {
        true => duty.pause(height),
        false => duty.stage = Stage::Lacking,
    }
    duty.want = Some(want);
}
