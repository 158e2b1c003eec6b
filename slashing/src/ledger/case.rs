//! Cases: challenges, verdicts, and what a proven offence costs.
//!
//! # Rules
//!
//! - `[L-30]` A challenger locks a bond. Evidence that signatures prove is judged inside the block; a false claim opens a
//!   case that the validators of that height judge, without the accused.
//! - `[L-31]` More than two thirds of their stake with one outcome settles a case. Guilty: the offender's stake moves to
//!   escrow at once and it is tombstoned; the bond returns. Innocent: the bond burns. No outcome in time: the bond
//!   returns and nothing else happens.
//! - `[L-32]` One offence (operator, kind, process, slot) is punished once.
//! - `[L-33]` When the escrow's window closes, the challenger gets its share and the rest burns.
//! - `[L-34]` If a claim proven false was certified, its certificate and all that continue it are taken back.

use std::collections::BTreeMap;
use std::sync::Arc;

use surety_protocol::evidence::OffenceKind;
use surety_protocol::id::{Address, EvidenceId, ProcessId};
use surety_protocol::origin::{Challenge, Verdict};
use surety_protocol::stake::{Fraction, Stake};
use surety_protocol::time::{Height, Slot};
use surety_protocol::validators::ValidatorSet;

use super::{BlockError, ItemRefused, Ledger, LedgerEvent};
use crate::evidence::{self, Opened, Proven};

/// Cases open at once; a challenger beyond that waits.
const OPEN_MAX: usize = 256;

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

