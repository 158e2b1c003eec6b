//! What lies in the store and how it is read back: the one place that knows keys and values of the columns.
//!
//! # Rules
//!
//! - `[AC-1]` Every record of the core has one key; writing it twice leaves what writing it once does.
//! - `[AC-2]` What is read back is checked like what comes from outside: canonical bytes, ids, signatures. A damaged value
//!   is an error that names column and key, never a default.

mod evidence;
mod guarded;
mod index;
mod key;
mod state;
pub mod write;

use std::sync::{Arc, Mutex};

use serde_bytes::ByteBuf;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};
use surety_attest::claims::{LEAD_MAX, Lead};
use surety_attest::result::ProcessResult;
use surety_protocol::approval::ClaimBatch;
use surety_protocol::assignment::Assignment;
use surety_protocol::block::Block;
use surety_protocol::claim::{Leaf, SignedClaim};
use surety_protocol::codec::{self, CodecError, Wire};
use surety_protocol::execution::Input;
use surety_protocol::hashpath::Hashpath;
use surety_protocol::history::Frontier;
use surety_protocol::id::{Address, ClaimId, Digest, ItemId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::profiles::Ruling;
use surety_protocol::time::{Height, Slot};
use surety_protocol::verified::Authentic;

use crate::store::{Batch, Column, Direction, Store, StoreError};

/// Pairs of keys that one operator can have registered: more than the ledger lets it have.
const REGISTRATIONS_MAX: usize = 8192;

pub use evidence::{CHALLENGES_MAX, EVIDENCE_PIECE};
pub use guarded::ReservedSlots;
pub use index::{Search, SearchError};
pub use key::remembers;
pub use state::{Ask, NODES_MAX, PAGES_MAX, Parts, Series, Transfer, TransferError};

/// Why something cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A value is not what was written.
    #[error("damaged value in column {0}: {1}")]
    Damaged(&'static str, String),
    /// A record cannot be encoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// An evaluated input as it lies in the store.
#[derive(Debug, Clone, PartialEq, Serialize_tuple, Deserialize_tuple)]
struct StoredLeaf {
    leaf: Leaf,
    /// The history before it, where it has a state root.
    frontier: Option<Frontier>,
    head: Option<Digest>,
    ruling: Ruling,
}

impl Wire for StoredLeaf {
    const KIND: u8 = 60;
    const VERSION: u8 = 2;
    const BYTES_MAX: usize = 4096;
}

/// A result's parts as they lie in the store.
#[derive(Debug, Clone, PartialEq, Serialize_tuple, Deserialize_tuple)]
struct StoredResult {
    parts: Vec<ByteBuf>,
}

impl Wire for StoredResult {
    const KIND: u8 = 61;
    // A reply of 8 MiB, some of whose numbers and characters take four times as much once they are canonical.
    const BYTES_MAX: usize = 64 << 20;
}

/// Reads and writes what the core keeps.
#[derive(Clone)]
pub struct Archive {
    store: Arc<dyn Store>,
    /// Held while what is kept of states changes.
    states: Arc<Mutex<()>>,
    index: Option<Arc<index::Index>>,
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Archive(..)")
    }
}

/// A slot of a log as it travels: the assignment, and the message or at slot 0 the process item.
pub type LogSlot = (Authentic<Item>, Option<Authentic<Item>>);

/// Slots that one read of a log gives.
pub const LOG_PAGE_MAX: usize = 512;

impl Archive {
    /// An archive over a store.
    pub fn new(store: Arc<dyn Store>) -> Archive {
        Archive {
            store,
            states: Arc::default(),
            index: None,
        }
    }

    /// A data item.
    ///
    /// # Errors
    /// If the store fails or the value is damaged.
    pub fn item(&self, id: &ItemId) -> Result<Option<Authentic<Item>>, ArchiveError> {
        self.store
            .get(Column::Items, id.as_bytes())?
            .map(|bytes| authentic(Column::Items, bytes))
            .transpose()
    }

    /// The bytes of a data item, for whoever checks them anyway.
    ///
    /// # Errors
    /// If the store fails.
    pub fn item_bytes(&self, id: &ItemId) -> Result<Option<Vec<u8>>, ArchiveError> {
        Ok(self.store.get(Column::Items, id.as_bytes())?)
    }

    /// The last `Scheduler-Location` of a scheduler, by its key.
    ///
    /// # Errors
    /// If the store fails or a value is damaged.
    pub fn location(&self, scheduler: &Address) -> Result<Option<Authentic<Item>>, ArchiveError> {
        let found = self.store.get(Column::Meta, &key::location(scheduler))?;
        let Some(id) = found else {
            return Ok(None);
        };
        let id = ItemId::try_from(id.as_slice())
            .map_err(|_| damaged(Column::Meta, &"the id of a location of another length"))?;
        self.item(&id)
    }

    /// The assignment of a slot.
    ///
    /// # Errors
    /// If the store fails or the value is damaged.
    pub fn assignment(
        &self,
        process: &ProcessId,
        slot: Slot,
    ) -> Result<Option<Assignment>, ArchiveError> {
        let Some(bytes) = self
            .store
            .get(Column::Assignments, &key::slot(process, slot))?
        else {
            return Ok(None);
        };
        let item = authentic(Column::Assignments, bytes)?;
        let read = Assignment::from_item(&item);
        read.map(Some)
            .map_err(|it| damaged(Column::Assignments, &it))
    }

    /// One slot of a log.
    ///
    /// # Errors
    /// If the store fails or a value is damaged.
    pub fn input(&self, process: &ProcessId, slot: Slot) -> Result<Option<Input>, ArchiveError> {
        let Some(bytes) = self
            .store
            .get(Column::Assignments, &key::slot(process, slot))?
        else {
            return Ok(None);
        };
        let assignment = authentic(Column::Assignments, bytes)?;
        let read =
            Assignment::from_item(&assignment).map_err(|it| damaged(Column::Assignments, &it))?;
        let message = match read.message {
            Some(id) => match self.item(&id.into())? {
                Some(message) => Some(message),
                None => return Ok(None),
            },
            None => None,
        };
        Ok(Some(Input {
            assignment,
            message,
        }))
    }

    /// The hashpath of a log when it had so many slots.
    ///
    /// # Errors
    /// If the store fails or the value is damaged.
    pub fn hashpath(
        &self,
        process: &ProcessId,
        size: u64,
    ) -> Result<Option<Hashpath>, ArchiveError> {
        let found = self
            .store
            .get(Column::Meta, &key::hashpath(process, size))?;
        let Some(bytes) = found else {
            return Ok(None);
        };
        match bytes.as_chunks::<32>() {
            ([base, request], []) => Ok(Some(Hashpath {
                base: *base,
                request: *request,
            })),
            _ => Err(damaged(Column::Meta, &"a hashpath of another length")),
        }
    }

    /// The log from a slot on, as it travels: assignment, and message or process item.
    ///
    /// # Errors
    /// If the store fails or a value is damaged.
    pub fn log(
        &self,
        process: &ProcessId,
        from: Slot,
        limit: usize,
    ) -> Result<Vec<LogSlot>, ArchiveError> {
        let mut slots = Vec::new();
        for offset in 0..u64::try_from(limit.min(LOG_PAGE_MAX)).unwrap_or(0) {
            let slot = from.plus(offset);
            let Some(input) = self.input(process, slot)? else {
                break;
            };
            let message = match input.message {
                None if slot == Slot(0) => self.item(&(*process).into())?,
                message => message,
            };
            slots.push((input.assignment, message));
        }
        Ok(slots)
    }

    /// All processes that have a log.
    ///
    /// # Errors
    /// If the store fails or a key is damaged.
    pub fn processes(&self) -> Result<Vec<ProcessId>, ArchiveError> {
        let mut processes = Vec::new();
        let mut from = Vec::new();
        loop {
            let page = self
                .store
                .scan(Column::Assignments, &from, &[], 1, Direction::Forward)?;
            let Some((found, _)) = page.into_iter().next() else {
                return Ok(processes);
            };
            let process = key::process_of(&found)
                .ok_or_else(|| damaged(Column::Assignments, &"a key without a process"))?;
            processes.push(process);
            from = key::past(&process);
        }
    }

    /// An evaluated leaf.
    ///
    /// # Errors
    /// If the store fails or the value is damaged.
    pub fn leaf(&self, process: &ProcessId, slot: Slot) -> Result<Option<Leaf>, ArchiveError> {
        let found: Option<StoredLeaf> = self.get(Column::Leaves, &key::slot(process, slot))?;
        Ok(found.map(|it| it.leaf))
    }

    /// A leaf, the root of the state after it where it is known, and the profile under which it was evaluated.
    ///
    /// # Errors
    /// If the store fails or the value is damaged.
    pub fn evaluated(
        &self,
        process: &ProcessId,
        slot: Slot,
    ) -> Result<Option<(Leaf, Option<Digest>, Ruling)>, ArchiveError> {
        let found: Option<StoredLeaf> = self.get(Column::Leaves, &key::slot(process, slot))?;
        Ok(found.map(|it| (it.leaf, it.head, it.ruling)))
    }

    /// How a history here ended when it had so many leaves: from the last one with a state root on.
    ///
    /// # Errors
    /// If the store fails or a value is damaged.
    pub fn lead(&self, process: &ProcessId, size: u64) -> Result<Option<Lead>, ArchiveError> {
        let mut leaves = Vec::new();
        for slot in (0..size).rev().take(LEAD_MAX) {
            let at = key::slot(process, Slot(slot));
            let Some(stored) = self.get::<StoredLeaf>(Column::Leaves, &at)? else {
                break;
            };
            leaves.push(stored.leaf);
            if let Some(frontier) = stored.frontier {
                leaves.reverse();
                return Ok(Some(Lead { frontier, leaves }));
            }
        }
        Ok(None)
    }

    /// A result's parts.
    ///
    /// # Errors
    /// If the store fails or the value is damaged.
    pub fn parts(
        &self,
        process: &ProcessId,
        slot: Slot,
    ) -> Result<Option<Vec<ByteBuf>>, ArchiveError> {
        let found: Option<StoredResult> = self.get(Column::Results, &key::slot(process, slot))?;
        Ok(found.map(|it| it.parts))
    }

    /// A result.
    ///
    /// # Errors
    /// If the store fails or the value is damaged.
    pub fn result(
        &self,
        process: &ProcessId,
        slot: Slot,
    ) -> Result<Option<ProcessResult>, ArchiveError> {
        let Some(parts) = self.parts(process, slot)? else {
            return Ok(None);
        };
        let parts: Vec<&[u8]> = parts.iter().map(|it| it.as_slice()).collect();
        match ProcessResult::from_parts(&parts) {
            Some(result) => Ok(Some(result)),
            None => Err(damaged(Column::Results, &"parts do not make a result")),
        }
    }

    /// The slot of a message or of an assignment, if it has one in the log of the process.
    ///
    /// # Errors
    /// If the store fails or the value is damaged.
    pub fn slot_of(
        &self,
        process: &ProcessId,
        message: &ItemId,
    ) -> Result<Option<Slot>, ArchiveError> {
        let found = self
            .store
            .get(Column::Assignments, &key::message(process, message))?;
        found
            .map(|bytes| {
                let bytes = bytes.as_slice().try_into();
                bytes.map(|it| Slot(u64::from_be_bytes(it)))
            })
            .transpose()
            .map_err(|_| damaged(Column::Assignments, &"a slot of another length"))
    }

    /// A claim, as some operator signed it.
    ///
    /// # Errors
    /// If the store fails or the value is damaged.
    pub fn claims(&self, claim: &ClaimId) -> Result<Vec<SignedClaim>, ArchiveError> {
        self.scan(Column::Claims, claim.as_bytes(), 64)
    }

    /// The claims that one claimant committed with one digest.
    ///
    /// # Errors
    /// If the store fails or the value is damaged.
    pub fn batch(
        &self,
        root: &Digest,
        claimant: &Address,
    ) -> Result<Option<ClaimBatch>, ArchiveError> {
        self.get(Column::Meta, &key::batch(root, claimant))
    }

    /// All claims kept, for the start of a node.
    ///
    /// # Errors
    /// If the store fails or a value is damaged.
    pub fn all_claims(&self, limit: usize) -> Result<Vec<SignedClaim>, ArchiveError> {
        self.scan(Column::Claims, &[], limit)
    }

    /// A block.
    ///
    /// # Errors
    /// If the store fails or the value is damaged.
    pub fn block(&self, height: Height) -> Result<Option<Block>, ArchiveError> {
        self.get(Column::Blocks, &height.0.to_be_bytes())
    }

    /// The items with which an operator has registered its keys, one for each pair of them.
    ///
    /// # Errors
    /// If the store fails.
    pub fn registrations(&self, operator: &Address) -> Result<Vec<Vec<u8>>, ArchiveError> {
        let found = self.store.scan(
            Column::Ledger,
            &[],
            operator.as_bytes(),
            REGISTRATIONS_MAX,
            Direction::Forward,
        )?;
        Ok(found.into_iter().map(|(_, item)| item).collect())
    }

    /// The operator that registered a data-item key.
    ///
    /// # Errors
    /// If the store fails or the value is damaged.
    pub fn operator_of(&self, item_key: &Address) -> Result<Option<Address>, ArchiveError> {
        self.store
            .get(Column::Ledger, &key::item_key(item_key))?
            .map(|bytes| {
                Address::try_from(bytes.as_slice()).map_err(|it| damaged(Column::Ledger, &it))
            })
            .transpose()
    }

    /// Makes a batch durable.
    ///
    /// # Errors
    /// If the store fails.
    pub fn write(&self, mut batch: Batch) -> Result<(), ArchiveError> {
        if let Some(index) = &self.index {
            index.extend(&mut batch, self.store.as_ref())?;
        }
        match batch.is_empty() {
            true => Ok(()),
            false => Ok(self.store.write(batch)?),
        }
    }

    fn get<T: Wire>(&self, column: Column, key: &[u8]) -> Result<Option<T>, ArchiveError> {
        self.store
            .get(column, key)?
            .map(|bytes| codec::decode(&bytes).map_err(|it| damaged(column, &it)))
            .transpose()
    }

    fn scan<T: Wire>(
        &self,
        column: Column,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<T>, ArchiveError> {
        let found = self
            .store
            .scan(column, &[], prefix, limit, Direction::Forward)?;
        found
            .iter()
            .map(|(_, bytes)| codec::decode(bytes).map_err(|it| damaged(column, &it)))
            .collect()
    }
}

fn damaged(column: Column, why: &dyn std::fmt::Display) -> ArchiveError {
    ArchiveError::Damaged(column.name(), why.to_string())
}

fn authentic(column: Column, bytes: Vec<u8>) -> Result<Authentic<Item>, ArchiveError> {
    let item = Item::parse(bytes).map_err(|it| damaged(column, &it))?;
    item.authenticate().map_err(|it| damaged(column, &it))
}
