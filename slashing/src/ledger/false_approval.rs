//! Approvals of claims that were proven false.
//!
//! # Rules
//!
//! - `[L-36]` Who approved a claim that is proven false at one of its new leaves is punished as its signer is. At once where the
//!   approval stands in a certificate that is taken back, for that the ledger has seen; else when somebody brings the approver's
//!   signature, which needs no bond and is paid for like a challenge.

use surety_protocol::approval;
use surety_protocol::bls::{self, SignedDigest};
use surety_protocol::evidence::OffenceKind;
use surety_protocol::id::{Address, Digest};
use surety_protocol::origin::FalseApprovals;

use super::case::CaseState;
use super::penalty::Offence;
use super::{BlockError, ItemRefused, Ledger, LedgerEvent};

impl Ledger {
    pub(super) fn false_approvals(
        &mut self,
        signer: Address,
        told: &FalseApprovals,
        events: &mut Vec<LedgerEvent>,
    ) -> Result<Result<(), ItemRefused>, BlockError> {
        let offences = match self.convicted(told) {
            Ok(offences) => offences,
            Err(refused) => return Ok(Err(refused)),
        };
        let challenger = self.challenger(signer);
        for offence in offences {
            self.punish(challenger, offence, events)?;
        }
        Ok(Ok(()))
    }

    /// The offences that these approvals are and that are not punished yet. All of them have to hold, the cheap rules first.
    pub(super) fn convicted(&self, told: &FalseApprovals) -> Result<Vec<Offence>, ItemRefused> {
        let case = self
            .cases
            .get(&told.case)
            .filter(|case| case.state == CaseState::Guilty)
            .ok_or(ItemRefused::NoCase)?;
        let (claim, slot) = (&told.claim, case.challenge.slot);
        let id = claim.id().map_err(|_| ItemRefused::Challenge)?;
        // [CL-6]
        let answers = claim.first_new <= slot.0 && slot.0 < claim.size;
        if !told.well_formed() || case.challenge.claim != Some(id) || !answers {
            return Err(ItemRefused::Challenge);
        }
        let kind = OffenceKind::FalseApproval;
        let mut offences = Vec::new();
        let mut signed = Vec::new();
        for approval in &told.approvals {
            let offender = approval.verifier;
            let operator = self.operators.get(&offender);
            let key = operator
                .and_then(|it| it.key_of(&approval.key))
                .ok_or(ItemRefused::NotRegistered)?;
            signed.push(SignedDigest {
                key,
                digest: approval::signing_digest(&id),
                signature: approval.signature,
            });
            if self.is_punished(offender, kind, claim.process, slot) {
                continue;
            }
            offences.push(Offence {
                evidence: case.challenge.evidence,
                offender,
                kind,
                process: claim.process,
                slot,
            });
        }
        if offences.is_empty() {
            return Err(ItemRefused::Known);
        }
        // Everybody has to judge alike, so nothing is added that others do not know.
        if bls::verify_batch(&signed, &Digest::new(*id.as_bytes())) {
            Ok(offences)
        } else {
            Err(ItemRefused::Forged)
        }
    }
}
