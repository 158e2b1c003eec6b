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

/// An evidence file that was read. That takes a time which grows with the file and needs no ledger, so whoever gets a file reads it
/// before it comes to who keeps the ledger.
#[derive(Debug)]
pub struct File {
    id: EvidenceId,
    bytes: Vec<u8>,
    opened: Result<Opened, Refused>,
}

impl File {
    /// Reads a file.
    pub fn read(bytes: Vec<u8>) -> File {
        File {
            id: Evidence::id_of(&bytes),
            opened: evidence::open(&bytes),
            bytes,
        }
    }

    /// Its id.
    pub const fn id(&self) -> EvidenceId {
        self.id
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

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

/// Whether this is the file of a case (rule RF-3).
pub fn is_file(ledger: &Ledger, file: &File) -> bool {
    let length = u64::try_from(file.bytes.len());
    let case = ledger.case(&file.id);
    case.is_some_and(|case| length == Ok(case.challenge.bytes))
}

/// Judges the file of a case, as far as can be without executing; gives its bytes back.
pub fn open(ledger: &Ledger, file: File) -> (Judgement, Vec<u8>) {
    let judgement = match file.opened {
        Ok(Opened::Proven(proven)) => Judgement::Verdict(agrees(ledger, &file.id, &proven)),
        Ok(Opened::Execute { request, pending }) => {
            let last = pending.profiles().last();
            match ledger.profiles().iter().any(|it| it.id == last.id) {
                true => Judgement::Execute { request, pending },
                false => Judgement::Verdict(false),
            }
        }
        Err(_) => Judgement::Verdict(false),
    };
    (judgement, file.bytes)
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
