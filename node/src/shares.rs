//! Room and turns of which nobody has all.

use std::collections::{BTreeMap, VecDeque};

use surety_protocol::time::Height;

/// How many of something everybody has.
#[derive(Debug)]
pub(crate) struct Shares<K> {
    of_each: BTreeMap<K, usize>,
    all: usize,
}

impl<K> Default for Shares<K> {
    fn default() -> Self {
        Shares {
            of_each: BTreeMap::new(),
            all: 0,
        }
    }
}

impl<K: Copy + Ord> Shares<K> {
    /// How many all have together.
    pub(crate) const fn all(&self) -> usize {
        self.all
    }

    /// How many somebody has.
    pub(crate) fn of(&self, who: &K) -> usize {
        self.of_each.get(who).copied().unwrap_or(0)
    }

    /// Who has the most, and how many.
    pub(crate) fn most(&self) -> Option<(K, usize)> {
        let most = self.of_each.iter().max_by_key(|(_, has)| **has);
        most.map(|(who, has)| (*who, *has))
    }

    /// Somebody has one more.
    pub(crate) fn take(&mut self, who: K) {
        let has = self.of_each.entry(who).or_default();
        *has = has.saturating_add(1);
        self.all = self.all.saturating_add(1);
    }

    /// Somebody has one less.
    pub(crate) fn leave(&mut self, who: &K) {
        let Some(has) = self.of_each.get_mut(who) else {
            return;
        };
        *has = has.saturating_sub(1);
        if *has == 0 {
            self.of_each.remove(who);
        }
        self.all = self.all.saturating_sub(1);
    }

    /// Whether there is one more of so many for somebody: nobody has more than half as many as are free, but a few in any case,
    /// until there are twice as many.
    pub(crate) fn has_room(&self, most: usize, few: usize, who: &K) -> bool {
        let has = self.of(who);
        let free = most.saturating_sub(self.all);
        has < free / 2 || (has < few && self.all < most.saturating_mul(2))
    }
}

/// By how much the turn goes on with a block: no more than find places, and a prime, so that it goes on among any number.
const TURN: u64 = 61;

/// The first of each, then the second of each, and so on. With every block others begin: there may not be room for all.
pub(crate) fn in_turn<K: Ord, T>(height: Height, all: impl Iterator<Item = (K, T)>) -> Vec<T> {
    let mut of_each: BTreeMap<K, VecDeque<T>> = BTreeMap::new();
    for (who, it) in all {
        of_each.entry(who).or_default().push_back(it);
    }
    let mut queues: VecDeque<VecDeque<T>> = of_each.into_values().collect();
    let count = u64::try_from(queues.len()).unwrap_or(0);
    let turn = height.0.wrapping_mul(TURN);
    let turn = turn.checked_rem(count).unwrap_or(0);
    queues.rotate_left(usize::try_from(turn).unwrap_or(0));
    let mut ordered = Vec::new();
    while let Some(mut queue) = queues.pop_front() {
        if let Some(it) = queue.pop_front() {
            ordered.push(it);
            queues.push_back(queue);
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many as there is room for.
    fn fill(shares: &mut Shares<u8>, most: usize, few: usize, who: u8) -> usize {
        let mut taken = 0;
        while shares.has_room(most, few, &who) {
            shares.take(who);
            taken += 1;
        }
        taken
    }

    #[test]
    fn nobody_has_all_the_room() {
        let mut shares = Shares::default();
        assert_eq!(fill(&mut shares, 90, 2, 1), 30);
        assert_eq!(fill(&mut shares, 90, 2, 2), 20);
        for who in 3..40 {
            assert!(fill(&mut shares, 90, 2, who) >= 2);
        }
        assert_eq!(fill(&mut shares, 90, 2, 1), 0);
        assert_eq!(shares.most(), Some((1, 30)));
        // What is left is somebody else's.
        for _ in 0..30 {
            shares.leave(&1);
        }
        assert_eq!((shares.of(&1), shares.most()), (0, Some((2, 20))));
        // Not for any number.
        for who in 40..=u8::MAX {
            fill(&mut shares, 90, 2, who);
        }
        assert_eq!(shares.all(), 180);
        // Who has none gives none back.
        shares.leave(&u8::MAX);
        assert_eq!(shares.all(), 180);
    }

    #[test]
    fn everybodys_first_comes_before_the_second_of_any() {
        let all = [(1, 'a'), (1, 'b'), (1, 'c'), (2, 'd'), (3, 'e'), (3, 'f')];
        let ordered =
            |height| -> String { in_turn(Height(height), all.into_iter()).iter().collect() };
        assert_eq!(ordered(0), "adebfc");
        assert_eq!(ordered(1), "deafbc");
        assert_eq!(ordered(5), "eadfbc");
        assert!(in_turn(Height(7), std::iter::empty::<(u8, u8)>()).is_empty());
    }
}
