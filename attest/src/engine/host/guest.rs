//! What host functions do with a guest: all of it is paid for (rule HO-8).

use super::price::{BYTES_PER_GAS, CALLBACK_GAS, PIECE_GAS};
use crate::engine::vm::{Guest, Halt, Number, Trap};

/// A host function's view of the guest that called it.
pub(super) trait GuestExt {
    /// Bytes of a pointer.
    fn pointer_bytes(&self) -> u64;

    /// Takes gas; ends the guest if it has not so much left.
    fn charge(&mut self, gas: u64) -> Result<(), Halt>;

    /// Takes gas for reading or writing a piece of so many bytes.
    fn charge_piece(&mut self, bytes: u64) -> Result<(), Halt>;

    /// Calls an export of the module, for gas.
    fn enter(&mut self, export: &str, args: &[Number]) -> Result<Option<Number>, Halt>;

    /// Copies bytes out, for gas.
    fn take<const N: usize>(&mut self, at: u64) -> Result<[u8; N], Halt>;

    /// Copies bytes in, for gas.
    fn put(&mut self, at: u64, bytes: &[u8]) -> Result<(), Halt>;

    /// Copies a pointer out.
    fn take_pointer(&mut self, at: u64) -> Result<u64, Halt>;

    /// Copies a pointer in.
    fn put_pointer(&mut self, at: u64, value: u64) -> Result<(), Halt>;

    /// A text of at most `bytes_max` bytes before its zero; `None` if it is longer.
    fn take_text(&mut self, at: u64, bytes_max: u64) -> Result<Option<Vec<u8>>, Halt>;
}

impl<G: Guest + ?Sized> GuestExt for G {
    fn pointer_bytes(&self) -> u64 {
        if self.wide() { 8 } else { 4 }
    }

    fn charge(&mut self, gas: u64) -> Result<(), Halt> {
        let mut meters = self.meters();
        let gas = i64::try_from(gas).unwrap_or(i64::MAX);
        meters.gas = meters.gas.saturating_sub(gas);
        self.set_meters(meters)?;
        if meters.gas < 0 {
            return Err(Halt::Spent);
        }
        Ok(())
    }

    fn charge_piece(&mut self, bytes: u64) -> Result<(), Halt> {
        self.charge(PIECE_GAS.saturating_add(bytes.div_ceil(BYTES_PER_GAS)))
    }

    fn enter(&mut self, export: &str, args: &[Number]) -> Result<Option<Number>, Halt> {
        self.charge(CALLBACK_GAS)?;
        self.call(export, args)
    }

    fn take<const N: usize>(&mut self, at: u64) -> Result<[u8; N], Halt> {
        self.charge_piece(N as u64)?;
        let bytes = self.read(at, N as u64)?;
        bytes.try_into().map_err(|_| Trap::MemoryOutOfBounds.into())
    }

    fn put(&mut self, at: u64, bytes: &[u8]) -> Result<(), Halt> {
        self.charge_piece(bytes.len() as u64)?;
        self.write(at, bytes)
    }

    fn take_pointer(&mut self, at: u64) -> Result<u64, Halt> {
        Ok(if self.wide() {
            u64::from_le_bytes(self.take(at)?)
        } else {
            u64::from(u32::from_le_bytes(self.take(at)?))
        })
    }

    fn put_pointer(&mut self, at: u64, value: u64) -> Result<(), Halt> {
        let bytes = value.to_le_bytes();
        let (low, _) = bytes.split_at(4);
        let wide = self.wide();
        self.put(at, if wide { &bytes } else { low })
    }

    fn take_text(&mut self, at: u64, bytes_max: u64) -> Result<Option<Vec<u8>>, Halt> {
        let text = self.text(at, bytes_max)?;
        self.charge_piece(text.as_ref().map_or(bytes_max, |text| text.len() as u64))?;
        Ok(text)
    }
}
