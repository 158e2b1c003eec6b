//! What is left on the disks of honest nodes (rule OC-9).

use std::collections::BTreeSet;

use surety_node::archive::Archive;
use surety_protocol::id::EvidenceId;
use surety_slashing::ledger::{CaseState, Ledger};

use super::Violation;

/// Evidence files that are looked at.
const FILES_MAX: usize = 1_000;

/// Looks for the files of cases that were lost, and that nobody needs for another.
///
/// # Errors
/// One of them, or a damaged archive.
pub(crate) fn no_refuse(archive: &Archive, ledger: &Ledger) -> Result<(), Violation> {
    let about = |lost: bool| -> BTreeSet<EvidenceId> {
        let cases = ledger.cases().map(|(_, case)| case);
        let cases = cases.filter(|case| (case.state == CaseState::Innocent) == lost);
        cases.map(|case| case.challenge.evidence).collect()
    };
    let (lost, needed) = (about(true), about(false));
    let files = archive.evidence_ids(FILES_MAX);
    let files = files.map_err(|it| Violation::new("archive", it))?;
    match files
        .iter()
        .find(|it| lost.contains(it) && !needed.contains(it))
    {
        Some(file) => Err(Violation::new(
            "no-refuse",
            format!("{file} proves nothing and is kept"),
        )),
        None => Ok(()),
    }
}
