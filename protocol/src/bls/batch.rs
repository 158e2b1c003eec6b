//! Checking many single signatures at once, and finding the bad ones.

use std::collections::BTreeMap;
use std::ops::Range;

use super::curve::{G1Affine, G2Affine, PreparedMessage, pairing_equation_holds, weighted_sum};
use super::{PublicKey, Signature};
use crate::hash::{Domain, digest};
use crate::id::Digest;

/// Who is said to have signed what: one signature of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SignedDigest {
    /// The signer's key.
    pub key: PublicKey,
    /// What is signed.
    pub digest: Digest,
    /// Its signature.
    pub signature: Signature,
}

impl SignedDigest {
    /// Whether the key signed the digest.
    pub fn holds(&self) -> bool {
        super::verify(&self.key, &self.digest, &self.signature)
    }
}

/// Whether every key signed the digest beside it; an empty list is refused. One pairing (and
/// about 20 KB of memory, so the caller bounds the batch) per distinct digest, and one more.
///
/// With `e_i = e(key_i, H(m_i)) / e(g, signature_i)`, which is 1 exactly for a good signature, the
/// check is that the product of `e_i ^ r_i` is 1, the `r_i` being 128-bit coefficients. All `e_i`
/// live in a group of prime order. If one of them is not 1 then, whatever the other coefficients
/// are, at most one value of its own `r_i` makes the product 1: random coefficients let a bad batch
/// pass with probability at most `2^-128`.
///
/// The core has no source of randomness, so the coefficients are hashes of the seed and of *all*
/// keys, digests and signatures of the batch. Nobody can choose a signature after he knows its
/// coefficient, since changing one bit of any input draws all coefficients anew; each attempt
/// succeeds with `2^-128`. A seed that the senders cannot foresee stops them from even making
/// attempts offline; with one that they know, forging costs `2^128` hashes. Equal inputs give equal
/// answers, so a replay agrees.
pub fn verify_batch(batch: &[SignedDigest], seed: &Digest) -> bool {
    !batch.is_empty() && Batch::new(batch, seed).holds(0..batch.len())
}

/// The indices, ascending, of those that are not the key's signature on the digest, by halving.
///
/// Good signatures cost next to nothing beside a few bad ones (about `2 log2(n)` checks for one),
/// but if most are bad this costs twice as much as checking each alone: stop taking signatures from
/// whoever sent a bad one.
pub fn find_invalid(batch: &[SignedDigest], seed: &Digest) -> Vec<usize> {
    let mut found = Vec::new();
    if !batch.is_empty() {
        Batch::new(batch, seed).search(0..batch.len(), false, &mut found);
    }
    found
}

/// The coefficients of the terms of a batch, bound to everything that is in it.
pub(super) fn coefficients(
    inputs: &[u8],
    seed: &Digest,
) -> impl Iterator<Item = u128> + Clone + use<> {
    let bound = digest(Domain::BATCH, &[seed.as_bytes(), inputs]);
    (0_u64..).map(move |index| {
        let drawn = digest(Domain::BATCH, &[bound.as_bytes(), &index.to_be_bytes()]);
        let half = drawn.as_bytes().first_chunk();
        half.map_or(0, |half| u128::from_be_bytes(*half))
    })
}

pub(super) struct Term {
    key: G1Affine,
    /// Which of the batch's messages.
    message: usize,
    /// None if the bytes are no point.
    signature: Option<G2Affine>,
    pub(super) coefficient: u128,
}

pub(super) struct Batch {
    pub(super) terms: Vec<Term>,
    messages: Vec<PreparedMessage>,
}

impl Batch {
    pub(super) fn new(batch: &[SignedDigest], seed: &Digest) -> Self {
        // Every input has a fixed length, so their concatenation has one reading.
        let mut inputs = Vec::new();
        for one in batch {
            inputs.extend_from_slice(one.key.as_bytes());
            inputs.extend_from_slice(one.digest.as_bytes());
            inputs.extend_from_slice(one.signature.as_bytes());
        }
        let coefficients = coefficients(&inputs, seed);
        let mut known = BTreeMap::new();
        let mut messages = Vec::new();
        let mut terms = Vec::new();
        for (one, coefficient) in batch.iter().zip(coefficients) {
            let message = *known.entry(one.digest).or_insert_with(|| {
                messages.push(PreparedMessage::of(&one.digest));
                messages.len() - 1
            });
            let (key, signature) = (*one.key.point(), one.signature.point());
            terms.push(Term {
                key,
                message,
                signature,
                coefficient,
            });
        }
        Self { terms, messages }
    }

    /// Whether all signatures of this part hold. A part passes with its coefficients of the whole:
    /// they are as random as others.
    pub(super) fn holds(&self, part: Range<usize>) -> bool {
        let terms = self.terms.get(part).unwrap_or_default();
        let mut keys: BTreeMap<usize, Vec<(G1Affine, u128)>> = BTreeMap::new();
        for term in terms {
            // A signature alone needs no coefficient.
            let coefficient = if terms.len() == 1 {
                1
            } else {
                term.coefficient
            };
            keys.entry(term.message)
                .or_default()
                .push((term.key, coefficient));
        }
        let signatures = terms
            .iter()
            .map(|term| Some((term.signature?, term.coefficient)));
        let Some(signatures) = signatures.collect::<Option<Vec<_>>>() else {
            return false;
        };
        let signature = match signatures.as_slice() {
            [(signature, _)] => *signature,
            signatures => weighted_sum(signatures),
        };
        let sums: Vec<(G1Affine, &PreparedMessage)> = keys
            .iter()
            .filter_map(|(message, keys)| Some((weighted_sum(keys), self.messages.get(*message)?)))
            .collect();
        pairing_equation_holds(&sums, &signature)
    }

    /// Collects the bad ones of a non-empty part; `failed` says that there is one. Whether any was
    /// found.
    fn search(&self, part: Range<usize>, failed: bool, found: &mut Vec<usize>) -> bool {
        if !failed && self.holds(part.clone()) {
            return false;
        }
        if part.len() == 1 {
            found.push(part.start);
            return true;
        }
        let middle = part.start + part.len() / 2;
        let left = self.search(part.start..middle, false, found);
        // If the left half is good then the bad one is in the right half: no need to look first.
        self.search(middle..part.end, !left, found);
        true
    }
}
