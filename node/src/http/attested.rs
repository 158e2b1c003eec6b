//! Attested results.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use surety_protocol::attested::Status;
use surety_protocol::codec;
use surety_protocol::id::{ClaimId, ProcessId};
use surety_protocol::time::Slot;

use super::Api;
use super::problem::Problem;
use super::processes::known;
use super::request::{Ask, At, cbor};
use super::work::waiting;
use crate::attested::{NotAttested, build, recorded};

/// Says how far an attested result has come.
pub(super) const STATUS: HeaderName = HeaderName::from_static("x-surety-status");

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    status: Option<String>,
    wait: Option<u64>,
}

impl Wish {
    /// The least status that will do.
    fn least(&self) -> Result<Status, Problem> {
        let names = [Status::Claimed, Status::Certified, Status::Settled];
        let Some(asked) = &self.status else {
            return Ok(Status::Claimed);
        };
        names
            .into_iter()
            .find(|it| it.name() == asked)
            .ok_or_else(|| {
                Problem::malformed(
                    "status-unknown",
                    "a status is claimed, certified or settled",
                )
            })
    }
}

/// `GET /v1/processes/{process}/slots/{slot}/attested?status=&wait=`: the canonical bytes of an attested result with at least
/// this status (claimed, certified or settled; the best there is without it). `X-Surety-Status` says which it has. With
/// `wait`, up to so many seconds are given it to come about. 409 `not-attested` says what there is instead.
pub(super) async fn get(
    State(api): State<Api>,
    At((process, slot)): At<(ProcessId, u64)>,
    Ask(wish): Ask<Wish>,
) -> Result<Response, Problem> {
    let (least, wait) = (wish.least()?, waiting(wish.wait)?);
    let slot = Slot(slot);
    known(&api.now(), &process)?;
    if !wait.is_zero() {
        come(&api, &process, slot, least, wait).await?;
    }
    let claims = api.claims.containing(&api, &process, slot).await?;
    let view = api.now();
    let built = api
        .heavy(move |archive| {
            let built = build(archive, &view.ledger, &process, slot, least, &claims);
            let (result, attestation) = built.map_err(refused)?;
            let bytes = codec::encode(&result).map_err(|error| refused(error.into()))?;
            Ok((bytes, attestation.status))
        })
        .await;
    let (bytes, status) = built?;
    let mut response = cbor(bytes);
    response
        .headers_mut()
        .insert(STATUS, HeaderValue::from_static(status.name()));
    Ok(response)
}

/// Waits until the ledger, or a claim, has reached the slot. Whether it did is seen by building the result.
async fn come(
    api: &Api,
    process: &ProcessId,
    slot: Slot,
    least: Status,
    wait: Duration,
) -> Result<(), Problem> {
    api.until(wait, |view| {
        let evaluated = view
            .processes
            .get(process)
            .is_some_and(|it| slot.0 < it.evaluated);
        let reached = recorded(&view.ledger, process, slot).map(|(status, _)| status);
        async move {
            if !evaluated {
                return Ok(None);
            }
            if reached.is_some_and(|it| it >= least) {
                return Ok(Some(()));
            }
            if reached.is_some() || least > Status::Claimed {
                return Ok(None);
            }
            let claims: Vec<ClaimId> = api.claims.containing(api, process, slot).await?;
            Ok((!claims.is_empty()).then_some(()))
        }
    })
    .await?;
    Ok(())
}

fn refused(error: NotAttested) -> Problem {
    match error {
        NotAttested::Archive(error) => error.into(),
        NotAttested::Unsound(error) => Problem::internal(&error),
        NotAttested::Less {
            slot,
            least,
            available,
        } => {
            let has = available.map_or("nothing", Status::name);
            let detail = format!("slot {slot} is not {least} yet; available: {has}");
            Problem::new(StatusCode::CONFLICT, "not-attested", detail)
        }
        NotAttested::OtherHistory(_) => Problem::conflict("other-history", error.to_string()),
        other => Problem::conflict("not-attested", other.to_string()),
    }
}
