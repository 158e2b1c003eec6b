//! What the guard cleared and what is reserved, in the store and back.

use serde_tuple::{Deserialize_tuple, Serialize_tuple};
use surety_attest::guard::GuardRecord;
use surety_attest::reservation::{Entry, Reservation};
use surety_protocol::assignment::HashChain;
use surety_protocol::codec::{self, CodecError, Wire};
use surety_protocol::id::{AssignmentId, Digest, ItemId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::time::{Height, Slot, Timestamp};
use surety_protocol::verified::Authentic;

use super::{Archive, ArchiveError, damaged};
use crate::store::{Column, Direction};

/// Records of the guard read at once.
const PAGE: usize = 1024;

/// Reserved slots.
#[derive(Debug, Clone, PartialEq, Serialize_tuple, Deserialize_tuple)]
pub(super) struct Reserved {
    process: ProcessId,
    slot: Slot,
    hash_chain: Digest,
    entries: Vec<ReservedEntry>,
}

#[derive(Debug, Clone, PartialEq, Serialize_tuple, Deserialize_tuple)]
struct ReservedEntry {
    height: Height,
    timestamp: Timestamp,
    exclude: Vec<String>,
    timer: Option<String>,
    subject: Option<ItemId>,
}

impl Wire for Reserved {
    const KIND: u8 = 62;
    const BYTES_MAX: usize = 1 << 20;
}

impl Reserved {
    pub(super) fn new(
        reservation: Reservation,
        subjects: impl Iterator<Item = Option<ItemId>>,
    ) -> Reserved {
        let entries = reservation.entries.into_iter().zip(subjects);
        Reserved {
            process: reservation.process,
            slot: reservation.slot,
            hash_chain: Digest::new(*reservation.hash_chain.as_bytes()),
            entries: entries
                .map(|(entry, subject)| ReservedEntry {
                    height: entry.height,
                    timestamp: entry.timestamp,
                    exclude: entry.exclude,
                    timer: entry.timer,
                    subject,
                })
                .collect(),
        }
    }

    fn reservation(self) -> Reservation {
        let process = self.process;
        let entry = |it: ReservedEntry| Entry {
            height: it.height,
            timestamp: it.timestamp,
            // The process itself is what its own slot is for.
            message: it
                .subject
                .filter(|id| ProcessId::from(*id) != process)
                .map(Into::into),
            exclude: it.exclude,
            timer: it.timer,
        };
        Reservation {
            process,
            slot: self.slot,
            hash_chain: HashChain::new(*self.hash_chain.as_bytes()),
            entries: self.entries.into_iter().map(entry).collect(),
        }
    }
}

/// What is to be signed, with the message of each slot, or at slot 0 the process item; a tick has none.
pub type ReservedSlots = (Reservation, Vec<Option<Authentic<Item>>>);

/// A record of the guard; `kind` says which.
#[derive(Debug, Clone, PartialEq, Serialize_tuple, Deserialize_tuple)]
struct Guarded {
    kind: u8,
    process: ProcessId,
    position: u64,
    name: Digest,
    value: Digest,
}

impl Wire for Guarded {
    const KIND: u8 = 63;
    const BYTES_MAX: usize = 256;
}

const LEAF: u8 = 1;
const HISTORY: u8 = 2;
const ASSIGNMENT: u8 = 3;
const VERDICT: u8 = 4;

/// Key and value of a guard record. The key holds all but the value, so that a contradiction would overwrite.
pub(super) fn stored_guard(record: &GuardRecord) -> Result<(Vec<u8>, Vec<u8>), CodecError> {
    let none = Digest::default();
    let (kind, process, position, name, value) = match record {
        GuardRecord::Leaf {
            process,
            slot,
            assignment,
            leaf,
        } => (
            LEAF,
            process,
            slot.0,
            Digest::new(*assignment.as_bytes()),
            *leaf,
        ),
        GuardRecord::History {
            process,
            size,
            root,
            head,
        } => (HISTORY, process, *size, *root, *head),
        GuardRecord::Verdict { case, guilty } => {
            let name = Digest::new(*case.as_bytes());
            (
                VERDICT,
                &ProcessId::default(),
                u64::from(*guilty),
                name,
                none,
            )
        }
        GuardRecord::Assignment {
            process,
            slot,
            draft,
        } => (ASSIGNMENT, process, slot.0, none, *draft),
    };
    let key = [
        &[kind][..],
        process.as_bytes(),
        &position.to_be_bytes(),
        name.as_bytes(),
    ]
    .concat();
    let stored = Guarded {
        kind,
        process: *process,
        position,
        name,
        value,
    };
    Ok((key, codec::encode(&stored)?))
}

fn record(stored: Guarded) -> Option<GuardRecord> {
    let Guarded {
        kind,
        process,
        position,
        name,
        value,
    } = stored;
    match kind {
        LEAF => Some(GuardRecord::Leaf {
            process,
            slot: Slot(position),
            assignment: AssignmentId::new(*name.as_bytes()),
            leaf: value,
        }),
        HISTORY => Some(GuardRecord::History {
            process,
            size: position,
            root: name,
            head: value,
        }),
        VERDICT => Some(GuardRecord::Verdict {
            case: name.into(),
            guilty: position == 1,
        }),
        ASSIGNMENT => Some(GuardRecord::Assignment {
            process,
            slot: Slot(position),
            draft: value,
        }),
        _ => None,
    }
}

impl Archive {
    /// Gives every record of the guard.
    ///
    /// # Errors
    /// If the store fails or a value is damaged.
    pub fn guard(&self, mut take: impl FnMut(GuardRecord)) -> Result<(), ArchiveError> {
        let mut from = Vec::new();
        loop {
            let page = self
                .store
                .scan(Column::Guard, &from, &[], PAGE, Direction::Forward)?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            from = last.clone();
            from.push(0);
            for (_, bytes) in page {
                let stored = codec::decode(&bytes).map_err(|it| damaged(Column::Guard, &it))?;
                take(record(stored).ok_or_else(|| damaged(Column::Guard, &"unknown kind"))?);
            }
        }
    }

    /// The slot of a process that was reserved and not signed before the node stopped.
    ///
    /// # Errors
    /// If the store fails or a value is damaged.
    pub fn reserved(&self, process: &ProcessId) -> Result<Option<ReservedSlots>, ArchiveError> {
        let Some(stored) = self.get::<Reserved>(Column::Meta, &super::key::reserved(process))?
        else {
            return Ok(None);
        };
        let missing = || damaged(Column::Meta, &"a reserved slot without its message");
        let mut messages = Vec::new();
        for entry in &stored.entries {
            messages.push(match &entry.subject {
                Some(id) => Some(self.item(id)?.ok_or_else(missing)?),
                None => None,
            });
        }
        Ok(Some((stored.reservation(), messages)))
    }

    /// All processes with a reserved slot, those without any signed slot included.
    ///
    /// # Errors
    /// If the store fails.
    pub fn reserved_processes(&self) -> Result<Vec<ProcessId>, ArchiveError> {
        let found = self
            .store
            .scan(Column::Meta, &[], b"v", usize::MAX, Direction::Forward)?;
        Ok(found
            .iter()
            .filter_map(|(key, _)| ProcessId::try_from(key.get(1..)?).ok())
            .collect())
    }
}
