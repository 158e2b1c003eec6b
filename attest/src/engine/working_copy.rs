//! An instance as the working copy of a state: what changed in it becomes the state's, or is taken back.

use surety_protocol::witness::PAGE_BYTES;

use super::Abstain;
use super::vm::{Instance, WASM_PAGE_BYTES};
use crate::state::{Page, Snapshot};

/// Brings what changed into the state; gives the indices of the changed pages, ascending.
pub(super) fn absorb(
    instance: &mut impl Instance,
    state: &mut Snapshot,
) -> Result<Vec<u32>, Abstain> {
    let mut changed = instance.open_pages();
    let memory = instance.memory();
    let wasm_pages = memory.len() as u64 / WASM_PAGE_BYTES;
    state.wasm_pages = u32::try_from(wasm_pages).map_err(|_| Abstain::Engine)?;
    let (pages, _) = memory.as_chunks::<PAGE_BYTES>();
    changed.retain(|index| {
        let page = pages.get(*index as usize);
        page.is_some_and(|page| state.put(*index, page))
    });
    state.globals = instance.globals();
    Ok(changed)
}

/// Makes a fresh instance what the state is.
pub(super) fn fill(instance: &mut impl Instance, state: &Snapshot) -> Result<(), Abstain> {
    instance.clear(state.wasm_pages)?;
    let memory = instance.memory_mut();
    for (index, page) in &state.pages {
        *page_mut(memory, *index).ok_or(Abstain::Engine)? = **page;
    }
    instance.set_globals(&state.globals)
}

/// Makes an instance what the state is, if memory has its size.
pub(super) fn take_back(instance: &mut impl Instance, state: &Snapshot) -> Result<bool, Abstain> {
    if instance.memory().len() as u64 != u64::from(state.wasm_pages) * WASM_PAGE_BYTES {
        return Ok(false);
    }
    let open = instance.open_pages();
    let memory = instance.memory_mut();
    for index in open {
        *page_mut(memory, index).ok_or(Abstain::Engine)? = *state.page(index);
    }
    instance.set_globals(&state.globals)?;
    Ok(true)
}

fn page_mut(memory: &mut [u8], index: u32) -> Option<&mut Page> {
    memory
        .as_chunks_mut::<PAGE_BYTES>()
        .0
        .get_mut(index as usize)
}
