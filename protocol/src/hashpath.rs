//! AO-Core's hashpath: a chain over the requests that were applied to a message.
//!
//! # Rules
//!
//! - `[HP-1]` In text, a hashpath is an id, or `base/request` where `base` is an id and `request` an id or a
//!   literal without `/`. Exactly 43 characters are always read as an id, as AO-Core does.
//! - `[HP-2]` `id` extended by `r` is `id/r`. `base/request` extended by `r` is `b/r`, where `b` is the
//!   [`Algorithm`] applied to the bytes of `base` and of `request`.
//! - `[HP-3]` The hashpath of a process' log is kept as its two halves. `h_0` is the process id and
//!   `h_{n+1}` is `h_n` extended by the id of assignment `n`. So `h_0` has no request: it is kept as
//!   `(process id, zeros)`. `h_1` is `(process id, id of assignment 0)`: the first extension
//!   only fills in the request. Every later one folds both halves into the base. No assignment has the id zero (it
//!   is a SHA-256), so the halves tell which hashpath they are.
//! - `[HP-4]` The hashpath of a log uses `sha-256-chain`. It commits to inputs, never to results.

mod compact;

pub use compact::Hashpath;

use crate::hash::sha256;
use crate::id::{Digest, base64url};

/// How two halves are folded into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// SHA-256 of both, one after the other; `sha-256-chain`, the default.
    #[default]
    Sha256Chain,
    /// The sum of both as big-endian numbers, modulo 2^256; `accumulate-256`. It forgets the order.
    Accumulate256,
}

/// Why a hashpath cannot be read or extended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashpathError {
    /// The text is not an id, nor an id and a request.
    #[error("not a hashpath")]
    Text,
    /// The request is empty, holds a `/`, or has the length of an id without being one.
    #[error("not a request of a hashpath")]
    Request,
    /// `accumulate-256` only sums ids.
    #[error("accumulate-256 needs requests that are ids")]
    NotAnId,
}

impl Algorithm {
    /// The name in a process' `hashpath-alg`.
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256Chain => "sha-256-chain",
            Algorithm::Accumulate256 => "accumulate-256",
        }
    }

    /// The algorithm with this name.
    pub fn from_name(name: &str) -> Option<Algorithm> {
        [Algorithm::Sha256Chain, Algorithm::Accumulate256]
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }

    /// Folds an id and the bytes of a request.
    ///
    /// # Errors
    /// [`HashpathError::NotAnId`] if the request is not 32 bytes long and the algorithm sums.
    pub fn fold(self, base: &[u8; 32], request: &[u8]) -> Result<[u8; 32], HashpathError> {
        match self {
            Algorithm::Sha256Chain => Ok(sha256(&[base, request])),
            Algorithm::Accumulate256 => {
                let request = request.try_into().map_err(|_| HashpathError::NotAnId)?;
                Ok(sum(base, request))
            }
        }
    }
}

fn sum(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut total = [0; 32];
    let mut carry = false;
    for ((digit, a), b) in total.iter_mut().zip(left).zip(right).rev() {
        let (partial, over) = a.overflowing_add(*b);
        let (whole, over_again) = partial.overflowing_add(u8::from(carry));
        *digit = whole;
        carry = over || over_again;
    }
    total
}

/// Extends a hashpath in text by a request in text (rule HP-2).
///
/// # Errors
/// If either is not what it must be.
pub fn extend_text(
    path: &str,
    request: &str,
    algorithm: Algorithm,
) -> Result<String, HashpathError> {
    request_bytes(request)?;
    let Some((base, last)) = path.split_once('/') else {
        path.parse::<Digest>().map_err(|_| HashpathError::Text)?;
        return Ok(format!("{path}/{request}"));
    };
    let base: Digest = base.parse().map_err(|_| HashpathError::Text)?;
    let last = request_bytes(last).map_err(|_| HashpathError::Text)?;
    Ok(format!(
        "{}/{request}",
        base64url(&algorithm.fold(base.as_bytes(), &last)?)
    ))
}

/// The bytes that a request stands for: an id's 32, or a literal's own.
fn request_bytes(request: &str) -> Result<Vec<u8>, HashpathError> {
    if request.is_empty() || request.contains('/') {
        return Err(HashpathError::Request);
    }
    if request.len() != 43 {
        return Ok(request.as_bytes().to_vec());
    }
    let id: Digest = request.parse().map_err(|_| HashpathError::Request)?;
    Ok(id.as_bytes().to_vec())
}

#[cfg(test)]
mod tests;
