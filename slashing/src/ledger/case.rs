//! Cases: challenges, verdicts, and what a proven offence costs.
//!
//! # Rules
//!
//! - `[L-30]` A challenger locks a bond, its own or else that of the operator whose data-item key signs. Evidence that signatures prove is judged inside the block; a false claim opens a
//!   case that the validators of that height judge, without the accused.
//! - `[L-31]` More than two thirds of their stake (nobody tombstoned among them) with one outcome settles a case. Guilty: the offender's stake moves to
//!   escrow at once and it is tombstoned; the bond returns. Innocent: the bond burns. No outcome in time: the bond
//!   returns and nothing else happens. There is a block more of time for each MiB of the file. If nobody said anything, the same
//!   challenge may be made again: the file may not have been there.
//! - `[L-32]` One offence (operator, kind, process, slot) is punished once. A case is named by all that its challenge says, so
//!   another one is no obstacle to a challenge, be it about the same file: nobody can shield an offender by accusing it badly.
//!   Once it is punished by means of a claim, other open cases that say the same close without an outcome.
//! - `[L-33]` When the escrow's window closes, the challenger gets its share and the rest burns.
//! - `[L-34]` If a claim proven false was certified, every certificate that reaches the false slot is taken back, even where
//!   the offence was punished by means of another claim. What is settled stays.
//! - `[L-37]` Of false traces of one operator at most 16 cases are open at once, and none is opened once it is tombstoned.
//! - `[L-35]` A claim proven false is never certified again, whoever commits it.

use std::collections::BTreeMap;
use std::sync::Arc;

use surety_protocol::codec::Wire;
use surety_protocol::evidence::{Evidence, OffenceKind};
use surety_protocol::id::{Address, CaseId, ClaimId};
use surety_protocol::origin::{Challenge, Verdict};
use surety_protocol::stake::{Fraction, Stake};
use surety_protocol::time::Height;
use surety_protocol::validators::ValidatorSet;

use super::{BlockError, ItemRefused, Ledger, LedgerEvent};
use crate::evidence::{self, Opened, Proven};

/// Cases open at once; a challenger beyond that waits.
const OPEN_MAX: usize = 256;

/// Of those, about false traces of one operator: it may have shown one for every claim that it drew, and loses all with the first.
const TRACES_OPEN_MAX: usize = 16;

/// Where a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseState {
    /// Validators are judging.
    Open,
    /// The offence is proven.
    Guilty,
    /// The evidence proves nothing.
    Innocent,
    /// Nobody settled it in time.
    Expired,
}

impl CaseState {
    /// Its name for people and programs.
    pub const fn name(self) -> &'static str {
        match self {
            CaseState::Open => "open",
            CaseState::Guilty => "guilty",
            CaseState::Innocent => "innocent",
            CaseState::Expired => "expired",
        }
    }

    /// Its number in the ledger's state.
    pub(super) const fn number(self) -> u8 {
        match self {
            CaseState::Open => 0,
            CaseState::Guilty => 1,
            CaseState::Innocent => 2,
            CaseState::Expired => 3,
        }
    }
}

/// A challenge and its judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The accusation.
    pub challenge: Challenge,
    /// Who accuses.
    pub challenger: Address,
    /// The locked bond; nothing once the case is closed.
    pub bond: Stake,
    /// When it was opened.
    pub opened: Height,
    /// Who judges.
    pub electors: Arc<ValidatorSet>,
    /// What they said.
    pub verdicts: BTreeMap<Address, bool>,
    /// Where it stands.
    pub state: CaseState,
}

impl Case {
    /// Blocks until it expires (rule L-31).
    pub(super) fn lasts(&self, verdict_blocks: u64) -> u64 {
        verdict_blocks.saturating_add(self.challenge.bytes >> 20)
    }

    /// Whether the same challenge may be made again: what nobody said anything about had no file.
    pub fn is_void(&self) -> bool {
        self.state == CaseState::Expired && self.verdicts.is_empty()
    }
}

impl Ledger {
    pub(super) fn challenge(
        &mut self,
        signer: Address,
        challenge: Challenge,
        body: Option<Vec<u8>>,
        events: &mut Vec<LedgerEvent>,
    ) -> Result<Result<(), ItemRefused>, BlockError> {
        if let Err(refused) = self.challenge_admissible(&challenge) {
            return Ok(Err(refused));
        }
        let challenger = self.challenger(signer);
        match body {
            Some(bytes) => self.judge_now(challenger, &challenge, &bytes, events),
            None => Ok(self.open_case(challenger, challenge, events)),
        }
    }

    /// Who stands behind an accusation, and is paid for it.
    pub(super) fn challenger(&self, signer: Address) -> Address {
        // [L-30] Who named a stranger's address as its data-item key does not get the stranger's reward.
        let has_bond = self.balance(&signer) >= self.params.challenge_bond;
        let operator = self.operator_behind(&signer).filter(|_| !has_bond);
        operator.unwrap_or(signer)
    }

