//! The hashpath of a process' log, as its two halves.

use std::fmt;
use std::str::FromStr;

use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::hash::sha256;
use crate::hashpath::HashpathError;
use crate::id::{AssignmentId, Digest, ProcessId, base64url};

/// The request half of a hashpath that has no request yet.
const NO_REQUEST: [u8; 32] = [0; 32];

/// The hashpath of a process' log (rules HP-3 and HP-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize_tuple, Deserialize_tuple)]
pub struct Hashpath {
    /// The process id, or every request but the last folded into it.
    #[serde(with = "serde_bytes")]
    pub base: [u8; 32],
    /// The id of the last assignment; zeros before the first.
    #[serde(with = "serde_bytes")]
    pub request: [u8; 32],
}

impl Hashpath {
    /// `h_0`, before any assignment.
    #[must_use]
    pub const fn start(process: ProcessId) -> Hashpath {
        Hashpath {
            base: *process.as_bytes(),
            request: NO_REQUEST,
        }
    }

    /// The hashpath after one more assignment.
    #[must_use]
    pub fn extend(&self, assignment: AssignmentId) -> Hashpath {
        let request = *assignment.as_bytes();
        if self.request == NO_REQUEST {
            return Hashpath {
                base: self.base,
                request,
            };
        }
        Hashpath {
            base: sha256(&[&self.base, &self.request]),
            request,
        }
    }
}

impl fmt::Display for Hashpath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url(&self.base))?;
        if self.request == NO_REQUEST {
            return Ok(());
        }
        write!(f, "/{}", base64url(&self.request))
    }
}

impl FromStr for Hashpath {
    type Err = HashpathError;

    /// Reads AO-Core's text. Zeros as request are refused: they would be another spelling of the start.
    fn from_str(text: &str) -> Result<Hashpath, HashpathError> {
        let id = |text: &str| {
            text.parse::<Digest>()
                .map(|id| *id.as_bytes())
                .map_err(|_| HashpathError::Text)
        };
        let Some((base, request)) = text.split_once('/') else {
            return Ok(Hashpath {
                base: id(text)?,
                request: NO_REQUEST,
            });
        };
        let path = Hashpath {
            base: id(base)?,
            request: id(request)?,
        };
        if path.request == NO_REQUEST {
            Err(HashpathError::Text)
        } else {
            Ok(path)
        }
    }
}
