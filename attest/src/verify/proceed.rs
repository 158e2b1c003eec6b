//! Which duties are executed now, and what others lack (rules VE-4, VE-12 and VE-13).

use std::ops::Bound::{self, Included, Unbounded};

use surety_protocol::id::{ClaimId, ProcessId};
use surety_protocol::machine::Outbox;
use surety_protocol::time::Height;

use super::places::Places;
use super::{Duty, Stage, Verifier};
use crate::claims::Claims;
use crate::effect::{Effect, Job};

/// Claims that are executed at once.
const EXECUTING_MAX: usize = 128;
/// What is asked for between two blocks.
const ASKED_MAX: usize = 256;
/// The most blocks between two attempts that come to nothing.
const PAUSE_MAX: u64 = 8;

/// Which duties are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due<'a> {
    /// All, and what they lack is asked for once more.
    All,
    /// All for which there was no place.
    Held,
    /// Those of a process.
    Of(&'a ProcessId),
}

impl Duty {
    /// An attempt came to nothing: the next one is after a pause, which grows (rule VE-12).
    pub(super) fn pause(&mut self, height: Height) {
        self.stage = Stage::Lacking;
        self.next = height.plus(self.tries.min(PAUSE_MAX));
        self.tries = self.tries.saturating_add(1);
    }
}

impl Verifier {
    /// The claims, logs or leaves of a process that this node has are more than before.
    pub fn more(&mut self, process: ProcessId) {
        self.stirred.insert(process);
    }

    /// A state of a process is here that was not: what waits for it need not pause.
    pub fn state(&mut self, process: ProcessId) {
        let height = self.height;
        for (_, id) in self.waiting.range(of(&process)) {
            if let Some(duty) = self.duties.get_mut(id) {
                duty.next = duty.next.min(height);
            }
        }
        self.stirred.insert(process);
    }

    /// All of a step was told: moves on every duty that can.
    pub fn settle(&mut self, claims: &Claims, out: &mut Outbox<Effect>) {
        let stirred = std::mem::take(&mut self.stirred);
        if std::mem::take(&mut self.passed) {
            let duties = &self.duties;
            let stage = |id: &ClaimId| duties.get(id).map(|it| it.stage);
            self.waiting
                .retain(|(_, id)| matches!(stage(id), Some(Stage::Drawn | Stage::Lacking)));
            self.executing
                .retain(|id, _| stage(id) == Some(Stage::Executing));
            self.asked = Places::new();
            self.proceed(Due::All, claims, out);
        } else if self.held && self.executing.len() < EXECUTING_MAX {
            self.proceed(Due::Held, claims, out);
        } else {
            for process in &stirred {
                self.proceed(Due::Of(process), claims, out);
            }
        }
    }

    fn proceed(&mut self, due: Due<'_>, claims: &Claims, out: &mut Outbox<Effect>) {
        let bounds = match due {
            Due::All | Due::Held => {
                self.held = false;
                (Unbounded, Unbounded)
            }
            Due::Of(process) => of(process),
        };
        let height = self.height;
        let Some(facts) = self.beacons.get(&height) else {
            return;
        };
        let mut executing: Places = self.executing.values().copied().collect();
        for (_, id) in self.waiting.range(bounds) {
            let duty = self.duties.get_mut(id).filter(|it| it.from <= height);
            let Some(duty) = duty else {
                continue;
            };
            match duty.stage {
                Stage::Drawn => {}
                Stage::Lacking if duty.next <= height => {}
                Stage::Lacking | Stage::Executing | Stage::Done => continue,
            }
            let claimant = duty.claimant;
            let Some(claim) = claims.signed_by(id, &claimant) else {
                continue;
            };
            let ready = duty.want.as_ref().is_none_or(|want| claims.has(want));
            if ready && !executing.has(EXECUTING_MAX, &claimant, &facts.validators) {
                self.held = true;
                continue;
            }
            let lead = match duty.want.clone().filter(|_| !ready) {
                Some(want) => Err(want),
                None => claims.lead(claim),
            };
            match lead {
                Ok(lead) => {
                    // [VE-4]
                    let Some(traced) = duty.plan.traced(&claim.statement.claim) else {
                        duty.stage = Stage::Done;
                        continue;
                    };
                    duty.stage = Stage::Executing;
                    executing.take(claimant);
                    self.executing.insert(*id, claimant);
                    out.push(Effect::Execute(Job::Check {
                        claim: Box::new(claim.clone()),
                        lead,
                        traced,
                    }));
                }
                Err(want) => {
                    // [VE-12]
                    let new = duty.want.as_ref() != Some(&want);
                    if (new || due == Due::All)
                        && self.asked.has(ASKED_MAX, &claimant, &facts.validators)
                    {
                        self.asked.take(claimant);
                        out.push(Effect::Fetch(want.clone()));
                    }
                    if !new && ready {
                        duty.pause(height);
                    }
                    duty.stage = Stage::Lacking;
                    duty.want = Some(want);
                }
            }
        }
    }
}

type Bounds = (Bound<(ProcessId, ClaimId)>, Bound<(ProcessId, ClaimId)>);

/// The claims of a process.
fn of(process: &ProcessId) -> Bounds {
    let (first, last) = (ClaimId::new([0; 32]), ClaimId::new([u8::MAX; 32]));
    (Included((*process, first)), Included((*process, last)))
}
