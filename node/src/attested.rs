//! Building attested results from what a node keeps: the archive's leaves and results, and the ledger.
//!
//! # Rules
//!
//! - `[AB-1]` The strongest status that the ledger gives the slot is taken: settled, else certified by the earliest segment
//!   that contains it, else claimed by an operator with active stake.
//! - `[AB-2]` The leaves are this node's own. They must give the root that the ledger or the claim names; a node whose
//!   history is another proves nothing.
//! - `[AB-3]` What is built is checked like a client would before it is given away.
//! - `[AB-4]` What has less behind it than was asked for is not given. No more comes to what is recorded; a claim may still be
//!   certified, by more than its claimant.

use serde_bytes::ByteBuf;
use surety_attest::result::root_of_parts;
use surety_protocol::attested::{
    Attestation, AttestedError, AttestedResult, Backing, EntryKey, Segment, Status,
};
use surety_protocol::block::{Checkpoint, Commit};
use surety_protocol::claim::{Leaf, Statement};
use surety_protocol::codec::CodecError;
use surety_protocol::history::History;
use surety_protocol::id::{Address, ClaimId, Digest, ProcessId};
use surety_protocol::merkle::Proof;
use surety_protocol::stake::Stake;
use surety_protocol::time::{Height, Slot};
use surety_slashing::ledger::Ledger;

use crate::archive::{Archive, ArchiveError};

/// Claims that are looked at for one result.
const CLAIMS_READ: usize = 256;
/// Claims of them whose history is compared.
const CLAIMS_TRIED: usize = 16;

/// Why there is no attested result.
#[derive(Debug, thiserror::Error)]
pub enum NotAttested {
    /// The archive failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A part cannot be encoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The result is not here.
    #[error("slot {0} is not evaluated on this node")]
    NotEvaluated(Slot),
    /// The ledger, or the claims here, do not reach as far.
    #[error("slot {slot} is not {least} yet")]
    Less {
        /// The slot.
        slot: Slot,
        /// What was asked for at least.
        least: &'static str,
        /// What there is.
        available: Option<Status>,
    },
    /// Less stands behind it than was asked for (rule AB-4).
    #[error(
        "slot {slot} is {} with {} of stake and {} tickets behind it; asked for are {} of stake and {} tickets",
        status.name(), backing.stake.in_ao(), backing.tickets, wanted.stake.in_ao(), wanted.tickets
    )]
    Backing {
        /// The slot.
        slot: Slot,
        /// How far it has come.
        status: Status,
        /// What stands behind it.
        backing: Backing,
        /// What was asked for.
        wanted: Backing,
    },
    /// The leaves here are not those that the ledger or the claim commits to (rule AB-2).
    #[error("the history on this node is not the one that is {0}")]
    OtherHistory(&'static str),
    /// The block of the ledger is not here.
    #[error("block {0} of the ledger is not here")]
    NoBlock(Height),
    /// What was built does not hold (rule AB-3).
    #[error("it does not hold: {0}")]
    Unsound(#[from] AttestedError),
}

/// What a client that trusts this ledger's last block believes.
pub fn checkpoint(ledger: &Ledger) -> Checkpoint {
    Checkpoint {
        network: ledger.network(),
        height: ledger.height(),
        block: ledger.head(),
        proposer: ledger.proposer(),
        proposer_key: ledger.proposer_key(),
    }
}

/// How far the ledger says that a slot has come, and by which segment (rule AB-1).
pub fn recorded<'a>(
    ledger: &'a Ledger,
    process: &ProcessId,
    slot: Slot,
) -> Option<(Status, &'a Segment)> {
    let contains = |segment: &&Segment| slot.0 < segment.size;
    let settled = ledger.settled(process).filter(contains);
    let certified = || ledger.certified(process).find(contains);
    settled
        .map(|it| (Status::Settled, it))
        .or_else(|| certified().map(|it| (Status::Certified, it)))
}

/// What an attested result has to be at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// How far it has come.
    pub status: Status,
    /// What stands behind it.
    pub backing: Backing,
}

