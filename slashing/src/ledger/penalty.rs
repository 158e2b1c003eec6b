//! What a proven offence costs.
//!
//! The rules are those of [`super::case`]: L-31 to L-34 and L-36.

use surety_protocol::evidence::OffenceKind;
use surety_protocol::id::{Address, EvidenceId, ProcessId};
use surety_protocol::origin::Challenge;
use surety_protocol::stake::Stake;
use surety_protocol::time::{Height, Slot};

use super::{BlockError, Ledger, LedgerEvent};

/// What was done, by whom and where, and what proves it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offence {
    pub(super) evidence: EvidenceId,
    pub(super) offender: Address,
    pub(super) kind: OffenceKind,
    pub(super) process: ProcessId,
    pub(super) slot: Slot,
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
    /// Whether the offence is punished (rule L-32).
    pub fn is_punished(
        &self,
        offender: Address,
        kind: OffenceKind,
        process: ProcessId,
        slot: Slot,
    ) -> bool {
        self.offences
            .contains_key(&(offender, kind.number(), process, slot))
    }

    /// Punishes what a challenge said, and whoever approved what is taken back with it.
    pub(super) fn slash(
        &mut self,
        challenger: Address,
        challenge: &Challenge,
        kind: OffenceKind,
        events: &mut Vec<LedgerEvent>,
    ) -> Result<(), BlockError> {
        // [L-34]
        let voided = challenge
            .claim
            .map(|claim| self.void(&challenge.process, &claim, challenge.slot));
        let offence = Offence {
            evidence: challenge.evidence,
            offender: challenge.offender,
            kind,
            process: challenge.process,
            slot: challenge.slot,
        };
        self.punish(challenger, offence, events)?;
        // [L-36]
        for offender in voided.unwrap_or_default() {
            let kind = OffenceKind::FalseApproval;
            let offence = Offence {
                offender,
                kind,
                ..offence
            };
            self.punish(challenger, offence, events)?;
        }
        Ok(())
    }

    /// Takes the stake of an offender, once for each offence (rule L-32).
    pub(super) fn punish(
        &mut self,
        challenger: Address,
        offence: Offence,
        events: &mut Vec<LedgerEvent>,
    ) -> Result<(), BlockError> {
        let Offence {
            evidence,
            offender,
            kind,
            process,
            slot,
        } = offence;
        if self.is_punished(offender, kind, process, slot) {
            return Ok(());
        }
        self.offences
            .insert((offender, kind.number(), process, slot), ());
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
        operator
            .unbonding
            .retain(|piece| piece.amount > Stake::ZERO);
        operator.escrow = operator.escrow.plus(amount)?;
        operator.tombstoned = true;
        let slashing = Slashing {
            evidence,
            offender,
            kind,
            process,
            slot,
            amount,
            challenger,
            height: self.height,
            escrow_until: self.height.plus(self.params.escrow_blocks),
            released: false,
        };
        let number = self.slashings.len();
        self.releasing.insert((slashing.escrow_until, number));
        self.slashings.insert(number, slashing.clone());
        events.push(LedgerEvent::Slashed(slashing));
        events.push(LedgerEvent::Operator(offender));
        Ok(())
    }
}
