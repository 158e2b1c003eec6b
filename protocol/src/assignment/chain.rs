//! AO's hash chain over the assignments of a process.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::hash::sha256;
use crate::id::{AssignmentId, Digest, IdError, ProcessId};

/// The `Hash-Chain` of an assignment: it commits to every assignment before it, and to messages only
/// through those.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HashChain(Digest);

impl HashChain {
    /// The chain in the first assignment of a process: SHA-256 of its id.
    #[must_use]
    pub fn start(process: &ProcessId) -> HashChain {
        HashChain::new(sha256(&[process.as_bytes()]))
    }

    /// The chain with these 32 bytes.
    pub const fn new(bytes: [u8; 32]) -> HashChain {
        HashChain(Digest::new(bytes))
    }

    /// The chain in the assignment after `assignment`, if this one stands in `assignment`.
    #[must_use]
    pub fn next(&self, assignment: &AssignmentId) -> HashChain {
        HashChain::new(sha256(&[assignment.as_bytes(), self.0.as_bytes()]))
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl fmt::Display for HashChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for HashChain {
    type Err = IdError;

    fn from_str(text: &str) -> Result<HashChain, IdError> {
        text.parse().map(HashChain)
    }
}
