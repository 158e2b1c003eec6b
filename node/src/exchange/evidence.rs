//! Getting an evidence file, piece by piece.
//!
//! # Rules
//!
//! - `[XC-5]` A file comes in pieces of [`EVIDENCE_PIECE`] bytes, of which only all together can be checked. What a peer does not
//!   give within [`PIECE_TIMEOUT`], the next one is asked for from there on. A file that is wrong is thrown away, and who gave the
//!   last of it asked for all of it, then the next peer. None takes more than a third of the file's time. Nobody is blamed: how
//!   long the file is, is the word of who accuses.
//! - `[XC-6]` The files on their way have [`ROOM_MIB`] together, those of more than [`SMALL_MIB`] and all others apart, and each
//!   its time; for what has no room now it is asked again later.

use std::time::Duration;

use surety_protocol::codec;
use surety_protocol::id::EvidenceId;
use surety_slashing::referee::File;
use tokio::time::timeout;

use super::fetch::Fetcher;
use super::{AskError, EvidenceRequest};
use crate::archive::EVIDENCE_PIECE;
use crate::net::{PeerId, Protocol};

/// MiB of the large files that are on their way, and of the others: one of the largest.
pub(super) const ROOM_MIB: usize = 360;
/// Files up to this size do not wait for larger ones.
const SMALL_MIB: u32 = 32;
/// How long a peer may take for a piece.
const PIECE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a file may take, and how much longer for each MiB of it.
const FILE_TIME: Duration = Duration::from_secs(60);
const FILE_TIME_PER_MIB: Duration = Duration::from_millis(500);

/// Slow peers for which that is enough.
const PEERS_IN_TURN: u32 = 3;

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
    /// Gets a file of so many bytes from these peers, one after another (rules XC-5 and XC-6).
    pub(super) async fn evidence(
        &self,
        peers: &[PeerId],
        evidence: EvidenceId,
        size: u64,
    ) -> Option<File> {
        let mib = u32::try_from(size >> 20).ok()?.saturating_add(1);
        let [small, large] = &*self.evidence_room;
        let room = if mib > SMALL_MIB { large } else { small };
        let _room = room.try_acquire_many(mib).ok()?;
        let time = FILE_TIME.saturating_add(FILE_TIME_PER_MIB.saturating_mul(mib));
        timeout(
            time,
            self.whole(peers, evidence, size, time / PEERS_IN_TURN),
        )
        .await
        .ok()?
    }

    async fn whole(
        &self,
        peers: &[PeerId],
        evidence: EvidenceId,
        size: u64,
        turn: Duration,
    ) -> Option<File> {
        let size = usize::try_from(size).ok()?;
        let nothing = || Partial {
            evidence,
            size,
            bytes: Vec::new(),
        };
        let mut partial = nothing();
        for peer in peers {
            loop {
                let alone = partial.bytes.is_empty();
                let given = timeout(turn, self.continue_with(*peer, &mut partial)).await;
                if let Err(error) = given.unwrap_or(Err(AskError::Nobody)) {
                    tracing::debug!(%peer, %evidence, %error, "a piece of evidence did not come");
                }
                if partial.next().is_some() {
                    break;
                }
                let bytes = std::mem::replace(&mut partial, nothing()).bytes;
                let file = tokio::task::block_in_place(|| File::read(bytes));
                if file.announced().evidence == evidence {
                    return Some(file);
                }
                tracing::debug!(%peer, %evidence, "what came is another file");
                // The wrong pieces may have been those of the peers before.
                if alone {
                    break;
                }
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
            let asked = self.ask_for(peer, Protocol::Evidence, request);
            let Ok(bytes) = timeout(PIECE_TIMEOUT, asked).await else {
                return Err(AskError::Nobody);
            };
            let bytes = bytes?;
            if bytes.len() != length {
                return Ok(());
            }
            partial.bytes.extend_from_slice(&bytes);
        }
        Ok(())
    }
}
