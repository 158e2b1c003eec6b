//! What waits for a block, in the order in which it came.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_bytes::ByteBuf;
use surety_protocol::block::BLOCK_BYTES_MAX;
use surety_protocol::id::{Address, Digest, ItemId, ProcessId};

use crate::ledger::{End, Subject};

/// Items that may wait.
pub const WAITING_MAX: usize = 16_384;
/// Bytes that may wait.
pub const WAITING_BYTES_MAX: usize = 64 << 20;
/// Digests of one claimant that may wait (rule OR-5).
pub const DIGESTS_MAX: usize = 8;
/// Certificates of one process that may wait (rule OR-4).
pub const CERTIFICATES_MAX: usize = 16;
/// Other items of one signer that may wait (rule OR-6).
pub const OTHERS_MAX: usize = 256;
/// Their bytes.
pub const OTHERS_BYTES_MAX: usize = 8 << 20;
/// Bytes that a block needs for an item beside the item's own.
const ITEM_HEAD_BYTES: usize = 5;

#[derive(Debug)]
struct Waiting {
    id: ItemId,
    bytes: Vec<u8>,
    subject: Subject,
}

/// The items that wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    items: VecDeque<Waiting>,
    ids: BTreeSet<ItemId>,
    bytes: usize,
    /// How many digests of a claimant wait.
    digests: BTreeMap<Address, usize>,
    /// How many certificates of a process wait, and where the last of them ends.
    certificates: BTreeMap<ProcessId, (usize, End)>,
    approvals: BTreeSet<Digest>,
    /// How many other items of a signer wait, and their bytes.
    others: BTreeMap<Address, (usize, usize)>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.items.len() < WAITING_MAX && self.bytes.saturating_add(bytes) <= WAITING_BYTES_MAX
    }

    pub(super) fn contains(&self, id: &ItemId) -> bool {
        self.ids.contains(id)
    }

    /// Whether one signer has its share of what waits (rule OR-6).
    pub(super) fn has_share(&self, subject: &Subject, bytes: usize) -> bool {
        let Subject::Other(signer) = subject else {
            return false;
        };
        let (count, before) = self.others.get(signer).copied().unwrap_or_default();
        count >= OTHERS_MAX || before.saturating_add(bytes) > OTHERS_BYTES_MAX
    }

    /// Whether as much of this subject waits as may.
    pub(super) fn has_enough_of(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Digest(claimant) => {
                self.digests.get(claimant).copied().unwrap_or(0) >= DIGESTS_MAX
            }
            Subject::Certificate(process, _) => {
                let waiting = self.certificates.get(process);
                waiting.is_some_and(|(count, _)| *count >= CERTIFICATES_MAX)
            }
            Subject::FalseApprovals(subject) => self.approvals.contains(subject),
            Subject::Other(_) => false,
        }
    }

    /// Where the certificates of this subject's process end that wait.
    pub(super) fn end(&self, subject: &Subject) -> Option<End> {
        let Subject::Certificate(process, _) = subject else {
            return None;
        };
        self.certificates.get(process).map(|(_, end)| *end)
    }

    pub(super) fn push(&mut self, id: ItemId, bytes: Vec<u8>, subject: Subject) {
        match subject {
            Subject::Digest(claimant) => {
                let count = self.digests.entry(claimant).or_default();
                *count = count.saturating_add(1);
            }
            Subject::Certificate(process, end) => {
                let waiting = self.certificates.entry(process).or_insert((0, end));
                *waiting = (waiting.0.saturating_add(1), end);
            }
            Subject::FalseApprovals(subject) => {
                self.approvals.insert(subject);
            }
            Subject::Other(signer) => {
                let (count, before) = self.others.entry(signer).or_default();
                *count = count.saturating_add(1);
                *before = before.saturating_add(bytes.len());
            }
        }
        self.ids.insert(id);
        self.bytes = self.bytes.saturating_add(bytes.len());
        self.items.push_back(Waiting { id, bytes, subject });
    }

    /// Takes out what a block of at most so many items carries.
    pub(super) fn take(&mut self, count: usize) -> Vec<ByteBuf> {
        let (mut items, mut bytes) = (Vec::new(), 0_usize);
        let mut claimants = BTreeSet::new();
        let mut later = Vec::new();
        while items.len() < count {
            let Some(it) = self.items.pop_front() else {
                break;
            };
            // [OR-5]
            if let Subject::Digest(claimant) = it.subject
                && !claimants.insert(claimant)
            {
                later.push(it);
                continue;
            }
            bytes = bytes.saturating_add(block_bytes(&it.bytes));
            if bytes > BLOCK_BYTES_MAX {
                later.push(it);
                break;
            }
            self.forget(&it);
            items.push(ByteBuf::from(it.bytes));
        }
        for it in later.into_iter().rev() {
            self.items.push_front(it);
        }
        items
    }

    fn forget(&mut self, it: &Waiting) {
        self.ids.remove(&it.id);
        self.bytes = self.bytes.saturating_sub(it.bytes.len());
        match &it.subject {
            Subject::Digest(claimant) => {
                if let Some(count) = self.digests.get_mut(claimant) {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        self.digests.remove(claimant);
                    }
                }
            }
            Subject::Certificate(process, _) => {
                if let Some((count, _)) = self.certificates.get_mut(process) {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        self.certificates.remove(process);
                    }
                }
            }
            Subject::FalseApprovals(subject) => {
                self.approvals.remove(subject);
            }
            Subject::Other(signer) => {
                if let Some((count, bytes)) = self.others.get_mut(signer) {
                    *count = count.saturating_sub(1);
                    *bytes = bytes.saturating_sub(it.bytes.len());
                    if *count == 0 {
                        self.others.remove(signer);
                    }
                }
            }
        }
    }
}

/// Bytes that an item takes in a block.
pub(super) const fn block_bytes(item: &[u8]) -> usize {
    item.len().saturating_add(ITEM_HEAD_BYTES)
}
