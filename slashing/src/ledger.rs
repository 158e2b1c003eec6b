//! The stake ledger: a pure state machine fed with blocks of ANS-104 items.
//!
//! # Rules
//!
//! - `[L-1]` The state after a block is a function of the state before and the block. An item that is refused
//!   changes nothing and does not make the block invalid.
//! - `[L-2]` A block is applied whole or not at all: parent, height, proposer, signature, items root, beacon and the
//!   state root after it must be right.
//! - `[L-3]` Conservation: balances, bonded, unbonding and escrowed stake, locked bonds and what has burned always
//!   sum to the genesis supply. A block after which they do not is refused.
//! - `[L-4]` An item's id counts once; an item whose `Expires` has passed, or lies too far ahead, is refused.
//! - `[L-5]` Everything is measured in heights.

mod action;
mod bond;
mod case;
mod certify;
mod entries;
mod entry;
mod false_approval;
mod penalty;
mod profile;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use surety_protocol::attested::Segment;
use surety_protocol::block::{self, Block, Commit, Genesis, next_beacon};
use surety_protocol::bls::{self, PublicKey, SignedDigest};
use surety_protocol::codec::CodecError;
use surety_protocol::id::{
    Address, BlockId, CaseId, ClaimId, Digest, EvidenceId, ItemId, NetworkId, ProcessId,
};
use surety_protocol::merkle::KeyedTree;
use surety_protocol::params::Params;
use surety_protocol::profiles::{Activation, Profiles};
use surety_protocol::stake::{AmountError, Fraction, Stake};
use surety_protocol::time::{Height, Slot};
use surety_protocol::validators::ValidatorSet;

pub use action::{Admissible, End, ItemRefused, Subject};
pub use bond::{Operator, Unbonding};
pub use case::{Case, CaseState};
use entries::Entries;
pub use penalty::Slashing;

/// Heights whose beacon and validator set are kept, and so the age at which a claim can still be certified.
pub const RECENT_HEIGHTS: u64 = 4096;

/// The ledger at one height.
#[derive(Debug, Clone)]
pub struct Ledger {
    network: NetworkId,
    params: Params,
    profiles: Arc<Profiles>,
    /// Which profile each operator wants next.
    votes: BTreeMap<Address, Activation>,
    proposer: Address,
    proposer_key: PublicKey,
    supply: Stake,
    height: Height,
    head: BlockId,
    beacons: OrdMap<Height, Digest>,
    validators: OrdMap<Height, Arc<ValidatorSet>>,
    accounts: Entries<Address, Stake>,
    operators: Entries<Address, Operator>,
    item_keys: Entries<Address, Address>,
    digests: Entries<(Height, Address), Digest>,
    /// Of each process the longest prefix whose window has closed.
    settled: Entries<ProcessId, Segment>,
    /// The certified prefixes whose window is open, by their sizes.
    certified: Entries<(ProcessId, u64), Segment>,
    /// When the window of a process' certificate closes.
    closing: OrdSet<(Height, ProcessId)>,
    approvers: Entries<ClaimId, certify::Approvers>,
    cases: Entries<CaseId, Case>,
    offences: Entries<(Address, u8, ProcessId, Slot), ()>,
    /// What was taken, by its number.
    slashings: Entries<u64, Slashing>,
    /// When the escrow of something that was taken ends.
    releasing: OrdSet<(Height, u64)>,
    seen: Entries<ItemId, Height>,
    /// When an item need not be remembered any more.
    expiring: OrdSet<(Height, ItemId)>,
    burned: Stake,
    state: KeyedTree,
}

