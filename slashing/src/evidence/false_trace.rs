//! Offence: an approval whose trace proof a re-execution of one stretch refutes.
//!
//! # Rules
//!
//! - `[E-40]` The proof is bound to the offender, the hot key in its registration, the claim and the seed by an item that the
//!   data-item key in the same registration signed. Whether the claim is true, and whether the seed is that of its sortition, is not asked: who signs for a
//!   step that it has not executed lies either way, and nobody else takes an approval with another seed.
//! - `[E-41]` The last leaf of the stretch is the one that the seed draws.
//! - `[E-42]` The proof is false if its signature is not the hot key's on the trace under the common key, or the other trace not
//!   that under the offender's own.

use surety_protocol::bls;
use surety_protocol::evidence::{FalseTrace, OffenceKind};
use surety_protocol::execution::{Execution, ExecutionRequest};
use surety_protocol::id::{Address, EvidenceId, NetworkId, ProcessId};
use surety_protocol::origin::Registration;
use surety_protocol::profiles::Profiles;
use surety_protocol::time::Slot;
use surety_protocol::trace::{self, TraceProof};

use super::stretch::{self, Outcome};
use super::{Finding, Proven, Refused, registration};

/// A false trace whose execution has not come back.
#[derive(Debug)]
pub struct PendingFalseTrace {
    evidence: EvidenceId,
    network: NetworkId,
    offender: Address,
    registration: Registration,
    proof: TraceProof,
    process: ProcessId,
    slot: Slot,
    profiles: Profiles,
}

pub(super) fn open(
    evidence: EvidenceId,
    network: NetworkId,
    offence: FalseTrace,
) -> Result<(ExecutionRequest, PendingFalseTrace), Refused> {
    let (offender, registration) = registration(&network, &offence.registration)?;
    let FalseTrace {
        claim, seed, proof, ..
    } = offence;
    if claim.network != network {
        return Err(Refused::Inconsistent("the claim is of another network"));
    }
    let id = claim.id()?;
    // [E-40]
    let bound = proof
        .bound(&id, &seed, (&offender, &registration.key))
        .filter(|item| item.owner_address() == registration.item_key)
        .and_then(|item| item.authenticate().ok());
    if bound.is_none() {
        return Err(Refused::Signature);
    }
    let keys = vec![trace::common_key(&seed), trace::own_key(&seed, &offender)];
    let opened = stretch::open(offence.stretch, &claim, keys)?;
    let slot = opened.leaf.slot;
    // [E-41]
    if trace::slot(&seed, claim.first_new, claim.size) != Some(slot) {
        return Err(Refused::Inconsistent(
            "the stretch does not end at the step that was drawn",
        ));
    }
    let pending = PendingFalseTrace {
        evidence,
        network,
        offender,
        registration,
        proof,
        process: claim.process,
        slot,
        profiles: opened.profiles,
    };
    Ok((opened.request, pending))
}

impl PendingFalseTrace {
    /// The profiles under which the file is judged.
    pub const fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// Judges by the outcome of the execution (rule E-42).
    ///
    /// # Errors
    /// Why it proves nothing.
    pub fn judge(self, execution: &Execution) -> Result<Proven, Refused> {
        let [common, own] = Outcome::of(execution)?.traces else {
            return Err(Refused::Execution("the last step was not traced".into()));
        };
        let signed = trace::signing_digest(common);
        let signature = bls::verify(&self.registration.key, &signed, &self.proof.signature);
        if signature && *own == self.proof.own {
            return Err(Refused::Innocent);
        }
        Ok(Proven {
            evidence: self.evidence,
            network: self.network,
            kind: OffenceKind::FalseTrace,
            offender: self.offender,
            registration: self.registration,
            process: self.process,
            slot: self.slot,
            // The claim itself may be true.
            claim: None,
            finding: Finding::Trace,
        })
    }
}
