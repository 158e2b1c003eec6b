//! Records of the core as changes of the store.

use serde_bytes::ByteBuf;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};
use surety_attest::effect::{Assign, Recalled, Record, Source};
use surety_attest::push::Parcel;
use surety_protocol::block::Block;
use surety_protocol::codec::{self, Wire};
use surety_protocol::id::{Address, CaseId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::origin::{Challenge, Registration};
use surety_protocol::time::Slot;

use super::guarded::{Reserved, stored_guard};
use super::{Archive, ArchiveError, StoredLeaf, StoredResult, damaged, evidence, key};
use crate::store::{Batch, Column, Direction};

/// Adds a record to a batch (rule AC-1).
///
/// # Errors
/// If it cannot be encoded, which means that it exceeds its own limits.
pub fn put(batch: &mut Batch, record: Record) -> Result<(), ArchiveError> {
    match record {
        Record::Item(item) => put_item(batch, &item),
        Record::Input {
            process,
            slot,
            assignment,
            message,
        } => {
            batch.put(
                Column::Assignments,
                key::slot(&process, slot),
                assignment.bytes(),
            );
            put_item(batch, &assignment);
            let at = key::message(&process, &assignment.id());
            batch.put(Column::Assignments, at, slot.0.to_be_bytes());
            if let Some(message) = message {
                let at = key::message(&process, &message.id());
                batch.put(Column::Assignments, at, slot.0.to_be_bytes());
                put_item(batch, &message);
                // What a process sent has arrived; if another node sent it, nothing is there to be removed. A process that was
                // spawned stays until the notice of it is there (rule MU-5).
                if message.target() == Some(process.as_bytes()) {
                    if let Some(source) = Source::named_by(&message).filter(|_| slot != Slot(0)) {
                        let at = key::outbox(&process, &source, &message.id());
                        batch.delete(Column::Outbox, at);
                    }
                } else {
                    batch.delete(Column::Outbox, key::assign(&process, &message.id()));
                }
            }
            // The slot is signed now; nothing is left to be resumed.
            batch.delete(Column::Meta, key::reserved(&process));
        }
        Record::Hashpath {
            process,
            size,
            hashpath,
        } => {
            let at = key::hashpath(&process, size);
            batch.put(Column::Meta, at, [hashpath.base, hashpath.request].concat());
        }
        Record::Reserved {
            reservation,
            messages,
        } => {
            for message in messages.iter().flatten() {
                put_item(batch, message);
            }
            let process = reservation.process;
            let subjects = messages.iter().map(|it| it.as_ref().map(|it| it.id()));
            let stored = Reserved::new(reservation, subjects);
            batch.put(
                Column::Meta,
                key::reserved(&process),
                codec::encode(&stored)?,
            );
        }
        Record::Evaluated {
            process,
            leaf,
            frontier,
            head,
            ruling,
            parts,
        } => {
            let at = key::slot(&process, leaf.slot);
            let parts = parts.into_iter().map(ByteBuf::from).collect();
            batch.put(
                Column::Results,
                at.clone(),
                codec::encode(&StoredResult { parts })?,
            );
            let stored = StoredLeaf {
                leaf,
                frontier,
                head,
                ruling,
            };
            batch.put(Column::Leaves, at, codec::encode(&stored)?);
        }
        Record::Guard(record) => {
            let (at, value) = stored_guard(&record)?;
            batch.put(Column::Guard, at, value);
        }
        Record::Claim(claim) => {
            let id = claim.statement.claim.id()?;
            let at = [&id.as_bytes()[..], claim.statement.claimant.as_bytes()].concat();
            batch.put(Column::Claims, at, codec::encode(claim.as_ref())?);
        }
        Record::Batch(claims) => {
            let at = key::batch(&claims.root(), &claims.claimant);
            batch.put(Column::Meta, at, codec::encode(&claims)?);
        }
        Record::Evidence { id, bytes } => {
            evidence::put(batch, &id, &bytes);
        }
        Record::Outbox {
            source,
            item,
            spawn,
        } => {
            put_item(batch, &item);
            if let Some((place, id)) = spawn {
                batch.delete(Column::Outbox, key::outbox(&place.process, &place, &id));
            }
            let shelf = item
                .target()
                .map_or(source.process, |it| ProcessId::new(*it));
            let at = key::outbox(&shelf, &source, &item.id());
            batch.put(Column::Outbox, at, []);
        }
        Record::Assign(Assign {
            process,
            item,
            exclude,
        }) => {
            let stored = codec::encode(&StoredAssign { exclude })?;
            batch.put(Column::Outbox, key::assign(&process, &item), stored);
        }
        Record::Arrived {
            process,
            item,
            source,
        } => {
            let at = match source {
                Some(source) => key::outbox(&process, &source, &item),
                None => key::assign(&process, &item),
            };
            batch.delete(Column::Outbox, at);
        }
        Record::Pushed { process, next } => {
            batch.put(Column::Meta, key::pushed(&process), next.0.to_be_bytes());
        }
    }
    Ok(())
}

/// Adds a block to a batch.
///
/// # Errors
/// If it exceeds its own limit.
pub fn put_block(batch: &mut Batch, block: &Block) -> Result<(), ArchiveError> {
    let height = block.commit.header.height;
    batch.put(
        Column::Blocks,
        height.0.to_be_bytes(),
        codec::encode(block)?,
    );
    Ok(())
}

/// Says how many leaves of a process are certified.
pub fn put_certified(batch: &mut Batch, process: &ProcessId, size: u64) {
    batch.put(Column::Meta, key::certified(process), size.to_be_bytes());
}

/// Adds the item with which an operator registered its keys, to be found by operator, and the operator by its data-item key.
pub fn put_registration(
    batch: &mut Batch,
    operator: &Address,
    registration: &Registration,
    item: &[u8],
) {
    let at = key::registration(operator, registration);
    batch.put(Column::Ledger, at, item);
    batch.put(
        Column::Ledger,
        key::item_key(&registration.item_key),
        *operator.as_bytes(),
    );
}

/// Keeps a challenge that this node makes (rule CO-13).
///
/// # Errors
/// If it exceeds its own limit.
pub fn put_challenge(batch: &mut Batch, challenge: &Challenge) -> Result<(), ArchiveError> {
    let at = key::challenge(&challenge.case());
    batch.put(Column::Meta, at, codec::encode(challenge)?);
    Ok(())
}

/// Forgets a challenge that need not be made any more.
pub fn forget_challenge(batch: &mut Batch, case: &CaseId) {
    batch.delete(Column::Meta, key::challenge(case));
}

fn put_item(batch: &mut Batch, item: &Item) {
    batch.put(Column::Items, *item.id().as_bytes(), item.bytes());
}

/// Keeps where a scheduler is; its owner is the scheduler.
pub(crate) fn location(batch: &mut Batch, item: &Item) {
    put_item(batch, item);
    let at = key::location(&item.owner_address());
    batch.put(Column::Meta, at, *item.id().as_bytes());
}

impl Archive {
    /// The first slot of a process whose result is not pushed.
    ///
    /// # Errors
    /// If the store fails or the value is damaged.
    pub fn pushed(&self, process: &ProcessId) -> Result<Slot, ArchiveError> {
        self.position(&key::pushed(process)).map(Slot)
    }

    /// How many leaves of a process are certified, as far as the node has heard.
    ///
    /// # Errors
    /// If the store fails or the value is damaged.
    pub fn certified(&self, process: &ProcessId) -> Result<u64, ArchiveError> {
        self.position(&key::certified(process))
    }

    fn position(&self, key: &[u8]) -> Result<u64, ArchiveError> {
        match self.store.get(Column::Meta, key)? {
            None => Ok(0),
            Some(bytes) => bytes
                .as_slice()
                .try_into()
                .map(u64::from_be_bytes)
                .map_err(|_| damaged(Column::Meta, &"a position of another length")),
        }
    }

    /// The processes, and what is none yet, for which something is in the outbox.
    ///
    /// # Errors
    /// If the store fails or a key is damaged.
    pub fn awaited(&self, mut each: impl FnMut(ProcessId)) -> Result<(), ArchiveError> {
        let mut from = Vec::new();
        let forward = Direction::Forward;
        while let Some((key, _)) = self
            .store
            .scan(Column::Outbox, &from, &[], 1, forward)?
            .into_iter()
            .next()
        {
            let process = key.first_chunk().map(|it| ProcessId::new(*it));
            let process = process.ok_or_else(|| damaged(Column::Outbox, &"a short key"))?;
            each(process);
            // No key has a byte like this after the process.
            from = [&process.as_bytes()[..], &[u8::MAX]].concat();
        }
        Ok(())
    }

    /// A page of what is to arrive at a process and is not known to have arrived (rule MU-8).
    ///
    /// # Errors
    /// If the store fails or a value is damaged.
    pub fn outbox(&self, process: ProcessId, after: &[u8]) -> Result<Recalled, ArchiveError> {
        let from = match after {
            [] => Vec::new(),
            after => [after, &[0]].concat(),
        };
        let prefix = process.as_bytes();
        let forward = Direction::Forward;
        let found = self
            .store
            .scan(Column::Outbox, &from, prefix, RECALLED_MAX, forward)?;
        let full = found.len() == RECALLED_MAX;
        let mut more = found.last().map(|(key, _)| key.clone()).filter(|_| full);
        let (mut parcels, mut bytes) = (Vec::new(), 0_usize);
        for (key, value) in found {
            let read = key::in_outbox(&key);
            let (item, assigned) =
                read.ok_or_else(|| damaged(Column::Outbox, &"a key of another length"))?;
            if assigned {
                let StoredAssign { exclude } = codec::decode(&value)?;
                parcels.push(Parcel::Assign(Assign {
                    process,
                    item,
                    exclude,
                }));
            } else {
                let item = self.item(&item)?;
                bytes = bytes.saturating_add(item.as_ref().map_or(0, |it| it.bytes().len()));
                parcels.extend(item.map(Parcel::Item));
            }
            if bytes > RECALLED_BYTES_MAX {
                more = Some(key);
                break;
            }
        }
        Ok(Recalled {
            process,
            parcels,
            more,
        })
    }
}

/// Entries of the outbox that are read at once, and their bytes but for the last.
const RECALLED_MAX: usize = 32;
const RECALLED_BYTES_MAX: usize = 4 << 20;

/// An assignment that a process asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
struct StoredAssign {
    exclude: Vec<String>,
}

impl Wire for StoredAssign {
    const KIND: u8 = 64;
    const BYTES_MAX: usize = 4096;
}

#[cfg(test)]
mod tests;