/// What a block did, for the machines beside the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerEvent {
    /// An item was refused.
    Refused {
        /// Which.
        item: ItemId,
        /// Why.
        reason: ItemRefused,
    },
    /// An operator registered or its stake changed.
    Operator(Address),
    /// A claimant committed a batch of claims.
    Committed {
        /// Who.
        claimant: Address,
        /// Where.
        height: Height,
        /// The digest root.
        root: Digest,
    },
    /// A claim was certified.
    Certified {
        /// The process.
        process: ProcessId,
        /// The claim.
        claim: ClaimId,
        /// Leaves that are certified now.
        size: u64,
    },
    /// A case was opened; validators are to judge it.
    Opened {
        /// The case.
        case: CaseId,
        /// Its evidence.
        evidence: EvidenceId,
    },
    /// A case was closed.
    Closed {
        /// The case.
        case: CaseId,
        /// Its evidence.
        evidence: EvidenceId,
        /// How.
        state: CaseState,
    },
    /// Stake moved to escrow.
    Slashed(Slashing),
    /// The operators added a profile.
    Profile(Activation),
}

/// Why a block is not the next one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// Not canonical.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Another network, height or parent.
    #[error("block {got} does not follow block {head}")]
    NotNext {
        /// The height that came.
        got: Height,
        /// The height that the ledger has.
        head: Height,
    },
    /// Not by the proposer, or not signed by it.
    #[error("block is not signed by the proposer")]
    Signature,
    /// The items are not those of the header, or too many.
    #[error("items do not fit the header")]
    Items,
    /// The beacon is not the proposer's unique signature.
    #[error("beacon does not verify")]
    Beacon,
    /// The state after the items is another.
    #[error("the state after the block is not the one in its header")]
    State,
    /// Stake was made or lost (rule L-3).
    #[error("stake is not conserved")]
    Conservation,
    /// An amount left its range.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// The genesis contradicts itself.
    #[error("the genesis is not sound")]
    Genesis,
}

impl BlockError {
    /// Whether the proposer signed the block, and its state is another than the one here.
    pub const fn is_divergence(&self) -> bool {
        matches!(
            self,
            BlockError::State | BlockError::Conservation | BlockError::Amount(_)
        )
    }
}

impl Ledger {
    /// The ledger at height 0.
    ///
    /// # Errors
    /// If the genesis is not sound.
    pub fn new(genesis: &Genesis) -> Result<Ledger, BlockError> {
        let ascending = genesis.balances.windows(2).all(|pair| match pair {
            [(a, _), (b, _)] => a < b,
            _ => true,
        });
        if !genesis.params.sound() || !ascending {
            return Err(BlockError::Genesis);
        }
        let network = genesis.id()?;
        let mut supply = Stake::ZERO;
        for (_, balance) in &genesis.balances {
            supply = supply.plus(*balance)?;
        }
        // No share of the supply, nor of a part of it, may leave the range of an amount.
        supply.share(genesis.params.penalty)?;
        supply.share(genesis.params.reward)?;
        supply.exceeds(Fraction::TWO_THIRDS, supply)?;
        // The first beacon is the network's id: the proposer's signature makes the next unpredictable.
        let beacons = OrdMap::unit(Height(0), Digest::new(*network.as_bytes()));
        let mut ledger = Ledger {
            network,
            params: genesis.params.clone(),
            profiles: Arc::new(genesis.profiles.clone()),
            votes: BTreeMap::new(),
            proposer: genesis.proposer,
            proposer_key: genesis.proposer_key,
            supply,
            height: Height(0),
            head: BlockId::new(*network.as_bytes()),
            beacons,
            validators: OrdMap::unit(Height(0), Arc::default()),
            accounts: genesis.balances.iter().copied().collect(),
            operators: Entries::default(),
            item_keys: Entries::default(),
            digests: Entries::default(),
            settled: Entries::default(),
            certified: Entries::default(),
            closing: OrdSet::new(),
            approvers: Entries::default(),
            cases: Entries::default(),
            offences: Entries::default(),
            slashings: Entries::default(),
            releasing: OrdSet::new(),
            seen: Entries::default(),
            expiring: OrdSet::new(),
            burned: Stake::ZERO,
            state: KeyedTree::default(),
        };
        ledger.commit_state();
        Ok(ledger)
    }

