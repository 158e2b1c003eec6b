//! A host function's view of the guest that called it.

use wasmtime::{Caller, Memory, Trap, Val};

use super::{BYTES_PER_GAS, Host, charge};
use crate::engine::live::GuestMemory;

/// The calling guest: its memory and its gas.
pub(super) struct Guest<'a> {
    pub(super) caller: Caller<'a, Host>,
    memory: GuestMemory,
    wide: bool,
}

impl<'a> Guest<'a> {
    pub(super) fn new(caller: Caller<'a, Host>, wide: bool) -> wasmtime::Result<Self> {
        // Nothing of the guest runs before its memory is known: a start function is an export.
        let memory = caller
            .data()
            .memory
            .clone()
            .ok_or(Trap::MemoryOutOfBounds)?;
        Ok(Self {
            caller,
            memory,
            wide,
        })
    }

    /// Whether pointers have 64 bits.
    pub(super) const fn wide(&self) -> bool {
        self.wide
    }

    /// Bytes of a pointer.
    pub(super) const fn pointer_bytes(&self) -> u64 {
        if self.wide { 8 } else { 4 }
    }

    pub(super) const fn memory(&self) -> Memory {
        self.memory.memory
    }

    /// A number as a pointer.
    pub(super) fn pointer(&self, value: u64) -> Val {
        if self.wide {
            Val::I64(value.cast_signed())
        } else {
            Val::I32(super::low(value))
        }
    }

    /// Takes gas for moving or looking at so many bytes (rule HO-8).
    pub(super) fn charge_bytes(&mut self, bytes: u64) -> wasmtime::Result<()> {
        charge(&mut self.caller, bytes.div_ceil(BYTES_PER_GAS))
    }

    /// Copies bytes out.
    pub(super) fn read<const N: usize>(&mut self, at: u64) -> wasmtime::Result<[u8; N]> {
        self.charge_bytes(N as u64)?;
        let bytes = self.memory.read(&self.caller, at, N as u64)?;
        bytes.try_into().map_err(|_| Trap::MemoryOutOfBounds.into())
    }

    /// Copies bytes in.
    pub(super) fn write(&mut self, at: u64, bytes: &[u8]) -> wasmtime::Result<()> {
        self.charge_bytes(bytes.len() as u64)?;
        self.memory.write(&mut self.caller, at, bytes)
    }

    /// Opens a range within memory for the caller's own use of [`Self::memory`].
    pub(super) fn admit(&self, at: usize, bytes: usize, write: bool) -> wasmtime::Result<()> {
        Ok(self
            .memory
            .region
            .admit(at..at.saturating_add(bytes), write)
            .map_err(super::Ended::from)?)
    }

    pub(super) fn read_pointer(&mut self, at: u64) -> wasmtime::Result<u64> {
        Ok(if self.wide {
            u64::from_le_bytes(self.read(at)?)
        } else {
            u64::from(u32::from_le_bytes(self.read(at)?))
        })
    }

    pub(super) fn write_pointer(&mut self, at: u64, value: u64) -> wasmtime::Result<()> {
        if self.wide {
            self.write(at, &value.to_le_bytes())
        } else {
            self.write(at, &super::low(value).to_le_bytes())
        }
    }

    /// A text of at most `bytes_max` bytes before its zero; `None` if it is longer.
    pub(super) fn text(&mut self, at: u64, bytes_max: u64) -> wasmtime::Result<Option<Vec<u8>>> {
        let text = self.memory.text(&self.caller, at, bytes_max)?;
        self.charge_bytes(text.as_ref().map_or(bytes_max, |text| text.len() as u64))?;
        Ok(text)
    }
}
