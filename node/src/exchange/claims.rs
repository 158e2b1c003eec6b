//! The claims behind a digest, from whoever has heard some of them.
//!
//! # Rules
//!
//! - `[XC-8]` Who has heard the claims behind a digest gives them to others, as far as it has them: a claimant may tell some and not
//!   others, and those who know would have the claim drawn already. One peer answers at a time, since nothing of what it says is
//!   verified here, and the next time others are asked first, the claimant every other time.

use surety_attest::claims::Claims;
use surety_protocol::approval::ClaimBatch;
use surety_protocol::claim::SignedClaim;
use surety_protocol::codec::{self, Wire};
use surety_protocol::id::{Address, Digest};

use super::fetch::Fetcher;
use super::{ANSWER_BYTES, AskError, ClaimsAnswer, ClaimsRequest};
use crate::archive::{Archive, ArchiveError};
use crate::core::Fetched;
use crate::net::{PeerId, Protocol};

impl Fetcher {
    /// The batch, and what one peer has of its claims, in as many answers as that fills.
    pub(super) async fn claims(
        &self,
        peer: PeerId,
        root: Digest,
        claimant: Address,
    ) -> Result<Option<Fetched>, AskError> {
        let (mut all, mut from) = (Vec::new(), 0);
        loop {
            let request = ClaimsRequest {
                root,
                claimant,
                from,
            };
            let answer: Option<ClaimsAnswer> =
                self.exchange(peer, Protocol::Claims, &request).await?;
            let Some((batch, claims)) = answer.and_then(|it| Some((it.batch?, it.claims))) else {
                return Ok(None);
            };
            let fits = batch.well_formed() && batch.root() == root;
            // They come in the order of the batch, so that an endless answer is noticed.
            let Some(next) = after(&batch, from, claimant, &claims).filter(|_| fits) else {
                self.wrong(peer).await?;
                return Ok(None);
            };
            let more = !claims.is_empty();
            all.extend(claims);
            if !more || usize::try_from(next).is_ok_and(|next| next >= batch.claims.len()) {
                return Ok(Some(Fetched::Claims { batch, claims: all }));
            }
            from = next;
        }
    }
}

/// The place in a batch after these claims; nothing if they are not this claimant's, of it from this place on, in its order, and of a
/// size that claims can have.
fn after(batch: &ClaimBatch, from: u64, claimant: Address, claims: &[SignedClaim]) -> Option<u64> {
    claims.iter().try_fold(from, |from, claim| {
        let id = claim.statement.claim.id().ok()?;
        let place = u64::try_from(batch.claims.binary_search(&id).ok()?).ok()?;
        let fits = codec::encode(claim).is_ok_and(|it| it.len() <= SignedClaim::BYTES_MAX);
        let ours = claim.statement.claimant == claimant;
        (fits && ours && place >= from).then(|| place.saturating_add(1))
    })
}

/// The answer to who asks: this node's own claims from the archive, those of others as far as they are in memory.
pub(super) fn answer(
    archive: &Archive,
    heard: &Claims,
    asked: &ClaimsRequest,
) -> Result<Vec<u8>, ArchiveError> {
    let claimant = asked.claimant;
    let own = archive.batch(&asked.root, &claimant)?;
    let is_own = own.is_some();
    // Whoever has committed the same claims has committed the same digest.
    let batch = own.or_else(|| {
        let heard_of = |it: &&ClaimBatch| {
            let signed = |id| heard.signed_by(id, &claimant).is_some();
            it.claims.iter().any(signed)
        };
        let batch = heard.batch(&asked.root).filter(heard_of)?;
        let claims = batch.claims.clone();
        Some(ClaimBatch { claimant, claims })
    });
    let ids = batch.iter().flat_map(|it| &it.claims);
    let mut claims = Vec::new();
    let mut bytes = 0_usize;
    for id in ids.skip(usize::try_from(asked.from).unwrap_or(usize::MAX)) {
        let mut claim = heard.signed_by(id, &claimant).cloned();
        if claim.is_none() && is_own {
            let ours = |it: &SignedClaim| it.statement.claimant == claimant;
            claim = archive.claims(id)?.into_iter().find(ours);
        }
        let Some(claim) = claim else { continue };
        bytes = bytes.saturating_add(codec::encode(&claim)?.len());
        if bytes > ANSWER_BYTES && !claims.is_empty() {
            break;
        }
        claims.push(claim);
    }
    Ok(codec::encode(&ClaimsAnswer { batch, claims })?)
}
