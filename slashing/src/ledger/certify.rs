//! Claims on the ledger: committed digests, certificates, settlement.
//!
//! # Rules
//!
//! - `[L-20]` A claimant with active stake commits one digest root per block.
//! - `[L-21]` A certificate is recorded if it holds and continues exactly what is certified: its first new leaf is the
//!   certified size and its base root the certified history. So *certified* always means this and every
//!   earlier leaf.
//! - `[L-22]` A certified segment is settled when its window has closed and no open case accuses one of its claims.

use std::collections::BTreeSet;

use surety_protocol::attested::{ProcessEntry, Segment};
use surety_protocol::certificate::{Certificate, Grounds};
use surety_protocol::id::{Address, ClaimId, Digest, ProcessId};

use super::{Ledger, LedgerEvent, case::CaseState};
use crate::ledger::ItemRefused;

/// Certified segments of one process that wait to be settled; a process that claims faster waits.
const SEGMENTS_MAX: usize = 8192;

impl Ledger {
    pub(super) fn commit_claims(
        &mut self,
        signer: Address,
        root: Digest,
        events: &mut Vec<LedgerEvent>,
    ) -> Result<(), ItemRefused> {
        let claimant = self.operator_behind(&signer).ok_or(ItemRefused::NotRegistered)?;
        if !self.is_active(&claimant) {
            return Err(ItemRefused::NotActive);
        }
        // [L-20]
        let height = self.height;
        if self.digests.contains_key(&(height, claimant)) {
            return Err(ItemRefused::TooMany);
        }
        self.digests.insert((height, claimant), root);
        events.push(LedgerEvent::Committed { claimant, height, root });
        Ok(())
    }

    pub(super) fn certify(
        &mut self,
        certificate: &Certificate,
        events: &mut Vec<LedgerEvent>,
    ) -> Result<(), ItemRefused> {
        let claim = &certificate.claim;
        if claim.network != self.network || !self.profiles.contains_key(&claim.profile) {
            return Err(ItemRefused::NotContinuous);
        }
        // [L-21]
        let empty = surety_protocol::merkle::root(&[]);
        let entry = self.processes.get(&claim.process);
        let latest = entry.and_then(|it| it.certified.last().or(it.settled.as_ref()));
        let (size, root) = latest.map_or((0, empty), |it| (it.size, it.history_root));
        if claim.first_new != size || claim.base_root != root || claim.size <= size {
            return Err(ItemRefused::NotContinuous);
        }
        if entry.is_some_and(|it| it.certified.len() >= SEGMENTS_MAX) {
            return Err(ItemRefused::TooMany);
        }
        let tombstoned = self.operators.get(&certificate.claimant).is_none_or(|it| it.tombstoned);
        if tombstoned {
            return Err(ItemRefused::Tombstoned);
        }
        let seeded = certificate.seed_height(&self.params);
        let digest_root = self
            .digests
            .get(&(certificate.committed, certificate.claimant))
            .ok_or(ItemRefused::NotContinuous)?;
        let beacon = self.beacons.get(&seeded).ok_or(ItemRefused::NotContinuous)?;
        let validators = self.validators_at(seeded).ok_or(ItemRefused::NotContinuous)?;
        certificate.check(Grounds {
            digest_root,
            beacon,
            validators: &validators,
            params: &self.params,
            height: self.height,
        })?;
        let id = claim.id().map_err(|_| ItemRefused::NotContinuous)?;
        let segment = Segment {
            size: claim.size,
            history_root: claim.history_root,
            claim: id,
            certified: self.height,
        };
        self.processes.entry(claim.process).or_default().certified.push(segment);
        events.push(LedgerEvent::Certified {
            process: claim.process,
            claim: id,
            size: claim.size,
        });
        Ok(())
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
        for (process, entry) in &mut self.processes {
            if disputed.contains(process) {
                continue;
            }
            let closed =
                entry.certified.iter().take_while(|it| it.certified.plus(window) <= height).count();
            if let Some(last) = entry.certified.drain(..closed).next_back() {
                entry.settled = Some(last);
            }
        }
    }

    /// Takes back the certificate of a false claim and everything certified on top of it (rule L-34).
    pub(super) fn void(&mut self, process: &ProcessId, claim: &ClaimId) {
        if let Some(ProcessEntry { certified, .. }) = self.processes.get_mut(process) {
            let keep = certified.iter().take_while(|segment| segment.claim != *claim).count();
            certified.truncate(keep);
        }
    }
}
