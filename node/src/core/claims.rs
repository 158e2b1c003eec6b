//! Claims and approvals, from anywhere: cheap rules first, signatures together and later (rules CK-1 to CK-3).

use surety_attest::tally::Admitted;
use surety_protocol::approval::Approval;
use surety_protocol::bls::{PublicKey, Signature, SignedDigest};
use surety_protocol::claim::SignedClaim;
use surety_protocol::id::ClaimId;
use surety_protocol::machine::Outbox;
use surety_protocol::time::{Height, Tick};

use super::checks::{Brought, Signatures, Subject, Taken};
use super::{Core, Effect, Signal, Teller};
use crate::net::Acceptance;

impl Core {
    /// Takes a claim from anywhere, to be verified; what it is worth, if it need not be.
    pub(super) fn claim(
        &mut self,
        claim: SignedClaim,
        brought: Brought,
        out: &mut Outbox<Effect>,
    ) -> Option<Acceptance> {
        let Ok(id) = claim.statement.claim.id() else {
            return Some(Acceptance::Reject);
        };
        if claim.check(self.shared.network).is_err() {
            return Some(Acceptance::Reject);
        }
        let claimant = claim.statement.claimant;
        let Some(operator) = self.ledger.operator(&claimant) else {
            return Some(Acceptance::Ignore);
        };
        if !self.heeds(&claim) || self.shared.claims.signed_by(&id, &claimant).is_some() {
            return Some(Acceptance::Ignore);
        }
        let Ok(signed) = claim.statement.signed(&operator.registration.key) else {
            return Some(Acceptance::Reject);
        };
        let subject = Subject::Claim(Box::new(claim));
        let signatures = Signatures {
            signed: vec![signed],
            ..Signatures::default()
        };
        self.check(subject, signatures, brought, out)
    }

    /// Whether a claim can count now. A liar that takes its stake out is heard as long as it can lose it.
    fn heeds(&self, claim: &SignedClaim) -> bool {
        // [L-52]
        self.ledger.answers(&claim.statement.claimant) && self.ledger.hears(&claim.statement.claim)
    }

    /// Lets signatures be verified; what is dropped is worth nothing.
    fn check(
        &mut self,
        subject: Subject,
        signatures: Signatures,
        brought: Brought,
        out: &mut Outbox<Effect>,
    ) -> Option<Acceptance> {
        match self.checks.take(subject, signatures, brought) {
            Taken::Waits => None,
            Taken::InsteadOf(other) => {
                report(other, Acceptance::Ignore, out);
                None
            }
            Taken::No => Some(Acceptance::Ignore),
        }
    }

    /// Signatures were verified: of each subject that was under way, whether they hold; nothing if they could not be (rule CK-3).
    pub(super) fn checked(&mut self, now: Tick, hold: Option<Vec<bool>>, out: &mut Outbox<Effect>) {
        let subjects = self.checks.end();
        let hold = hold.map_or(vec![None; subjects.len()], |it| {
            it.into_iter().map(Some).collect()
        });
        for (waiting, holds) in subjects.into_iter().zip(hold) {
            let key = waiting.signatures.signed.first().map(|it| it.key);
            let brought = waiting.brought;
            let acceptance = match (holds, waiting.subject) {
                (None, _) => Some(Acceptance::Ignore),
                (Some(holds), Subject::Trace(approval)) => {
                    let approval = &approval;
                    self.signal(now, &Signal::Compared { approval, holds }, out);
                    None
                }
                (Some(agree), Subject::Together(claim, committed)) => {
                    if !agree {
                        self.signal(now, &Signal::Disagree { claim, committed }, out);
                    }
                    None
                }
                (Some(true), Subject::Claim(claim)) => {
                    Some(self.authentic_claim(now, key, *claim, out))
                }
                // [CK-6]
                (Some(false), Subject::Claim(claim)) => {
                    self.refused_claim(key, *claim, brought, out)
                }
                (Some(true), Subject::UnderFormerKey) => Some(Acceptance::Ignore),
                (Some(true), Subject::Approval(approval)) => {
                    match self.tally.count((*approval).clone()) {
                        true => {
                            self.signal(now, &Signal::Approval(&approval), out);
                            Some(Acceptance::Accept)
                        }
                        false => Some(Acceptance::Ignore),
                    }
                }
                (Some(false), Subject::UnderFormerKey | Subject::Approval(_)) => {
                    Some(Acceptance::Reject)
                }
            };
            if let Some(acceptance) = acceptance {
                self.checks.judged(&brought, acceptance);
                report(brought, acceptance, out);
            }
        }
        let mut asked = Outbox::default();
        self.tally.post(&self.shared.claims, &mut asked);
        self.perform(now, asked.drain(), out);
    }

