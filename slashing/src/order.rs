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
//! - `[OR-4]` What makes everybody verify many signatures is verified when it comes. Of the same false approvals one waits at
//!   most, of certificates of one process [`CERTIFICATES_MAX`], each of which continues the one before. Who made the proposer
//!   verify forged ones is heard of no more of them before the next block.
//! - `[OR-6]` Of what else one signer sends [`OTHERS_MAX`] items wait at most, of [`OTHERS_BYTES_MAX`] bytes together: nobody
//!   alone takes the room of all.
//! - `[OR-7]` There are three lines, each with room of its own: for what operators with stake send, and certificates and false
//!   approvals of whomever; for challenges, one of each who can pay for its bond; and for the rest. Blocks begin with them in
//!   turn, for half a block or one item, and are filled in that order. So nobody keeps digests, certificates and challenges out of
//!   blocks by accounts that cost nothing, and a challenge that delays others has to be paid for.
//! - `[OR-5]` Of one claimant's digests a block carries one ([L-20]); at most [`DIGESTS_MAX`] wait for the next blocks.

mod queue;

use std::collections::BTreeSet;

use surety_protocol::block::{
    BLOCK_BYTES_MAX, Block, Commit, Header, beacon_digest, items_root, next_beacon,
};
use surety_protocol::bls::SecretKey;
use surety_protocol::certificate::CertificateError;
use surety_protocol::id::{Address, ItemId};

use crate::ledger::{BlockError, ItemRefused, Ledger};

pub use queue::{
    CERTIFICATES_MAX, DIGESTS_MAX, OTHERS_BYTES_MAX, OTHERS_MAX, WAITING_BYTES_MAX, WAITING_MAX,
};
use queue::{Line, Queue, Waiting, block_bytes};

/// Orders the items of blocks.
#[derive(Debug, Default)]
pub struct Proposer {
    waiting: Queue,
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
        let room = |line| self.waiting.has_room(line, bytes.len());
        if !Line::ALL.into_iter().any(room) {
            return Err(NotQueued::Full);
        }
        let item = ledger.admissible(&bytes)?;
        let (id, signer) = (item.id, item.signer);
        // [OR-7]
        let challenges = item.challenges() && ledger.affords_challenge(&signer);
        let line = match ledger.acts_for_stake(&signer) || item.costly() {
            true => Line::Staked,
            false if challenges && !self.waiting.has_challenge_of(&signer) => Line::Challenges,
            false => Line::Others,
        };
        if !room(line) {
            return Err(NotQueued::Full);
        }
        let subject = ledger.subject(&item);
        if self.waiting.contains(&id) || self.waiting.has_enough_of(&subject) {
            return Err(NotQueued::Waiting);
        }
        if self.waiting.has_share(&subject, bytes.len()) {
            return Err(NotQueued::Full);
        }
        // [OR-4]
        if item.costly() {
            if self.forgers.contains(&signer) {
                return Err(NotQueued::Full);
            }
            let worth = ledger.worth(&item, self.waiting.end(&subject));
            if worth.as_ref().is_err_and(forged) {
                self.forgers.insert(signer);
            }
            worth?;
        }
        self.waiting.push(line, Waiting { id, bytes, subject });
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
        let count = usize::try_from(ledger.params().block_items_max).unwrap_or(usize::MAX);
        let items = self.waiting.take(count);
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
