//! Certificates: enough drawn tickets approved a claim.
//!
//! # Rules
//!
//! - `[CE-1]` A certificate names the committed digest that made the claim due, and proves that the claim is in it.
//! - `[CE-2]` Approvers are a bitfield over the validator set at the seed's height; their approvals are one
//!   aggregate signature; their sortition proofs stand in the bitfield's order.
//! - `[CE-3]` It holds if the approvers' tickets, counting the tranches that have come by the block that carries it,
//!   are at least as many as needed then.
//! - `[CE-4]` It carries the claimant's own signature for the claim: what is certified can be proven false against somebody.

use serde_bytes::ByteBuf;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::approval;
use crate::bls::{self, AggregateSignature, PublicKey, Signature, SignedDigest};
use crate::claim::{self, Claim};
use crate::codec::{CodecError, Wire};
use crate::id::{Address, ClaimId, Digest};
use crate::merkle::{self, Proof};
use crate::params::Params;
use crate::sortition::{self, Draw};
use crate::time::Height;
use crate::validators::{Validator, ValidatorSet};

/// A certified claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Certificate {
    /// The claim.
    pub claim: Claim,
    /// Whose digest committed it.
    pub claimant: Address,
    /// The claimant's signature for the claim: without it nobody would answer for what is certified.
    pub signature: Signature,
    /// The block that committed the digest.
    pub committed: Height,
    /// The path from the claim's id to the digest root.
    pub inclusion: Proof,
    /// Who approved.
    pub approvers: ByteBuf,
    /// Their sortition proofs, in the bitfield's order.
    pub sortition: Vec<Signature>,
    /// Their approvals, aggregated.
    pub approvals: AggregateSignature,
}

impl Wire for Certificate {
    const KIND: u8 = 6;
    const BYTES_MAX: usize = 1 << 20;
}

/// What a certificate is checked against: the ledger's state.
#[derive(Debug, Clone, Copy)]
pub struct Grounds<'a> {
    /// The digest root that the claimant committed at that height.
    pub digest_root: &'a Digest,
    /// The claimant's registered hot key.
    pub claimant_key: &'a PublicKey,
    /// The beacon of the seed's height.
    pub beacon: &'a Digest,
    /// The validators at the seed's height.
    pub validators: &'a ValidatorSet,
    /// The network's parameters.
    pub params: &'a Params,
    /// The height at which the certificate is judged.
    pub height: Height,
}

/// Why a certificate does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The claim cannot be encoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The claim is not in the committed digest.
    #[error("claim is not in the committed digest")]
    NotCommitted,
    /// The bitfield or the list of proofs does not fit the validator set.
    #[error("approvers do not fit the validator set")]
    Approvers,
    /// The claimant does not stand for the claim.
    #[error("the claimant did not sign the claim")]
    Claimant,
    /// The claimant approved itself.
    #[error("the claimant is among the approvers")]
    SelfApproval,
    /// A sortition proof is not its signer's.
    #[error("sortition proof of {0} does not verify")]
    Sortition(Address),
    /// Too few tickets have a say yet.
    #[error("{tickets} tickets approved, {needed} are needed")]
    Tickets {
        /// Tickets that approved.
        tickets: u64,
        /// Tickets that are needed.
        needed: u64,
    },
    /// The aggregate signature does not verify.
    #[error("aggregate signature does not verify")]
    Signature,
}

impl Certificate {
    /// The height whose beacon seeds the sortition.
    pub const fn seed_height(&self, params: &Params) -> Height {
        self.committed.plus(params.seed_delay_blocks)
    }

    /// Checks the certificate, cheap rules first (rules CE-1 to CE-3); gives the tickets that approved.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self, grounds: Grounds<'_>) -> Result<u64, CertificateError> {
        let id = self.claim.id()?;
        if !self
            .inclusion
            .verify(&merkle::leaf(id.as_bytes()), grounds.digest_root)
        {
            return Err(CertificateError::NotCommitted);
        }
        let approvers = grounds
            .validators
            .select(&self.approvers)
            .ok_or(CertificateError::Approvers)?;
        if approvers.is_empty() || approvers.len() != self.sortition.len() {
            return Err(CertificateError::Approvers);
        }
        let draw = Draw::new(
            grounds.params.k,
            grounds.validators.tickets_without(&[self.claimant]),
        );
        let seed = sortition::seed(grounds.beacon, &self.claim.process, self.claim.first_new);
        let waited = grounds.height.since(self.seed_height(grounds.params));
        let tranche = waited
            .checked_div(grounds.params.tranche_blocks)
            .unwrap_or(0);
        let mut tickets = 0_u64;
        for (validator, proof) in approvers.iter().zip(&self.sortition) {
            if validator.operator == self.claimant {
                return Err(CertificateError::SelfApproval);
            }
            tickets = tickets.saturating_add(draw.tickets(proof, validator.tickets, tranche));
        }
        let needed = draw.needed_at(tranche);
        if tickets < needed {
            return Err(CertificateError::Tickets { tickets, needed });
        }
        self.check_signatures(&id, &seed, &approvers, grounds.claimant_key)?;
        Ok(tickets)
    }

    /// Checks all signatures as one batch: a block of the ledger may carry many certificates, and everybody checks each.
    fn check_signatures(
        &self,
        id: &ClaimId,
        seed: &Digest,
        approvers: &[&Validator],
        claimant_key: &PublicKey,
    ) -> Result<(), CertificateError> {
        let keys: Vec<PublicKey> = approvers.iter().map(|it| it.key).collect();
        let approvals = bls::signed_together(&keys, &approval::signing_digest(id), &self.approvals)
            .ok_or(CertificateError::Signature)?;
        let claimed = SignedDigest {
            key: *claimant_key,
            digest: claim::signing_digest(id),
            signature: self.signature,
        };
        let mut batch = vec![claimed];
        let drawn = approvers.iter().zip(&self.sortition);
        batch.extend(drawn.map(|(validator, proof)| SignedDigest {
            key: validator.key,
            digest: *seed,
            signature: *proof,
        }));
        batch.push(approvals);
        // Everybody has to judge alike, so nothing is added that others do not know.
        if bls::verify_batch(&batch, seed) {
            return Ok(());
        }
        // One after another: a certificate of nothing but forgeries costs little more than its first.
        match batch.iter().position(|it| !it.holds()) {
            None => Ok(()),
            Some(0) => Err(CertificateError::Claimant),
            Some(at) => Err(match at.checked_sub(1).and_then(|it| approvers.get(it)) {
                Some(approver) => CertificateError::Sortition(approver.operator),
                None => CertificateError::Signature,
            }),
        }
    }
}
