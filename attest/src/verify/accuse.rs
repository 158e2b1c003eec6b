//! From evidence to a challenge on the ledger (rule VE-8).

use std::sync::Arc;

use surety_protocol::evidence::{Evidence, OffenceKind};
use surety_protocol::id::{Address, ClaimId, ProcessId};
use surety_protocol::machine::Outbox;
use surety_protocol::origin::{Action, Challenge};
use surety_protocol::time::Slot;

use super::Verifier;
use crate::claims::Claims;
use crate::effect::{Effect, Event, Record};

/// Who did what, in which process, at which slot.
pub(super) type Offence = (Address, OffenceKind, ProcessId, Slot);

impl Verifier {
    /// A claim is false, as its execution shows.
    pub(super) fn accuse_of_false_claim(
        &mut self,
        claim: ClaimId,
        slot: Slot,
        evidence: Arc<[u8]>,
        claims: &Claims,
        out: &mut Outbox<Effect>,
    ) {
        let Some(duty) = self.duties.get(&claim) else {
            return;
        };
        let Some(signed) = claims.signed_by(&claim, &duty.claimant) else {
            return;
        };
        let process = signed.statement.claim.process;
        let offence = (duty.claimant, OffenceKind::FalseClaim, process, slot);
        self.challenge(offence, Some(claim), evidence, out);
    }

    /// Somebody signed what cannot both be signed.
    pub(super) fn accuse_by_signatures(
        &mut self,
        offence: Offence,
        evidence: Arc<[u8]>,
        out: &mut Outbox<Effect>,
    ) {
        self.challenge(offence, None, evidence, out);
    }

    fn challenge(
        &mut self,
        offence: Offence,
        claim: Option<ClaimId>,
        bytes: Arc<[u8]>,
        out: &mut Outbox<Effect>,
    ) {
        let (offender, kind, process, slot) = offence;
        // [VE-9]
        let blind = |it: &Offence| (it.0, it.1) == (offender, OffenceKind::FalseTrace);
        if kind == OffenceKind::FalseTrace {
            self.traces.accused(&offender);
            if self.accused.iter().any(blind) {
                return;
            }
        }
        if !self.accused.insert(offence) {
            return;
        }
        let challenge = Challenge {
            evidence: Evidence::id_of(&bytes),
            bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            kind: kind.number(),
            offender,
            process,
            slot,
            claim,
        };
        let id = challenge.evidence;
        // Whoever has to execute asks for the file.
        let evidence = (!kind.executes()).then(|| bytes.to_vec());
        out.push(Effect::Persist(Record::Evidence { id, bytes }));
        out.push(Effect::Notify(Event::Accused {
            evidence: id,
            offender,
        }));
        out.push(Effect::Submit(Action::Challenge {
            challenge,
            evidence,
        }));
    }
}
