//! The signing guard: nothing is signed that could contradict what was signed before.
//!
//! # Rules
//!
//! - `[G-1]` [`SafeToSign`] is made only here. A signer takes nothing else, so signing what the guard has not cleared
//!   does not compile.
//! - `[G-2]` Clearing gives records. They are durable before the signature is made: a crash between the two costs a
//!   signature, never a contradiction.
//! - `[G-3]` For one process, slot and assignment one leaf is ever stood for, by claim or approval; for one history of one
//!   size one head state root.
//! - `[G-4]` A claim continues a history that was stood for, or that the ledger certified; anything else cannot be proven
//!   safe and is refused.
//! - `[G-5]` For one process and slot one assignment is ever signed; asked again for the same bytes, the answer is the
//!   same. Of slots that are reserved together, the hash chain that the first continues stands for those of the others.

use std::collections::BTreeMap;

use surety_protocol::approval::Approval;
use surety_protocol::claim::{Claim, Leaf};
use surety_protocol::codec::CodecError;
use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::{AssignmentId, CaseId, ClaimId, Digest, ProcessId};
use surety_protocol::time::Slot;

use crate::reservation::Reservation;

/// A thing that may be signed (rule G-1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafeToSign<T>(T);

impl<T> SafeToSign<T> {
    /// The thing, for the signer.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// What was stood for, to be made durable and given back at the next start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuardRecord {
    /// A leaf.
    Leaf {
        /// Of which process.
        process: ProcessId,
        /// At which slot.
        slot: Slot,
        /// For which assignment.
        assignment: AssignmentId,
        /// The leaf's digest.
        leaf: Digest,
    },
    /// A history of a process.
    History {
        /// The process.
        process: ProcessId,
        /// Leaves.
        size: u64,
        /// Their root.
        root: Digest,
        /// The state after them.
        head: Digest,
    },
    /// A verdict.
    Verdict {
        /// In which case.
        case: CaseId,
        /// What was said.
        guilty: bool,
    },
    /// An assignment.
    Assignment {
        /// The process.
        process: ProcessId,
        /// The slot.
        slot: Slot,
        /// The digest of what is assigned.
        draft: Digest,
    },
}

/// Why the guard refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsafe {
    /// Another leaf was stood for at this slot.
    #[error("another leaf was signed for slot {0}")]
    Leaf(Slot),
    /// Another head was stood for after this history.
    #[error("another head state was signed for size {0}")]
    Head(u64),
    /// The history before is not known to be safe.
    #[error("the history of size {0} was never signed nor certified")]
    Base(u64),
    /// Another assignment was signed for this slot.
    #[error("another assignment was signed for slot {0}")]
    Assignment(Slot),
    /// The other verdict was signed.
    #[error("the other verdict was signed in this case")]
    Verdict,
    /// A thing that cannot be encoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// An approval to be signed: the claim, whose leaves the guard has cleared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalDraft {
    /// The approval, its signatures still placeholders.
    pub approval: Approval,
    /// The claim that is approved.
    pub claim: ClaimId,
    /// The seed of its sortition.
    pub seed: Digest,
    /// The trace that its verifiers have in common, which is signed and shown to nobody.
    pub trace: Digest,
}

/// Everything that was ever stood for, as far as it can still be contradicted.
#[derive(Debug, Default)]
pub struct Guard {
    leaves: BTreeMap<(ProcessId, Slot, AssignmentId), Digest>,
    heads: BTreeMap<(ProcessId, u64, Digest), Digest>,
    assignments: BTreeMap<(ProcessId, Slot), Digest>,
    verdicts: BTreeMap<CaseId, bool>,
}

/// A verdict to be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerdictDraft {
    /// In which case.
    pub case: CaseId,
    /// What is said.
    pub guilty: bool,
}

impl Guard {
    /// Takes back a durable record at the start of a node.
    pub fn restore(&mut self, record: GuardRecord) {
        match record {
            GuardRecord::Leaf {
                process,
                slot,
                assignment,
                leaf,
            } => {
                self.leaves.insert((process, slot, assignment), leaf);
            }
            GuardRecord::History {
                process,
                size,
                root,
                head,
            } => {
                self.heads.insert((process, size, root), head);
            }
            GuardRecord::Verdict { case, guilty } => {
                self.verdicts.insert(case, guilty);
            }
            GuardRecord::Assignment {
                process,
                slot,
                draft,
            } => {
                self.assignments.insert((process, slot), draft);
            }
        }
    }

