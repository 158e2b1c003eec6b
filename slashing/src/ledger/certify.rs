//! Claims on the ledger: committed digests, certificates, settlement.
//!
//! # Rules
//!
//! - `[L-20]` A claimant with active stake commits one digest root per block.
//! - `[L-21]` A certificate is recorded if it holds and continues exactly what is certified: its first new leaf is the
//!   certified size and its base root the certified history. So *certified* always means this and every
//!   earlier leaf.
//! - `[L-22]` A certified segment is settled when its window has closed and no open case concerns its process.
//! - `[L-23]` A certificate stands in a later block than the one that seeds it: only then is the seed's validator set known.
//! - `[L-24]` A segment records what stands behind it: the stake, at the seed, of the claimant and of those who approved, and the
//!   tickets that approved; and not more than a segment before it, on which it depends and which is not settled. What is settled
//!   keeps the least that stood behind any of it. So what is recorded holds of every leaf.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_bytes::ByteBuf;
use surety_protocol::attested::{Backing, Segment};
use surety_protocol::certificate::{Certificate, Grounds};
use surety_protocol::id::{Address, ClaimId, Digest, ProcessId};
use surety_protocol::stake::Stake;
use surety_protocol::time::{Height, Slot};
use surety_protocol::validators::ValidatorSet;

use super::{End, Ledger, LedgerEvent, case::CaseState};
use crate::ledger::ItemRefused;

/// Who approved a certified claim, until it is settled (rule L-36).
#[derive(Debug, Clone)]
pub(super) struct Approvers {
    /// The height of the set.
    pub(super) seeded: Height,
    /// The set, which all certificates of its time share.
    validators: Arc<ValidatorSet>,
    /// Who of it.
    pub(super) bits: ByteBuf,
}

impl Approvers {
    fn operators(&self) -> Vec<Address> {
        let approvers = self.validators.select(&self.bits).unwrap_or_default();
        approvers.iter().map(|it| it.operator).collect()
    }
}

/// What a certificate that holds records.
pub(super) struct Certifiable {
    segment: Segment,
    approvers: Approvers,
}

/// Certified segments of one process that wait to be settled; a process that claims faster waits.
const SEGMENTS_MAX: usize = 8192;

impl Ledger {
    pub(super) fn commit_claims(
        &mut self,
        signer: Address,
        root: Digest,
        events: &mut Vec<LedgerEvent>,
    ) -> Result<(), ItemRefused> {
        let claimant = self
            .operator_behind(&signer)
            .ok_or(ItemRefused::NotRegistered)?;
        if !self.is_active(&claimant) {
            return Err(ItemRefused::NotActive);
        }
        // [L-20]
        let height = self.height;
        if self.digests.contains_key(&(height, claimant)) {
            return Err(ItemRefused::TooMany);
        }
        self.digests.insert((height, claimant), root);
        events.push(LedgerEvent::Committed {
            claimant,
            height,
            root,
        });
        Ok(())
    }

    /// Records a certificate (rule L-21).
    pub(super) fn certify(
        &mut self,
        certificate: &Certificate,
        events: &mut Vec<LedgerEvent>,
    ) -> Result<(), ItemRefused> {
        let process = certificate.claim.process;
        let after = self.end(&process);
        let Certifiable { segment, approvers } =
            self.certifiable(certificate, after, self.height)?;
        events.push(LedgerEvent::Certified {
            process,
            claim: segment.claim,
            size: segment.size,
        });
        self.approvers.insert(segment.claim, approvers);
        let closes = segment.certified.plus(self.params.challenge_window_blocks);
        self.closing.insert((closes, process));
        self.certified.insert((process, segment.size), segment);
        Ok(())
    }

    /// Where what is certified of a process ends.
    pub(super) fn end(&self, process: &ProcessId) -> End {
        let nothing = || (0, surety_protocol::merkle::root(&[]));
        let latest = self.latest(process);
        latest.map_or_else(nothing, |it| (it.size, it.history_root))
    }

