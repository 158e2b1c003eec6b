//! A validator's part in a case: fetch the file, judge it, say so.
//!
//! # Rules
//!
//! - `[RF-1]` A validator judges every open case of which it is an elector and not the accused, once.
//! - `[RF-2]` What the file proves must be what the challenge says. If it is not, or the file proves nothing, or its profiles
//!   are not the network's, the verdict is innocent; if this host could not tell, or its engines differ, there is no
//!   verdict.
//! - `[RF-3]` A file that does not have the announced id, or more bytes than announced, is not the file.

use surety_protocol::evidence::Evidence;
use surety_protocol::execution::{Execution, ExecutionRequest};
use surety_protocol::id::{Address, EvidenceId};

use crate::evidence::{self, Opened, Pending, Proven, Refused};
use crate::ledger::{CaseState, Ledger};

/// What to do about a file.
#[derive(Debug)]
pub enum Judgement {
    /// Say so.
    Verdict(bool),
    /// Execute first.
    Execute {
        /// What.
        request: Box<ExecutionRequest>,
        /// What the outcome decides.
        pending: Pending,
    },
}

/// Whether a validator has a say in a case that is still open (rule RF-1).
pub fn is_elector(ledger: &Ledger, evidence: &EvidenceId, validator: &Address) -> bool {
    ledger.case(evidence).is_some_and(|case| {
        case.state == CaseState::Open
            && case.challenge.offender != *validator
            && !case.verdicts.contains_key(validator)
            && case.electors.get(validator).is_some()
    })
}

/// Whether these bytes are the file of a case (rule RF-3).
pub fn is_file(ledger: &Ledger, evidence: &EvidenceId, bytes: &[u8]) -> bool {
    ledger.case(evidence).is_some_and(|case| {
        u64::try_from(bytes.len()).is_ok_and(|length| length == case.challenge.bytes)
            && Evidence::id_of(bytes) == *evidence
    })
}

/// Reads the file of a case.
pub fn open(ledger: &Ledger, evidence: &EvidenceId, bytes: &[u8]) -> Judgement {
    match evidence::open(bytes) {
        Ok(Opened::Proven(proven)) => Judgement::Verdict(agrees(ledger, evidence, &proven)),
        Ok(Opened::Execute { request, pending }) => {
            let last = pending.profiles().last();
            match ledger.profiles().iter().any(|it| it.id == last.id) {
                true => Judgement::Execute { request, pending },
                false => Judgement::Verdict(false),
            }
        }
        Err(_) => Judgement::Verdict(false),
    }
}

/// Judges by the outcome of an execution; none if this host could not tell (rule RF-2).
pub fn conclude(
    ledger: &Ledger,
    evidence: &EvidenceId,
    pending: Pending,
    execution: &Execution,
) -> Option<bool> {
    match pending.judge(execution) {
        Ok(proven) => Some(agrees(ledger, evidence, &proven)),
        Err(Refused::Abstained(_) | Refused::Differed) => None,
        Err(_) => Some(false),
    }
}

fn agrees(ledger: &Ledger, evidence: &EvidenceId, proven: &Proven) -> bool {
    ledger
        .case(evidence)
        .is_some_and(|case| ledger.fits(&case.challenge, proven))
}
