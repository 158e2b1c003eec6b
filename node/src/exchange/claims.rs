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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use surety_protocol::bls::SecretKey;
    use surety_protocol::claim::{Claim, Leaf, Statement};
    use surety_protocol::hashpath::Hashpath;
    use surety_protocol::history::Frontier;
    use surety_protocol::id::{AssignmentId, ClaimId, ModuleId, NetworkId, ProcessId};
    use surety_protocol::time::{Height, Slot};

    use super::*;
    use crate::store::MemoryStore;

    fn claimant(number: u8) -> Address {
        Address::new([number; 32])
    }

    /// A claim about another process for each number.
    fn claim(by: u8, number: u8) -> SignedClaim {
        let process = ProcessId::new([number; 32]);
        let body = Claim {
            network: NetworkId::default(),
            profile: Digest::default().into(),
            height: Height(1),
            module: ModuleId::default(),
            process,
            fork: 0,
            size: 1,
            history_root: Digest::default(),
            first_new: 0,
            base_root: Digest::default(),
            hashpath: Hashpath::start(process),
            head_state_root: Digest::default(),
        };
        let key = SecretKey::derive_from_seed(&[by; 32]).unwrap();
        SignedClaim {
            statement: Statement::sign(body, claimant(by), &key).unwrap(),
            frontier: Frontier::empty(),
            leaves: Vec::new(),
        }
    }

    /// The claims of a batch, in its order.
    fn batch() -> (ClaimBatch, Vec<SignedClaim>) {
        let mut claims: Vec<SignedClaim> = (0..5).map(|it| claim(1, it)).collect();
        claims.sort_by_key(id);
        let batch = ClaimBatch {
            claimant: claimant(1),
            claims: claims.iter().map(id).collect(),
        };
        (batch, claims)
    }

    fn id(claim: &SignedClaim) -> ClaimId {
        claim.statement.claim.id().unwrap()
    }

    fn asked(heard: &Claims, by: u8, from: u64) -> ClaimsAnswer {
        let archive = Archive::new(Arc::new(MemoryStore::new()));
        let asked = ClaimsRequest {
            root: batch().0.root(),
            claimant: claimant(by),
            from,
        };
        codec::decode(&answer(&archive, heard, &asked).unwrap()).unwrap()
    }

    #[test]
    fn what_was_heard_of_a_claimant_is_given_to_others() {
        let (batch, claims) = batch();
        let mut heard = Claims::default();
        assert!(heard.insert_batch(batch.clone()));
        // Of nothing that it claims the batch alone is of no use.
        assert_eq!(asked(&heard, 1, 0).batch, None);
        for number in [1, 3] {
            assert!(heard.insert(claims[number].clone()));
        }
        let some = asked(&heard, 1, 0);
        assert_eq!(some.batch, Some(batch.clone()));
        assert_eq!(some.claims, [claims[1].clone(), claims[3].clone()]);
        let next = after(&batch, 0, claimant(1), &some.claims);
        assert_eq!(next, Some(4));
        assert_eq!(asked(&heard, 1, 2).claims, claims[3..4]);
        assert_eq!(asked(&heard, 1, 4).claims, []);
        // Nobody else has claimed them.
        assert_eq!(asked(&heard, 2, 0).batch, None);
    }

    #[test]
    fn an_answer_is_of_the_claimant_and_in_order() {
        let (batch, claims) = batch();
        let at = |from, claims: &[SignedClaim]| after(&batch, from, claimant(1), claims);
        assert_eq!(at(0, &claims), Some(5));
        assert_eq!(at(2, &claims[2..]), Some(5));
        assert_eq!(at(2, &claims[1..]), None, "again");
        let twice = [claims[0].clone(), claims[0].clone()];
        assert_eq!(at(0, &twice), None, "twice");
        assert_eq!(at(0, &[claim(1, 77)]), None, "of another batch");
        let number = claims[0].statement.claim.process.as_bytes()[0];
        assert_eq!(at(0, &[claim(2, number)]), None, "another's");
        let leaves = vec![
            Leaf {
                slot: Slot(0),
                assignment: AssignmentId::default(),
                result_root: Digest::default(),
                gas: 0,
                state_root: None,
            };
            1_000
        ];
        let large = SignedClaim {
            leaves,
            ..claims[0].clone()
        };
        assert_eq!(at(0, &[large]), None, "too large");
    }
}
