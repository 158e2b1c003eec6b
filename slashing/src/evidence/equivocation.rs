//! Offence: two different leaves signed for one input.
//!
//! # Rules
//!
//! - `[E-20]` Both statements are signed by the offender's registered hot key, for the same network, process and fork.
//!   Which profile an input has is decided by the log, so that naming another is no excuse.
//! - `[E-21]` Each leaf is in its statement's history, at its slot; both name the same assignment. An assignment's id
//!   fixes the whole log before it by its hash chain, so the inputs were the same.
//! - `[E-22]` The leaves differ; or the statements have one history and size, and their head state roots differ.

use surety_protocol::evidence::{ClaimEquivocation, OffenceKind};
use surety_protocol::id::{EvidenceId, NetworkId};

use super::{Finding, Proven, Refused, registration};

pub(super) fn judge(
    evidence: EvidenceId,
    network: NetworkId,
    offence: &ClaimEquivocation,
) -> Result<Proven, Refused> {
    let (offender, registration) = registration(&network, &offence.registration)?;
    let (first, second) = (&offence.first, &offence.second);
    // [E-20]
    for statement in [first, second] {
        if statement.claimant != offender
            || statement.claim.network != network
            || !statement.signed_by(&registration.key)
        {
            return Err(Refused::Signature);
        }
    }
    let (a, b) = (&first.claim, &second.claim);
    if (a.process, a.fork) != (b.process, b.fork) {
        return Err(Refused::Inconsistent(
            "the claims are of different processes",
        ));
    }
    // [E-21]
    let (first_leaf, first_path) = &offence.first_leaf;
    let (second_leaf, second_path) = &offence.second_leaf;
    for (claim, leaf, path) in [(a, first_leaf, first_path), (b, second_leaf, second_path)] {
        let placed = path.index == leaf.slot.0 && path.size == claim.size;
        if !placed || !path.verify(&leaf.digest()?, &claim.history_root) {
            return Err(Refused::History);
        }
    }
    if first_leaf.assignment != second_leaf.assignment || first_leaf.slot != second_leaf.slot {
        return Err(Refused::Inconsistent("the leaves are of different inputs"));
    }
    // [E-22]
    let heads_differ = a.size == b.size
        && a.history_root == b.history_root
        && a.head_state_root != b.head_state_root;
    if first_leaf == second_leaf && !heads_differ {
        return Err(Refused::Innocent);
    }
    Ok(Proven {
        evidence,
        network,
        kind: OffenceKind::ClaimEquivocation,
        offender,
        registration,
        process: a.process,
        slot: first_leaf.slot,
        claim: None,
        finding: Finding::Leaves,
    })
}
