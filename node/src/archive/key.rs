//! Keys of the columns: fixed widths and big-endian numbers, so that order is order.

use surety_attest::effect::Source;
use surety_protocol::id::{Address, Digest, ItemId, ProcessId};
use surety_protocol::time::Slot;

/// `process || slot`.
pub(super) fn slot(process: &ProcessId, slot: Slot) -> Vec<u8> {
    [&process.as_bytes()[..], &slot.0.to_be_bytes()].concat()
}

/// The process of a key that starts with one.
pub(super) fn process_of(key: &[u8]) -> Option<ProcessId> {
    key.get(..32).and_then(|it| ProcessId::try_from(it).ok())
}

/// `process || 0xff*8 || 0 || message`: after all slots of the process, so that a scan of slots ends before.
pub(super) fn message(process: &ProcessId, message: &ItemId) -> Vec<u8> {
    [&slot(process, Slot(u64::MAX))[..], &[0], message.as_bytes()].concat()
}

/// After everything of the process: its slots and its messages.
pub(super) fn past(process: &ProcessId) -> Vec<u8> {
    [&slot(process, Slot(u64::MAX))[..], &[1]].concat()
}

/// `'r' || root`.
pub(super) fn state(root: &Digest) -> Vec<u8> {
    [b"r", &root.as_bytes()[..]].concat()
}

/// `'s' || process || size`.
pub(super) fn snapshot(process: &ProcessId, size: u64) -> Vec<u8> {
    [b"s", &process.as_bytes()[..], &size.to_be_bytes()].concat()
}

/// `'s' || process`.
pub(super) fn snapshots(process: &ProcessId) -> Vec<u8> {
    [b"s", &process.as_bytes()[..]].concat()
}

/// `process || slot || index || item`.
pub(super) fn outbox(source: &Source, item: &ItemId) -> Vec<u8> {
    let Source {
        process,
        slot: at,
        index,
    } = source;
    [
        &slot(process, *at)[..],
        &index.to_be_bytes(),
        item.as_bytes(),
    ]
    .concat()
}

/// `'p' || process`, in the column of positions.
pub(super) fn pushed(process: &ProcessId) -> Vec<u8> {
    [b"p", &process.as_bytes()[..]].concat()
}

/// `'v' || process`, in the column of positions.
pub(super) fn reserved(process: &ProcessId) -> Vec<u8> {
    [b"v", &process.as_bytes()[..]].concat()
}

/// `'b' || root || claimant`, in the column of positions.
pub(super) fn batch(root: &Digest, claimant: &Address) -> Vec<u8> {
    [b"b", &root.as_bytes()[..], claimant.as_bytes()].concat()
}

/// `'h' || process || size`, in the column of positions.
pub(super) fn hashpath(process: &ProcessId, size: u64) -> Vec<u8> {
    [b"h", &process.as_bytes()[..], &size.to_be_bytes()].concat()
}

/// `'k' || data-item key`.
pub(super) fn item_key(key: &Address) -> Vec<u8> {
    [b"k", &key.as_bytes()[..]].concat()
}
