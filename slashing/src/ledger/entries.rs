//! Entries of one class: a map whose copies cost nothing and that remembers what has changed, so that neither a block nor its root
//! costs more the more entries there are.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::ops::RangeBounds;

use imbl::OrdMap;
use surety_protocol::attested::{EntryKey, entry_leaf};
use surety_protocol::merkle::KeyedTree;

/// What an entry is in the ledger's state: for each of its keys the value, or nothing if there is none any more.
pub(super) type Described<const N: usize> = [(EntryKey, Option<Vec<u8>>); N];

/// The entries of one class, by key.
#[derive(Clone)]
pub(super) struct Entries<K, V> {
    map: OrdMap<K, V>,
    changed: BTreeSet<K>,
}

impl<K, V> std::fmt::Debug for Entries<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entries({})", self.map.len())
    }
}

impl<K: Ord + Clone, V: Clone> Default for Entries<K, V> {
    fn default() -> Self {
        Entries {
            map: OrdMap::new(),
            changed: BTreeSet::new(),
        }
    }
}

impl<K: Ord + Clone, V: Clone> FromIterator<(K, V)> for Entries<K, V> {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(entries: T) -> Self {
        let mut all = Entries::default();
        for (key, value) in entries {
            all.insert(key, value);
        }
        all
    }
}

impl<K: Ord + Clone, V: Clone> Entries<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.map.get(key)
    }

    pub(super) fn contains_key(&self, key: &K) -> bool {
        self.map.contains_key(key)
    }

    pub(super) fn len(&self) -> u64 {
        u64::try_from(self.map.len()).unwrap_or(u64::MAX)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.map.iter()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.map.values()
    }

    /// The entries within a range, in the order of their keys.
    pub(super) fn range<Q: Ord + ?Sized>(
        &self,
        range: impl RangeBounds<Q>,
    ) -> impl DoubleEndedIterator<Item = (&K, &V)>
    where
        K: Borrow<Q>,
    {
        self.map.range(range)
    }

    pub(super) fn first_key(&self) -> Option<&K> {
        self.map.get_min().map(|(key, _)| key)
    }

    /// An entry to be changed.
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let value = self.map.get_mut(key)?;
        self.changed.insert(key.clone());
        Some(value)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        self.changed.insert(key.clone());
        self.map.insert(key, value);
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let value = self.map.remove(key)?;
        self.changed.insert(key.clone());
        Some(value)
    }

    /// Brings the state up to date with what has changed.
    pub(super) fn commit<const N: usize>(
        &mut self,
        state: &mut KeyedTree,
        describe: impl Fn(&K, Option<&V>) -> Described<N>,
    ) {
        for key in std::mem::take(&mut self.changed) {
            for (entry, value) in describe(&key, self.map.get(&key)) {
                match value {
                    Some(value) => state.insert(entry.place(), entry_leaf(&entry, &value)),
                    None => state.remove(&entry.place()),
                }
            }
        }
    }
}
