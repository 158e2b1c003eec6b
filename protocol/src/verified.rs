//! The last step of the ladder `bytes -> well-formed -> authentic`.
//!
//! # Rules
//!
//! - `[AU-1]` Only a thing whose signature was checked, or that was signed here, is [`Authentic`]; no
//!   public function makes one of anything else.

use std::ops::Deref;

/// A thing whose signature has been verified.
///
/// It can be made only inside this crate: by the `authenticate` of its type, or by signing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentic<T>(T);

impl<T> Authentic<T> {
    /// Wraps a thing whose signature the caller has just verified or made.
    pub(crate) const fn new(verified: T) -> Self {
        Self(verified)
    }

    /// The thing itself, which no longer shows that it was verified.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Authentic<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> AsRef<T> for Authentic<T> {
    fn as_ref(&self) -> &T {
        &self.0
    }
}