    fn challenge_admissible(&self, challenge: &Challenge) -> Result<(), ItemRefused> {
        // [EV-5] An approval is not accused with a file.
        let kind = OffenceKind::from_number(challenge.kind)
            .filter(|kind| *kind != OffenceKind::FalseApproval)
            .ok_or(ItemRefused::Challenge)?;
        // [L-32], [L-34]
        let punished =
            self.is_punished(challenge.offender, kind, challenge.process, challenge.slot);
        let stands = challenge
            .claim
            .is_some_and(|claim| self.is_certified_claim(&challenge.process, &claim));
        // [L-31]
        let known = self.cases.get(&challenge.case());
        if known.is_some_and(|it| !it.is_void()) || (punished && !stands) {
            return Err(ItemRefused::Known);
        }
        let offender = self.operators.get(&challenge.offender);
        let offender = offender.ok_or(ItemRefused::NotRegistered)?;
        // [L-37]
        if kind == OffenceKind::FalseTrace {
            let open = |case: &&Case| {
                case.state == CaseState::Open
                    && case.challenge.kind == challenge.kind
                    && case.challenge.offender == challenge.offender
            };
            if offender.tombstoned {
                return Err(ItemRefused::Tombstoned);
            }
            if self.cases.values().filter(open).count() >= TRACES_OPEN_MAX {
                return Err(ItemRefused::TooMany);
            }
        }
        Ok(())
    }

    /// Whether a claim was proven false (rule L-35).
    pub fn is_proven_false(&self, claim: &ClaimId) -> bool {
        self.cases.values().any(|case| {
            case.state == CaseState::Guilty && case.challenge.claim.as_ref() == Some(claim)
        })
    }

    /// Evidence that signatures prove (rule L-30).
    fn judge_now(
        &mut self,
        challenger: Address,
        challenge: &Challenge,
        bytes: &[u8],
        events: &mut Vec<LedgerEvent>,
    ) -> Result<Result<(), ItemRefused>, BlockError> {
        let proven = match evidence::open(bytes) {
            Ok(Opened::Proven(proven)) => proven,
            Ok(Opened::Execute { .. }) => return Ok(Err(ItemRefused::Challenge)),
            Err(refused) => return Ok(Err(refused.into())),
        };
        if !self.fits(challenge, &proven) {
            return Ok(Err(ItemRefused::Challenge));
        }
        self.slash(challenger, challenge, proven.kind, events)?;
        events.push(LedgerEvent::Closed {
            case: challenge.case(),
            evidence: challenge.evidence,
            state: CaseState::Guilty,
        });
        self.close_copies(challenge, events)?;
        Ok(Ok(()))
    }

    /// Whether a proven offence is what the challenge says, by keys that the ledger knows as the offender's.
    pub fn fits(&self, challenge: &Challenge, proven: &Proven) -> bool {
        let Some(operator) = self.operators.get(&proven.offender) else {
            return false;
        };
        proven.network == self.network
            && proven.evidence == challenge.evidence
            && proven.kind.number() == challenge.kind
            && proven.offender == challenge.offender
            && proven.process == challenge.process
            && proven.slot == challenge.slot
            && proven.claim == challenge.claim
            && operator.had_key(&proven.registration.key)
            && operator.had_item_key(&proven.registration.item_key)
    }

    fn open_case(
        &mut self,
        challenger: Address,
        challenge: Challenge,
        events: &mut Vec<LedgerEvent>,
    ) -> Result<(), ItemRefused> {
        let open = self
            .cases
            .values()
            .filter(|case| case.state == CaseState::Open)
            .count();
        if open >= OPEN_MAX {
            return Err(ItemRefused::TooMany);
        }
        let sizes = 1..=Evidence::BYTES_MAX as u64;
        if !sizes.contains(&challenge.bytes) {
            return Err(ItemRefused::Challenge);
        }
        let bond = self.params.challenge_bond;
        let left = self
            .balance(&challenger)
            .minus(bond)
            .map_err(|_| ItemRefused::Balance)?;
        self.accounts.insert(challenger, left);
        // The set of the height before: the one of this height is not made yet.
        let electors = self.validators_at(self.height.minus(1)).unwrap_or_default();
        let (id, evidence) = (challenge.case(), challenge.evidence);
        let case = Case {
            challenge,
            challenger,
            bond,
            opened: self.height,
            electors,
            verdicts: BTreeMap::new(),
            state: CaseState::Open,
        };
        self.cases.insert(id, case);
        events.push(LedgerEvent::Opened { case: id, evidence });
        Ok(())
    }

