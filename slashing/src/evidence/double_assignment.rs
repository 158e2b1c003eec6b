//! Offence: two assignments signed for one slot of one process.
//!
//! # Rules
//!
//! - `[E-10]` Both items are authentic, by the one key that the process names as its scheduler, which is the data-item
//!   key that the offender registered.
//! - `[E-11]` They assign the same slot of the same epoch of the same process.
//! - `[E-12]` Their *signing bytes* differ. Two signatures over the same bytes are no offence: RSA-PSS is salted.

use surety_protocol::assignment::Assignment;
use surety_protocol::evidence::{DoubleAssignment, OffenceKind};
use surety_protocol::id::{EvidenceId, NetworkId, ProcessId};

use super::{Finding, Proven, Refused, authentic, registration};

pub(super) fn judge(
    evidence: EvidenceId,
    network: NetworkId,
    offence: &DoubleAssignment,
) -> Result<Proven, Refused> {
    let (offender, registration) = registration(&network, &offence.registration)?;
    let process = authentic(&offence.process, "process")?;
    let first_item = authentic(&offence.first, "first assignment")?;
    let second_item = authentic(&offence.second, "second assignment")?;
    let parse = |item| Assignment::from_item(item).map_err(|_| Refused::Item("assignment"));
    let (first, second) = (parse(&first_item)?, parse(&second_item)?);
    // [E-10]
    let scheduler = registration.item_key;
    if first_item.owner_address() != scheduler || second_item.owner_address() != scheduler {
        return Err(Refused::Signature);
    }
    if process.tag("Scheduler") != Some(scheduler.to_string().as_str()) {
        return Err(Refused::Inconsistent("the process names another scheduler"));
    }
    // [E-11]
    let process = ProcessId::from(process.id());
    if first.process != process
        || second.process != process
        || first.epoch != second.epoch
        || first.slot != second.slot
    {
        return Err(Refused::Inconsistent(
            "the assignments are of different slots",
        ));
    }
    // [E-12]
    if first_item.signing_digest() == second_item.signing_digest() {
        return Err(Refused::Innocent);
    }
    Ok(Proven {
        evidence,
        network,
        kind: OffenceKind::DoubleAssignment,
        offender,
        registration,
        process,
        slot: first.slot,
        claim: None,
        finding: Finding::Assignments,
    })
}
