//! What others may ask the ledger.

use std::collections::BTreeSet;
use std::sync::Arc;

use surety_protocol::attested::Segment;
use surety_protocol::bls::PublicKey;
use surety_protocol::id::{Address, BlockId, CaseId, Digest, ItemId, NetworkId, ProcessId};
use surety_protocol::params::Params;
use surety_protocol::stake::Stake;
use surety_protocol::time::Height;
use surety_protocol::validators::ValidatorSet;

use super::{Case, Ledger, Operator, Slashing};

impl Ledger {
    /// The network.
    pub const fn network(&self) -> NetworkId {
        self.network
    }

    /// The parameters.
    pub const fn params(&self) -> &Params {
        &self.params
    }

    /// Who orders blocks.
    pub const fn proposer(&self) -> Address {
        self.proposer
    }

    /// The key of who orders blocks.
    pub const fn proposer_key(&self) -> PublicKey {
        self.proposer_key
    }

    /// The height of the last block.
    pub const fn height(&self) -> Height {
        self.height
    }

    /// The last block.
    pub const fn head(&self) -> BlockId {
        self.head
    }

    /// The randomness after the last block.
    pub fn beacon(&self) -> Digest {
        self.beacons
            .get_max()
            .map(|(_, beacon)| *beacon)
            .unwrap_or_default()
    }

    /// The randomness after a recent block.
    pub fn beacon_at(&self, height: Height) -> Option<&Digest> {
        self.beacons.get(&height)
    }

    /// The validators after a recent block.
    pub fn validators_at(&self, height: Height) -> Option<Arc<ValidatorSet>> {
        if height > self.height {
            return None;
        }
        self.validators
            .get_prev(&height)
            .map(|(_, set)| Arc::clone(set))
    }

    /// The validators now.
    pub fn validators(&self) -> Arc<ValidatorSet> {
        self.validators_at(self.height).unwrap_or_default()
    }

    /// The free balance of an address.
    pub fn balance(&self, address: &Address) -> Stake {
        self.accounts.get(address).copied().unwrap_or_default()
    }

    /// All free balances.
    pub fn accounts(&self) -> impl Iterator<Item = (&Address, &Stake)> {
        self.accounts.iter()
    }

    /// Whether an item has stood in a recent block, whatever came of it.
    pub fn has_seen(&self, item: &ItemId) -> bool {
        self.seen.contains_key(item)
    }

    /// An operator.
    pub fn operator(&self, address: &Address) -> Option<&Operator> {
        self.operators.get(address)
    }

    /// All operators.
    pub fn operators(&self) -> impl Iterator<Item = (&Address, &Operator)> {
        self.operators.iter()
    }

    /// The operator that registered a data-item key.
    pub fn operator_of_item_key(&self, key: &Address) -> Option<Address> {
        self.item_keys.get(key).copied()
    }

    /// Whether an operator's stake counts now.
    pub fn is_active(&self, address: &Address) -> bool {
        self.operators
            .get(address)
            .is_some_and(|it| it.active(&self.params, self.height))
    }

    /// Whether an operator has something to lose for what it says, if only on its way out (rule L-11).
    pub fn answers(&self, address: &Address) -> bool {
        let operator = self.operators.get(address).filter(|it| !it.tombstoned);
        let stake = operator.and_then(|it| it.slashable().ok());
        stake.is_some_and(|it| it >= self.params.bond_min)
    }

    /// Whether a signer is an operator that can lose stake, or its data-item key.
    pub fn acts_for_stake(&self, signer: &Address) -> bool {
        let operator = self.operator_behind(signer);
        operator.is_some_and(|it| self.answers(&it))
    }

    /// Whether a signer can pay for the bond of a challenge.
    pub fn affords_challenge(&self, signer: &Address) -> bool {
        self.balance(signer) >= self.params.challenge_bond
    }

    /// The digest root that a claimant committed at a height.
    pub fn digest_root(&self, height: Height, claimant: Address) -> Option<&Digest> {
        self.digests.get(&(height, claimant))
    }

    /// The longest prefix of a process whose window has closed.
    pub fn settled(&self, process: &ProcessId) -> Option<&Segment> {
        self.settled.get(process)
    }

    /// The certified prefixes of a process whose window is open, ascending.
    pub fn certified(
        &self,
        process: &ProcessId,
    ) -> impl DoubleEndedIterator<Item = &Segment> + use<'_> {
        let all = (*process, 0)..=(*process, u64::MAX);
        self.certified.range(all).map(|(_, segment)| segment)
    }

    /// What is certified of a process, ascending: what is settled, and then what is not.
    pub fn segments(
        &self,
        process: &ProcessId,
    ) -> impl DoubleEndedIterator<Item = &Segment> + use<'_> {
        self.settled(process)
            .into_iter()
            .chain(self.certified(process))
    }

    /// The longest prefix of a process that is certified.
    pub fn latest(&self, process: &ProcessId) -> Option<&Segment> {
        self.segments(process).next_back()
    }

    /// All processes of which something is certified.
    pub fn processes(&self) -> impl Iterator<Item = ProcessId> {
        let settled = self.settled.iter().map(|(process, _)| *process);
        let certified = self.certified.iter().map(|((process, _), _)| *process);
        let all: BTreeSet<ProcessId> = settled.chain(certified).collect();
        all.into_iter()
    }

    /// A case.
    pub fn case(&self, id: &CaseId) -> Option<&Case> {
        self.cases.get(id)
    }

    /// All cases.
    pub fn cases(&self) -> impl Iterator<Item = (&CaseId, &Case)> {
        self.cases.iter()
    }

    /// Everything that was slashed, the first first.
    pub fn slashings(&self) -> Vec<&Slashing> {
        self.slashings.values().collect()
    }

    /// What has burned.
    pub const fn burned(&self) -> Stake {
        self.burned
    }

    /// All stake that exists, burned included.
    pub const fn supply(&self) -> Stake {
        self.supply
    }
}
