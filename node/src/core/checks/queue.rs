//! What waits, by who brought it. Peers take turns, so that what one brings does not hold up what others bring (rule CK-4);
//! those who are known among themselves, and strangers among themselves (rule CK-7).

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};

use surety_protocol::id::Digest;

/// Of what waits, the most that one peer brought.
pub(super) const SHARE_MAX: usize = 512;
/// Of what is taken at once, the most that strangers brought.
pub(super) const STRANGERS_MAX: usize = 8;

/// What is taken at once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lot<T> {
    /// Of those who are known, and what this node has asked for.
    pub(super) known: Vec<T>,
    pub(super) strangers: Vec<T>,
}

/// A bounded queue. What nobody brought this node has asked for.
#[derive(Debug)]
pub(super) struct Queue<T> {
    most: usize,
    length: usize,
    brought: BTreeMap<Option<Digest>, VecDeque<T>>,
    /// Whose turn was last of those who are known, and of strangers.
    last: [Option<Digest>; 2],
}

impl<T> Queue<T> {
    pub(super) const fn new(most: usize) -> Queue<T> {
        Queue {
            most,
            length: 0,
            brought: BTreeMap::new(),
            last: [None; 2],
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.length
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Adds what somebody brought. Gives what has no room now: the same, or the last of whoever has brought the most.
    pub(super) fn push(&mut self, peer: Option<Digest>, it: T) -> Option<T> {
        let brought = self.brought.get(&peer).map_or(0, VecDeque::len);
        if peer.is_some() && brought >= SHARE_MAX {
            return Some(it);
        }
        let mut left_out = None;
        if self.length >= self.most {
            let peers = self.brought.iter().filter(|(peer, _)| peer.is_some());
            let largest = peers.max_by_key(|(_, it)| it.len());
            let Some((largest, its)) = largest.map(|(peer, it)| (*peer, it.len())) else {
                return Some(it);
            };
            if peer.is_some() && its <= brought.saturating_add(1) {
                return Some(it);
            }
            left_out = self.pop(largest, VecDeque::pop_back);
        }
        self.brought.entry(peer).or_default().push_back(it);
        self.length = self.length.saturating_add(1);
        left_out
    }

    /// Takes out so many at most, each peer's in the order in which it brought them.
    pub(super) fn take(&mut self, count: usize, known: impl Fn(&Digest) -> bool) -> Lot<T> {
        let is_known = |peer: &Option<Digest>| peer.as_ref().is_none_or(&known);
        let [mut last, mut last_stranger] = self.last;
        let strangers: Vec<T> = (0..count.min(STRANGERS_MAX))
            .map_while(|_| self.next(&mut last_stranger, |peer| !is_known(peer)))
            .collect();
        let known = (strangers.len()..count)
            .map_while(|_| self.next(&mut last, is_known))
            .collect();
        self.last = [last, last_stranger];
        Lot { known, strangers }
    }

    /// Takes one of whoever has the next turn of some, after whoever had the last.
    fn next(
        &mut self,
        last: &mut Option<Digest>,
        among: impl Fn(&Option<Digest>) -> bool,
    ) -> Option<T> {
        let after = self.brought.range((Excluded(*last), Unbounded));
        let mut peers = after.chain(self.brought.range(..=*last)).map(|it| it.0);
        *last = *peers.find(|peer| among(peer))?;
        self.pop(*last, VecDeque::pop_front)
    }

    fn pop(
        &mut self,
        peer: Option<Digest>,
        pop: impl FnOnce(&mut VecDeque<T>) -> Option<T>,
    ) -> Option<T> {
        let brought = self.brought.get_mut(&peer)?;
        let popped = pop(brought)?;
        if brought.is_empty() {
            self.brought.remove(&peer);
        }
        self.length = self.length.saturating_sub(1);
        Some(popped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u8) -> Option<Digest> {
        Some(Digest::new([number; 32]))
    }

    /// What peers bring, with what it is.
    fn queue(most: usize, brought: &[(u8, usize)]) -> Queue<(u8, usize)> {
        let mut queue = Queue::new(most);
        for (by, count) in brought {
            for number in 0..*count {
                assert_eq!(queue.push(peer(*by), (*by, number)), None);
            }
        }
        queue
    }

    #[test]
    fn peers_take_turns_and_each_keeps_its_order() {
        let mut queue = queue(100, &[(1, 50), (2, 2), (3, 1)]);
        assert_eq!(queue.push(None, (0, 0)), None);
        let first = queue.take(5, |_| true).known;
        assert_eq!(first, [(1, 0), (2, 0), (3, 0), (0, 0), (1, 1)]);
        assert_eq!(queue.take(3, |_| true).known, [(2, 1), (1, 2), (1, 3)]);
        assert_eq!(queue.take(100, |_| true).known.len(), 46);
        assert!(queue.is_empty() && queue.brought.is_empty());
    }

    #[test]
    fn who_has_brought_the_most_makes_room() {
        let mut queue = queue(100, &[(1, 60), (2, 40)]);
        assert_eq!(queue.push(peer(3), (3, 0)), Some((1, 59)));
        assert_eq!(queue.push(None, (0, 0)), Some((1, 58)));
        assert_eq!(queue.push(peer(1), (1, 60)), Some((1, 60)));
        for _ in 0..17 {
            assert!(queue.push(peer(2), (2, 40)).is_some());
        }
        let most = |by| queue.brought.get(&peer(by)).map_or(0, VecDeque::len);
        assert_eq!((most(1), most(2), most(3)), (49, 49, 1));
        assert_eq!(queue.len(), 100);
    }

    #[test]
    fn nobody_has_more_than_a_share_and_what_was_asked_for_fills_it() {
        let mut queue = queue(SHARE_MAX + 1, &[(1, SHARE_MAX)]);
        assert!(queue.push(peer(1), (1, 0)).is_some());
        for _ in 0..=SHARE_MAX {
            assert!(queue.push(None, (0, 0)).is_none_or(|it| it.0 == 1));
        }
        assert!(queue.push(None, (0, 0)).is_some());
        let all = queue.take(SHARE_MAX + 2, |_| true).known;
        assert_eq!(all.len(), SHARE_MAX + 1);
    }

    /// However much others bring, each stranger has its turn among strangers.
    #[test]
    fn strangers_have_a_share_and_take_turns_among_themselves() {
        let many: Vec<(u8, usize)> = (2..=20).map(|it| (it, 5)).collect();
        let mut queue = queue(1_000, &[&[(1, 200)], &many[..]].concat());
        assert_eq!(queue.push(None, (0, 0)), None);
        let known = |it: &Digest| Some(*it) == peer(1);
        let mut turns = Vec::new();
        for _ in 0..11 {
            let lot = queue.take(16, known);
            assert_eq!((lot.known.len(), lot.strangers.len()), (8, STRANGERS_MAX));
            assert!(lot.known.iter().all(|it| it.0 < 2));
            turns.extend(lot.strangers);
        }
        let rounds = (0..5).flat_map(|round| (2..=20).map(move |it| (it, round)));
        assert_eq!(turns, rounds.take(88).collect::<Vec<_>>());
        // Where strangers bring little the others have the rest, and who comes to be known is no stranger.
        assert_eq!(queue.take(8, |_| true).strangers, []);
        assert_eq!(queue.take(4, |_| false).known, []);
    }
}
