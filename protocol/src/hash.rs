//! Domain-separated SHA3-256.
//!
//! # Rules
//!
//! - `[H-1]` `digest(tag, parts) = SHA3-256(len(tag) || tag || (len(part) || part)*)` with `tag` the
//!   ASCII text of the domain, `len(tag)` one byte and `len(part)` eight bytes, big-endian. Every part
//!   is preceded by its length, so no two lists of parts give the same bytes.
//! - `[H-2]` Every purpose has a domain of its own; a digest made for one purpose means nothing for
//!   another.
//! - `[H-3]` What AO hashes with SHA-256 or SHA-384 stays so.

use sha2::{Digest as _, Sha256, Sha384};
use sha3::Sha3_256;

use crate::id::Digest;

/// A purpose of hashing. The text is consensus: changing one changes every digest made with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Domain(&'static str);

macro_rules! domains {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        impl Domain {
            $($(#[$doc])* pub const $name: Domain = Domain(concat!("SURETY/v1/", $text));)*
        }

        /// Every domain, so that a test can show that no two are equal.
        pub const ALL_DOMAINS: &[Domain] = &[$(Domain::$name),*];
    };
}

domains! {
    /// A leaf of a Merkle tree.
    MERKLE_LEAF = "merkle-leaf";
    /// An inner node of a Merkle tree.
    MERKLE_NODE = "merkle-node";
    /// A fork of a Merkle tree over a map.
    MERKLE_FORK = "merkle-fork";
    /// A leaf of a process' history.
    HISTORY_LEAF = "history-leaf";
    /// The commitment to a process' state.
    STATE = "state";
    /// A part of a result.
    RESULT_PART = "result-part";
    /// The root over a result's parts.
    RESULT = "result";
    /// The id of a claim, which its signers and its approvers sign.
    CLAIM = "claim";
    /// What a compute unit signs to stand for a claim.
    CLAIM_SIGNATURE = "claim-signature";
    /// What a verifier signs to approve a claim.
    APPROVAL_SIGNATURE = "approval-signature";
    /// The seed from which the tickets of stake draw.
    SORTITION_SEED = "sortition-seed";
    /// The draw of one ticket.
    SORTITION_TICKET = "sortition-ticket";
    /// The id of an evidence file.
    EVIDENCE = "evidence";
    /// The id of a case.
    CASE = "case";
    /// What a validator signs about a case.
    VERDICT = "verdict";
    /// The header of a ledger block.
    BLOCK = "block";
    /// What a proposer signs to publish a block.
    BLOCK_SIGNATURE = "block-signature";
    /// The root of a block's items.
    BLOCK_ITEMS = "block-items";
    /// The ledger's randomness.
    BEACON = "beacon";
    /// What a proposer signs to add to the randomness.
    BEACON_SIGNATURE = "beacon-signature";
    /// An entry of the ledger's state.
    LEDGER_ENTRY = "ledger-entry";
    /// The place of an entry in the ledger's state.
    LEDGER_PLACE = "ledger-place";
    /// The id of a network.
    GENESIS = "genesis";
    /// The id of an execution profile.
    PROFILE = "profile";
    /// The coefficients of a batch verification.
    BATCH = "batch";
    /// A canonical object whose id serves only to find it again.
    OBJECT = "object";
    /// The events of a simulation.
    TRACE = "trace";
    /// Which step of a claim is traced.
    TRACE_SLOT = "trace-slot";
    /// The key of the trace that a claim's verifiers have in common.
    TRACE_COMMON_KEY = "trace-common-key";
    /// The key of one verifier's trace.
    TRACE_OWN_KEY = "trace-own-key";
    /// What a verifier signs of the common trace.
    TRACE_SIGNATURE = "trace-signature";
    /// What binds a trace proof to who made it.
    TRACE_BINDING = "trace-binding";
    /// Whose own trace a verifier compares.
    TRACE_AUDIT = "trace-audit";
}

/// SHA3-256 of the parts under a domain (rule H-1).
pub fn digest(domain: Domain, parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha3_256::new();
    // Domain texts are literals of this file, far shorter than 256 bytes.
    hasher.update([u8::try_from(domain.0.len()).unwrap_or(u8::MAX)]);
    hasher.update(domain.0.as_bytes());
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
    }
    Digest::new(hasher.finalize().into())
}

/// SHA-256 of the concatenated parts, for what AO defines with it.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// SHA-384 of the concatenated parts, for ANS-104's deep hash.
pub fn sha384(parts: &[&[u8]]) -> [u8; 48] {
    let mut hasher = Sha384::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_and_parts_do_not_collide() {
        for (i, a) in ALL_DOMAINS.iter().enumerate() {
            for b in ALL_DOMAINS.iter().skip(i + 1) {
                assert_ne!(a.0, b.0);
            }
        }
        let whole = digest(Domain::OBJECT, &[b"ab", b"c"]);
        assert_ne!(whole, digest(Domain::OBJECT, &[b"a", b"bc"]));
        assert_ne!(whole, digest(Domain::OBJECT, &[b"abc"]));
        assert_ne!(whole, digest(Domain::CLAIM, &[b"ab", b"c"]));
    }
}
