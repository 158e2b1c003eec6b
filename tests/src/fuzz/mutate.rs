//! Small changes to bytes that were right.

use crate::random::Random;

/// Bytes that decoders have their trouble with.
const AWKWARD: [u8; 12] = [
    0x00, 0x01, 0x17, 0x18, 0x1f, 0x40, 0x7f, 0x80, 0x83, 0x9f, 0xf6, 0xff,
];

/// Changes bytes in one to four places.
pub(crate) fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..random.between(1, 4) {
        let at = place(bytes, random);
        match random.below(8) {
            0 => bytes.truncate(at),
            1 => {
                let awkward = random.pick(&AWKWARD).copied().unwrap_or_default();
                bytes.insert(at, awkward);
            }
            2 if at < bytes.len() => {
                bytes.remove(at);
            }
            // A piece of it once more, elsewhere.
            3 => {
                let end = at.saturating_add(place(bytes, random)).min(bytes.len());
                let piece: Vec<u8> = bytes.get(at..end).unwrap_or_default().to_vec();
                let to = place(bytes, random);
                bytes.splice(to..to, piece);
            }
            4 => bytes.extend(random.bytes()),
            kind => {
                let other = match kind {
                    5 => random.pick(&AWKWARD).copied(),
                    _ => None,
                };
                let bit = 1 << random.below(8);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = other.unwrap_or(*byte ^ bit);
                }
            }
        }
    }
}

/// A position, its end included; mostly near the beginning, where the structure is.
fn place(bytes: &[u8], random: &mut Random) -> usize {
    let most = bytes.len() as u64;
    let most = if random.percent(50) {
        most.min(64)
    } else {
        most
    };
    usize::try_from(random.between(0, most)).unwrap_or(0)
}
