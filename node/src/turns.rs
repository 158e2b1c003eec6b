//! Turns of which everybody has one.

use std::collections::{BTreeMap, VecDeque};

use surety_protocol::time::Height;

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
