//! Evidence files.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use surety_protocol::id::EvidenceId;

use super::Api;
use super::problem::Problem;
use super::request::{Ask, At, Page, cbor, paged_by};

/// Evidence files that are listed; a node makes and receives few.
const LISTED_MAX: usize = 1000;

/// `GET /v1/evidence?from=&limit=`: the evidence files that this node has, by id, with their sizes.
pub(super) async fn list(
    State(api): State<Api>,
    Ask(page): Ask<Page<EvidenceId>>,
) -> Result<Response, Problem> {
    let (limit, from) = (page.limit()?, page.from.unwrap_or_default());
    api.heavy(move |archive| {
        let ids = archive.evidence_ids(LISTED_MAX)?.into_iter().filter(|it| *it >= from);
        let mut found: Vec<(EvidenceId, Value)> = Vec::new();
        for id in ids.take(limit.saturating_add(1)) {
            let bytes = archive.evidence(&id)?.map_or(0, |it| it.len());
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
        Problem::unknown("evidence-unknown", "this node does not have the evidence file")
    })
}
