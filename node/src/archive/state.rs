//! Snapshots of states: pages by their hash, manifests by their root, and which state is at which input.

use std::sync::Arc;

use surety_attest::state::{Snapshot, SnapshotFault, manifest_root, page_hash};
use surety_protocol::codec;
use surety_protocol::id::{Digest, ProcessId};
use surety_protocol::witness::{Manifest, PAGE_BYTES};

use super::{Archive, ArchiveError, damaged, key};
use crate::store::{Batch, Column, Direction};

/// Why a state that somebody sent is not kept.
#[derive(Debug, thiserror::Error)]
pub enum StateFault {
    /// The manifest does not have the root.
    #[error("the manifest is not of the state asked for")]
    Manifest,
    /// A page does not have the hash asked for.
    #[error("a page is not the one asked for")]
    Page,
    /// The store failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

impl Archive {
    /// Keeps a state, of a process after so many inputs if it is that; pages that are here already are not written again.
    ///
    /// # Errors
    /// If the store fails.
    pub fn keep_state(
        &self,
        at: Option<(&ProcessId, u64)>,
        root: &Digest,
        snapshot: &Snapshot,
    ) -> Result<(), ArchiveError> {
        let manifest = snapshot.manifest();
        let mut batch = Batch::new();
        for (index, hash) in &manifest.pages {
            if self.store.get(Column::Pages, hash.as_bytes())?.is_none() {
                batch.put(
                    Column::Pages,
                    *hash.as_bytes(),
                    snapshot.page(*index).to_vec(),
                );
            }
        }
        batch.put(
            Column::Snapshots,
            key::state(root),
            codec::encode(&manifest)?,
        );
        if let Some((process, size)) = at {
            batch.put(
                Column::Snapshots,
                key::snapshot(process, size),
                *root.as_bytes(),
            );
        }
        self.write(batch)
    }

    /// Forgets which states were after these inputs: they are evaluated again, maybe from another branch of the log.
    ///
    /// # Errors
    /// If the store fails.
    pub fn forget_states_after(&self, process: &ProcessId, size: u64) -> Result<(), ArchiveError> {
        let prefix = key::snapshots(process);
        let from = key::snapshot(process, size.saturating_add(1));
        let later = self.store.scan(
            Column::Snapshots,
            &from,
            &prefix,
            usize::MAX,
            Direction::Forward,
        )?;
        let mut batch = Batch::new();
        for (at, _) in later {
            batch.delete(Column::Snapshots, at);
        }
        self.write(batch)
    }

    /// The latest state at or before an input, and how many inputs it has seen.
    ///
    /// # Errors
    /// If the store fails or a value is damaged.
    pub fn state_before(
        &self,
        process: &ProcessId,
        size: u64,
    ) -> Result<Option<(u64, Snapshot)>, ArchiveError> {
        let prefix = key::snapshots(process);
        let from = key::snapshot(process, size);
        let found = self
            .store
            .scan(Column::Snapshots, &from, &prefix, 1, Direction::Backward)?;
        let Some((at, root)) = found.into_iter().next() else {
            return Ok(None);
        };
        let size = at
            .get(prefix.len()..)
            .and_then(|it| it.try_into().ok())
            .map(u64::from_be_bytes)
            .ok_or_else(|| damaged(Column::Snapshots, &"a key without a size"))?;
        let root =
            Digest::try_from(root.as_slice()).map_err(|it| damaged(Column::Snapshots, &it))?;
        Ok(self.state(&root)?.map(|snapshot| (size, snapshot)))
    }

    /// A state by its root, if all of it is here.
    ///
    /// # Errors
    /// If the store fails or a value is damaged.
    pub fn state(&self, root: &Digest) -> Result<Option<Snapshot>, ArchiveError> {
        let Some(manifest) = self.manifest(root)? else {
            return Ok(None);
        };
        let mut failed = None;
        let found = Snapshot::from_manifest(&manifest, |hash| {
            let bytes = match self.store.get(Column::Pages, hash.as_bytes()) {
                Ok(bytes) => bytes?,
                Err(error) => {
                    failed = Some(error);
                    return None;
                }
            };
            <[u8; PAGE_BYTES]>::try_from(bytes.as_slice())
                .ok()
                .map(Arc::new)
        });
        if let Some(error) = failed {
            return Err(error.into());
        }
        match found {
            Ok(snapshot) => Ok(Some(snapshot)),
            Err(SnapshotFault::Missing(_)) => Ok(None),
            Err(fault) => Err(damaged(Column::Pages, &fault)),
        }
    }

    /// The manifest of a state.
    ///
    /// # Errors
    /// If the store fails or the value is damaged.
    pub fn manifest(&self, root: &Digest) -> Result<Option<Manifest>, ArchiveError> {
        self.get(Column::Snapshots, &key::state(root))
    }

    /// Pages by their hashes, those that are here.
    ///
    /// # Errors
    /// If the store fails.
    pub fn pages(&self, hashes: &[Digest]) -> Result<Vec<Vec<u8>>, ArchiveError> {
        let mut pages = Vec::new();
        for hash in hashes {
            pages.extend(self.store.get(Column::Pages, hash.as_bytes())?);
        }
        Ok(pages)
    }

    /// The pages of a manifest that are not here.
    ///
    /// # Errors
    /// If the store fails.
    pub fn missing_pages(&self, manifest: &Manifest) -> Result<Vec<Digest>, ArchiveError> {
        let mut missing = Vec::new();
        for (_, hash) in &manifest.pages {
            if self.store.get(Column::Pages, hash.as_bytes())?.is_none() {
                missing.push(*hash);
            }
        }
        missing.sort_unstable();
        missing.dedup();
        Ok(missing)
    }

    /// Keeps a manifest that somebody sent, if it has the root.
    ///
    /// # Errors
    /// If it has not, or the store fails.
    pub fn keep_manifest(&self, root: &Digest, manifest: &Manifest) -> Result<(), StateFault> {
        if manifest.check().is_err() || manifest_root(manifest) != *root {
            return Err(StateFault::Manifest);
        }
        let mut batch = Batch::new();
        let bytes = codec::encode(manifest).map_err(ArchiveError::from)?;
        batch.put(Column::Snapshots, key::state(root), bytes);
        Ok(self.write(batch)?)
    }

    /// Keeps pages that somebody sent, if they are those asked for.
    ///
    /// # Errors
    /// If one is not, or the store fails.
    pub fn keep_pages(&self, asked: &[Digest], pages: &[Vec<u8>]) -> Result<usize, StateFault> {
        let mut batch = Batch::new();
        for bytes in pages {
            let page: &[u8; PAGE_BYTES] =
                bytes.as_slice().try_into().map_err(|_| StateFault::Page)?;
            let hash = page_hash(page);
            if !asked.contains(&hash) {
                return Err(StateFault::Page);
            }
            batch.put(Column::Pages, *hash.as_bytes(), bytes.clone());
        }
        self.write(batch)?;
        Ok(pages.len())
    }
}
