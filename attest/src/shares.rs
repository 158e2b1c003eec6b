//! Room of which nobody has all.

use std::collections::BTreeMap;

/// How many of something everybody has.
#[derive(Debug)]
pub struct Shares<K> {
    of_each: BTreeMap<K, usize>,
    all: usize,
}

impl<K> Default for Shares<K> {
    fn default() -> Self {
        Shares::new()
    }
}

impl<K> Shares<K> {
    /// Nobody has any.
    pub const fn new() -> Shares<K> {
        Shares {
            of_each: BTreeMap::new(),
            all: 0,
        }
    }
}

impl<K: Copy + Ord> FromIterator<K> for Shares<K> {
    fn from_iter<T: IntoIterator<Item = K>>(all: T) -> Shares<K> {
        let mut shares = Shares::new();
        for who in all {
            shares.take(who);
        }
        shares
    }
}

impl<K: Copy + Ord> Shares<K> {
    /// How many all have together.
    pub const fn all(&self) -> usize {
        self.all
    }

    /// How many somebody has.
    pub fn of(&self, who: &K) -> usize {
        self.of_each.get(who).copied().unwrap_or(0)
    }

    /// Who has the most, and how many.
    pub fn most(&self) -> Option<(K, usize)> {
        let most = self.of_each.iter().max_by_key(|(_, has)| **has);
        most.map(|(who, has)| (*who, *has))
    }

    /// Somebody has one more.
    pub fn take(&mut self, who: K) {
        let has = self.of_each.entry(who).or_default();
        *has = has.saturating_add(1);
        self.all = self.all.saturating_add(1);
    }

    /// Somebody has one less.
    pub fn leave(&mut self, who: &K) {
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
    pub fn has_room(&self, most: usize, few: usize, who: &K) -> bool {
        let has = self.of(who);
        let free = most.saturating_sub(self.all);
        has < free / 2 || (has < few && self.all < most.saturating_mul(2))
    }
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
}
