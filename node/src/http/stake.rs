//! What the ledger holds: operators, balances, certificates, cases and penalties.

use std::str::FromStr;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use surety_protocol::evidence::OffenceKind;
use surety_protocol::id::{Address, CaseId, ProcessId, base64url};
use surety_slashing::ledger::{Case, Ledger, Operator, Slashing};

use super::Api;
use super::problem::Problem;
use super::request::{Ask, At, Page, limit, listed, paged, paged_by};
use crate::net::PeerId;

fn operator_json(ledger: &Ledger, address: &Address, it: &Operator) -> Value {
    let unbonding: Vec<Value> = it
        .unbonding
        .iter()
        .map(|piece| json!({ "amount": piece.amount, "free_from": piece.free_from }))
        .collect();
    let peer = PeerId::from_bytes(&it.registration.peer).map_or_else(
        |_| base64url(&it.registration.peer),
        |peer| peer.to_string(),
    );
    json!({
        "operator": address,
        "bonded": it.bonded,
        "unbonding": unbonding,
        "escrow": it.escrow,
        "active": ledger.is_active(address),
        "active_from": it.active_from,
        "tombstoned": it.tombstoned,
        "key": it.registration.key,
        "item_key": it.registration.item_key,
        "peer_id": peer,
        "balance": ledger.balance(address),
    })
}

/// `GET /v1/operators?from=&limit=`: the operators, by address.
pub(super) async fn operators(
    State(api): State<Api>,
    Ask(page): Ask<Page<Address>>,
) -> Result<Response, Problem> {
    let (limit, from) = (page.limit()?, page.from.unwrap_or_default());
    let ledger = &api.now().ledger;
    let operators = ledger
        .operators()
        .skip_while(|(address, _)| **address < from);
    let entries = operators.map(|(address, it)| (*address, operator_json(ledger, address, it)));
    Ok(paged_by(entries, limit))
}

/// `GET /v1/operators/{operator}`: one operator and its stake.
pub(super) async fn operator(
    State(api): State<Api>,
    At(address): At<Address>,
) -> Result<Response, Problem> {
    let ledger = &api.now().ledger;
    let found = ledger.operator(&address).ok_or_else(|| {
        Problem::unknown(
            "operator-unknown",
            "no operator with this address is registered",
        )
    })?;
    Ok(Json(operator_json(ledger, &address, found)).into_response())
}

/// `GET /v1/accounts/{address}`: the free balance of an address.
pub(super) async fn account(State(api): State<Api>, At(address): At<Address>) -> Response {
    let balance = api.now().ledger.balance(&address);
    Json(json!({ "address": address, "balance": balance })).into_response()
}

/// Which certificates.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Certificates {
    process: Option<String>,
    from: Option<u64>,
    limit: Option<usize>,
}

/// `GET /v1/certificates?process=&from=&limit=`: the certified segments that the ledger keeps: of every process the last one
/// that is settled, and all that are not. `from` is a place in this order.
pub(super) async fn certificates(
    State(api): State<Api>,
    Ask(asked): Ask<Certificates>,
) -> Result<Response, Problem> {
    let limit = limit(asked.limit)?;
    let process = asked
        .process
        .as_deref()
        .map(ProcessId::from_str)
        .transpose();
    let process = process.map_err(|error| Problem::malformed("id-malformed", error.to_string()))?;
    let ledger = &api.now().ledger;
    let all = process.is_none().then(|| ledger.processes());
    let processes = process.into_iter().chain(all.into_iter().flatten());
    let segments = processes.flat_map(|process| {
        let settled = ledger.settled(&process).map(|it| ("settled", it));
        let settled = settled.into_iter();
        let certified = ledger.certified(&process).map(|it| ("certified", it));
        settled
            .chain(certified)
            .map(move |(status, it)| (process, status, it))
    });
    let from = asked.from.unwrap_or(0);
    let skip = usize::try_from(from).unwrap_or(usize::MAX);
    let mut items: Vec<Value> = segments
        .skip(skip)
        .take(limit.saturating_add(1))
        .map(|(process, status, it)| {
            json!({
                "process": process,
                "claim": it.claim,
                "size": it.size,
                "history_root": it.history_root,
                "height": it.certified,
                "status": status,
            })
        })
        .collect();
    let more = items.len() > limit;
    items.truncate(limit);
    let next = more.then(|| from.saturating_add(u64::try_from(limit).unwrap_or(u64::MAX)));
    Ok(listed(items, next))
}

/// The name of an offence's kind.
fn kind(number: u8) -> &'static str {
    OffenceKind::from_number(number).map_or("unknown", OffenceKind::name)
}

fn case_json(id: &CaseId, it: &Case) -> Value {
    let guilty = it.verdicts.values().filter(|guilty| **guilty).count();
    json!({
        "case": id,
        "evidence": it.challenge.evidence,
        "kind": kind(it.challenge.kind),
        "bytes": it.challenge.bytes,
        "offender": it.challenge.offender,
        "process": it.challenge.process,
        "slot": it.challenge.slot,
        "claim": it.challenge.claim,
        "challenger": it.challenger,
        "bond": it.bond,
        "opened": it.opened,
        "electors": it.electors.len(),
        "guilty": guilty,
        "innocent": it.verdicts.len().saturating_sub(guilty),
        "state": it.state.name(),
    })
}

/// `GET /v1/cases?from=&limit=`: the cases that validators judge or have judged, by their ids.
pub(super) async fn cases(
    State(api): State<Api>,
    Ask(page): Ask<Page<CaseId>>,
) -> Result<Response, Problem> {
    let (limit, from) = (page.limit()?, page.from.unwrap_or_default());
    let ledger = &api.now().ledger;
    let cases = ledger.cases().skip_while(|(id, _)| **id < from);
    Ok(paged_by(
        cases.map(|(id, it)| (*id, case_json(id, it))),
        limit,
    ))
}

/// A penalty for people and programs.
pub(super) fn slashing_json(it: &Slashing) -> Value {
    json!({
        "evidence": it.evidence,
        "offender": it.offender,
        "kind": it.kind.name(),
        "process": it.process,
        "slot": it.slot,
        "amount": it.amount,
        "challenger": it.challenger,
        "height": it.height,
        "escrow_until": it.escrow_until,
        "released": it.released,
    })
}

/// `GET /v1/slashings?from=&limit=`: all penalties, oldest first; `from` is a place in this order.
pub(super) async fn slashings(
    State(api): State<Api>,
    Ask(page): Ask<Page<u64>>,
) -> Result<Response, Problem> {
    paged(
        api.now().ledger.slashings().into_iter().map(slashing_json),
        &page,
    )
}
