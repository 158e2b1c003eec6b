//! What a block of the ledger tells the roles, which know nothing of the ledger itself.

use std::sync::Arc;

use crate::attested::Segment;
use crate::id::{Address, CaseId, ClaimId, Digest, ProcessId};
use crate::time::{Height, Slot};
use crate::validators::ValidatorSet;

/// One applied block, as far as it matters beside the ledger.
#[derive(Debug, Clone)]
pub struct BlockFacts {
    /// Its height.
    pub height: Height,
    /// The randomness after it.
    pub beacon: Digest,
    /// The validators after it.
    pub validators: Arc<ValidatorSet>,
    /// Digest roots committed in it, by claimant.
    pub committed: Vec<(Address, Digest)>,
    /// Segments certified in it.
    pub certified: Vec<(ProcessId, Segment)>,
    /// Operators that are out for good since it.
    pub tombstoned: Vec<Address>,
    /// Claims that were proven false in it.
    pub refuted: Vec<Refuted>,
}

/// A claim that was proven false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refuted {
    /// The case that proved it.
    pub case: CaseId,
    /// Which.
    pub claim: ClaimId,
    /// Where it is false.
    pub slot: Slot,
    /// Who accused.
    pub challenger: Address,
}
