//! This operator's part in cases, as one of the validators who judge (rules RF-1 to RF-4).

use std::collections::{BTreeMap, BTreeSet};

use surety_attest::effect::{Event, Record};
use surety_attest::guard::VerdictDraft;
use surety_protocol::execution::Execution;
use surety_protocol::id::{CaseId, EvidenceId};
use surety_protocol::machine::Outbox;
use surety_protocol::origin::Action;
use surety_slashing::evidence::Pending;
use surety_slashing::ledger::{Case, CaseState};
use surety_slashing::referee::{self, Announced, Judgement, Proof};

use super::{Core, Effect, Signing, Write, sign};

/// The cases in which this operator has yet to speak.
#[derive(Debug, Default)]
pub(super) struct Bench {
    /// With the file that each waits for.
    cases: BTreeMap<CaseId, Announced>,
    /// The files whose execution is under way.
    executing: BTreeMap<Announced, Pending>,
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
        let (judgement, bytes) = referee::open(&self.ledger, file);
        let record = Record::Evidence {
            id: announced.evidence,
            bytes: bytes.into(),
        };
        out.push(Effect::Persist(Write::Record(record)));
        match judgement {
            Judgement::Found(proof) => self.found(announced, &proof, out),
            Judgement::Execute { request, pending } => {
                self.bench.executing.insert(announced, pending);
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
        let Some((announced, pending)) = of_file.next() else {
            return;
        };
        drop(of_file);
        if *execution == Execution::Differed {
            out.push(Effect::Notify(Event::EnginesDiffer { evidence }));
        }
        // [RF-2]
        match referee::conclude(pending, execution) {
            Some(proof) => self.found(announced, &proof, out),
            None => drop(self.bench.take(announced)),
        }
    }

    /// Speaks in every case about a file.
    fn found(&mut self, file: Announced, proof: &Proof, out: &mut Outbox<Effect>) {
        for case in self.bench.take(file) {
            let guilty = proof.convicts(&self.ledger, &case);
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

    /// Drops the file of a case that proved nothing new (rule RF-4).
    pub(super) fn case_closed(
        &mut self,
        id: &CaseId,
        evidence: EvidenceId,
        out: &mut Outbox<Effect>,
    ) {
        let Some(closed) = self.ledger.case(id) else {
            return;
        };
        let proven = |it: &Case| it.state == CaseState::Guilty;
        let copied = self
            .ledger
            .cases()
            .any(|(_, it)| proven(it) && it.challenge.accuses_as(&closed.challenge));
        let useless = match closed.state {
            CaseState::Innocent => true,
            CaseState::Expired => copied,
            CaseState::Open | CaseState::Guilty => false,
        };
        let of_use = |it: &Case| it.state == CaseState::Open || proven(it);
        let about = |it: &Case| it.challenge.evidence == evidence;
        let needed = self.ledger.cases().any(|(_, it)| about(it) && of_use(it));
        let sent = self.unconfirmed.values();
        let accusing = sent.filter_map(|it| match &it.action {
            Action::Challenge { challenge, .. } => Some(challenge.evidence),
            _ => None,
        });
        if useless && !needed && !accusing.into_iter().any(|it| it == evidence) {
            out.push(Effect::Persist(Write::EvidenceDropped(evidence)));
        }
    }
}

/// What gets the file of a case.
fn fetch(case: &Case) -> Effect {
    Effect::FetchEvidence {
        evidence: case.challenge.evidence,
        bytes: case.challenge.bytes,
        challenger: case.challenger,
    }
}