    /// Applies the next block, whole or not at all (rule L-2).
    ///
    /// # Errors
    /// Why it is not the next block; the ledger is unchanged then.
    pub fn apply(&mut self, block: &Block) -> Result<Vec<LedgerEvent>, BlockError> {
        let header = &block.commit.header;
        if header.network != self.network
            || header.height != self.height.next()
            || header.parent != self.head
        {
            return Err(BlockError::NotNext {
                got: header.height,
                head: self.height,
            });
        }
        let before = self.beacon();
        self.check_proposer(&before, &block.commit)?;
        let count = u64::try_from(block.items.len()).unwrap_or(u64::MAX);
        let items = block.items.iter().map(|item| item.as_slice());
        if count > self.params.block_items_max || block::items_root(items) != header.items_root {
            return Err(BlockError::Items);
        }
        let mut next = self.clone();
        let beacon = next_beacon(&before, &header.beacon);
        let items = block.items.iter().map(|item| item.as_slice());
        let events = next.advance(header.height, beacon, items)?;
        if next.state_root() != header.state_root {
            return Err(BlockError::State);
        }
        next.head = header.id()?;
        *self = next;
        Ok(events)
    }

    /// Checks what the proposer signed of a block that follows this beacon, both signatures at once.
    fn check_proposer(&self, before: &Digest, commit: &Commit) -> Result<(), BlockError> {
        let header = &commit.header;
        if header.proposer != self.proposer {
            return Err(BlockError::Signature);
        }
        let drawn = SignedDigest {
            key: self.proposer_key,
            digest: block::beacon_digest(before, header.height),
            signature: header.beacon,
        };
        let batch = [commit.signed(&self.proposer_key)?, drawn];
        // Everybody has to judge alike, so the batch is weighed with nothing that others do not know.
        if bls::verify_batch(&batch, before) {
            return Ok(());
        }
        match batch.iter().position(|it| !it.holds()) {
            None => Ok(()),
            Some(0) => Err(BlockError::Signature),
            Some(_) => Err(BlockError::Beacon),
        }
    }

    /// What the state will be after the items: how a proposer fills a header.
    ///
    /// # Errors
    /// If the items break conservation or an amount's range.
    pub fn preview<'a>(
        &self,
        beacon: Digest,
        items: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Digest, BlockError> {
        let mut next = self.clone();
        next.advance(self.height.next(), beacon, items)?;
        Ok(next.state_root())
    }

    fn advance<'a>(
        &mut self,
        height: Height,
        beacon: Digest,
        items: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Vec<LedgerEvent>, BlockError> {
        self.height = height;
        self.beacons.insert(height, beacon);
        let mut events = Vec::new();
        for item in items {
            self.item(item, &mut events)?;
        }
        self.close_cases(&mut events)?;
        self.release_escrow()?;
        self.settle();
        self.snapshot_validators();
        self.forget();
        self.conserved()?;
        self.commit_state();
        Ok(events)
    }

    /// Drops what is too old to matter.
    fn forget(&mut self) {
        let height = self.height;
        while let Some((expires, item)) = self.expiring.get_min().copied()
            && expires < height
        {
            self.expiring.remove(&(expires, item));
            self.seen.remove(&item);
        }
        let oldest = height.minus(RECENT_HEIGHTS);
        while let Some((at, _)) = self.beacons.get_min().copied()
            && at < oldest
        {
            self.beacons.remove(&at);
        }
        while let Some(first) = self.digests.first_key().copied()
            && first.0 < oldest
        {
            self.digests.remove(&first);
        }
        // The set at the oldest height is the last one snapshot at or before it.
        let base = self.validators.get_prev(&oldest).map(|(at, _)| *at);
        while let Some(at) = self.validators.get_min().map(|(at, _)| *at)
            && base.is_some_and(|base| at < base)
        {
            self.validators.remove(&at);
        }
    }

    /// Checks rule L-3.
    fn conserved(&self) -> Result<(), BlockError> {
        let mut total = self.burned;
        for balance in self.accounts.values() {
            total = total.plus(*balance)?;
        }
        for operator in self.operators.values() {
            total = total.plus(operator.total()?)?;
        }
        for case in self.cases.values() {
            total = total.plus(case.bond)?;
        }
        if total == self.supply {
            Ok(())
        } else {
            Err(BlockError::Conservation)
        }
    }
}
