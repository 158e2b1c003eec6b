//! Ordering: which items stand in which block.
//!
//! # Rules
//!
//! - `[OR-1]` One fixed proposer, named in the genesis, orders items; everybody checks what it orders. It can delay an
//!   item and stop the ledger; it cannot make stake, change an outcome or choose the randomness. Replicated
//!   ordering takes this module's place without touching the ledger.
//! - `[OR-2]` The waiting items are bounded in number and bytes, each fits a block and was admissible when it came; what is
//!   refused is refused with its reason.
//! - `[OR-3]` A proposer never signs two blocks of one height: the block is durable before it is sent, and a restarted
//!   proposer continues from its last durable block.
//! - `[OR-4]` Of certificates of one process, and of the same false approvals, one waits at most: it was verified when it came. Who
//!   made the proposer verify forged ones is heard of no more of them before the next block.

use std::collections::{BTreeSet, VecDeque};

use serde_bytes::ByteBuf;
use surety_protocol::block::{
    BLOCK_BYTES_MAX, Block, Commit, Header, beacon_digest, items_root, next_beacon,
};
use surety_protocol::bls::SecretKey;
use surety_protocol::certificate::CertificateError;
use surety_protocol::id::{Address, Digest, ItemId};

use crate::ledger::{BlockError, ItemRefused, Ledger};

/// Items that may wait.
pub const WAITING_MAX: usize = 16_384;
/// Bytes that may wait.
pub const WAITING_BYTES_MAX: usize = 64 << 20;
/// Bytes that a block needs for an item beside the item's own.
const ITEM_HEAD_BYTES: usize = 5;

/// The items that wait for a block.
#[derive(Debug, Default)]
pub struct Proposer {
    waiting: VecDeque<(ItemId, Vec<u8>, Option<Digest>)>,
    known: BTreeSet<ItemId>,
    bytes: usize,
    /// What the costly ones among them are about.
    subjects: BTreeSet<Digest>,
    /// Who made it verify forged signatures since the last block.
    forgers: BTreeSet<Address>,
}

/// Why an item does not wait for a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotQueued {
    /// The ledger would refuse it.
    #[error(transparent)]
    Refused(#[from] ItemRefused),
    /// No block has room for it.
    #[error("{bytes} bytes, more than fit a block")]
    TooLarge {
        /// Bytes of the item.
        bytes: usize,
    },
    /// It waits already.
    #[error("already waiting")]
    Waiting,
    /// Too many wait.
    #[error("too many items wait for a block")]
    Full,
}

impl Proposer {
    /// Takes an item that is admissible now (rule OR-2).
    ///
    /// # Errors
    /// Why it does not wait.
    pub fn submit(&mut self, ledger: &Ledger, bytes: Vec<u8>) -> Result<ItemId, NotQueued> {
        // Else it would stand before all others for good.
        if block_bytes(&bytes) > BLOCK_BYTES_MAX {
            return Err(NotQueued::TooLarge { bytes: bytes.len() });
        }
        if self.waiting.len() >= WAITING_MAX
            || self.bytes.saturating_add(bytes.len()) > WAITING_BYTES_MAX
        {
            return Err(NotQueued::Full);
        }
        let item = ledger.admissible(&bytes)?;
        let (id, signer) = (item.id, item.signer);
        if self.known.contains(&id) {
            return Err(NotQueued::Waiting);
        }
        // [OR-4]
        let subject = item.costly();
        if let Some(subject) = &subject {
            if self.subjects.contains(subject) {
                return Err(NotQueued::Waiting);
            }
            if self.forgers.contains(&signer) {
                return Err(NotQueued::Full);
            }
        }
        if let Err(refused) = ledger.worth(&item) {
            if forged(&refused) {
                self.forgers.insert(signer);
            }
            return Err(refused.into());
        }
        self.subjects.extend(subject);
        self.known.insert(id);
        self.bytes = self.bytes.saturating_add(bytes.len());
        self.waiting.push_back((id, bytes, subject));
        Ok(id)
    }

    /// How many items wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Makes the next block of what waits.
    ///
    /// # Errors
    /// If the ledger refuses its own next state, which is a broken invariant.
    pub fn propose(&mut self, ledger: &Ledger, key: &SecretKey) -> Result<Block, BlockError> {
        self.forgers.clear();
        let height = ledger.height().next();
        let beacon = key.sign(&beacon_digest(&ledger.beacon(), height));
        let items = self.take(ledger);
        let after = next_beacon(&ledger.beacon(), &beacon);
        let state_root = ledger.preview(after, items.iter().map(|item| item.as_slice()))?;
        let header = Header {
            network: ledger.network(),
            height,
            parent: ledger.head(),
            items_root: items_root(items.iter().map(|item| item.as_slice())),
            state_root,
            beacon,
            proposer: ledger.proposer(),
        };
        Ok(Block {
            commit: Commit::sign(header, key)?,
            items,
        })
    }

    fn take(&mut self, ledger: &Ledger) -> Vec<ByteBuf> {
        let count = usize::try_from(ledger.params().block_items_max).unwrap_or(usize::MAX);
        let mut items = Vec::new();
        let mut bytes = 0_usize;
        while items.len() < count {
            let Some((_, item, _)) = self.waiting.front() else {
                break;
            };
            bytes = bytes.saturating_add(block_bytes(item));
            if bytes > BLOCK_BYTES_MAX {
                break;
            }
            if let Some((id, item, subject)) = self.waiting.pop_front() {
                self.known.remove(&id);
                if let Some(subject) = subject {
                    self.subjects.remove(&subject);
                }
                self.bytes = self.bytes.saturating_sub(item.len());
                items.push(ByteBuf::from(item));
            }
        }
        items
    }
}

/// Whether something cost many verifications and was refused for a signature in it.
const fn forged(refused: &ItemRefused) -> bool {
    use CertificateError::{Signature, Sortition};
    // A claimant may have replaced its key meanwhile, which is nobody else's fault.
    matches!(
        refused,
        ItemRefused::Certificate(Sortition(_) | Signature) | ItemRefused::Forged
    )
}

/// Bytes that an item takes in a block.
const fn block_bytes(item: &[u8]) -> usize {
    item.len().saturating_add(ITEM_HEAD_BYTES)
}
