//! Reading and writing guest memory from outside, page by page as it is allowed.

use std::ops::Range;
use std::sync::Arc;

use surety_protocol::witness::PAGE_BYTES;
use wasmtime::{AsContext, AsContextMut, Memory, Trap};

use crate::engine::host::{Ended, Host};
use crate::memory::Region;

/// Guest memory and the right to touch it (rule LM-4).
#[derive(Debug, Clone)]
pub(in crate::engine) struct GuestMemory {
    pub(in crate::engine) memory: Memory,
    pub(in crate::engine) region: Arc<Region>,
}

impl GuestMemory {
    /// The bytes of a range that lies within memory.
    pub(in crate::engine) fn read(
        &self,
        store: &impl AsContext<Data = Host>,
        at: u64,
        bytes: u64,
    ) -> wasmtime::Result<Vec<u8>> {
        let range = self.range(store, at, bytes)?;
        self.region
            .admit(range.clone(), false)
            .map_err(Ended::from)?;
        let data = self.memory.data(store.as_context());
        Ok(data.get(range).ok_or(Trap::MemoryOutOfBounds)?.to_vec())
    }

    /// Writes to a range that lies within memory.
    pub(in crate::engine) fn write(
        &self,
        store: &mut impl AsContextMut<Data = Host>,
        at: u64,
        bytes: &[u8],
    ) -> wasmtime::Result<()> {
        let range = self.range(store, at, bytes.len() as u64)?;
        self.region
            .admit(range.clone(), true)
            .map_err(Ended::from)?;
        let data = self.memory.data_mut(store.as_context_mut());
        data.get_mut(range)
            .ok_or(Trap::MemoryOutOfBounds)?
            .copy_from_slice(bytes);
        Ok(())
    }

    /// The bytes before the next zero; `None` if there are more than `bytes_max`. Touches no page
    /// beyond the zero.
    pub(in crate::engine) fn text(
        &self,
        store: &impl AsContext<Data = Host>,
        at: u64,
        bytes_max: u64,
    ) -> wasmtime::Result<Option<Vec<u8>>> {
        let mut text = Vec::new();
        let mut from = at;
        while text.len() as u64 <= bytes_max {
            // To the end of the page, which never goes beyond memory unless `from` does.
            let bytes = PAGE_BYTES as u64 - from % PAGE_BYTES as u64;
            let piece = self.read(store, from, bytes)?;
            if let Some(end) = piece.iter().position(|byte| *byte == 0) {
                text.extend(piece.into_iter().take(end));
                return Ok(Some(text).filter(|text| text.len() as u64 <= bytes_max));
            }
            text.extend(piece);
            from = from.saturating_add(bytes);
        }
        Ok(None)
    }

    fn range(
        &self,
        store: &impl AsContext<Data = Host>,
        at: u64,
        bytes: u64,
    ) -> wasmtime::Result<Range<usize>> {
        let size = self.memory.data_size(store.as_context()) as u64;
        match at.checked_add(bytes) {
            Some(end) if end <= size => Ok(usize::try_from(at).unwrap_or(usize::MAX)
                ..usize::try_from(end).unwrap_or(usize::MAX)),
            _ => Err(Trap::MemoryOutOfBounds.into()),
        }
    }
}
