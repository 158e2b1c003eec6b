//! Attested results.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use surety_protocol::attested::{Backing, Status};
use surety_protocol::codec;
use surety_protocol::id::ProcessId;
use surety_protocol::stake::Stake;
use surety_protocol::time::Slot;

use super::Api;
use super::problem::Problem;
use super::processes::{beyond, known};
use super::request::{Ask, At, cbor};
use super::work::waiting;
use crate::attested::{NotAttested, Wanted, build, recorded};

/// Says how far an attested result has come.
pub(super) const STATUS: HeaderName = HeaderName::from_static("x-surety-status");

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    status: Option<String>,
    min_stake: Option<Stake>,
    k: Option<u64>,
    wait: Option<u64>,
}

impl Wish {
    fn wanted(&self) -> Result<Wanted, Problem> {
        let backing = Backing {
            stake: self.min_stake.unwrap_or(Stake::ZERO),
            tickets: self.k.unwrap_or(0),
        };
        let status = self.least()?;
        Ok(Wanted { status, backing })
    }

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

/// `GET /v1/processes/{process}/slots/{slot}/attested?status=&min_stake=&k=&wait=`: the canonical bytes of an attested result with at
/// least this status (claimed, certified or settled; the best there is without it), stake and number of tickets behind it.
/// `X-Surety-Status` says which status it has. With `wait`, up to so many seconds are given it to come about. 409 `not-attested`
/// says what there is instead, 409 `backing-too-low` that no more will come to it, and 404 `slot-unknown` that the log does not
/// reach as far.
pub(super) async fn get(
    State(api): State<Api>,
    At((process, slot)): At<(ProcessId, u64)>,
    Ask(wish): Ask<Wish>,
) -> Result<Response, Problem> {
    let (wanted, wait) = (wish.wanted()?, waiting(wish.wait)?);
    let slot = Slot(slot);
    known(&api.now(), &process)?;
    if !wait.is_zero() {
        come(&api, &process, slot, wanted, wait).await?;
    }
    let slots = known(&api.now(), &process)?.slots;
    if slot.0 >= slots {
        return Err(beyond(slot, slots));
    }
    let claims = api.claims.containing(&api, &process, slot).await?;
    let view = api.now();
    let built = api
        .heavy(move |archive| {
            let ledger = &view.ledger;
            let built = build(archive, ledger, &process, slot, wanted, &claims);
            let backing = || recorded(ledger, &process, slot).map(|(_, it)| it.backing);
            let (result, attestation) = built.map_err(|error| refused(error, backing()))?;
            let bytes = codec::encode(&result).map_err(|error| refused(error.into(), None))?;
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
    wanted: Wanted,
    wait: Duration,
) -> Result<(), Problem> {
    api.until(wait, |view| {
        let evaluated = view
            .processes
            .get(process)
            .is_some_and(|it| slot.0 < it.evaluated);
        let reached = recorded(&view.ledger, process, slot)
            .map(|(status, segment)| (status, segment.backing));
        async move {
            if !evaluated {
                return Ok(None);
            }
            match reached {
                // [AB-4]
                Some((_, backing)) if !backing.suffices(wanted.backing) => return Ok(Some(())),
                Some((status, _)) if status >= wanted.status => return Ok(Some(())),
                Some(_) => return Ok(None),
                None if wanted.status > Status::Claimed || wanted.backing.tickets > 0 => {
                    return Ok(None);
                }
                None => {}
            }
            let stake = wanted.backing.stake;
            let claimed = api.claims.backed(api, process, slot, stake).await?;
            Ok(claimed.then_some(()))
        }
    })
    .await?;
    Ok(())
}

/// Why there is none; with what stands behind what the ledger has recorded, if it has.
fn refused(error: NotAttested, backing: Option<Backing>) -> Problem {
    match error {
        NotAttested::Archive(error) => error.into(),
        NotAttested::Unsound(error) => Problem::internal(&error),
        NotAttested::Less {
            slot,
            least,
            available,
        } => {
            let has = available.map_or("nothing", Status::name);
            let behind = backing.map(|it| {
                let Backing { stake, tickets } = it;
                format!(
                    " with {} of stake and {tickets} tickets behind it",
                    stake.in_ao()
                )
            });
            let behind = behind.unwrap_or_default();
            let detail = format!("slot {slot} is not {least} yet; available: {has}{behind}");
            Problem::new(StatusCode::CONFLICT, "not-attested", detail)
        }
        // No more than its claimant: it may still be certified.
        NotAttested::Backing {
            status: Status::Claimed,
            ..
        } => Problem::conflict("not-attested", error.to_string()),
        NotAttested::Backing { .. } => Problem::conflict("backing-too-low", error.to_string()),
        NotAttested::OtherHistory(_) => Problem::conflict("other-history", error.to_string()),
        other => Problem::conflict("not-attested", other.to_string()),
    }
}