    /// Clears a claim with its new leaves; `certified` says whether the ledger certified its base.
    ///
    /// # Errors
    /// What it would contradict.
    pub fn clear_claim(
        &mut self,
        claim: Claim,
        leaves: &[Leaf],
        certified: bool,
    ) -> Result<(SafeToSign<Claim>, Vec<GuardRecord>), Unsafe> {
        let process = claim.process;
        // [G-4]
        let base = (process, claim.first_new, claim.base_root);
        if claim.first_new > 0 && !certified && !self.heads.contains_key(&base) {
            return Err(Unsafe::Base(claim.first_new));
        }
        let mut records = self.check_leaves(process, leaves)?;
        // [G-3]
        let key = (process, claim.size, claim.history_root);
        if self
            .heads
            .get(&key)
            .is_some_and(|head| *head != claim.head_state_root)
        {
            return Err(Unsafe::Head(claim.size));
        }
        records.push(GuardRecord::History {
            process,
            size: claim.size,
            root: claim.history_root,
            head: claim.head_state_root,
        });
        self.restore_all(&records);
        Ok((SafeToSign(claim), records))
    }

    /// Clears the approval of a claim with these new leaves.
    ///
    /// # Errors
    /// What it would contradict.
    pub fn clear_approval(
        &mut self,
        claim: &Claim,
        leaves: &[Leaf],
        approval: Approval,
        (seed, trace): (Digest, Digest),
    ) -> Result<(SafeToSign<ApprovalDraft>, Vec<GuardRecord>), Unsafe> {
        let records = self.check_leaves(claim.process, leaves)?;
        self.restore_all(&records);
        Ok((
            SafeToSign(ApprovalDraft {
                claim: claim.id()?,
                approval,
                seed,
                trace,
            }),
            records,
        ))
    }

    /// Clears the assignments of a reservation (rule G-5).
    ///
    /// # Errors
    /// If a slot has another.
    pub fn clear_reservation(
        &mut self,
        reservation: Reservation,
    ) -> Result<(SafeToSign<Reservation>, Vec<GuardRecord>), Unsafe> {
        let mut records = Vec::with_capacity(reservation.entries.len());
        let mut is = Digest::new(*reservation.hash_chain.as_bytes());
        let checked = reservation.sign(|draft| {
            // What was signed before it in this reservation stands for its hash chain (rule RV-1).
            let item = draft.to_item_draft(None);
            let mut text = Vec::new();
            for (name, value) in item.tags.iter().filter(|(name, _)| name != "Hash-Chain") {
                text.extend_from_slice(name.as_bytes());
                text.push(0);
                text.extend_from_slice(value.as_bytes());
                text.push(0);
            }
            is = digest(Domain::OBJECT, &[is.as_bytes(), &text]);
            let (process, slot) = (draft.process, draft.slot);
            let was = self.assignments.get(&(process, slot));
            if was.is_some_and(|was| *was != is) {
                return Err(Unsafe::Assignment(slot));
            }
            records.push(GuardRecord::Assignment {
                process,
                slot,
                draft: is,
            });
            Ok(draft.hash_chain)
        });
        checked?;
        self.restore_all(&records);
        Ok((SafeToSign(reservation), records))
    }

    /// Clears a verdict: one is given in any case.
    ///
    /// # Errors
    /// If the other was given.
    pub fn clear_verdict(
        &mut self,
        draft: VerdictDraft,
    ) -> Result<(SafeToSign<VerdictDraft>, GuardRecord), Unsafe> {
        let VerdictDraft { case, guilty } = draft;
        if self.verdicts.get(&case).is_some_and(|was| *was != guilty) {
            return Err(Unsafe::Verdict);
        }
        let record = GuardRecord::Verdict { case, guilty };
        self.restore(record.clone());
        Ok((SafeToSign(draft), record))
    }

    fn check_leaves(
        &self,
        process: ProcessId,
        leaves: &[Leaf],
    ) -> Result<Vec<GuardRecord>, Unsafe> {
        let mut records = Vec::with_capacity(leaves.len().saturating_add(1));
        for leaf in leaves {
            let is = leaf.digest()?;
            match self.leaves.get(&(process, leaf.slot, leaf.assignment)) {
                Some(was) if *was != is => return Err(Unsafe::Leaf(leaf.slot)),
                Some(_) => {}
                None => records.push(GuardRecord::Leaf {
                    process,
                    slot: leaf.slot,
                    assignment: leaf.assignment,
                    leaf: is,
                }),
            }
        }
        Ok(records)
    }

    fn restore_all(&mut self, records: &[GuardRecord]) {
        for record in records {
            self.restore(record.clone());
        }
    }
}