    pub(super) fn verdict(
        &mut self,
        verdict: &Verdict,
        events: &mut Vec<LedgerEvent>,
    ) -> Result<Result<(), ItemRefused>, BlockError> {
        let network = self.network;
        let Some(case) = self.cases.get_mut(&verdict.case) else {
            return Ok(Err(ItemRefused::NoCase));
        };
        if case.state != CaseState::Open {
            return Ok(Err(ItemRefused::NoCase));
        }
        let Some(elector) = case.electors.get(&verdict.validator) else {
            return Ok(Err(ItemRefused::NotElector));
        };
        // [L-12]
        if self
            .operators
            .get(&verdict.validator)
            .is_none_or(|it| it.tombstoned)
        {
            return Ok(Err(ItemRefused::Tombstoned));
        }
        let accused = case.challenge.offender == verdict.validator;
        if accused || !verdict.signed_by(&network, &elector.key) {
            return Ok(Err(ItemRefused::NotElector));
        }
        // The first word counts; a second is not heard.
        if case.verdicts.contains_key(&verdict.validator) {
            return Ok(Err(ItemRefused::Seen));
        }
        case.verdicts.insert(verdict.validator, verdict.guilty);
        if let Some(state) = self.outcome(&verdict.case)? {
            self.close(verdict.case, state, events)?;
        }
        Ok(Ok(()))
    }

    /// Closes the cases that nobody settled in time, and those that the fall of an elector settles.
    pub(super) fn close_cases(&mut self, events: &mut Vec<LedgerEvent>) -> Result<(), BlockError> {
        let (height, wait) = (self.height, self.params.verdict_blocks);
        let open: Vec<(CaseId, bool)> = self
            .cases
            .iter()
            .filter(|(_, case)| case.state == CaseState::Open)
            .map(|(id, case)| (*id, case.opened.plus(case.lasts(wait)) <= height))
            .collect();
        for (id, late) in open {
            let settled = self.outcome(&id)?;
            if let Some(state) = settled.or(late.then_some(CaseState::Expired)) {
                self.close(id, state, events)?;
            }
        }
        Ok(())
    }

    /// The outcome that more than two thirds of the electors' stake agree on (rule L-31).
    fn outcome(&self, id: &CaseId) -> Result<Option<CaseState>, BlockError> {
        let Some(case) = self.cases.get(id) else {
            return Ok(None);
        };
        // [L-12] An elector that was proven to have lied is none any more.
        let mute: Vec<Address> = case
            .electors
            .iter()
            .map(|elector| elector.operator)
            .filter(|it| {
                *it == case.challenge.offender
                    || self.operators.get(it).is_none_or(|it| it.tombstoned)
            })
            .collect();
        let total = case.electors.stake_without(&mute);
        for (said, state) in [(true, CaseState::Guilty), (false, CaseState::Innocent)] {
            let mut agreeing = Stake::ZERO;
            for (validator, guilty) in &case.verdicts {
                if *guilty == said
                    && !mute.contains(validator)
                    && let Some(validator) = case.electors.get(validator)
                {
                    agreeing = agreeing.plus(validator.stake)?;
                }
            }
            if agreeing.exceeds(Fraction::TWO_THIRDS, total)? {
                return Ok(Some(state));
            }
        }
        Ok(None)
    }

    /// Closes a case (rule L-31).
    fn close(
        &mut self,
        id: CaseId,
        state: CaseState,
        events: &mut Vec<LedgerEvent>,
    ) -> Result<(), BlockError> {
        // Another that was closed just now may have closed it (rule L-32).
        let open = |case: &&mut Case| case.state == CaseState::Open;
        let Some(case) = self.cases.get_mut(&id).filter(open) else {
            return Ok(());
        };
        case.state = state;
        let bond = std::mem::take(&mut case.bond);
        let (challenger, challenge) = (case.challenger, case.challenge.clone());
        if state == CaseState::Innocent {
            self.burned = self.burned.plus(bond)?;
        } else {
            let balance = self.balance(&challenger).plus(bond)?;
            self.accounts.insert(challenger, balance);
        }
        let kind = OffenceKind::from_number(challenge.kind);
        let punished = kind.filter(|_| state == CaseState::Guilty);
        if let Some(kind) = punished {
            self.slash(challenger, &challenge, kind, events)?;
        }
        events.push(LedgerEvent::Closed {
            case: id,
            evidence: challenge.evidence,
            state,
        });
        if punished.is_some() {
            self.close_copies(&challenge, events)?;
        }
        Ok(())
    }

    /// Closes the open cases that say the same as one that is proven (rule L-32): one lie has as many files as there are ways to
    /// pack its pages.
    fn close_copies(
        &mut self,
        proven: &Challenge,
        events: &mut Vec<LedgerEvent>,
    ) -> Result<(), BlockError> {
        let same = |case: &Case| case.state == CaseState::Open && case.challenge.accuses_as(proven);
        let copies = self.cases.iter().filter(|(_, case)| same(case));
        let copies: Vec<CaseId> = copies.map(|(id, _)| *id).collect();
        for copy in copies {
            self.close(copy, CaseState::Expired, events)?;
        }
        Ok(())
    }
}
