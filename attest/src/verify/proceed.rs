//! Which duties are executed now, and what others lack (rules VE-4 and VE-12).

use std::ops::Bound::{Included, Unbounded};

use surety_protocol::id::{ClaimId, ProcessId};
use surety_protocol::machine::Outbox;

use super::{Stage, Verifier};
use crate::claims::Claims;
use crate::effect::{Effect, Job};

/// Which duties are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due<'a> {
    /// All, and what they lack is asked for once more.
    All,
    /// Those that were never tried.
    Drawn,
    /// Those of a process.
    Of(&'a ProcessId),
}

impl Verifier {
    /// Moves on every duty that can, with a block.
    pub(super) fn proceed_all(&mut self, claims: &Claims, out: &mut Outbox<Effect>) {
        let duties = &self.duties;
        self.waiting.retain(|(_, id)| {
            let duty = duties.get(id);
            duty.is_some_and(|it| matches!(it.stage, Stage::Drawn | Stage::Lacking))
        });
        self.proceed(Due::All, claims, out);
    }

    /// Moves on every duty that is due and can.
    pub(super) fn proceed(&mut self, due: Due<'_>, claims: &Claims, out: &mut Outbox<Effect>) {
        let bounds = match due {
            Due::All | Due::Drawn => (Unbounded, Unbounded),
            Due::Of(process) => {
                let (first, last) = (ClaimId::new([0; 32]), ClaimId::new([u8::MAX; 32]));
                (Included((*process, first)), Included((*process, last)))
            }
        };
        let height = self.height;
        for (_, id) in self.waiting.range(bounds) {
            let duty = self.duties.get_mut(id).filter(|it| it.from <= height);
            let Some(duty) = duty else {
                continue;
            };
            match duty.stage {
                Stage::Drawn => {}
                Stage::Lacking if due != Due::Drawn => {}
                Stage::Lacking | Stage::Executing | Stage::Done => continue,
            }
            let Some(claim) = claims.signed_by(id, &duty.claimant) else {
                continue;
            };
            let body = &claim.statement.claim;
            // [VE-4]
            let Some(traced) = duty.plan.traced(body) else {
                duty.stage = Stage::Done;
                continue;
            };
            match claims.lead(claim) {
                Ok(lead) => {
                    duty.stage = Stage::Executing;
                    out.push(Effect::Execute(Job::Check {
                        claim: Box::new(claim.clone()),
                        lead,
                        traced,
                    }));
                }
                Err(lacking) => {
                    // [VE-12]
                    if duty.stage == Stage::Drawn || due == Due::All {
                        out.push(Effect::Fetch(lacking));
                    }
                    duty.stage = Stage::Lacking;
                }
            }
        }
    }
}
