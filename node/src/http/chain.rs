//! The ledger as a chain: its head, parameters, blocks and checkpoints.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use surety_protocol::block::Checkpoint;
use surety_protocol::codec;
use surety_protocol::id::BlockId;
use surety_protocol::item::Item;
use surety_protocol::profile::Profile;
use surety_protocol::profiles::Holding;
use surety_protocol::stake::Fraction;
use surety_protocol::time::Height;

use super::Api;
use super::problem::Problem;
use super::request::{Ask, At, cbor};
use crate::attested;

/// `GET /v1/ledger`: where the ledger stands.
pub(super) async fn about(State(api): State<Api>) -> Response {
    let ledger = &api.now().ledger;
    Json(json!({
        "network": ledger.network(),
        "height": ledger.height(),
        "head": ledger.head(),
        "proposer": ledger.proposer(),
        "supply": ledger.supply(),
        "burned": ledger.burned(),
        "beacon": ledger.beacon(),
        "validators": ledger.validators().len(),
    }))
    .into_response()
}

/// `GET /v1/ledger/params`: the parameters of the network.
pub(super) async fn params(State(api): State<Api>) -> Response {
    let ledger = &api.now().ledger;
    let it = ledger.params();
    Json(json!({
        "block_interval_ms": it.block_interval_ms,
        "seed_delay_blocks": it.seed_delay_blocks,
        "ticket": it.ticket,
        "k": it.k,
        "tranche_blocks": it.tranche_blocks,
        "bond_min": it.bond_min,
        "activation_blocks": it.activation_blocks,
        "unbond_blocks": it.unbond_blocks,
        "evidence_age_blocks": it.evidence_age_blocks,
        "challenge_window_blocks": it.challenge_window_blocks,
        "challenge_bond": it.challenge_bond,
        "verdict_blocks": it.verdict_blocks,
        "escrow_blocks": it.escrow_blocks,
        "penalty": fraction(it.penalty),
        "reward": fraction(it.reward),
        "item_life_blocks": it.item_life_blocks,
        "block_items_max": it.block_items_max,
        "profile_notice_blocks": it.profile_notice_blocks,
    }))
    .into_response()
}

/// `GET /v1/ledger/profiles`: the height now, the profiles of the network, each with the height from which it holds, and what
/// operators want next.
pub(super) async fn profiles(State(api): State<Api>) -> Response {
    let ledger = &api.now().ledger;
    let items: Vec<Value> = ledger.profiles().iter().map(profile).collect();
    let votes: Vec<Value> = ledger
        .profile_votes()
        .map(|(operator, it)| {
            let mut vote = numbers(&it.profile);
            if let Value::Object(vote) = &mut vote {
                vote.insert("operator".into(), json!(operator));
                vote.insert("from".into(), json!(it.from));
            }
            vote
        })
        .collect();
    let height = ledger.height();
    Json(json!({ "height": height, "items": items, "votes": votes, "next": null })).into_response()
}

/// A profile of the network, and whether this program executes it.
pub(super) fn profile(it: &Holding) -> Value {
    let mut told = numbers(&it.profile);
    if let Value::Object(told) = &mut told {
        told.insert("id".into(), json!(it.id));
        told.insert("from".into(), json!(it.from));
        told.insert("executable".into(), json!(it.profile.executable()));
    }
    told
}

fn numbers(it: &Profile) -> Value {
    json!({
        "version": it.version,
        "gas_max": it.gas_max,
        "stride": it.stride,
        "stride_gas_max": it.stride_gas_max,
        "stack_slots_max": it.stack_slots_max,
        "memory_bytes_max": it.memory_bytes_max,
        "module_bytes_max": it.module_bytes_max,
        "reply_bytes_max": it.reply_bytes_max,
    })
}

fn fraction(it: Fraction) -> Value {
    json!({ "numerator": it.numerator, "denominator": it.denominator })
}

fn no_block(height: Height) -> Problem {
    Problem::unknown("block-unknown", format!("there is no block {height} here"))
}

/// `GET /v1/ledger/blocks/{height}`: what is in a block.
pub(super) async fn block(
    State(api): State<Api>,
    At(height): At<u64>,
) -> Result<Response, Problem> {
    let height = Height(height);
    api.read(move |archive| {
        let block = archive.block(height)?.ok_or_else(|| no_block(height))?;
        let header = &block.commit.header;
        let items: Vec<Value> = block.items.iter().map(|it| summary(it)).collect();
        let id = header.id().map_err(|error| Problem::internal(&error))?;
        Ok(Json(json!({
            "height": header.height,
            "id": id,
            "parent": header.parent,
            "proposer": header.proposer,
            "items_root": header.items_root,
            "state_root": header.state_root,
            "items": items,
        }))
        .into_response())
    })
    .await
}

/// An item of a block in short; whether the ledger refused it is told by its events.
fn summary(bytes: &[u8]) -> Value {
    match Item::parse(bytes) {
        Ok(item) => json!({
            "id": item.id(),
            "signer": item.owner_address(),
            "action": item.tag("Action"),
            "expires": item.tag("Expires"),
            "bytes": bytes.len(),
        }),
        // A proposer may order anything; the ledger passes over it.
        Err(error) => json!({ "malformed": error.code(), "bytes": bytes.len() }),
    }
}

/// Of which block.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AtHeight {
    height: Option<u64>,
}

/// `GET /v1/ledger/checkpoint?height=`: the canonical bytes of a checkpoint, of the last block unless the request says. Who
/// trusts this node may start from it; who does not must get it elsewhere.
pub(super) async fn checkpoint(
    State(api): State<Api>,
    Ask(asked): Ask<AtHeight>,
) -> Result<Response, Problem> {
    let ledger = &api.now().ledger;
    let last = attested::checkpoint(ledger);
    let checkpoint = match asked.height.map(Height) {
        Some(height) if height != last.height => {
            let block: BlockId = api
                .read(move |archive| {
                    let block = archive.block(height)?.ok_or_else(|| no_block(height))?;
                    block
                        .commit
                        .header
                        .id()
                        .map_err(|error| Problem::internal(&error))
                })
                .await?;
            Checkpoint {
                height,
                block,
                ..last
            }
        }
        _ => last,
    };
    codec::encode(&checkpoint)
        .map(cbor)
        .map_err(|error| Problem::internal(&error))
}
