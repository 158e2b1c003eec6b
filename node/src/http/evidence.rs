//! Evidence files.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use surety_attest::effect::Record;
use surety_protocol::codec::Wire;
use surety_protocol::evidence::Evidence;
use surety_protocol::execution::{Execution, ExecutionRequest};
use surety_protocol::id::EvidenceId;
use surety_slashing::evidence::{self, Proven, Refused};
use surety_slashing::ledger::Ledger;

use super::Api;
use super::problem::Problem;
use super::request::{Ask, At, Body, Page, cbor, paged_by};
use super::token::Trusted;
use crate::archive::write;
use crate::store::Batch;

/// Bytes of a file that is handed in.
const FILE_MAX: usize = Evidence::BYTES_MAX;

/// Evidence files that are listed; a node makes and receives few.
const LISTED_MAX: usize = 1000;

/// `GET /v1/evidence?from=&limit=`: the evidence files that this node has, by id, with their sizes.
pub(super) async fn list(
    State(api): State<Api>,
    Ask(page): Ask<Page<EvidenceId>>,
) -> Result<Response, Problem> {
    let (limit, from) = (page.limit()?, page.from.unwrap_or_default());
    api.heavy(move |archive| {
        let ids = archive
            .evidence_ids(LISTED_MAX)?
            .into_iter()
            .filter(|it| *it >= from);
        let mut found: Vec<(EvidenceId, Value)> = Vec::new();
        for id in ids.take(limit.saturating_add(1)) {
            let bytes = archive.evidence_bytes(&id)?.unwrap_or_default();
            found.push((id, json!({ "evidence": id, "bytes": bytes })));
        }
        Ok(paged_by(found.into_iter(), limit))
    })
    .await
}

/// `GET /v1/evidence/{evidence}`: the canonical bytes of an evidence file.
pub(super) async fn get(
    State(api): State<Api>,
    At(id): At<EvidenceId>,
) -> Result<Response, Problem> {
    let bytes = api.read(move |archive| Ok(archive.evidence(&id)?)).await?;
    bytes.map(cbor).ok_or_else(|| {
        Problem::unknown(
            "evidence-unknown",
            "this node does not have the evidence file",
        )
    })
}

/// `POST /v1/evidence` with the canonical bytes of an evidence file: 201 once this node has seen that it holds, so that the
/// validators who judge it can get it here. The accusation itself is an item for the ledger. It needs the node's token (rule
/// HT-11).
pub(super) async fn post(
    State(api): State<Api>,
    trusted: Result<Trusted, Problem>,
    Body(bytes): Body<FILE_MAX>,
) -> Result<Response, Problem> {
    // Only now: who sends a file shall hear why it is refused.
    trusted?;
    let busy = |_| Problem::busy("too many evidence files are being handed in");
    let _place = api.uploads.try_acquire().map_err(busy)?;
    let id = Evidence::id_of(&bytes);
    let here = api
        .read(move |archive| Ok(archive.evidence_bytes(&id)?.is_some()))
        .await?;
    if here {
        return Ok(Json(json!({ "evidence": id, "status": "stored" })).into_response());
    }
    let executor = Arc::clone(&api.node.handle.executor);
    let view = api.now();
    let metrics = Arc::clone(&api.node.handle.metrics);
    let proven = api
        .execute(move |archive| {
            let execute = |request: &ExecutionRequest| {
                // Nobody makes this node an engine for what is not the network's.
                match view.ledger.profiles().contain(&request.profile) {
                    true => executor.judge(request),
                    false => Execution::Invalid("its profile is not one of the network's".into()),
                }
            };
            let proven = evidence::judge(&bytes, execute).map_err(|why| {
                // [VM-3]
                if why == Refused::Differed {
                    metrics.engine_incidents.inc();
                    tracing::error!(evidence = %id, "two engines differ about a file: one of them is at fault; keep the file");
                }
                refused(why)
            })?;
            concerns(&view.ledger, &proven)?;
            let mut batch = Batch::new();
            write::put(
                &mut batch,
                Record::Evidence {
                    id,
                    bytes: bytes.into(),
                },
            )?;
            archive.write(batch)?;
            Ok(proven)
        })
        .await?;
    let stored = json!({
        "evidence": id,
        "status": "stored",
        "kind": proven.kind.name(),
        "offender": proven.offender,
        "process": proven.process,
        "slot": proven.slot,
        "finding": proven.finding.describe(),
    });
    Ok((StatusCode::CREATED, Json(stored)).into_response())
}

fn refused(error: Refused) -> Problem {
    let (status, code) = match error {
        Refused::Abstained(_) => (StatusCode::SERVICE_UNAVAILABLE, "engine-abstained"),
        Refused::Differed => (StatusCode::SERVICE_UNAVAILABLE, "engines-differ"),
        _ => (StatusCode::UNPROCESSABLE_ENTITY, "evidence-refused"),
    };
    Problem::new(status, code, error.to_string())
}

/// Whether a proven offence is one that this ledger can still punish: only such files take room here.
fn concerns(ledger: &Ledger, proven: &Proven) -> Result<(), Problem> {
    if proven.network != ledger.network() || ledger.operator(&proven.offender).is_none() {
        let detail = "the offender is no operator of this network";
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "evidence-refused",
            detail,
        ));
    }
    let known = ledger.slashings().iter().any(|it| {
        (it.offender, it.kind, it.process, it.slot)
            == (proven.offender, proven.kind, proven.process, proven.slot)
    });
    if known {
        return Err(Problem::conflict(
            "offence-known",
            "the offence was already punished",
        ));
    }
    Ok(())
}
