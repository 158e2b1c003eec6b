//! This operator's part in cases, as one of the validators who judge (rules RF-1 to RF-3).

use surety_attest::effect::{Event, Record};
use surety_attest::guard::VerdictDraft;
use surety_protocol::execution::Execution;
use surety_protocol::id::EvidenceId;
use surety_protocol::machine::Outbox;
use surety_slashing::referee::{self, Judgement};

use super::{Core, Effect, Signing, Write, sign};

impl Core {
    pub(super) fn case_opened(&mut self, evidence: EvidenceId, out: &mut Outbox<Effect>) {
        if !referee::is_elector(&self.ledger, &evidence, &self.shared.operator) {
            return;
        }
        let Some(case) = self.ledger.case(&evidence) else {
            return;
        };
        self.cases.insert(evidence, None);
        out.push(Effect::FetchEvidence {
            evidence,
            bytes: case.challenge.bytes,
            challenger: case.challenger,
        });
    }

    /// Asks again for the files that did not come, as long as their cases are open.
    pub(super) fn ask_again(&mut self, out: &mut Outbox<Effect>) {
        let waiting: Vec<EvidenceId> = self
            .cases
            .iter()
            .filter(|(_, it)| it.is_none())
            .map(|(id, _)| *id)
            .collect();
        // There may be no room for all of them at once (rule XC-6): each is the first in turn.
        let turn = self.ledger.height().0.checked_rem(waiting.len() as u64);
        let turn = usize::try_from(turn.unwrap_or(0)).unwrap_or(0);
        let (later, first) = waiting.split_at_checked(turn).unwrap_or_default();
        for evidence in first.iter().chain(later).copied() {
            self.cases.remove(&evidence);
            self.case_opened(evidence, out);
        }
    }

    pub(super) fn evidence(&mut self, file: referee::File, out: &mut Outbox<Effect>) {
        let evidence = file.id();
        // [RF-3]
        if !self.cases.contains_key(&evidence) || !referee::is_file(&self.ledger, &file) {
            return;
        }
        let (judgement, bytes) = referee::open(&self.ledger, file);
        let record = Record::Evidence {
            id: evidence,
            bytes: bytes.into(),
        };
        out.push(Effect::Persist(Write::Record(record)));
        match judgement {
            Judgement::Verdict(guilty) => self.say(evidence, guilty, out),
            Judgement::Execute { request, pending } => {
                self.cases.insert(evidence, Some(pending));
                out.push(Effect::Judge { evidence, request });
            }
        }
    }

    pub(super) fn judged(
        &mut self,
        evidence: EvidenceId,
        execution: &Execution,
        out: &mut Outbox<Effect>,
    ) {
        let Some(Some(pending)) = self.cases.remove(&evidence) else {
            return;
        };
        if *execution == Execution::Differed {
            out.push(Effect::Notify(Event::EnginesDiffer { evidence }));
        }
        // [RF-2]
        if let Some(guilty) = referee::conclude(&self.ledger, &evidence, pending, execution) {
            self.say(evidence, guilty, out);
        }
    }

    fn say(&mut self, evidence: EvidenceId, guilty: bool, out: &mut Outbox<Effect>) {
        self.cases.remove(&evidence);
        match self
            .shared
            .guard
            .clear_verdict(VerdictDraft { evidence, guilty })
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
