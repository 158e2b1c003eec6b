//! The claims behind a digest, from whoever has heard some of them.
//!
//! # Rules
//!
//! - `[XC-8]` Who has heard the claims behind a digest gives them to others, as far as it has them: a claimant may tell some and not
//!   others, and those who know would have the claim drawn already. What one has not is asked of the next, until all are here.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use surety_attest::claims::Claims;
use surety_protocol::approval::ClaimBatch;
use surety_protocol::claim::SignedClaim;
use surety_protocol::codec;
use surety_protocol::id::{Address, ClaimId, Digest};

use super::fetch::Fetcher;
use super::{ANSWER_BYTES, AskError, ClaimsAnswer, ClaimsRequest, hedge};
use crate::archive::{Archive, ArchiveError};
use crate::core::Fetched;
use crate::net::{PeerId, Protocol};

/// What peers gave of the claims behind a digest.
#[derive(Debug, Default)]
struct Gathered {
    batch: Option<ClaimBatch>,
    claims: BTreeMap<ClaimId, SignedClaim>,
}

impl Gathered {
    fn is_whole(&self) -> bool {
        let batch = self.batch.as_ref();
        batch.is_some_and(|it| it.claims.len() == self.claims.len())
    }
}

impl Fetcher {
    /// The batch, and as many of its claims as these peers have together.
    pub(super) async fn claims_behind(
        &self,
        peers: Vec<PeerId>,
        root: Digest,
        claimant: Address,
    ) -> Option<Fetched> {
        let gathered = Mutex::new(Gathered::default());
        let ask = |peer| self.gather(peer, root, claimant, &gathered);
        let _: Option<()> = hedge::first(&root, peers, ask).await;
        let gathered = gathered
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        Some(Fetched::Claims {
            batch: gathered.batch?,
            claims: gathered.claims.into_values().collect(),
        })
    }

    /// What one peer has, in as many answers as that fills; something if all are here then.
    async fn gather(
        &self,
        peer: PeerId,
        root: Digest,
        claimant: Address,
        gathered: &Mutex<Gathered>,
    ) -> Result<Option<()>, AskError> {
        let mut from = 0;
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
            if !batch.well_formed() || batch.root() != root {
                return self.wrong(peer).await.map(|()| None);
            }
            // They come in the order of the batch, so that an endless answer is noticed.
            let Some(next) = after(&batch, from, &claims) else {
                return self.wrong(peer).await.map(|()| None);
            };
            let (more, end) = (!claims.is_empty(), batch.claims.len());
            let mut gathered = gathered.lock().unwrap_or_else(PoisonError::into_inner);
            for claim in claims {
                if let Ok(id) = claim.statement.claim.id() {
                    gathered.claims.entry(id).or_insert(claim);
                }
            }
            gathered.batch.get_or_insert(batch);
            if gathered.is_whole() {
                return Ok(Some(()));
            }
            if !more || usize::try_from(next).is_ok_and(|next| next >= end) {
                return Ok(None);
            }
            from = next;
        }
    }
}

/// The place in a batch after these claims; nothing if they are not some of it from this place on, in its order.
fn after(batch: &ClaimBatch, from: u64, claims: &[SignedClaim]) -> Option<u64> {
    claims.iter().try_fold(from, |from, claim| {
        let id = claim.statement.claim.id().ok()?;
        let place = u64::try_from(batch.claims.binary_search(&id).ok()?).ok()?;
        (place >= from).then(|| place.saturating_add(1))
    })
}

/// The answer to who asks: this node's own claims from the archive, those of others as far as they are in memory.
pub(super) fn answer(
    archive: &Archive,
    heard: &Claims,
    asked: &ClaimsRequest,
) -> Result<Vec<u8>, ArchiveError> {
    let batch = match archive.batch(&asked.root, &asked.claimant)? {
        Some(batch) => Some(batch),
        // Whoever has committed the same claims has committed the same digest.
        None => heard.batch(&asked.root).map(|it| ClaimBatch {
            claimant: asked.claimant,
            claims: it.claims.clone(),
        }),
    };
    let ids = batch.iter().flat_map(|it| &it.claims);
    let mut claims = Vec::new();
    let mut bytes = 0_usize;
    for id in ids.skip(usize::try_from(asked.from).unwrap_or(usize::MAX)) {
        let claim = match heard.signed_by(id, &asked.claimant) {
            Some(claim) => Some(claim.clone()),
            None => {
                let ours = |it: &SignedClaim| it.statement.claimant == asked.claimant;
                archive.claims(id)?.into_iter().find(ours)
            }
        };
        let Some(claim) = claim else { continue };
        bytes = bytes.saturating_add(codec::encode(&claim)?.len());
        if bytes > ANSWER_BYTES && !claims.is_empty() {
            break;
        }
        claims.push(claim);
    }
    Ok(codec::encode(&ClaimsAnswer { batch, claims })?)
}
