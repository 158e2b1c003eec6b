//! Keys of the columns: fixed widths and big-endian numbers, so that order is order.

use surety_attest::effect::Source;
use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::{Address, CaseId, Digest, EvidenceId, ItemId, ProcessId};
use surety_protocol::origin::Registration;
use surety_protocol::time::Slot;

use crate::store::{Change, Column};

/// `process || slot`.
pub(super) fn slot(process: &ProcessId, slot: Slot) -> Vec<u8> {
    [&process.as_bytes()[..], &slot.0.to_be_bytes()].concat()
}

/// The process of a key that starts with one.
pub(super) fn process_of(key: &[u8]) -> Option<ProcessId> {
    key.get(..32).and_then(|it| ProcessId::try_from(it).ok())
}

/// `process || 0xff*8 || 0 || item`, a message or an assignment: after all slots of the process, so that a scan of slots ends
/// before.
pub(super) fn message(process: &ProcessId, message: &ItemId) -> Vec<u8> {
    [&slot(process, Slot(u64::MAX))[..], &[0], message.as_bytes()].concat()
}

/// After everything of the process: its slots and its messages.
pub(super) fn past(process: &ProcessId) -> Vec<u8> {
    [&slot(process, Slot(u64::MAX))[..], &[1]].concat()
}

/// `'r' || root`: the head of a state.
pub(super) fn head(root: &Digest) -> Vec<u8> {
    [b"r", &root.as_bytes()[..]].concat()
}

/// What the sizes of evidence files start with.
pub(super) const EVIDENCE: &[u8] = b"e";

/// `'e' || evidence`: how many bytes an evidence file has.
pub(super) fn evidence(id: &EvidenceId) -> Vec<u8> {
    [EVIDENCE, &id.as_bytes()[..]].concat()
}

/// The evidence file of such a key.
pub(super) fn evidence_of(key: &[u8]) -> Option<EvidenceId> {
    let id = key.strip_prefix(EVIDENCE)?;
    Some(Digest::try_from(id).ok()?.into())
}

/// `'p' || evidence || number`: a piece of an evidence file.
pub(super) fn evidence_piece(id: &EvidenceId, number: u32) -> Vec<u8> {
    [b"p", &id.as_bytes()[..], &number.to_be_bytes()].concat()
}

/// `'n' || digest`: a node of a tree over pages.
pub(super) fn node(digest: &Digest) -> Vec<u8> {
    [b"n", &digest.as_bytes()[..]].concat()
}

/// `'c' || digest`: how often a part of a state is referred to, if more than once.
pub(super) fn count(digest: &Digest) -> Vec<u8> {
    [b"c", &digest.as_bytes()[..]].concat()
}

/// `'w' || root || kind || digest`: what is here of a state before all of it is.
pub(super) fn loose(root: &Digest, kind: u8, digest: &Digest) -> Vec<u8> {
    [&begun(root)[..], &[kind], digest.as_bytes()].concat()
}

/// `'w' || root`: that a state has begun to come; it starts the keys of what is here of it.
pub(super) fn begun(root: &Digest) -> Vec<u8> {
    [b"w", &root.as_bytes()[..]].concat()
}

/// `'d' || kind || digest`: what is referred to less often than it is counted.
pub(super) fn doomed(kind: u8, digest: &Digest) -> Vec<u8> {
    [b"d", &[kind][..], digest.as_bytes()].concat()
}

/// `series || process || size`: the state of a process after so many inputs.
pub(super) fn snapshot(series: u8, process: &ProcessId, size: u64) -> Vec<u8> {
    [&snapshots(series, process)[..], &size.to_be_bytes()].concat()
}

/// `series || process`.
pub(super) fn snapshots(series: u8, process: &ProcessId) -> Vec<u8> {
    [&[series], &process.as_bytes()[..]].concat()
}

/// `'f' || process`: of which others' states are here.
pub(super) fn fetched(process: &ProcessId) -> Vec<u8> {
    [b"f", &process.as_bytes()[..]].concat()
}

/// `shelf || 's' || process || slot || index || item`: what a process sent, by the process that it is for; a spawn is with whoever
/// spawns.
pub(super) fn outbox(shelf: &ProcessId, source: &Source, item: &ItemId) -> Vec<u8> {
    let Source {
        process,
        slot: at,
        index,
    } = source;
    [
        &shelf.as_bytes()[..],
        SENT,
        &slot(process, *at)[..],
        &index.to_be_bytes(),
        item.as_bytes(),
    ]
    .concat()
}

