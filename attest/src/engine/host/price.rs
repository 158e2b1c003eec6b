//! What the host's work costs a guest (rule HO-8): about a quarter of a nanosecond for one unit of gas,
//! as the heavier instructions do. `make bench-gas` measures both.

/// Gas of calling any function of the host, for leaving the module and coming back.
pub(super) const CALL_GAS: u64 = 500;
/// Gas of calling back into the module, for entering it once more.
pub(super) const CALLBACK_GAS: u64 = 2500;
/// Stack slots of an `invoke_x` until it is over, for the host's own frames.
pub(super) const INVOKE_SLOTS: i32 = 300;
/// Gas of reading or writing one piece of memory, whatever its length.
pub(super) const PIECE_GAS: u64 = 300;
/// Bytes of a piece that cost one unit of gas more: what is far away comes at a few bytes a nanosecond.
pub(super) const BYTES_PER_GAS: u64 = 4;
/// Gas of growing memory, as the instruction costs.
pub(super) const GROW_GAS: u64 = 10_000;
/// Gas of drawing one random byte.
pub(super) const DRAW_GAS: u64 = 1;
/// Gas of following one byte of a time's format.
pub(super) const FORMAT_GAS: u64 = 2000;