/// The attested result of a slot, which is at least what is wanted. `claims` are claims of the process in the order in which
/// they are to be tried; they are needed only where the ledger records nothing.
///
/// # Errors
/// Why there is none.
pub fn build(
    archive: &Archive,
    ledger: &Ledger,
    process: &ProcessId,
    slot: Slot,
    wanted: Wanted,
    claims: &[ClaimId],
) -> Result<(AttestedResult, Attestation), NotAttested> {
    let least = wanted.status;
    let (Some(leaf), Some(parts)) = (archive.leaf(process, slot)?, archive.parts(process, slot)?)
    else {
        return Err(NotAttested::NotEvaluated(slot));
    };
    let less = |available| NotAttested::Less {
        slot,
        least: least.name(),
        available,
    };
    let height = ledger.height();
    let commit = archive
        .block(height)?
        .map(|it| it.commit)
        .ok_or(NotAttested::NoBlock(height))?;
    let history = History::new();
    let found = Found {
        archive,
        ledger,
        process,
        leaf,
        parts,
        commit,
        history,
    };
    let suffices = |status, backing: Backing| match backing.suffices(wanted.backing) {
        true => Ok(()),
        false => Err(NotAttested::Backing {
            slot,
            status,
            backing,
            wanted: wanted.backing,
        }),
    };
    let recorded = recorded(ledger, process, slot);
    // [AB-4]
    if let Some((status, segment)) = &recorded {
        suffices(*status, segment.backing)?;
    }
    let built = match recorded {
        Some((status, segment)) if status >= least => found.recorded(status, segment)?,
        Some((status, _)) => return Err(less(Some(status))),
        None => match found.claimed(claims, wanted.backing.stake)? {
            Some(built) if least == Status::Claimed => built,
            Some(_) => return Err(less(Some(Status::Claimed))),
            None => return Err(less(None)),
        },
    };
    suffices(built.1.status, built.1.backing)?;
    Ok(built)
}

/// The stake with which an operator stands behind what it claims now, if with any.
pub fn standing(ledger: &Ledger, operator: &Address) -> Option<Stake> {
    let operator = ledger.operator(operator)?;
    let stands = !operator.tombstoned
        && operator.active_from <= ledger.height()
        && operator.bonded > Stake::ZERO;
    stands.then_some(operator.bonded)
}

/// What every attested result of a slot has.
struct Found<'a> {
    archive: &'a Archive,
    ledger: &'a Ledger,
    process: &'a ProcessId,
    leaf: Leaf,
    parts: Vec<ByteBuf>,
    commit: Commit,
    /// The leaves read so far.
    history: History,
}

impl Found<'_> {
    fn recorded(
        mut self,
        status: Status,
        segment: &Segment,
    ) -> Result<(AttestedResult, Attestation), NotAttested> {
        let path = self
            .path(segment.size, &segment.history_root)?
            .ok_or(NotAttested::OtherHistory(status.name()))?;
        let key = match status {
            Status::Settled => EntryKey::Settled(*self.process),
            _ => EntryKey::Certified(*self.process, segment.size),
        };
        self.finish(path, None, &key)
    }

    /// By the first of the claims that this node's history bears out and an active operator stands behind with so much stake, or
    /// else with any.
    fn claimed(
        mut self,
        claims: &[ClaimId],
        enough: Stake,
    ) -> Result<Option<(AttestedResult, Attestation)>, NotAttested> {
        let mut statements = Vec::new();
        for id in claims.iter().take(CLAIMS_READ) {
            let found = self.statement(id)?;
            statements.extend(found.filter(|(_, it)| {
                it.claim.process == *self.process && it.claim.size > self.leaf.slot.0
            }));
        }
        // In their order, but those with enough before the others.
        statements.sort_by_key(|(stake, _)| *stake < enough);
        for (_, statement) in statements.into_iter().take(CLAIMS_TRIED) {
            let claim = &statement.claim;
            if let Some(path) = self.path(claim.size, &claim.history_root)? {
                let key = EntryKey::Operator(statement.claimant);
                return self.finish(path, Some(statement), &key).map(Some);
            }
        }
        Ok(None)
    }

    /// The claim as the operator with the most stake signed it, and that stake.
    fn statement(&self, id: &ClaimId) -> Result<Option<(Stake, Statement)>, NotAttested> {
        let signed = self.archive.claims(id)?.into_iter().map(|it| it.statement);
        let mut backed: Vec<(Stake, Statement)> = signed
            .filter_map(|statement| {
                let stake = standing(self.ledger, &statement.claimant)?;
                let key = &self.ledger.operator(&statement.claimant)?.registration.key;
                statement.signed_by(key).then_some((stake, statement))
            })
            .collect();
        backed.sort_by_key(|(bonded, _)| *bonded);
        Ok(backed.pop())
    }

    /// The leaf's path to a root of so many leaves, if the leaves here give it (rule AB-2).
    fn path(&mut self, size: u64, root: &Digest) -> Result<Option<Proof>, NotAttested> {
        for slot in self.history.size()..size {
            let Some(leaf) = self.archive.leaf(self.process, Slot(slot))? else {
                return Ok(None);
            };
            self.history.append(leaf.digest()?);
        }
        if self.history.root_at(size) != Some(*root) {
            return Ok(None);
        }
        Ok(self.history.prove(self.leaf.slot.0, size))
    }

    fn finish(
        self,
        path: Proof,
        statement: Option<Statement>,
        key: &EntryKey,
    ) -> Result<(AttestedResult, Attestation), NotAttested> {
        let entry = self.ledger.prove_entry(key).ok_or(AttestedError::Entry)?;
        let result = AttestedResult {
            process: *self.process,
            parts: self.parts,
            leaf: self.leaf,
            path,
            statement,
            entry,
            commit: self.commit,
        };
        // [AB-3]
        let attestation = result.check(&checkpoint(self.ledger), root_of_parts)?;
        Ok((result, attestation))
    }
}
