//! This operator's part in cases, as one of the validators who judge (rules RF-1 to RF-4).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use surety_attest::effect::{Event, Record};
use surety_attest::guard::VerdictDraft;
use surety_protocol::execution::Execution;
use surety_protocol::id::{CaseId, EvidenceId};
use surety_protocol::machine::Outbox;
use surety_slashing::evidence::Pending;
use surety_slashing::ledger::Case;
use surety_slashing::referee::{self, Announced, Judgement, Proof};

use super::{Core, Effect, Signing, Write, sign};

/// Bytes of files whose execution is under way, if it is more than one.
const EXECUTING_BYTES: u64 = 360 << 20;

/// A file whose execution decides.
#[derive(Debug)]
struct Executing {
    bytes: Arc<[u8]>,
    pending: Pending,
}

/// The cases in which this operator has yet to speak.
#[derive(Debug, Default)]
pub(super) struct Bench {
    /// With the file that each waits for.
    cases: BTreeMap<CaseId, Announced>,
    /// The files whose execution is under way.
    executing: BTreeMap<Announced, Executing>,
}

impl Bench {
    /// Whether a file is to be fetched, or was.
    fn knows(&self, file: Announced) -> bool {
        self.executing.contains_key(&file) || self.cases.values().any(|it| *it == file)
    }

    /// Takes out the cases about a file.
    fn take(&mut self, file: Announced) -> Vec<CaseId> {
        let about = self.cases.extract_if(.., |_, it| *it == file);
        about.map(|(case, _)| case).collect()
    }
}

impl Core {
    pub(super) fn case_opened(&mut self, id: CaseId, out: &mut Outbox<Effect>) {
        if !referee::is_elector(&self.ledger, &id, &self.shared.operator) {
            return;
        }
        let Some(case) = self.ledger.case(&id) else {
            return;
        };
        let file = Announced::from(&case.challenge);
        let known = self.bench.knows(file);
        self.bench.cases.insert(id, file);
        if !known {
            out.push(fetch(case));
        }
    }

    /// Asks again for the files that did not come, as long as their cases are open.
    pub(super) fn ask_again(&mut self, out: &mut Outbox<Effect>) {
        let (ledger, operator) = (&self.ledger, &self.shared.operator);
        let bench = &mut self.bench;
        bench
            .cases
            .retain(|case, _| referee::is_elector(ledger, case, operator));
        let cases = bench.cases.iter();
        let cases = cases.filter(|(_, file)| !bench.executing.contains_key(file));
        let waiting: Vec<(&CaseId, &Announced)> = cases.collect();
        // There may be no room for all of them at once (rule XC-6), and of several challengers one may not have the file: each is the
        // first in turn.
        let turn = ledger.height().0.checked_rem(waiting.len() as u64);
        let turn = usize::try_from(turn.unwrap_or(0)).unwrap_or(0);
        let (later, first) = waiting.split_at_checked(turn).unwrap_or_default();
        let mut asked: BTreeSet<Announced> = BTreeSet::new();
        for (id, file) in first.iter().chain(later) {
            if let Some(case) = ledger.case(id)
                && asked.insert(**file)
            {
                out.push(fetch(case));
            }
        }
    }

    pub(super) fn evidence(&mut self, file: referee::File, out: &mut Outbox<Effect>) {
        let announced = file.announced();
        // [RF-3]
        let wanted = self.bench.cases.values().any(|it| *it == announced);
        if !wanted || self.bench.executing.contains_key(&announced) {
            return;
        }
        // It is asked for again when there is room.
        let executing = self.bench.executing.keys().map(|it| it.bytes);
        let executing = executing.fold(0, u64::saturating_add);
        if executing > 0 && executing.saturating_add(announced.bytes) > EXECUTING_BYTES {
            return;
        }
        let (judgement, bytes) = referee::open(&self.ledger, file);
        let bytes = Arc::from(bytes);
        match judgement {
            Judgement::Found(proof) => self.found(announced, bytes, &proof, out),
            Judgement::Execute { request, pending } => {
                let executing = Executing { bytes, pending };
                self.bench.executing.insert(announced, executing);
                out.push(Effect::Judge {
                    evidence: announced.evidence,
                    request,
                });
            }
        }
    }

    pub(super) fn judged(
        &mut self,
        evidence: EvidenceId,
        execution: &Execution,
        out: &mut Outbox<Effect>,
    ) {
        // One id has one length.
        let mut of_file = self
            .bench
            .executing
            .extract_if(.., |it, _| it.evidence == evidence);
        let Some((announced, Executing { bytes, pending })) = of_file.next() else {
            return;
        };
        drop(of_file);
        if *execution == Execution::Differed {
            keep(evidence, Arc::clone(&bytes), out);
            out.push(Effect::Notify(Event::EnginesDiffer { evidence }));
        }
        // [RF-2]
        match referee::conclude(pending, execution) {
            Some(proof) => self.found(announced, bytes, &proof, out),
            None => drop(self.bench.take(announced)),
        }
    }

    /// Speaks in every case about a file, which is kept if it proves one (rule RF-4).
    fn found(
        &mut self,
        file: Announced,
        bytes: Arc<[u8]>,
        proof: &Proof,
        out: &mut Outbox<Effect>,
    ) {
        let cases = self.bench.take(file);
        let cases = cases
            .into_iter()
            .map(|case| (case, proof.convicts(&self.ledger, &case)));
        let cases: Vec<(CaseId, bool)> = cases.collect();
        if cases.iter().any(|(_, guilty)| *guilty) {
            keep(file.evidence, bytes, out);
        }
        for (case, guilty) in cases {
            match self
                .shared
                .guard
                .clear_verdict(VerdictDraft { case, guilty })
            {
                Ok((cleared, record)) => {
                    out.push(Effect::Persist(Write::Record(Record::Guard(record))));
                    sign(Signing::Verdict(cleared), out);
                }
                Err(reason) => {
                    out.push(Effect::Notify(Event::Refused {
                        reason: reason.to_string(),
                    }));
                }
            }
        }
    }
}

/// Keeps a file, before anything is said about it.
fn keep(id: EvidenceId, bytes: Arc<[u8]>, out: &mut Outbox<Effect>) {
    let record = Record::Evidence { id, bytes };
    out.push(Effect::Persist(Write::Record(record)));
}

/// What gets the file of a case.
fn fetch(case: &Case) -> Effect {
    Effect::FetchEvidence {
        evidence: case.challenge.evidence,
        bytes: case.challenge.bytes,
        challenger: case.challenger,
    }
}
