//! Getting an evidence file, piece by piece.
//!
//! # Rules
//!
//! - `[XC-5]` A file comes in pieces of [`EVIDENCE_PIECE`] bytes, of which only all together can be checked. What a peer does not
//!   give, the next one is asked for from there on. A file that is wrong is thrown away; where one peer gave all of it, that peer is at fault.

use surety_protocol::codec;
use surety_protocol::evidence::Evidence;
use surety_protocol::id::EvidenceId;

use super::fetch::Fetcher;
use super::{AskError, EvidenceRequest};
use crate::archive::EVIDENCE_PIECE;
use crate::net::{PeerId, Protocol};

/// A file of which the first pieces are here.
struct Partial {
    evidence: EvidenceId,
    /// Bytes of the whole.
    size: usize,
    /// What has come; it grows with what comes, and not with what was promised.
    bytes: Vec<u8>,
}

impl Partial {
    /// The next piece, and how long it is; nothing if all are here.
    fn next(&self) -> Option<(u32, usize)> {
        let left = self
            .size
            .checked_sub(self.bytes.len())
            .filter(|it| *it > 0)?;
        let piece = u32::try_from(self.bytes.len() / EVIDENCE_PIECE).ok()?;
        Some((piece, left.min(EVIDENCE_PIECE)))
    }
}

impl Fetcher {
    /// Gets a file of so many bytes from these peers, one after another (rule XC-5).
    pub(super) async fn evidence(
        &self,
        peers: &[PeerId],
        evidence: EvidenceId,
        size: u64,
    ) -> Option<Vec<u8>> {
        let size = usize::try_from(size).ok()?;
        let nothing = || Partial {
            evidence,
            size,
            bytes: Vec::new(),
        };
        let mut partial = nothing();
        for peer in peers {
            let alone = partial.bytes.is_empty();
            if let Err(error) = self.continue_with(*peer, &mut partial).await {
                tracing::debug!(%peer, %evidence, %error, "a piece of evidence did not come");
            }
            if partial.next().is_some() {
                continue;
            }
            let bytes = std::mem::replace(&mut partial, nothing()).bytes;
            let id = tokio::task::block_in_place(|| Evidence::id_of(&bytes));
            if id == evidence {
                return Some(bytes);
            }
            if alone {
                let _ = self.wrong(*peer).await;
            }
        }
        None
    }

    /// Asks one peer for all that is missing, as long as it answers.
    async fn continue_with(&self, peer: PeerId, partial: &mut Partial) -> Result<(), AskError> {
        while let Some((piece, length)) = partial.next() {
            let request = EvidenceRequest {
                evidence: partial.evidence,
                piece,
            };
            let request = codec::encode(&request).unwrap_or_default();
            let bytes = self.ask_for(peer, Protocol::Evidence, request).await?;
            if bytes.is_empty() {
                return Ok(());
            }
            if bytes.len() != length {
                let _ = self.wrong(peer).await;
                return Ok(());
            }
            partial.bytes.extend_from_slice(&bytes);
        }
        Ok(())
    }
}
