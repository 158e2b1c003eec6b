//! Witnesses of table processes: the touched pages and the path to the root, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_bytes::ByteBuf;
use surety_attest::engine::{Abstain, EngineError, Message, Reexecution, WitnessFault};
use surety_attest::state::{Page, Snapshot, ZERO_PAGE, page_hash, state_root, top_from_many};
use surety_protocol::id::Digest;
use surety_protocol::merkle::MultiProof;
use surety_protocol::witness::{PAGES, Witness, WitnessPage};

use super::Table;

/// Replays inputs and keeps what they touch.
pub(super) fn make(start: &Snapshot, inputs: &[Message]) -> Result<Witness, EngineError> {
    let mut table = Table::of(start.clone(), None);
    table.run(inputs, &[])?;
    let siblings = start
        .tree()
        .prove(&table.touched)
        .ok_or(Abstain::Engine)?
        .siblings;
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
        pages: table.touched.iter().map(page).collect(),
        siblings,
    })
}

/// Executes from a witness alone.
pub(super) fn reexecute(
    root: &Digest,
    witness: &Witness,
    inputs: &[Message],
    traced: &[Digest],
) -> Result<Reexecution, EngineError> {
    witness.check().map_err(WitnessFault::from)?;
    let known: BTreeSet<u32> = witness.pages.iter().map(|page| page.index).collect();
    let full = |page: &WitnessPage| {
        let bytes: Page = page.bytes.as_slice().try_into().ok()?;
        Some((page.index, Arc::new(bytes)))
    };
    let start = Snapshot {
        wasm_pages: witness.wasm_pages,
        globals: witness.globals.clone(),
        pages: witness.pages.iter().filter_map(full).collect(),
    };
    let siblings = witness.siblings.clone();
    let proof = MultiProof {
        size: u64::from(PAGES),
        siblings,
    };
    if root_over(&start, &known, &proof) != Some(*root) {
        return Err(WitnessFault::Root.into());
    }
    if start.wasm_pages != 1 || start.globals.len() != 1 {
        return Err(WitnessFault::Unfit.into());
    }
    let mut table = Table::of(start, Some(known.clone()));
    let (steps, traces) = table.run(inputs, traced)?;
    let state_root = root_over(&table.state, &known, &proof).ok_or(WitnessFault::Root)?;
    Ok(Reexecution {
        steps,
        state_root,
        traces,
    })
}

/// The root of the state of which these pages are known.
fn root_over(state: &Snapshot, known: &BTreeSet<u32>, proof: &MultiProof) -> Option<Digest> {
    let hashes: BTreeMap<u32, Digest> = state
        .pages
        .iter()
        .map(|(index, page)| (*index, page_hash(page)))
        .collect();
    let zero = page_hash(&ZERO_PAGE);
    let leaves: Vec<(u64, Digest)> = known
        .iter()
        .map(|index| {
            (
                u64::from(*index),
                hashes.get(index).copied().unwrap_or(zero),
            )
        })
        .collect();
    let pages_root = top_from_many(proof, &leaves)?;
    Some(state_root(state.wasm_pages, &pages_root, &state.globals))
}
