//! Trace proofs: that whoever approves a claim has executed it.
//!
//! A claim says what came out. What lay in memory on the way there it does not say, and nobody can tell from the roots in it. So
//! a verifier shows that it knows that of one step, which is drawn after the claim, without telling it to anybody who does not
//! know it already (Flow's SPoCK, eprint 2023/082).
//!
//! # Rules
//!
//! - `[TP-1]` Of a claim's new leaves one is drawn by the seed of its sortition, which the claimant did not know: the leaf
//!   `first_new + n mod (size - first_new)`, `n` the first 8 bytes of `digest(TRACE_SLOT, [seed])`, big-endian.
//! - `[TP-2]` The trace of that step is a hash over what it left in memory, under a key that the seed gives: one key for all, and
//!   another for each verifier.
//! - `[TP-3]` The proof is the hot key's signature over the trace under the common key. Signatures of one key over one trace are
//!   one; so whoever knows the trace can tell whether another does, of others anybody can tell whether they know the same
//!   ([`crate::bls::same_message`]), and from another's signature nobody can make its own.
//! - `[TP-4]` Beside it stands the verifier's trace under its own key: with the common trace alone nobody can make it.
//! - `[TP-5]` Both are bound to verifier, hot key, claim and seed by a data item without target, anchor and tags, which the
//!   verifier's data-item key signs: nobody is accused of what another has put into its mouth, nor by a key that it had before or
//!   has since.

use serde_bytes::ByteBuf;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::bls::{PublicKey, Signature};
use crate::hash::{Domain, digest};
use crate::id::{Address, ClaimId, Digest};
use crate::item::{Item, ItemDraft};
use crate::time::Slot;

/// Bytes of the data item that binds a proof: one of an Arweave wallet is the largest.
pub const BINDING_BYTES_MAX: usize = 1280;

/// What an approval shows of the drawn step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize_tuple, Deserialize_tuple)]
pub struct TraceProof {
    /// The hot key's signature over [`signing_digest`] of the trace under [`common_key`].
    pub signature: Signature,
    /// The trace under [`own_key`].
    pub own: Digest,
    /// The data item that binds them (rule TP-5): the canonical bytes of an item whose data is [`binding`].
    pub binding: ByteBuf,
}

/// The slot whose step is traced; `None` if there are no new leaves (rule TP-1).
pub fn slot(seed: &Digest, first_new: u64, size: u64) -> Option<Slot> {
    let drawn = digest(Domain::TRACE_SLOT, &[seed.as_bytes()]);
    let (first, _) = drawn.as_bytes().split_first_chunk()?;
    let leaves = size.checked_sub(first_new)?;
    let place = u64::from_be_bytes(*first).checked_rem(leaves)?;
    first_new.checked_add(place).map(Slot)
}

/// The key of the trace that all verifiers of a claim have in common (rule TP-2).
pub fn common_key(seed: &Digest) -> Digest {
    digest(Domain::TRACE_COMMON_KEY, &[seed.as_bytes()])
}

/// The key of a verifier's own trace (rule TP-2).
pub fn own_key(seed: &Digest, verifier: &Address) -> Digest {
    digest(
        Domain::TRACE_OWN_KEY,
        &[seed.as_bytes(), verifier.as_bytes()],
    )
}

/// What a verifier's hot key signs of the common trace (rule TP-3).
pub fn signing_digest(trace: &Digest) -> Digest {
    digest(Domain::TRACE_SIGNATURE, &[trace.as_bytes()])
}

/// What the item that binds a proof carries as its data (rule TP-5).
pub fn binding(
    claim: &ClaimId,
    seed: &Digest,
    verifier: (&Address, &PublicKey),
    signature: &Signature,
    own: &Digest,
) -> Digest {
    digest(
        Domain::TRACE_BINDING,
        &[
            claim.as_bytes(),
            seed.as_bytes(),
            verifier.0.as_bytes(),
            verifier.1.as_bytes(),
            signature.as_bytes(),
            own.as_bytes(),
        ],
    )
}

/// The data item to be signed with the data-item key (rule TP-5).
pub fn binding_draft(binding: &Digest) -> ItemDraft {
    ItemDraft {
        target: None,
        anchor: None,
        tags: Vec::new(),
        data: binding.as_bytes().to_vec(),
    }
}

impl TraceProof {
    /// The item that binds this proof to a verifier with its hot key, a claim and a seed, if it says so; whether its owner signed it, and who that
    /// is, remains to be seen (rule TP-5).
    pub fn bound(
        &self,
        claim: &ClaimId,
        seed: &Digest,
        verifier: (&Address, &PublicKey),
    ) -> Option<Item> {
        let item = Item::parse(self.binding.as_slice()).ok()?;
        let says = binding(claim, seed, verifier, &self.signature, &self.own);
        let bare = item.target().is_none() && item.anchor().is_none() && item.tags().count() == 0;
        (bare && item.data() == says.as_bytes()).then_some(item)
    }
}
