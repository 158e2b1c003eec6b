//! `surety audit show`: what an evidence file holds, as it says itself.

use std::path::Path;

use serde_json::{Value, json};
use surety_protocol::claim::{Claim, Leaf, Statement};
use surety_protocol::codec;
use surety_protocol::evidence::{
    DoubleAssignment, Evidence, FalseClaim, FalseTrace, InputBytes, Offence, OffenceKind, Stretch,
};
use surety_protocol::item::ItemView;
use surety_protocol::witness::PackedWitness;

use super::{read, refused};
use crate::cli::Context;
use crate::cli::show;
use crate::shell::CliError;

pub(super) fn run(context: &Context, path: &Path) -> Result<(), CliError> {
    let bytes = read(path)?;
    let unreadable = |error: codec::CodecError| refused(&format!("not an evidence file: {error}"));
    let evidence: Evidence = codec::decode(&bytes).map_err(unreadable)?;
    let (registration, content) = match evidence.open().map_err(unreadable)? {
        Offence::FalseClaim(it) => (it.registration.clone(), false_claim(&it)),
        Offence::FalseTrace(it) => (it.registration.clone(), false_trace(&it)),
        Offence::DoubleAssignment(it) => (it.registration.clone(), double_assignment(&it)),
        Offence::ClaimEquivocation(it) => (
            it.registration.clone(),
            json!({
                "first": statement(&it.first),
                "first_leaf": leaf(&it.first_leaf.0),
                "second": statement(&it.second),
                "second_leaf": leaf(&it.second_leaf.0),
            }),
        ),
    };
    let kind = OffenceKind::from_number(evidence.kind).map_or("unknown", OffenceKind::name);
    let told = json!({
        "evidence": Evidence::id_of(&bytes),
        "kind": kind,
        "network": evidence.network,
        "bytes": bytes.len(),
        "accused": ItemView::parse(&registration).ok().map(|it| it.owner_address()),
        "content": content,
    });
    context.shell.table(&show::fields(&told), &told)
}

fn false_claim(offence: &FalseClaim) -> Value {
    json!({
        "statement": statement(&offence.statement),
        "stretch": stretch(&offence.stretch),
    })
}

fn false_trace(offence: &FalseTrace) -> Value {
    json!({
        "claim": claim(&offence.claim),
        "seed": offence.seed,
        "trace_signature": offence.proof.signature,
        "own_trace": offence.proof.own,
        "binding": item(&offence.proof.binding),
        "stretch": stretch(&offence.stretch),
    })
}

fn stretch(stretch: &Stretch) -> Value {
    json!({
        "module": item(&stretch.module),
        "process": item(&stretch.process),
        "start": if stretch.witness.is_some() { "witness" } else { "genesis" },
        "witness_pages": stretch.witness.as_ref().map(PackedWitness::page_count),
        "leaves": stretch.leaves.iter().map(leaf).collect::<Vec<_>>(),
        "inputs": stretch.inputs.iter().map(input).collect::<Vec<_>>(),
    })
}

fn double_assignment(offence: &DoubleAssignment) -> Value {
    json!({
        "process": item(&offence.process),
        "first": item(&offence.first),
        "second": item(&offence.second),
    })
}

fn statement(statement: &Statement) -> Value {
    json!({
        "claimant": statement.claimant,
        "claim": claim(&statement.claim),
    })
}

fn claim(claim: &Claim) -> Value {
    json!({
        "id": claim.id().ok(),
        "process": claim.process,
        "module": claim.module,
        "profile": claim.profile,
        "height": claim.height,
        "first_new": claim.first_new,
        "size": claim.size,
        "history_root": claim.history_root,
        "head_state_root": claim.head_state_root,
    })
}

fn leaf(leaf: &Leaf) -> Value {
    json!({
        "slot": leaf.slot,
        "assignment": leaf.assignment,
        "result_root": leaf.result_root,
        "gas": leaf.gas,
        "state_root": leaf.state_root,
    })
}

fn input(input: &InputBytes) -> Value {
    json!({
        "assignment": item(&input.assignment),
        "message": input.message.as_ref().map(|it| item(it)),
    })
}

/// What an item inside is, or that it is none.
fn item(bytes: &[u8]) -> Value {
    match ItemView::parse(bytes) {
        Err(error) => json!({ "bytes": bytes.len(), "malformed": error.code() }),
        Ok(item) => json!({
            "id": item.id(),
            "bytes": bytes.len(),
            "owner": item.owner_address(),
            "type": item.tag("Type"),
            "action": item.tag("Action"),
            "slot": item.tag("Nonce"),
        }),
    }
}
