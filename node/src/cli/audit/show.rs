//! `surety audit show`: what an evidence file holds, as it says itself.

use std::fmt::Display;
use std::path::Path;

use serde_json::{Value, json};
use surety_protocol::claim::{Claim, Leaf, Statement};
use surety_protocol::codec;
use surety_protocol::evidence::{
    DoubleAssignment, Evidence, FalseClaim, FalseTrace, InputBytes, Offence, OffenceKind, Stretch,
};
use surety_protocol::id::{Address, ProcessId};
use surety_protocol::item::ItemView;
use surety_protocol::time::Slot;
use surety_protocol::witness::PackedWitness;

use super::{read, refused};
use crate::cli::Context;
use crate::cli::show;
use crate::shell::CliError;

pub(super) fn run(context: &Context, path: &Path) -> Result<(), CliError> {
    let bytes = read(path)?;
    let unreadable = |error: codec::CodecError| refused(&format!("not an evidence file: {error}"));
    let evidence: Evidence = codec::decode(&bytes).map_err(unreadable)?;
    let offence = evidence.open().map_err(unreadable)?;
    let (registration, content) = match &offence {
        Offence::FalseClaim(it) => (&it.registration, false_claim(it)),
        Offence::FalseTrace(it) => (&it.registration, false_trace(it)),
        Offence::DoubleAssignment(it) => (&it.registration, double_assignment(it)),
        Offence::ClaimEquivocation(it) => (
            &it.registration,
            json!({
                "first": statement(&it.first),
                "first_leaf": leaf(&it.first_leaf.0),
                "second": statement(&it.second),
                "second_leaf": leaf(&it.second_leaf.0),
            }),
        ),
    };
    let accused = ItemView::parse(registration)
        .ok()
        .map(|it| it.owner_address());
    let kind = OffenceKind::from_number(evidence.kind).map_or("unknown", OffenceKind::name);
    let told = json!({
        "evidence": Evidence::id_of(&bytes),
        "kind": kind,
        "network": evidence.network,
        "bytes": bytes.len(),
        "accused": accused,
        "content": content,
    });
    context.shell.progress(sentence(accused, &offence));
    context.shell.table(&show::fields(&told), &told)
}

/// What the file says of whom, in words. Nothing of it is checked, so it names nothing as a stranger spells it.
fn sentence(accused: Option<Address>, offence: &Offence) -> String {
    let last = |it: &Stretch| it.leaves.last().map(|it| it.slot);
    let (deed, slot, process) = match offence {
        Offence::FalseClaim(it) => (
            "signed a claim that is false at",
            last(&it.stretch),
            Some(it.statement.claim.process),
        ),
        Offence::FalseTrace(it) => (
            "approved a claim with a false trace of",
            last(&it.stretch),
            Some(it.claim.process),
        ),
        Offence::DoubleAssignment(it) => {
            let first = ItemView::parse(&it.first).ok();
            let slot = first.and_then(|it| it.tag("Nonce")?.parse::<u64>().ok());
            let process = ItemView::parse(&it.process).ok();
            (
                "signed two assignments of",
                slot.map(Slot),
                process.map(|it| ProcessId::from(it.id())),
            )
        }
        Offence::ClaimEquivocation(it) => (
            "signed two different leaves for",
            Some(it.first_leaf.0.slot),
            Some(it.first.claim.process),
        ),
    };
    format!(
        "it says that {} {deed} slot {} of process {}; `surety audit verify` judges whether that is proven",
        or_unreadable(accused),
        or_unreadable(slot),
        or_unreadable(process)
    )
}

fn or_unreadable(it: Option<impl Display>) -> String {
    it.map_or_else(|| "(unreadable)".to_owned(), |it| it.to_string())
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
