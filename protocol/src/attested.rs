//! Attested results: a result, and the proof of what stands behind it, for a phone.
//!
//! # Rules
//!
//! - `[AR-1]` The file holds the result's parts, its leaf, the leaf's path to a history root, and either the claimant's
//!   signature (*claimed*) or the ledger entry that recorded the certificate (*certified*, *settled*),
//!   with its path to the state root of a signed block.
//! - `[AR-2]` It is checked with nothing but a trusted checkpoint. A status is believed only if the ledger entry, at that
//!   block, says so.
//! - `[AR-3]` *certified*: this and every earlier leaf is in a certified claim. *settled*: besides, the window to
//!   challenge it has closed.
//! - `[AR-4]` It says how much stood behind it: the claimant's stake where it is only claimed, else what the entry recorded
//!   (rule L-24), which may have been slashed or withdrawn since.

use serde_bytes::ByteBuf;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::block::{Checkpoint, Commit};
use crate::claim::{Leaf, Statement};
use crate::codec::{self, CodecError, Wire};
use crate::hash::{Domain, digest};
use crate::id::{Address, ClaimId, Digest, ProcessId};
use crate::merkle::{KeyedProof, Proof};
use crate::stake::Stake;
use crate::time::{Height, Slot};

/// How far a result has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// A staked compute unit signed it.
    Claimed,
    /// Enough tickets checked it and everything before it.
    Certified,
    /// Its window to be challenged has closed.
    Settled,
}

impl Status {
    /// Its name for people and programs.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Claimed => "claimed",
            Status::Certified => "certified",
            Status::Settled => "settled",
        }
    }
}

/// What stood behind a result when it was claimed or certified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize_tuple, Deserialize_tuple)]
pub struct Backing {
    /// Stake of the claimant, and of whoever approved.
    pub stake: Stake,
    /// Tickets that approved.
    pub tickets: u64,
}

impl Backing {
    /// What stands behind two things that depend on each other: the lesser of each.
    pub fn least(self, other: Backing) -> Backing {
        Backing {
            stake: self.stake.min(other.stake),
            tickets: self.tickets.min(other.tickets),
        }
    }

    /// Whether it is at least as much, of either.
    pub fn suffices(self, wanted: Backing) -> bool {
        self.stake >= wanted.stake && self.tickets >= wanted.tickets
    }
}

/// A certified prefix of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Segment {
    /// Leaves in it.
    pub size: u64,
    /// Their root.
    pub history_root: Digest,
    /// The claim that reached it.
    pub claim: ClaimId,
    /// The block that recorded the certificate.
    pub certified: Height,
    /// What stands behind every leaf in it (rule L-24).
    pub backing: Backing,
}

impl Wire for Segment {
    const KIND: u8 = 40;
    const VERSION: u8 = 2;
    const BYTES_MAX: usize = 1024;
}

/// The ledger's entry of an operator, as far as anybody outside needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct OperatorEntry {
    /// The registered hot key.
    pub key: crate::bls::PublicKey,
    /// The address of the registered data-item key.
    pub item_key: Address,
    /// The libp2p peer id, as bytes.
    pub peer: ByteBuf,
    /// Stake that can be slashed.
    pub bonded: Stake,
    /// From when the stake counts.
    pub active_from: Height,
    /// Slashed stake, held until the correlation window closes.
    pub escrow: Stake,
    /// Whether it was proven to have lied, and is out for good.
    pub tombstoned: bool,
}

impl Wire for OperatorEntry {
    const KIND: u8 = 41;
    const BYTES_MAX: usize = 1024;
}

/// The key of an entry in the ledger's state.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKey {
    /// A balance.
    Account(Address),
    /// An operator.
    Operator(Address),
    /// The longest prefix of a process whose window has closed.
    Settled(ProcessId),
    /// The certified prefix of a process with so many leaves, whose window is open.
    Certified(ProcessId, u64),
    /// What concerns nobody but the ledger: its class there, and its name.
    Other(u8, Vec<u8>),
}

impl EntryKey {
    /// The class, one byte, and the name in it.
    fn name(&self) -> (u8, Vec<u8>) {
        match self {
            EntryKey::Account(address) => (1, address.as_bytes().to_vec()),
            EntryKey::Operator(address) => (2, address.as_bytes().to_vec()),
            EntryKey::Settled(process) => (3, process.as_bytes().to_vec()),
            EntryKey::Certified(process, size) => {
                (4, [&process.as_bytes()[..], &size.to_be_bytes()].concat())
            }
            EntryKey::Other(class, name) => (*class, name.clone()),
        }
    }

    /// Its place in the state (rules M-6, L-40).
    pub fn place(&self) -> Digest {
        let (class, name) = self.name();
        digest(Domain::LEDGER_PLACE, &[&[class], &name])
    }
}

/// The leaf of a ledger entry.
pub fn entry_leaf(key: &EntryKey, value: &[u8]) -> Digest {
    let (class, name) = key.name();
    digest(Domain::LEDGER_ENTRY, &[&[class], &name, value])
}

/// Proof of one ledger entry: its canonical bytes and the path to the state root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct EntryProof {
    /// The entry.
    pub value: ByteBuf,
    /// The path.
    pub path: KeyedProof,
}

