//! Events as JSON: `number`, `kind`, and what belongs to the kind; those of the ledger have a `height`.

use std::time::Duration;

use serde_json::{Value, json};
use surety_attest::effect::Event;
use surety_protocol::id::{CaseId, EvidenceId};
use surety_protocol::time::Height;
use surety_slashing::ledger::LedgerEvent;

use crate::http::Api;
use crate::http::stake::slashing_json;
use crate::view::{NodeEvent, Numbered};

/// How long an event waits for the snapshot in which its case stands; it is made right after the event.
const SNAPSHOT: Duration = Duration::from_secs(2);

/// An event for people and programs.
pub(super) async fn of(api: &Api, numbered: &Numbered) -> Value {
    let mut data = match &numbered.event {
        NodeEvent::Role(event) => of_role(event),
        NodeEvent::Ledger { height, event } => of_ledger(api, *height, event).await,
    };
    if let Value::Object(data) = &mut data {
        data.insert("number".into(), numbered.number.into());
        if let NodeEvent::Ledger { height, .. } = &numbered.event {
            data.insert("height".into(), height.0.into());
        }
    }
    data
}

fn of_role(event: &Event) -> Value {
    match event {
        Event::Scheduled {
            message,
            process,
            slot,
            assignment,
            timestamp,
        } => json!({
            "kind": "scheduled",
            "message": message,
            "process": process,
            "slot": slot,
            "assignment": assignment,
            "timestamp": timestamp,
        }),
        Event::Unscheduled {
            message,
            process,
            code,
            reason,
        } => json!({
            "kind": "unscheduled",
            "message": message,
            "process": process,
            "code": code,
            "reason": reason,
        }),
        Event::Evaluated { process, slot, gas } => {
            json!({ "kind": "evaluated", "process": process, "slot": slot, "gas": gas })
        }
        Event::Claimed {
            process,
            claim,
            first_new,
            size,
        } => json!({
            "kind": "claimed",
            "process": process,
            "claim": claim,
            "first_new": first_new,
            "size": size,
        }),
        Event::Approved { process, claim } => {
            json!({ "kind": "approved", "process": process, "claim": claim })
        }
        Event::Audited { process, claim } => {
            json!({ "kind": "audited", "process": process, "claim": claim })
        }
        Event::Unaudited { process, claim } => {
            json!({ "kind": "unaudited", "process": process, "claim": claim })
        }
        Event::EnginesDiffer { evidence } => {
            json!({ "kind": "engines-differ", "evidence": evidence })
        }
        Event::Refuted {
            process,
            claim,
            claimant,
            slot,
        } => json!({
            "kind": "refuted",
            "process": process,
            "claim": claim,
            "claimant": claimant,
            "slot": slot,
        }),
        Event::Blind {
            process,
            claim,
            verifier,
        } => json!({
            "kind": "blind",
            "process": process,
            "claim": claim,
            "verifier": verifier,
        }),
        Event::Disagree { process, claim } => {
            json!({ "kind": "disagree", "process": process, "claim": claim })
        }
        Event::Accused { evidence, offender } => {
            json!({ "kind": "accused", "evidence": evidence, "offender": offender })
        }
        Event::Pushed { source, item } => json!({
            "kind": "pushed",
            "process": source.process,
            "slot": source.slot,
            "index": source.index,
            "item": item,
        }),
        Event::Unexecutable {
            process,
            module,
            reason,
        } => json!({
            "kind": "unexecutable",
            "process": process,
            "module": module,
            "reason": reason,
        }),
        Event::Refused { reason } => json!({ "kind": "signature-refused", "reason": reason }),
    }
}

async fn of_ledger(api: &Api, height: Height, event: &LedgerEvent) -> Value {
    match event {
        LedgerEvent::Refused { item, reason } => {
            json!({ "kind": "item-refused", "item": item, "reason": reason.to_string() })
        }
        LedgerEvent::Operator(operator) => json!({ "kind": "operator", "operator": operator }),
        LedgerEvent::Committed { claimant, root, .. } => {
            json!({ "kind": "committed", "claimant": claimant, "root": root })
        }
        LedgerEvent::Certified {
            process,
            claim,
            size,
        } => {
            json!({ "kind": "certified", "process": process, "claim": claim, "size": size })
        }
        LedgerEvent::Opened { case, evidence } => opened(api, height, case, evidence).await,
        LedgerEvent::Closed {
            case,
            evidence,
            state,
        } => {
            let state = state.name();
            json!({ "kind": "closed", "case": case, "evidence": evidence, "state": state })
        }
        LedgerEvent::Profile(added) => json!({ "kind": "profile", "from": added.from }),
        LedgerEvent::Slashed(slashing) => {
            let mut data = slashing_json(slashing);
            if let Value::Object(data) = &mut data {
                let offence = data.insert("kind".into(), "slashed".into());
                data.insert("offence".into(), offence.unwrap_or_default());
            }
            data
        }
    }
}

/// A case, with what the ledger knows of it.
async fn opened(api: &Api, height: Height, case: &CaseId, evidence: &EvidenceId) -> Value {
    let mut views = api.node.handle.view.clone();
    let reached = views.wait_for(|view| view.ledger.height() >= height);
    // Without its snapshot the event is told with what it says itself.
    let _ = tokio::time::timeout(SNAPSHOT, reached).await;
    let view = api.now();
    let challenge = view.ledger.case(case).map(|case| &case.challenge);
    json!({
        "kind": "opened",
        "case": case,
        "evidence": evidence,
        "offender": challenge.map(|it| it.offender),
        "process": challenge.map(|it| it.process),
        "slot": challenge.map(|it| it.slot),
        "claim": challenge.and_then(|it| it.claim),
    })
}