    /// Judges a claim whose signature does not hold under a key that was in force (rule CK-6).
    fn refused_claim(
        &mut self,
        tried: Option<PublicKey>,
        claim: SignedClaim,
        brought: Brought,
        out: &mut Outbox<Effect>,
    ) -> Option<Acceptance> {
        // Blocks that are not here may have put another one in force.
        if self.replica.behind(&self.ledger) > 0 {
            return Some(Acceptance::Ignore);
        }
        let Some(operator) = self.ledger.operator(&claim.statement.claimant) else {
            return Some(Acceptance::Ignore);
        };
        if Some(operator.registration.key) != tried {
            return self.claim(claim, brought, out);
        }
        let former = operator.former_keys.last();
        let Some(signed) = former.and_then(|key| claim.statement.signed(key).ok()) else {
            return Some(Acceptance::Reject);
        };
        let signatures = Signatures {
            signed: vec![signed],
            ..Signatures::default()
        };
        self.check(Subject::UnderFormerKey, signatures, brought, out)
    }

    /// Takes a claim whose signature holds under a key, which may have been replaced since.
    fn authentic_claim(
        &mut self,
        now: Tick,
        verified: Option<PublicKey>,
        claim: SignedClaim,
        out: &mut Outbox<Effect>,
    ) -> Acceptance {
        let operator = self.ledger.operator(&claim.statement.claimant);
        if operator.map(|it| it.registration.key) != verified {
            return Acceptance::Ignore;
        }
        if !self.heeds(&claim) || !self.shared.claims.insert(claim.clone()) {
            return Acceptance::Ignore;
        }
        let (process, size) = (claim.statement.claim.process, claim.statement.claim.size);
        self.heard_of(process, size, Some(claim.statement.claimant), out);
        if let Some(contradiction) = self.shared.claims.contradiction(&claim) {
            self.signal(now, &Signal::Contradiction(&contradiction), out);
        }
        self.signal(now, &Signal::Claim(&claim), out);
        self.signal(now, &Signal::Material(process), out);
        Acceptance::Accept
    }

    /// Has every approval of a claim that counts compared with what its execution has shown (rule VE-9).
    pub(super) fn compare(
        &mut self,
        now: Tick,
        claim: ClaimId,
        committed: Height,
        out: &mut Outbox<Effect>,
    ) {
        for approval in self.tally.approvals(claim, committed) {
            self.signal(now, &Signal::Approval(&approval), out);
        }
    }

    /// Has the signature of a trace proof verified.
    pub(super) fn verify_trace(&mut self, approval: Box<Approval>, signed: SignedDigest) {
        let signatures = Signatures {
            signed: vec![signed],
            ..Signatures::default()
        };
        self.checks
            .take(Subject::Trace(approval), signatures, Brought::Asked);
    }

    /// Has the trace proofs of a claim compared with one another (rule VE-11).
    pub(super) fn verify_together(
        &mut self,
        claim: ClaimId,
        committed: Height,
        proofs: Vec<(PublicKey, Signature)>,
    ) {
        let signatures = Signatures {
            together: proofs,
            ..Signatures::default()
        };
        let subject = Subject::Together(claim, committed);
        self.checks.take(subject, signatures, Brought::Asked);
    }

    /// Takes an approval from anywhere, to be verified; what it is worth, if it need not be.
    pub(super) fn approval(
        &mut self,
        approval: Approval,
        brought: Brought,
        out: &mut Outbox<Effect>,
    ) -> Option<Acceptance> {
        match self.tally.admit(&approval, &self.shared.claims) {
            Admitted::Checking(signed, item) => {
                let signatures = Signatures {
                    signed: signed.into(),
                    item: item.bytes().to_vec(),
                    ..Signatures::default()
                };
                self.check(
                    Subject::Approval(Box::new(approval)),
                    signatures,
                    brought,
                    out,
                )
            }
            // Its signature cannot be verified yet; whoever can passes it on.
            Admitted::Early => {
                self.tally.wait(approval, brought.peer());
                Some(Acceptance::Ignore)
            }
            Admitted::Nothing => Some(Acceptance::Ignore),
            Admitted::Refused => Some(Acceptance::Reject),
        }
    }
}

/// Tells whoever gossiped something what it was worth.
fn report(brought: Brought, acceptance: Acceptance, out: &mut Outbox<Effect>) {
    if let Brought::Gossip(Teller { token, .. }) = brought {
        out.push(Effect::Report { token, acceptance });
    }
}
