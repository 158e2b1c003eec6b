//! Claims of compute units, and which of them this node knows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use surety_attest::claims::CLAIMS_MAX;
use surety_protocol::claim::{Claim, Leaf};
use surety_protocol::codec;
use surety_protocol::id::{Address, ClaimId, ProcessId};
use surety_protocol::stake::Stake;
use surety_protocol::time::Slot;
use surety_slashing::ledger::{CaseState, Ledger};
use tokio::sync::Mutex;

use super::Api;
use super::problem::Problem;
use super::processes::known;
use super::request::{Ask, At, Canonical, Page, cbor, paged};
use crate::archive::Archive;
use crate::attested::standing;
use crate::view::View;

/// A claim and who signed it.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    id: ClaimId,
    claim: Claim,
    claimants: Vec<Address>,
}

type Index = BTreeMap<ProcessId, Vec<Known>>;

/// The claims in the archive by process, shortest first: read again when the node has changed, as long as that costs
/// little of its time.
#[derive(Debug, Default)]
pub(crate) struct KnownClaims {
    read: Mutex<Option<Read>>,
}

#[derive(Debug)]
struct Read {
    view: Arc<View>,
    at: Instant,
    took: Duration,
    index: Arc<Index>,
}

/// What takes no longer than this is done again whenever the node has changed.
const CHEAP: Duration = Duration::from_millis(20);
/// Beyond that, reading claims again takes at most one part in so many of the node's time.
const SHARE: u32 = 20;

impl KnownClaims {
    async fn index(&self, api: &Api) -> Result<Arc<Index>, Problem> {
        let view = api.now();
        let mut read = self.read.lock().await;
        if let Some(read) = read.as_ref() {
            let dear = read.took > CHEAP && read.at.elapsed() < read.took.saturating_mul(SHARE);
            let fresh = dear || Arc::ptr_eq(&read.view, &view);
            if fresh {
                return Ok(Arc::clone(&read.index));
            }
        }
        let started = Instant::now();
        let index = Arc::new(api.read(scan).await?);
        let took = started.elapsed();
        *read = Some(Read {
            view,
            at: Instant::now(),
            took,
            index: Arc::clone(&index),
        });
        Ok(index)
    }

    /// The claims that contain a slot, shortest first.
    pub(crate) async fn containing(
        &self,
        api: &Api,
        process: &ProcessId,
        slot: Slot,
    ) -> Result<Vec<ClaimId>, Problem> {
        let index = self.index(api).await?;
        let known = index.get(process).into_iter().flatten();
        Ok(known
            .filter(|it| slot.0 < it.claim.size)
            .map(|it| it.id)
            .collect())
    }

    /// Whether a claim contains a slot, whose claimant has so much stake.
    pub(crate) async fn backed(
        &self,
        api: &Api,
        process: &ProcessId,
        slot: Slot,
        stake: Stake,
    ) -> Result<bool, Problem> {
        let index = self.index(api).await?;
        let ledger = Arc::clone(&api.now().ledger);
        let has = |it: &Address| standing(&ledger, it).is_some_and(|it| it >= stake);
        let mut known = index.get(process).into_iter().flatten();
        Ok(known.any(|it| slot.0 < it.claim.size && it.claimants.iter().any(has)))
    }

    /// Slots of a process that a claim contains.
    pub(crate) async fn reach(&self, api: &Api, process: &ProcessId) -> Result<u64, Problem> {
        let index = self.index(api).await?;
        let known = index.get(process).into_iter().flatten();
        Ok(known.map(|it| it.claim.size).max().unwrap_or(0))
    }
}

fn scan(archive: &Archive) -> Result<Index, Problem> {
    let mut index = Index::new();
    for signed in archive.all_claims(CLAIMS_MAX)? {
        let claim = signed.statement.claim;
        let id = claim.id().map_err(|error| Problem::internal(&error))?;
        let of_process = index.entry(claim.process).or_default();
        // One claim's signers lie side by side in the archive.
        match of_process.last_mut().filter(|it| it.id == id) {
            Some(known) => known.claimants.push(signed.statement.claimant),
            None => {
                let claimants = vec![signed.statement.claimant];
                of_process.push(Known {
                    id,
                    claim,
                    claimants,
                });
            }
        }
    }
    for of_process in index.values_mut() {
        of_process.sort_by_key(|it| (it.claim.size, it.id));
    }
    Ok(index)
}

/// What the ledger says of a claim. `superseded`: it is certified as far as this claim reaches, by this claim or another.
fn status(ledger: &Ledger, id: &ClaimId, claim: &Claim) -> &'static str {
    let refuted = ledger
        .cases()
        .any(|(_, it)| it.state == CaseState::Guilty && it.challenge.claim == Some(*id));
    if refuted {
        return "refuted";
    }
    let process = &claim.process;
    if ledger.settled(process).is_some_and(|it| it.claim == *id) {
        return "settled";
    }
    if ledger.certified(process).any(|it| it.claim == *id) {
        return "certified";
    }
    let reach = ledger.latest(process).map_or(0, |it| it.size);
    if claim.size <= reach {
        "superseded"
    } else {
        "claimed"
    }
}

fn body(ledger: &Ledger, id: &ClaimId, claim: &Claim, claimants: &[Address]) -> Value {
    json!({
        "claim": id,
        "process": claim.process,
        "module": claim.module,
        "profile": claim.profile,
        "height": claim.height,
        "claimants": claimants,
        "first_new": claim.first_new,
        "size": claim.size,
        "base_root": claim.base_root,
        "history_root": claim.history_root,
        "head_state_root": claim.head_state_root,
        "status": status(ledger, id, claim),
    })
}

/// A leaf for people and programs.
pub(super) fn leaf(leaf: &Leaf) -> Value {
    json!({
        "slot": leaf.slot,
        "assignment": leaf.assignment,
        "result_root": leaf.result_root,
        "gas": leaf.gas,
        "state_root": leaf.state_root,
    })
}

/// `GET /v1/processes/{process}/claims?from=&limit=`: the claims that this node knows of a process, shortest first; `from` is
/// a place in this order.
pub(super) async fn list(
    State(api): State<Api>,
    At(process): At<ProcessId>,
    Ask(page): Ask<Page<u64>>,
) -> Result<Response, Problem> {
    let view = api.now();
    known(&view, &process)?;
    let index = api.claims.index(&api).await?;
    let claims = index.get(&process).into_iter().flatten();
    paged(
        claims.map(|it| body(&view.ledger, &it.id, &it.claim, &it.claimants)),
        &page,
    )
}

/// `GET /v1/claims/{claim}`: a claim with its new leaves; as `application/cbor`, one signer's canonical bytes.
pub(super) async fn get(
    State(api): State<Api>,
    At(id): At<ClaimId>,
    Canonical(canonical): Canonical,
) -> Result<Response, Problem> {
    let signed = api.read(move |archive| Ok(archive.claims(&id)?)).await?;
    let claimants: Vec<Address> = signed.iter().map(|it| it.statement.claimant).collect();
    let Some(first) = signed.into_iter().next() else {
        return Err(Problem::unknown(
            "claim-unknown",
            "this node does not know the claim",
        ));
    };
    if canonical {
        return codec::encode(&first)
            .map(cbor)
            .map_err(|error| Problem::internal(&error));
    }
    let claim = &first.statement.claim;
    let mut found = body(&api.now().ledger, &id, claim, &claimants);
    let leaves: Vec<Value> = first.leaves.iter().map(leaf).collect();
    if let Value::Object(found) = &mut found {
        found.insert("leaves".into(), leaves.into());
    }
    Ok(Json(found).into_response())
}
