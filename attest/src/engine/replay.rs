//! Making a witness, and executing from one.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_bytes::ByteBuf;
use surety_protocol::id::Digest;
use surety_protocol::merkle::MultiProof;
use surety_protocol::profile::Profile;
use surety_protocol::witness::{PAGES, WITNESS_PAGES_MAX, Witness, WitnessPage};

use super::code::Code;
use super::execution::Execution;
use super::vm::Vm;
use super::{Abstain, EngineError, Message, Program, Reexecution, StepOutcome, WitnessFault};
use crate::memory::Access;
use crate::state::{Page, Snapshot, page_hashes, state_root, top_from_many};

/// Replays inputs from a whole state, watching every touch.
pub(super) fn witness<V: Vm>(
    code: Arc<Code<V>>,
    program: &Program,
    profile: &Profile,
    start: &Snapshot,
    inputs: &[Message],
) -> Result<Witness, EngineError> {
    let execution = Execution::resume(code, program, profile, start.clone(), Access::Touches)?;
    let mut execution = execution.ok_or(Abstain::Snapshot)?;
    run(&mut execution, inputs, &[])?;
    // New pages are zero before, and are part of the witness only if they are not zero after: their
    // place in the tree is needed for the root after.
    execution.state()?;
    let mut pages = std::mem::take(&mut execution.touched);
    pages.retain(|index| *index < start.page_count());
    let state = execution.state()?;
    pages.extend(
        state
            .pages
            .range(start.page_count()..)
            .map(|(index, _)| *index),
    );
    if pages.len() > WITNESS_PAGES_MAX {
        return Err(Abstain::WitnessTooLarge.into());
    }
    let siblings = start.tree().prove(&pages).ok_or(Abstain::Engine)?.siblings;
    let page = |index: &u32| {
        let bytes = start
            .pages
            .get(index)
            .map(|page| page.to_vec())
            .unwrap_or_default();
        WitnessPage {
            index: *index,
            bytes: ByteBuf::from(bytes),
        }
    };
    Ok(Witness {
        wasm_pages: start.wasm_pages,
        globals: start.globals.clone(),
        pages: pages.iter().map(page).collect(),
        siblings,
    })
}

/// Executes inputs from a witness alone (rule EN-8).
pub(super) fn reexecute<V: Vm>(
    code: Arc<Code<V>>,
    program: &Program,
    profile: &Profile,
    (root, witness): (&Digest, &Witness),
    inputs: &[Message],
    traced: &[Digest],
) -> Result<Reexecution, EngineError> {
    witness.check().map_err(WitnessFault::from)?;
    let start = pages_of(witness);
    let known: BTreeSet<u32> = witness.pages.iter().map(|page| page.index).collect();
    let proof = MultiProof {
        size: u64::from(PAGES),
        siblings: witness.siblings.clone(),
    };
    if root_over(&start, &known, &proof) != Some(*root) {
        return Err(WitnessFault::Root.into());
    }
    let access = Access::Only(known.clone());
    let execution = Execution::resume(code, program, profile, start, access)?;
    let mut execution = execution.ok_or(WitnessFault::Unfit)?;
    let (steps, traces) = run(&mut execution, inputs, traced)?;
    let state = execution.state()?;
    if state.pages.keys().any(|index| !known.contains(index)) {
        return Err(WitnessFault::MissingPage.into());
    }
    let state_root = root_over(state, &known, &proof).ok_or(WitnessFault::Root)?;
    Ok(Reexecution {
        steps,
        state_root,
        traces,
    })
}

/// Applies inputs one after another, and traces the last under these keys.
pub(super) fn run<V: Vm>(
    execution: &mut Execution<V>,
    inputs: &[Message],
    traced: &[Digest],
) -> Result<(Vec<StepOutcome>, Vec<Digest>), EngineError> {
    let mut steps = Vec::with_capacity(inputs.len());
    let mut traces = Vec::new();
    let last = inputs.len().saturating_sub(1);
    for (at, message) in inputs.iter().enumerate() {
        if at == last && !traced.is_empty() {
            let (step, of_it) = execution.traced_step(message, traced)?;
            steps.push(step);
            traces = of_it;
        } else {
            steps.push(execution.step(message, None)?);
        }
    }
    Ok((steps, traces))
}

/// The part of a state that a well-formed witness holds.
fn pages_of(witness: &Witness) -> Snapshot {
    let full = |page: &WitnessPage| {
        let bytes: Page = page.bytes.as_slice().try_into().ok()?;
        Some((page.index, Arc::new(bytes)))
    };
    Snapshot {
        wasm_pages: witness.wasm_pages,
        globals: witness.globals.clone(),
        pages: witness.pages.iter().filter_map(full).collect(),
    }
}

/// The root of the state of which these pages are known.
fn root_over(state: &Snapshot, known: &BTreeSet<u32>, proof: &MultiProof) -> Option<Digest> {
    let page = |index: &u32| (*index, state.page(*index));
    let leaves = page_hashes(known.iter().map(page));
    let leaves: Vec<(u64, Digest)> = leaves
        .into_iter()
        .map(|(index, hash)| (index.into(), hash))
        .collect();
    let pages_root = top_from_many(proof, &leaves)?;
    Some(state_root(state.wasm_pages, &pages_root, &state.globals))
}