/// `process || 'z' || item`: what is to be assigned to a process.
pub(super) fn assign(process: &ProcessId, item: &ItemId) -> Vec<u8> {
    [&process.as_bytes()[..], ASSIGNED, item.as_bytes()].concat()
}

const SENT: &[u8] = b"s";
/// After what was sent, which is read first.
const ASSIGNED: &[u8] = b"z";

/// The item of a key of the outbox, and whether it is to be assigned rather than sent.
pub(super) fn in_outbox(key: &[u8]) -> Option<(ItemId, bool)> {
    let (_, rest) = key.split_at_checked(32)?;
    let assigned = rest.starts_with(ASSIGNED);
    let (_, item) = key.split_at_checked(key.len().checked_sub(32)?)?;
    Some((item.try_into().ok()?, assigned))
}

/// `operator || digest`: the item with which an operator registered a pair of keys.
pub(super) fn registration(operator: &Address, registration: &Registration) -> Vec<u8> {
    let keys: [&[u8]; 2] = [
        registration.key.as_bytes(),
        registration.item_key.as_bytes(),
    ];
    let keys = digest(Domain::OBJECT, &keys);
    [&operator.as_bytes()[..], keys.as_bytes()].concat()
}

/// `'p' || process`, in the column of positions.
pub(super) fn pushed(process: &ProcessId) -> Vec<u8> {
    [b"p", &process.as_bytes()[..]].concat()
}

/// Whether a change is of what a scheduler, a messenger or the guard remembers; who follows a log remembers its slots like its
/// scheduler.
pub fn remembers((column, key, _): &Change) -> bool {
    match column {
        Column::Assignments | Column::Outbox | Column::Guard => true,
        Column::Meta => matches!(key.first(), Some(b'p' | b'v')),
        _ => false,
    }
}

/// `'c' || process`, in the column of positions.
pub(super) fn certified(process: &ProcessId) -> Vec<u8> {
    [b"c", &process.as_bytes()[..]].concat()
}

/// `'v' || process`, in the column of positions.
pub(super) fn reserved(process: &ProcessId) -> Vec<u8> {
    [b"v", &process.as_bytes()[..]].concat()
}

/// `'b' || root || claimant`, in the column of positions.
pub(super) fn batch(root: &Digest, claimant: &Address) -> Vec<u8> {
    [b"b", &root.as_bytes()[..], claimant.as_bytes()].concat()
}

/// What the keys of challenges start with.
pub(super) const CHALLENGE: &[u8] = b"a";

/// `'a' || case`, in the column of positions: a challenge.
pub(super) fn challenge(case: &CaseId) -> Vec<u8> {
    [CHALLENGE, &case.as_bytes()[..]].concat()
}

/// `'h' || process || size`, in the column of positions.
pub(super) fn hashpath(process: &ProcessId, size: u64) -> Vec<u8> {
    [b"h", &process.as_bytes()[..], &size.to_be_bytes()].concat()
}

/// `'l' || data-item key of a scheduler`, in the column of positions.
pub(super) fn location(scheduler: &Address) -> Vec<u8> {
    [b"l", &scheduler.as_bytes()[..]].concat()
}

/// `'k' || data-item key`.
pub(super) fn item_key(key: &Address) -> Vec<u8> {
    [b"k", &key.as_bytes()[..]].concat()
}

/// `'c'`: that everything is indexed.
pub(super) const fn complete() -> &'static [u8] {
    b"c"
}

/// `'p'`: the list of all items.
pub(super) const fn places() -> &'static [u8] {
    b"p"
}

/// `'i' || item`: its place.
pub(super) fn placed(item: &[u8]) -> Vec<u8> {
    [b"i", item].concat()
}

/// `'o' || owner`: the list of an owner's items.
pub(super) fn owner(owner: &Address) -> Vec<u8> {
    [b"o", &owner.as_bytes()[..]].concat()
}

/// `'r' || recipient`: the list of the items to somebody.
pub(super) fn recipient(recipient: &[u8; 32]) -> Vec<u8> {
    [b"r", &recipient[..]].concat()
}

/// `'t' || hash`: the list of the items with a tag.
pub(super) fn tagged(name: &str, value: &str) -> Vec<u8> {
    let hash = digest(Domain::OBJECT, &[name.as_bytes(), value.as_bytes()]);
    [b"t", &hash.as_bytes()[..]].concat()
}

/// `list || place`.
pub(super) fn posting(list: &[u8], place: u64) -> Vec<u8> {
    [list, &place.to_be_bytes()].concat()
}

/// The place at the end of a key.
pub(super) fn place_of(key: &[u8]) -> Option<u64> {
    key.last_chunk().map(|it| u64::from_be_bytes(*it))
}
