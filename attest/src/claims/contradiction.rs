//! Two claims of one signer that cannot both be true (rule KC-4).

use surety_protocol::claim::{Leaf, SignedClaim};
use surety_protocol::time::Slot;

/// Two claims of one signer, and the slot of which they say different things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The claim that came first.
    pub first: Box<SignedClaim>,
    /// The other.
    pub second: Box<SignedClaim>,
    /// Where they differ.
    pub slot: Slot,
}

impl Contradiction {
    /// Compares what two claims of one signer say of the same inputs: their new leaves, and the state after the same history.
    pub fn between(first: &SignedClaim, second: &SignedClaim) -> Option<Contradiction> {
        let (a, b) = (&first.statement.claim, &second.statement.claim);
        // [E-20]
        if (a.process, a.fork) != (b.process, b.fork) {
            return None;
        }
        // [E-21], [E-22]
        let both = (a.first_new.max(b.first_new)..a.size.min(b.size)).map(Slot);
        let leaves = both.filter_map(|slot| Some((slot, leaf(first, slot)?, leaf(second, slot)?)));
        let mut differing = leaves.filter(|(_, a, b)| a.assignment == b.assignment && a != b);
        let heads_differ = (a.size, a.history_root) == (b.size, b.history_root)
            && a.head_state_root != b.head_state_root;
        let head = heads_differ.then(|| Slot(a.size.saturating_sub(1)));
        Some(Contradiction {
            slot: differing.next().map(|(slot, ..)| slot).or(head)?,
            first: Box::new(first.clone()),
            second: Box::new(second.clone()),
        })
    }
}

fn leaf(claim: &SignedClaim, slot: Slot) -> Option<&Leaf> {
    let place = slot.0.checked_sub(claim.statement.claim.first_new)?;
    claim.leaves.get(usize::try_from(place).ok()?)
}