/// Stake taken for an offence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slashing {
    /// The proof.
    pub evidence: EvidenceId,
    /// Whose stake.
    pub offender: Address,
    /// For what.
    pub kind: OffenceKind,
    /// In which process.
    pub process: ProcessId,
    /// At which slot.
    pub slot: Slot,
    /// How much.
    pub amount: Stake,
    /// Who gets the reward.
    pub challenger: Address,
    /// When it was taken.
    pub height: Height,
    /// When the escrow ends.
    pub escrow_until: Height,
    /// Whether it has ended.
    pub released: bool,
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
        let challenger = self.operator_behind(&signer).unwrap_or(signer);
        match body {
            Some(bytes) => self.judge_now(challenger, &challenge, &bytes, events),
            None => Ok(self.open_case(challenger, challenge, events)),
        }
    }

    fn challenge_admissible(&self, challenge: &Challenge) -> Result<(), ItemRefused> {
        let kind = OffenceKind::from_number(challenge.kind).ok_or(ItemRefused::Challenge)?;
        if self.cases.contains_key(&challenge.evidence)
            || self.is_known(challenge.offender, kind, challenge.process, challenge.slot)
        {
            return Err(ItemRefused::Known);
        }
        if !self.operators.contains_key(&challenge.offender) {
            return Err(ItemRefused::NotRegistered);
        }
        Ok(())
    }

    /// Whether the offence is punished, or the same accusation is being judged (rule L-32).
    pub fn is_known(
        &self,
        offender: Address,
        kind: OffenceKind,
        process: ProcessId,
        slot: Slot,
    ) -> bool {
        self.offences.contains(&(offender, kind.number(), process, slot))
            || self.cases.values().any(|case| {
                let it = &case.challenge;
                case.state == CaseState::Open
                    && (it.offender, it.kind, it.process, it.slot)
                        == (offender, kind.number(), process, slot)
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
        let evidence = challenge.evidence;
        self.slash(challenger, challenge, proven.kind, events)?;
        events.push(LedgerEvent::Closed { evidence, state: CaseState::Guilty });
        Ok(Ok(()))
    }

    /// Whether a proven offence is what the challenge says, by keys that the ledger knows as the offender's.
    pub fn fits(&self, challenge: &Challenge, proven: &Proven) -> bool {
        let Some(operator) = self.operators.get(&proven.offender) else {
            return false;
        };
        let ours = self.operator_of_item_key(&proven.registration.item_key);
        proven.network == self.network
            && proven.evidence == challenge.evidence
            && proven.kind.number() == challenge.kind
            && proven.offender == challenge.offender
            && proven.process == challenge.process
            && proven.slot == challenge.slot
            && proven.claim == challenge.claim
            && operator.had_key(&proven.registration.key)
            && ours == Some(proven.offender)
    }

    fn open_case(
        &mut self,
        challenger: Address,
        challenge: Challenge,
        events: &mut Vec<LedgerEvent>,
    ) -> Result<(), ItemRefused> {
        let open = self.cases.values().filter(|case| case.state == CaseState::Open).count();
        if open >= OPEN_MAX {
            return Err(ItemRefused::TooMany);
        }
        let too_big = surety_protocol::evidence::EVIDENCE_BYTES_MAX;
        if usize::try_from(challenge.bytes).map_or(true, |bytes| bytes > too_big) {
            return Err(ItemRefused::Challenge);
        }
        let bond = self.params.challenge_bond;
        let left = self.balance(&challenger).minus(bond).map_err(|_| ItemRefused::Balance)?;
        self.accounts.insert(challenger, left);
        // The set of the height before: the one of this height is not made yet.
        let electors = self.validators_at(self.height.minus(1)).unwrap_or_default();
        let evidence = challenge.evidence;
        let case = Case {
            challenge,
            challenger,
            bond,
            opened: self.height,
            electors,
            verdicts: BTreeMap::new(),
            state: CaseState::Open,
        };
        self.cases.insert(evidence, case);
        events.push(LedgerEvent::Opened(evidence));
        Ok(())
    }

    pub(super) fn verdict(
        &mut self,
        verdict: &Verdict,
        events: &mut Vec<LedgerEvent>,
    ) -> Result<Result<(), ItemRefused>, BlockError> {
        let network = self.network;
        let Some(case) = self.cases.get_mut(&verdict.evidence) else {
            return Ok(Err(ItemRefused::NoCase));
        };
        if case.state != CaseState::Open {
            return Ok(Err(ItemRefused::NoCase));
        }
        let Some(elector) = case.electors.get(&verdict.validator) else {
            return Ok(Err(ItemRefused::NotElector));
        };
        let accused = case.challenge.offender == verdict.validator;
        if accused || !verdict.signed_by(&network, &elector.key) {
            return Ok(Err(ItemRefused::NotElector));
        }
        // The first word counts; a second is not heard.
        if case.verdicts.contains_key(&verdict.validator) {
            return Ok(Err(ItemRefused::Seen));
        }
        case.verdicts.insert(verdict.validator, verdict.guilty);
        let Some(state) = outcome(case)? else {
            return Ok(Ok(()));
        };
        self.close(verdict.evidence, state, events)?;
        Ok(Ok(()))
    }

    /// Closes the cases that nobody settled in time.
    pub(super) fn close_cases(&mut self, events: &mut Vec<LedgerEvent>) -> Result<(), BlockError> {
        let (height, wait) = (self.height, self.params.verdict_blocks);
        let late: Vec<EvidenceId> = self
            .cases
            .iter()
            .filter(|(_, case)| case.state == CaseState::Open && case.opened.plus(wait) <= height)
            .map(|(id, _)| *id)
            .collect();
        late.into_iter().try_for_each(|id| self.close(id, CaseState::Expired, events))
    }

    /// Closes a case (rule L-31).
    fn close(
        &mut self,
        evidence: EvidenceId,
        state: CaseState,
        events: &mut Vec<LedgerEvent>,
    ) -> Result<(), BlockError> {
        let Some(case) = self.cases.get_mut(&evidence) else {
            return Ok(());
        };
        case.state = state;
        let bond = std::mem::take(&mut case.bond);
        let (challenger, challenge) = (case.challenger, case.challenge.clone());
        if state == CaseState::Innocent {
            self.burned = self.burned.plus(bond)?;
        } else {
            let balance = self.accounts.entry(challenger).or_default();
            *balance = balance.plus(bond)?;
        }
        if state == CaseState::Guilty {
            self.slash(challenger, &challenge, OffenceKind::FalseClaim, events)?;
        }
        events.push(LedgerEvent::Closed { evidence, state });
        Ok(())
    }

    fn slash(
        &mut self,
        challenger: Address,
        challenge: &Challenge,
        kind: OffenceKind,
        events: &mut Vec<LedgerEvent>,
    ) -> Result<(), BlockError> {
        let offender = challenge.offender;
        let key = (offender, kind.number(), challenge.process, challenge.slot);
        if !self.offences.insert(key) {
            return Ok(());
        }
        let Some(operator) = self.operators.get_mut(&offender) else {
            return Ok(());
        };
        let amount = operator.slashable()?.share(self.params.penalty)?;
        let mut owed = amount;
        let from_bond = owed.min(operator.bonded);
        operator.bonded = operator.bonded.minus(from_bond)?;
        owed = owed.minus(from_bond)?;
        for piece in &mut operator.unbonding {
            let part = owed.min(piece.amount);
            piece.amount = piece.amount.minus(part)?;
            owed = owed.minus(part)?;
        }
        operator.unbonding.retain(|piece| piece.amount > Stake::ZERO);
        operator.escrow = operator.escrow.plus(amount)?;
        operator.tombstoned = true;
        // [L-34]
        if let Some(claim) = &challenge.claim {
            self.void(&challenge.process, claim);
        }
        let slashing = Slashing {
            evidence: challenge.evidence,
            offender,
            kind,
            process: challenge.process,
            slot: challenge.slot,
            amount,
            challenger,
            height: self.height,
            escrow_until: self.height.plus(self.params.escrow_blocks),
            released: false,
        };
        self.slashings.push(slashing.clone());
        events.push(LedgerEvent::Slashed(slashing));
        events.push(LedgerEvent::Operator(offender));
        Ok(())
    }
}

/// The outcome that more than two thirds of the electors' stake agree on.
fn outcome(case: &Case) -> Result<Option<CaseState>, BlockError> {
    let accused = [case.challenge.offender];
    let total = case.electors.stake_without(&accused);
    for (said, state) in [(true, CaseState::Guilty), (false, CaseState::Innocent)] {
        let mut agreeing = Stake::ZERO;
        for (validator, guilty) in &case.verdicts {
            if *guilty == said
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