impl EntryProof {
    /// Whether this is what a key has in the state with this root.
    pub fn verify(&self, key: &EntryKey, root: &Digest) -> bool {
        let leaf = entry_leaf(key, &self.value);
        self.path.verify(&key.place(), &leaf, root)
    }
}

/// An attested result (rule AR-1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct AttestedResult {
    /// The process.
    pub process: ProcessId,
    /// The result's parts, in their order.
    pub parts: Vec<ByteBuf>,
    /// The leaf that commits to them.
    pub leaf: Leaf,
    /// The leaf's path to the history root.
    pub path: Proof,
    /// The claim, where nothing more than a claim stands behind the result.
    pub statement: Option<Statement>,
    /// The entry: the prefix that is settled or certified, or else the claimant's.
    pub entry: EntryProof,
    /// The block in whose state the entry is.
    pub commit: Commit,
}

impl Wire for AttestedResult {
    const KIND: u8 = 42;
    const VERSION: u8 = 2;
    const BYTES_MAX: usize = 16 << 20;
}

/// What a valid attested result says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    /// How far it has come.
    pub status: Status,
    /// The slot.
    pub slot: Slot,
    /// The height at which the ledger said so.
    pub height: Height,
    /// The claimant, where it is only claimed.
    pub claimant: Option<Address>,
    /// What stands behind it (rule AR-4).
    pub backing: Backing,
}

/// Why an attested result is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttestedError {
    /// A part is not canonical.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The block is of another network, older than the checkpoint, or contradicts it.
    #[error("the block is not one that the checkpoint vouches for")]
    Checkpoint,
    /// The block is not signed by the proposer that the checkpoint names.
    #[error("the block's signature does not verify")]
    Commit,
    /// The parts are not those that the leaf commits to.
    #[error("the result is not the one that the leaf commits to")]
    Result,
    /// The leaf is not in the history.
    #[error("the leaf is not in the history")]
    Leaf,
    /// The entry is not in the ledger's state.
    #[error("the entry is not in the ledger's state")]
    Entry,
    /// The claimant is not an active operator, or did not sign.
    #[error("no active operator stands behind the claim")]
    Claimant,
}

impl AttestedResult {
    /// Checks everything against a trusted checkpoint; `result_root` computes the root of the parts.
    ///
    /// # Errors
    /// The first rule that the file breaks.
    pub fn check(
        &self,
        checkpoint: &Checkpoint,
        result_root: impl Fn(&[ByteBuf]) -> Digest,
    ) -> Result<Attestation, AttestedError> {
        let header = &self.commit.header;
        if header.network != checkpoint.network
            || header.proposer != checkpoint.proposer
            || header.height < checkpoint.height
            || (header.height == checkpoint.height && header.id()? != checkpoint.block)
        {
            return Err(AttestedError::Checkpoint);
        }
        if !self.commit.signed_by(&checkpoint.proposer_key) {
            return Err(AttestedError::Commit);
        }
        if result_root(&self.parts) != self.leaf.result_root {
            return Err(AttestedError::Result);
        }
        let slot = self.leaf.slot;
        let height = header.height;
        match &self.statement {
            Some(statement) => {
                let key = EntryKey::Operator(statement.claimant);
                let operator: OperatorEntry = self.entry(&key)?;
                self.in_history(statement.claim.size, &statement.claim.history_root)?;
                if statement.claim.process != self.process
                    || statement.claim.network != header.network
                    || operator.tombstoned
                    || operator.active_from > height
                    || operator.bonded == Stake::ZERO
                    || !statement.signed_by(&operator.key)
                {
                    return Err(AttestedError::Claimant);
                }
                Ok(Attestation {
                    status: Status::Claimed,
                    slot,
                    height,
                    claimant: Some(statement.claimant),
                    backing: Backing {
                        stake: operator.bonded,
                        tickets: 0,
                    },
                })
            }
            None => {
                let certified = EntryKey::Certified(self.process, self.path.size);
                let status = match self.holds(&EntryKey::Settled(self.process)) {
                    true => Status::Settled,
                    false if self.holds(&certified) => Status::Certified,
                    false => return Err(AttestedError::Entry),
                };
                let segment: Segment = codec::decode(&self.entry.value)?;
                self.in_history(segment.size, &segment.history_root)?;
                Ok(Attestation {
                    status,
                    slot,
                    height,
                    claimant: None,
                    backing: segment.backing,
                })
            }
        }
    }

    fn in_history(&self, size: u64, root: &Digest) -> Result<(), AttestedError> {
        let placed = self.path.size == size && self.path.index == self.leaf.slot.0;
        if placed && self.path.verify(&self.leaf.digest()?, root) {
            Ok(())
        } else {
            Err(AttestedError::Leaf)
        }
    }

    fn holds(&self, key: &EntryKey) -> bool {
        self.entry.verify(key, &self.commit.header.state_root)
    }

    fn entry<T: Wire>(&self, key: &EntryKey) -> Result<T, AttestedError> {
        match self.holds(key) {
            true => Ok(codec::decode(&self.entry.value)?),
            false => Err(AttestedError::Entry),
        }
    }
}
