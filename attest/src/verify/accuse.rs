//! What a verifier accuses of, and of what it does not twice.

use std::sync::Arc;

use surety_protocol::evidence::OffenceKind;
use surety_protocol::id::{Address, ClaimId};
use surety_protocol::machine::Outbox;
use surety_protocol::origin::Challenge;
use surety_protocol::time::Slot;

use super::Verifier;
use crate::accuse::Offence;
use crate::claims::Claims;
use crate::effect::Effect;

impl Verifier {
    /// This node challenged it before it was started again (rule VE-8).
    pub fn challenged(&mut self, challenge: &Challenge) {
        self.accuser.remember(challenge);
    }

    /// A claim is false, as its execution shows.
    pub(super) fn accuse_of_false_claim(
        &mut self,
        (claim, claimant): (ClaimId, Address),
        slot: Slot,
        evidence: Arc<[u8]>,
        claims: &Claims,
        out: &mut Outbox<Effect>,
    ) {
        // Whoever else's duty it may be meanwhile, who signed the same: the evidence speaks of this one.
        let Some(signed) = claims.signed_by(&claim, &claimant) else {
            return;
        };
        let process = signed.statement.claim.process;
        let offence = (claimant, OffenceKind::FalseClaim, process, slot);
        self.accuser.challenge(offence, Some(claim), evidence, out);
    }

    /// Somebody signed what proves it guilty.
    pub(super) fn accuse_by_signatures(
        &mut self,
        offence: Offence,
        evidence: Arc<[u8]>,
        out: &mut Outbox<Effect>,
    ) {
        let (offender, kind, ..) = offence;
        // [VE-9]
        if kind == OffenceKind::FalseTrace {
            self.traces.accused(&offender);
            if self.accuser.has_accused(&offender, kind) {
                return;
            }
        }
        self.accuser.challenge(offence, None, evidence, out);
    }
}
