//! Evidence files, kept in pieces: as they are passed on, and so that no value of the store grows with a stranger's memory. And the
//! challenges that this node makes with them.

use surety_protocol::codec::{self, Wire};
use surety_protocol::evidence::{Evidence, OffenceKind};
use surety_protocol::id::EvidenceId;
use surety_protocol::origin::{Action, Challenge};

use super::{Archive, ArchiveError, damaged, key};
use crate::store::{Batch, Column, Direction, Entry};

/// Bytes of a piece; the last one has what is left.
pub const EVIDENCE_PIECE: usize = 1 << 20;

/// Challenges that are kept (rule CO-13).
pub const CHALLENGES_MAX: usize = 1024;

impl Archive {
    /// An evidence file.
    ///
    /// # Errors
    /// If the store fails or a piece is gone.
    pub fn evidence(&self, id: &EvidenceId) -> Result<Option<Vec<u8>>, ArchiveError> {
        let Some(size) = self.evidence_bytes(id)? else {
            return Ok(None);
        };
        let mut bytes = Vec::with_capacity(size);
        for piece in 0.. {
            if bytes.len() >= size {
                break;
            }
            let piece = self.evidence_piece(id, piece)?;
            let gone = || damaged(Column::Evidence, &"a piece is gone");
            bytes.extend_from_slice(&piece.ok_or_else(gone)?);
        }
        Ok(Some(bytes))
    }

    /// How many bytes an evidence file has.
    ///
    /// # Errors
    /// If the store fails or the number is damaged.
    pub fn evidence_bytes(&self, id: &EvidenceId) -> Result<Option<usize>, ArchiveError> {
        let size = self.store.get(Column::Evidence, &key::evidence(id))?;
        let read = |size: Vec<u8>| {
            let size = u64::from_be_bytes(size.try_into().ok()?);
            let size = usize::try_from(size).ok()?;
            (size <= Evidence::BYTES_MAX).then_some(size)
        };
        size.map(|it| read(it).ok_or_else(|| damaged(Column::Evidence, &"not a size")))
            .transpose()
    }

    /// A piece of an evidence file.
    ///
    /// # Errors
    /// If the store fails.
    pub fn evidence_piece(
        &self,
        id: &EvidenceId,
        piece: u32,
    ) -> Result<Option<Vec<u8>>, ArchiveError> {
        let at = key::evidence_piece(id, piece);
        Ok(self.store.get(Column::Evidence, &at)?)
    }

    /// The ids of all evidence files here.
    ///
    /// # Errors
    /// If the store fails.
    pub fn evidence_ids(&self, limit: usize) -> Result<Vec<EvidenceId>, ArchiveError> {
        let found = self.store.scan(
            Column::Evidence,
            &[],
            key::EVIDENCE,
            limit,
            Direction::Forward,
        )?;
        let ids = found.iter().filter_map(|(key, _)| key::evidence_of(key));
        Ok(ids.collect())
    }

    /// The challenges that this node makes and no block is known to have carried, [`CHALLENGES_MAX`] at most.
    ///
    /// # Errors
    /// If the store fails or a value is damaged.
    pub fn challenges(&self) -> Result<Vec<Challenge>, ArchiveError> {
        let forward = Direction::Forward;
        let found = self
            .store
            .scan(Column::Meta, &[], key::CHALLENGE, CHALLENGES_MAX, forward)?;
        let read = |(at, bytes): &Entry| {
            let challenge: Challenge =
                codec::decode(bytes).map_err(|it| damaged(Column::Meta, &it))?;
            match key::challenge(&challenge.case()) == *at {
                true => Ok(challenge),
                false => Err(damaged(Column::Meta, &"a challenge of another case")),
            }
        };
        found.iter().map(read).collect()
    }

    /// A challenge as it is sent: with its file, if that is what the ledger itself judges.
    ///
    /// # Errors
    /// If the store fails or the file is gone.
    pub fn accusation(&self, challenge: Challenge) -> Result<Action, ArchiveError> {
        let kind = OffenceKind::from_number(challenge.kind);
        let travels = kind.is_some_and(|it| !it.executes());
        let evidence = match travels {
            true => {
                let found = self.evidence(&challenge.evidence)?;
                let gone = || damaged(Column::Evidence, &"the file of a challenge is gone");
                Some(found.ok_or_else(gone)?)
            }
            false => None,
        };
        Ok(Action::Challenge {
            challenge,
            evidence,
        })
    }
}

/// Puts an evidence file.
pub(super) fn put(batch: &mut Batch, id: &EvidenceId, bytes: &[u8]) {
    let size = (bytes.len() as u64).to_be_bytes();
    batch.put(Column::Evidence, key::evidence(id), size.to_vec());
    for (number, piece) in (0..).zip(bytes.chunks(EVIDENCE_PIECE)) {
        let at = key::evidence_piece(id, number);
        batch.put(Column::Evidence, at, piece.to_vec());
    }
}
