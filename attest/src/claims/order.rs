//! Which copies of claims there are, in the order in which they came, and which goes when there are too many (rule KC-3).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use surety_protocol::id::{Address, ClaimId};

/// The copies of claims: each with who has signed it.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// By their numbers, which go up.
    copies: BTreeMap<u64, (ClaimId, Address)>,
    /// The numbers of each claimant's, oldest first.
    numbers: BTreeMap<Address, VecDeque<u64>>,
    /// How many each claimant has.
    counts: BTreeSet<(usize, Address)>,
    next: u64,
}

impl Order {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.copies.len()
    }

    /// Adds one that is not there.
    pub(super) fn push(&mut self, claim: ClaimId, claimant: Address) {
        let number = self.next;
        self.next = number.saturating_add(1);
        self.copies.insert(number, (claim, claimant));
        let numbers = self.numbers.entry(claimant).or_default();
        self.counts.remove(&(numbers.len(), claimant));
        numbers.push_back(number);
        self.counts.insert((numbers.len(), claimant));
    }

    /// Takes out the oldest of whoever has the most; of several who have as many, of the last by address.
    pub(super) fn pop(&mut self) -> Option<(ClaimId, Address)> {
        let (_, claimant) = self.counts.pop_last()?;
        let numbers = self.numbers.get_mut(&claimant)?;
        let oldest = numbers.pop_front()?;
        if numbers.is_empty() {
            self.numbers.remove(&claimant);
        } else {
            self.counts.insert((numbers.len(), claimant));
        }
        self.copies.remove(&oldest)
    }

    /// All of them.
    pub(super) fn oldest_first(&self) -> impl Iterator<Item = &(ClaimId, Address)> {
        self.copies.values()
    }
}