    /// What a certificate would record in the block of a height, if the process is certified up to `after`.
    pub(super) fn certifiable(
        &self,
        certificate: &Certificate,
        after: End,
        height: Height,
    ) -> Result<Certifiable, ItemRefused> {
        let claim = &certificate.claim;
        // [L-52]
        if claim.network != self.network || !self.hears(claim) {
            return Err(ItemRefused::NotContinuous);
        }
        // [L-21]
        let (size, root) = after;
        if claim.first_new != size || claim.base_root != root || claim.size <= size {
            return Err(ItemRefused::NotContinuous);
        }
        if self.certified(&claim.process).count() >= SEGMENTS_MAX {
            return Err(ItemRefused::TooMany);
        }
        let claimant = self
            .operators
            .get(&certificate.claimant)
            .filter(|it| !it.tombstoned)
            .ok_or(ItemRefused::Tombstoned)?;
        let id = claim.id().map_err(|_| ItemRefused::NotContinuous)?;
        // [L-35]
        if self.is_proven_false(&id) {
            return Err(ItemRefused::ProvenFalse);
        }
        // [L-23]
        let seeded = certificate.seed_height(&self.params);
        if seeded >= height {
            return Err(ItemRefused::NotContinuous);
        }
        let digest_root = self
            .digests
            .get(&(certificate.committed, certificate.claimant))
            .ok_or(ItemRefused::NotContinuous)?;
        let beacon = self
            .beacons
            .get(&seeded)
            .ok_or(ItemRefused::NotContinuous)?;
        let validators = self
            .validators_at(seeded)
            .ok_or(ItemRefused::NotContinuous)?;
        // [L-12]
        let approvers = validators
            .select(&certificate.approvers)
            .unwrap_or_default();
        let fallen = |it: &Address| self.operators.get(it).is_none_or(|it| it.tombstoned);
        if approvers
            .iter()
            .any(|validator| fallen(&validator.operator))
        {
            return Err(ItemRefused::Tombstoned);
        }
        let tickets = certificate.check(Grounds {
            digest_root,
            claimant_key: &claimant.registration.key,
            beacon,
            validators: &validators,
            params: &self.params,
            height,
        })?;
        // [L-24]
        let stands = approvers
            .into_iter()
            .chain(validators.get(&certificate.claimant));
        let stake = stands.fold(Stake::ZERO, |sum, it| sum.plus(it.stake).unwrap_or(sum));
        let backing = Backing { stake, tickets };
        let before = self.certified(&claim.process).next_back();
        let segment = Segment {
            size: claim.size,
            history_root: claim.history_root,
            claim: id,
            certified: height,
            backing: before.map_or(backing, |it| backing.least(it.backing)),
        };
        let bits = certificate.approvers.clone();
        Ok(Certifiable {
            segment,
            approvers: Approvers {
                seeded,
                validators,
                bits,
            },
        })
    }

    /// Settles what has waited long enough (rule L-22).
    pub(super) fn settle(&mut self) {
        let disputed: BTreeSet<ProcessId> = self
            .cases
            .values()
            .filter(|case| case.state == CaseState::Open)
            .map(|case| case.challenge.process)
            .collect();
        let (height, window) = (self.height, self.params.challenge_window_blocks);
        let closed = self.closing.iter().take_while(|(at, _)| *at <= height);
        let closed: Vec<_> = closed
            .filter(|(_, process)| !disputed.contains(process))
            .copied()
            .collect();
        for (at, process) in closed {
            self.closing.remove(&(at, process));
            let segments = self.certified(&process);
            let segments = segments.take_while(|it| it.certified.plus(window) <= height);
            let segments: Vec<Segment> = segments.cloned().collect();
            // [L-24]
            for segment in segments {
                self.certified.remove(&(process, segment.size));
                self.approvers.remove(&segment.claim);
                let before = self.settled(&process).map(|it| it.backing);
                let backing = before.map_or(segment.backing, |it| it.least(segment.backing));
                self.settled.insert(process, Segment { backing, ..segment });
            }
        }
    }

    /// Whether a claim is certified and not settled.
    pub(super) fn is_certified_claim(&self, process: &ProcessId, claim: &ClaimId) -> bool {
        self.certified(process).any(|it| it.claim == *claim)
    }

    /// Takes back the certificate of a claim that is false at a slot (rule L-34); gives who approved the lie.
    pub(super) fn void(
        &mut self,
        process: &ProcessId,
        claim: &ClaimId,
        slot: Slot,
    ) -> Vec<Address> {
        let Some(named) = self.certified(process).find(|it| it.claim == *claim) else {
            return Vec::new();
        };
        // A segment contains the leaves of those before it, so the lie stands in the first that reaches its slot.
        let reaches = self.certified(process).find(|it| it.size > slot.0);
        let first = reaches.map_or(named.size, |it| it.size.min(named.size));
        // What is settled is before all of them, and its approvers are free.
        let before = self.segments(process).rfind(|it| it.size < first);
        let begins = before.map_or(0, |it| it.size);
        let taken = self.certified(process).filter(|it| it.size >= first);
        let taken: Vec<(u64, ClaimId)> = taken.map(|it| (it.size, it.claim)).collect();
        let mut voided = taken.into_iter().map(|(size, claim)| {
            self.certified.remove(&(*process, size));
            self.approvers.remove(&claim)
        });
        // Those after it approved other leaves.
        let lied = voided.next().flatten();
        voided.for_each(drop);
        let lied = lied.filter(|_| slot.0 >= begins);
        lied.map(|it| it.operators()).unwrap_or_default()
    }
}
