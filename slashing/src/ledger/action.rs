//! One item of a block: who may do what.
//!
//! # Rules
//!
//! - `[L-6]` What makes everybody verify many signatures, a certificate or false approvals, is signed by an operator with active
//!   stake or by somebody who has the bond of a challenge; the proposer verifies it before it orders it.
//! - `[L-7]` Whoever signs an item has a balance, or is an operator or its data-item key. Who has nothing has nothing to say: it would
//!   cost nothing to say it to everybody.

use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::{Address, Digest, ItemId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::origin::{Action, ActionError};
use surety_protocol::stake::Stake;
use surety_protocol::time::Height;

use super::{BlockError, Ledger, LedgerEvent};
use crate::evidence::Refused;

/// Why an item changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ItemRefused {
    /// Not a well-formed data item, or its signature does not verify.
    #[error("not an authentic data item")]
    Item,
    /// Not an action.
    #[error(transparent)]
    Action(#[from] ActionError),
    /// Seen before.
    #[error("already on the ledger")]
    Seen,
    /// Too late, or too far ahead.
    #[error("expires at {expires}, not within reach of height {height}")]
    Expired {
        /// The height that the item names.
        expires: Height,
        /// The ledger's height.
        height: Height,
    },
    /// Not enough free balance or stake.
    #[error("not enough balance")]
    Balance,
    /// An amount out of range.
    #[error("amount out of range")]
    Amount,
    /// The signer is no registered operator, nor its registered data-item key.
    #[error("signer is not a registered operator")]
    NotRegistered,
    /// The signer has no active stake.
    #[error("operator has no active stake")]
    NotActive,
    /// The signer has no balance, and is no operator.
    #[error("signer has no balance and is no operator")]
    Stranger,
    /// The signer was proven to have lied.
    #[error("operator is tombstoned")]
    Tombstoned,
    /// The proof of possession does not verify.
    #[error("proof of possession does not verify")]
    Possession,
    /// Another operator has this key.
    #[error("key belongs to another operator")]
    KeyTaken,
    /// A second digest of one claimant in one block, or too many pieces of something.
    #[error("too many")]
    TooMany,
    /// The certificate does not hold.
    #[error("certificate: {0}")]
    Certificate(#[from] surety_protocol::certificate::CertificateError),
    /// The certificate does not continue what is certified.
    #[error("certificate does not continue what is certified")]
    NotContinuous,
    /// The evidence proves nothing.
    #[error("evidence: {0}")]
    Evidence(#[from] Refused),
    /// The challenge does not fit its evidence or the ledger.
    #[error("challenge does not fit its evidence")]
    Challenge,
    /// An approver did not sign the approval.
    #[error("an approval is not signed by whom it names")]
    Forged,
    /// The offence was already punished, or is being judged.
    #[error("offence is already before the ledger")]
    Known,
    /// The claim was proven false.
    #[error("the claim was proven false")]
    ProvenFalse,
    /// No such case, or it is closed.
    #[error("no open case")]
    NoCase,
    /// The height of a profile is too near.
    #[error("a profile needs more notice")]
    Notice,
    /// The profile cannot follow those that there are.
    #[error(transparent)]
    Profile(#[from] surety_protocol::profiles::NotProfiles),
    /// The verdict is not a validator's of this case.
    #[error("not a validator of this case")]
    NotElector,
}

/// An item that may enter a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admissible {
    /// The item.
    pub id: ItemId,
    /// Who signed it.
    pub signer: Address,
    action: Action,
}

/// The leaves up to which a process is certified, and the root of their history.
pub type End = (u64, Digest);

/// What an item is about, as far as it matters to who orders items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A digest of this claimant's claims.
    Digest(Address),
    /// A certificate of this process, up to this end.
    Certificate(ProcessId, End),
    /// False approvals, the same for the same ones.
    FalseApprovals(Digest),
    /// Anything else, of this signer.
    Other(Address),
}

impl Admissible {
    /// Whether it is a challenge.
    pub const fn challenges(&self) -> bool {
        matches!(self.action, Action::Challenge { .. })
    }

    /// Whether it makes everybody verify many signatures.
    pub const fn costly(&self) -> bool {
        matches!(
            self.action,
            Action::Certificate(_) | Action::FalseApprovals(_)
        )
    }
}

impl Ledger {
    /// Applies one item; what refuses it becomes an event (rule L-1).
    pub(super) fn item(
        &mut self,
        bytes: &[u8],
        events: &mut Vec<LedgerEvent>,
    ) -> Result<(), BlockError> {
        let Ok(item) = Item::parse(bytes) else {
            return Ok(());
        };
        let id = item.id();
        match self.admit(item) {
            Ok(Admissible { signer, action, .. }) => {
                if let Err(reason) = self.act(signer, action, events)? {
                    events.push(LedgerEvent::Refused { item: id, reason });
                }
            }
            Err(reason) => events.push(LedgerEvent::Refused { item: id, reason }),
        }
        Ok(())
    }

    /// Whether an item may enter a block now: what everybody asks before passing it on.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn admissible(&self, bytes: &[u8]) -> Result<Admissible, ItemRefused> {
        let item = Item::parse(bytes).map_err(|_| ItemRefused::Item)?;
        let id = item.id();
        // Judged as part of the next block.
        let (signer, action, _) = self.check_item(item, self.height.next())?;
        self.may_sign(&signer, &action)?;
        Ok(Admissible { id, signer, action })
    }

    /// What an admissible item is about.
    pub fn subject(&self, item: &Admissible) -> Subject {
        match &item.action {
            Action::Claims(_) => {
                let claimant = self.operator_behind(&item.signer);
                claimant.map_or(Subject::Other(item.signer), Subject::Digest)
            }
            Action::Certificate(it) => {
                let claim = &it.claim;
                Subject::Certificate(claim.process, (claim.size, claim.history_root))
            }
            Action::FalseApprovals(it) => {
                let approvers = it.approvals.iter();
                let approvers: Vec<u8> = approvers.flat_map(|it| *it.verifier.as_bytes()).collect();
                let parts: [&[u8]; 3] = [b"false-approvals", it.case.as_bytes(), &approvers];
                Subject::FalseApprovals(digest(Domain::OBJECT, &parts))
            }
            _ => Subject::Other(item.signer),
        }
    }

    /// Whether an admissible item that would make everybody verify many signatures is worth it: what the proposer asks before it
    /// orders the item, behind other certificates of the process if those reach `after`.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn worth(&self, item: &Admissible, after: Option<End>) -> Result<(), ItemRefused> {
        match &item.action {
            Action::Certificate(certificate) => {
                let height = self.height.next();
                let after = after.unwrap_or_else(|| self.end(&certificate.claim.process));
                self.certifiable(certificate, after, height).map(drop)
            }
            Action::FalseApprovals(told) => self.convicted(told).map(drop),
            _ => Ok(()),
        }
    }

    /// What makes everybody verify many signatures needs a signer with something to lose (rule L-6), and everything one who has
    /// something at all (rule L-7).
    fn may_sign(&self, signer: &Address, action: &Action) -> Result<(), ItemRefused> {
        let costly = matches!(action, Action::Certificate(_) | Action::FalseApprovals(_));
        let operator = self.operator_behind(signer);
        if operator.is_none() && self.balance(signer) == Stake::ZERO {
            return Err(ItemRefused::Stranger);
        }
        let known = operator.is_some_and(|it| self.is_active(&it))
            || self.balance(signer) >= self.params.challenge_bond;
        if costly && !known {
            return Err(ItemRefused::NotActive);
        }
        Ok(())
    }

    /// Checks an item's form, authenticity and freshness (rules O-1, L-4).
    fn check_item(
        &self,
        item: Item,
        height: Height,
    ) -> Result<(Address, Action, Height), ItemRefused> {
        let (action, expires) = Action::from_item(&self.network, &item)?;
        if expires < height || expires > height.plus(self.params.item_life_blocks) {
            return Err(ItemRefused::Expired { expires, height });
        }
        if self.seen.contains_key(&item.id()) {
            return Err(ItemRefused::Seen);
        }
        let item = item.authenticate().map_err(|_| ItemRefused::Item)?;
        Ok((item.owner_address(), action, expires))
    }

    /// Takes an item, which from now on counts as seen.
    fn admit(&mut self, item: Item) -> Result<Admissible, ItemRefused> {
        let id = item.id();
        let (signer, action, expires) = self.check_item(item, self.height)?;
        self.seen.insert(id, expires);
        self.expiring.insert((expires, id));
        self.may_sign(&signer, &action)?;
        Ok(Admissible { id, signer, action })
    }

    /// Performs an action for its signer (rule O-2). The outer error is a broken invariant, the inner a
    /// refusal that has changed nothing.
    fn act(
        &mut self,
        signer: Address,
        action: Action,
        events: &mut Vec<LedgerEvent>,
    ) -> Result<Result<(), ItemRefused>, BlockError> {
        Ok(match action {
            Action::Transfer {
                recipient,
                quantity,
            } => self.transfer(signer, recipient, quantity),
            Action::Register(registration) => self.register(signer, *registration, events),
            Action::Bond(quantity) => self.bond(signer, quantity, events),
            Action::Unbond(quantity) => self.unbond(signer, quantity, events),
            Action::Withdraw => self.withdraw(signer),
            Action::Claims(root) => self.commit_claims(signer, root, events),
            Action::Certificate(certificate) => self.certify(&certificate, events),
            Action::Challenge {
                challenge,
                evidence,
            } => {
                return self.challenge(signer, challenge, evidence, events);
            }
            Action::Verdict(verdict) => return self.verdict(&verdict, events),
            Action::FalseApprovals(told) => return self.false_approvals(signer, &told, events),
            Action::Profile(wanted) => return self.vote(signer, *wanted, events),
        })
    }

    fn transfer(
        &mut self,
        signer: Address,
        recipient: Address,
        quantity: Stake,
    ) -> Result<(), ItemRefused> {
        // A gift of nothing would cost nothing, and leave two entries behind.
        if quantity == Stake::ZERO {
            return Err(ItemRefused::Amount);
        }
        let left = self
            .balance(&signer)
            .minus(quantity)
            .map_err(|_| ItemRefused::Balance)?;
        self.accounts.insert(signer, left);
        let balance = self.balance(&recipient);
        // A sum of parts of the supply cannot leave its range.
        self.accounts
            .insert(recipient, Stake(balance.0.saturating_add(quantity.0)));
        Ok(())
    }

    /// The operator that signed, by its own key or by its registered data-item key (rule O-2).
    pub(super) fn operator_behind(&self, signer: &Address) -> Option<Address> {
        if self.operators.contains_key(signer) {
            return Some(*signer);
        }
        self.operator_of_item_key(signer)
    }
}
