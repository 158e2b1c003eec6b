//! A validator's part in a case: fetch the file, judge it, say so.
//!
//! # Rules
//!
//! - `[RF-1]` A validator judges every open case of which it is an elector and not the accused, once.
//! - `[RF-2]` What the file proves must be what the challenge says. If it is not, or the file proves nothing, or its profiles
//!   are not the network's, the verdict is innocent; if this host could not tell, or its engines differ, there is no
//!   verdict.
//! - `[RF-3]` A file that does not have the announced id, or not as many bytes as announced, is not the file. Where several cases
//!   are about one file, it is fetched and judged once.
//! - `[RF-4]` A validator keeps a file once it has found that it proves what a case says, or if its engines differ about it, and
//!   no other: nobody fills the disks of all with files that prove nothing. Whoever accuses keeps what it accuses with.

use surety_protocol::evidence::Evidence;
use surety_protocol::execution::{Execution, ExecutionRequest};
use surety_protocol::id::{Address, CaseId, EvidenceId};
use surety_protocol::origin::Challenge;

use crate::evidence::{self, Opened, Pending, Proven, Refused};
use crate::ledger::{CaseState, Ledger};

/// A file as challenges announce it (rule RF-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Announced {
    /// Its id.
    pub evidence: EvidenceId,
    /// How many bytes it has.
    pub bytes: u64,
}

impl From<&Challenge> for Announced {
    fn from(challenge: &Challenge) -> Announced {
        Announced {
            evidence: challenge.evidence,
            bytes: challenge.bytes,
        }
    }
}

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

    /// How it has to be announced.
    pub const fn announced(&self) -> Announced {
        Announced {
            evidence: self.id,
            bytes: self.bytes.len() as u64,
        }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What a file proves, if anything.
#[derive(Debug)]
pub struct Proof(Option<Box<Proven>>);

impl Proof {
    /// Whether that is what the challenge of a case says (rule RF-2).
    pub fn convicts(&self, ledger: &Ledger, case: &CaseId) -> bool {
        let case = ledger.case(case);
        let proven = self.0.as_ref();
        case.zip(proven)
            .is_some_and(|(case, proven)| ledger.fits(&case.challenge, proven))
    }
}

/// What to do about a file.
#[derive(Debug)]
pub enum Judgement {
    /// Say so.
    Found(Proof),
    /// Execute first.
    Execute {
        /// What.
        request: Box<ExecutionRequest>,
        /// What the outcome decides.
        pending: Pending,
    },
}

/// Whether a validator has a say in a case that is still open (rule RF-1).
pub fn is_elector(ledger: &Ledger, case: &CaseId, validator: &Address) -> bool {
    ledger.case(case).is_some_and(|case| {
        case.state == CaseState::Open
            && case.challenge.offender != *validator
            && !case.verdicts.contains_key(validator)
            && case.electors.get(validator).is_some()
    })
}

/// Judges a file, as far as can be without executing; gives its bytes back.
pub fn open(ledger: &Ledger, file: File) -> (Judgement, Vec<u8>) {
    let judgement = match file.opened {
        Ok(Opened::Proven(proven)) => Judgement::Found(Proof(Some(proven))),
        Ok(Opened::Execute { request, pending }) => {
            let last = pending.profiles().last();
            match ledger.profiles().iter().any(|it| it.id == last.id) {
                true => Judgement::Execute { request, pending },
                false => Judgement::Found(Proof(None)),
            }
        }
        Err(_) => Judgement::Found(Proof(None)),
    };
    (judgement, file.bytes)
}

/// Judges by the outcome of an execution; none if this host could not tell (rule RF-2).
pub fn conclude(pending: Pending, execution: &Execution) -> Option<Proof> {
    match pending.judge(execution) {
        Ok(proven) => Some(Proof(Some(Box::new(proven)))),
        Err(Refused::Abstained(_) | Refused::Differed) => None,
        Err(_) => Some(Proof(None)),
    }
}
