//! What waits for a block, in the order in which it came.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_bytes::ByteBuf;
use surety_protocol::block::BLOCK_BYTES_MAX;
use surety_protocol::id::{Address, Digest, ItemId, ProcessId};

use crate::ledger::{End, Subject};

/// Items that may wait in one line.
pub const WAITING_MAX: usize = 8_192;
/// Bytes that may wait in one line.
pub const WAITING_BYTES_MAX: usize = 32 << 20;
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

/// An item that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) id: ItemId,
    pub(super) bytes: Vec<u8>,
    pub(super) subject: Subject,
}

/// Which line an item waits in (rule OR-7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Line {
    /// Of operators who can lose stake, and of what was verified when it came.
    Staked,
    /// One challenge of each of those who can pay for its bond.
    Challenges,
    /// Everything else.
    Others,
}

impl Line {
    /// In the order in which blocks are filled, but for what they begin with.
    pub(super) const ALL: [Line; 3] = [Line::Staked, Line::Challenges, Line::Others];
}

/// Items in the order in which they came.
#[derive(Debug, Default)]
struct Items {
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

/// What a block is to carry.
#[derive(Debug, Default)]
struct Taken {
    items: Vec<ByteBuf>,
    bytes: usize,
    claimants: BTreeSet<Address>,
}

/// The items that wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    lines: BTreeMap<Line, Items>,
    /// How many blocks have been filled.
    blocks: usize,
    ids: BTreeSet<ItemId>,
    /// Whose challenges wait in their line.
    challengers: BTreeSet<Address>,
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
        self.ids.len()
    }

    pub(super) fn has_room(&self, line: Line, bytes: usize) -> bool {
        self.lines.get(&line).is_none_or(|items| {
            let bytes = items.bytes.saturating_add(bytes);
            items.waiting.len() < WAITING_MAX && bytes <= WAITING_BYTES_MAX
        })
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

    /// Whether a challenge of somebody waits in the line for them.
    pub(super) fn has_challenge_of(&self, signer: &Address) -> bool {
        self.challengers.contains(signer)
    }

    pub(super) fn push(&mut self, line: Line, it: Waiting) {
        let Waiting { id, bytes, subject } = it;
        if let (Line::Challenges, Subject::Other(signer)) = (line, &subject) {
            self.challengers.insert(*signer);
        }
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
        let items = self.lines.entry(line).or_default();
        items.bytes = items.bytes.saturating_add(bytes.len());
        items.waiting.push_back(Waiting { id, bytes, subject });
    }

    /// Takes out what a block of at most so many items carries (rule OR-7).
    pub(super) fn take(&mut self, count: usize) -> Vec<ByteBuf> {
        let mut taken = Taken::default();
        let first = self.blocks.checked_rem(Line::ALL.len());
        self.blocks = self.blocks.wrapping_add(1);
        if let Some(line) = first.and_then(|it| Line::ALL.get(it)) {
            self.fill(&mut taken, *line, count / 2, BLOCK_BYTES_MAX / 2);
        }
        for line in Line::ALL {
            self.fill(&mut taken, line, count, BLOCK_BYTES_MAX);
        }
        taken.items
    }

    /// Adds from a line as long as a block has no more items and bytes than this, or only one item.
    fn fill(&mut self, taken: &mut Taken, line: Line, count: usize, bytes_max: usize) {
        let mut later = Vec::new();
        while taken.items.len() < count.max(1) {
            let items = self.lines.get_mut(&line);
            let Some(it) = items.and_then(|it| it.waiting.pop_front()) else {
                break;
            };
            let bytes = taken.bytes.saturating_add(block_bytes(&it.bytes));
            if bytes > bytes_max && !taken.items.is_empty() {
                later.push(it);
                break;
            }
            // [OR-5]
            if let Subject::Digest(claimant) = it.subject
                && !taken.claimants.insert(claimant)
            {
                later.push(it);
                continue;
            }
            taken.bytes = bytes;
            self.forget(line, &it);
            taken.items.push(ByteBuf::from(it.bytes));
        }
        let items = self.lines.entry(line).or_default();
        for it in later.into_iter().rev() {
            items.waiting.push_front(it);
        }
    }

    fn forget(&mut self, line: Line, it: &Waiting) {
        self.ids.remove(&it.id);
        if let (Line::Challenges, Subject::Other(signer)) = (line, &it.subject) {
            self.challengers.remove(signer);
        }
        if let Some(items) = self.lines.get_mut(&line) {
            items.bytes = items.bytes.saturating_sub(it.bytes.len());
        }
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
