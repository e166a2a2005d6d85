//! Exact counts by key: transitions, links, steps by segment; whole paths in [`Sequences`].

mod sequences;

use std::hash::Hash;
use std::iter::Zip;
use std::vec;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

pub use sequences::Sequences;

/// A value of type `V` for each key met, in one dense array.
///
/// The place of a key in the array stays the same while keys come in, so that scratch beside it (a stamp per key, say) can be a plain
/// array too. The order of keys is that of their first appearance: it means nothing and is never shown.
#[derive(Clone, Debug)]
pub struct Counts<K, V> {
    places: HashMap<K, u32, RandomState>,
    keys: Vec<K>,
    values: Vec<V>,
}

impl<K, V> Default for Counts<K, V> {
    fn default() -> Self {
        Counts { places: HashMap::default(), keys: Vec::new(), values: Vec::new() }
    }
}

impl<K: Copy + Eq + Hash, V: Default> Counts<K, V> {
    /// The place of `key`, which is new if the key is.
    #[inline]
    pub fn place(&mut self, key: K) -> usize {
        let next = self.keys.len() as u32;
        let place = *self.places.entry(key).or_insert(next);
        if place == next {
            self.keys.push(key);
            self.values.push(V::default());
        }
        place as usize
    }

    /// The value of `key`, which is the default if the key is new.
    #[inline]
    pub fn at(&mut self, key: K) -> &mut V {
        let place = self.place(key);
        &mut self.values[place]
    }

    /// The value at a place that [`place`](Self::place) gave.
    #[inline]
    pub fn value(&mut self, place: usize) -> &mut V {
        &mut self.values[place]
    }

    /// The value of `key`; `None` if the key was never met.
    pub fn get(&self, key: K) -> Option<&V> {
        self.places.get(&key).map(|&place| &self.values[place as usize])
    }

    /// How many different keys were met.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key was met.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Each key with its value, by first appearance.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.keys.iter().copied().zip(&self.values)
    }

    /// Adds the counts of `from`, values of equal keys by `add`.
    pub fn merge(&mut self, from: Self, mut add: impl FnMut(&mut V, V)) {
        for (key, value) in from {
            add(self.at(key), value);
        }
    }

    /// Bytes in use, without what the values own elsewhere.
    pub fn bytes(&self) -> usize {
        self.places.capacity() * (size_of::<(K, u32)>() + 1) + self.keys.capacity() * (size_of::<K>() + size_of::<V>())
    }
}

impl<K, V> IntoIterator for Counts<K, V> {
    type Item = (K, V);
    type IntoIter = Zip<vec::IntoIter<K>, vec::IntoIter<V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.keys.into_iter().zip(self.values)
    }
}

/// Counts by numbers below a bound: a hash table, and in front of it an array of places once that is worth its memory.
///
/// A number costs one look into the array where few are possible, and no more than the hash table where many are.
#[derive(Clone, Debug)]
pub struct Grid<V> {
    counts: Counts<u64, V>,
    bound: u64,
    /// One more than the place of each number met; 0 for the others. Empty while it is not worth its memory.
    front: Vec<u32>,
}

impl<V: Default> Grid<V> {
    /// The largest array: 1 MiB, what a second-level cache holds, and enough for all pairs of 512 nodes.
    const LARGEST: u64 = 1 << 18;
    /// Entries of the array for each number met, at most: so it is never much larger than what it points to.
    const SPARSEST: u64 = 64;

    /// For numbers below `bound`.
    pub fn new(bound: u64) -> Self {
        Grid { counts: Counts::default(), bound, front: Vec::new() }
    }

    /// The place of `number`, which is new if the number is. It stays the same while numbers come in.
    #[inline]
    pub fn place(&mut self, number: u64) -> usize {
        if self.front.is_empty() {
            return self.place_by_hash(number);
        }
        let front = &mut self.front[number as usize];
        if *front == 0 {
            *front = self.counts.place(number) as u32 + 1;
        }
        *front as usize - 1
    }

    fn place_by_hash(&mut self, number: u64) -> usize {
        let place = self.counts.place(number);
        if self.bound <= Self::LARGEST && self.bound <= self.counts.len() as u64 * Self::SPARSEST {
            self.front = vec![0; self.bound as usize];
        }
        place
    }

    /// The value at a place that [`place`](Self::place) gave.
    #[inline]
    pub fn value(&mut self, place: usize) -> &mut V {
        self.counts.value(place)
    }

    /// Each number met with its value, by first appearance.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &V)> {
        self.counts.iter()
    }

    /// The counts of all numbers met.
    pub fn into_counts(self) -> Counts<u64, V> {
        self.counts
    }

    /// Adds the counts of `from`, values of equal numbers by `add`.
    pub fn merge(&mut self, from: Self, add: impl FnMut(&mut V, V)) {
        self.counts.merge(from.counts, add);
    }

    /// Bytes in use, without what the values own elsewhere.
    pub fn bytes(&self) -> usize {
        self.counts.bytes() + self.front.capacity() * size_of::<u32>()
    }
}

/// Marks keys as seen by the current visitor, so that distinct visitors are counted exactly without a set.
#[derive(Clone, Debug, Default)]
pub struct Stamps {
    seen: Vec<u32>,
    now: u32,
}

impl Stamps {
    /// Begins the next visitor (or session): nothing is seen yet.
    pub fn next(&mut self) {
        self.now += 1;
        if self.now == u32::MAX {
            self.seen.fill(0);
            self.now = 1;
        }
    }

    /// Whether the current visitor meets `place` for the first time.
    #[inline]
    pub fn first(&mut self, place: usize) -> bool {
        if place >= self.seen.len() {
            self.seen.resize((place + 1).next_power_of_two(), 0);
        }
        std::mem::replace(&mut self.seen[place], self.now) != self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_merge() {
        let mut a: Counts<(u32, u32), u64> = Counts::default();
        *a.at((1, 2)) += 1;
        *a.at((1, 2)) += 1;
        *a.at((2, 1)) += 5;
        let mut b = Counts::default();
        *b.at((2, 1)) += 1;
        *b.at((3, 3)) += 7;
        a.merge(b, |into, from| *into += from);
        assert_eq!((a.get((1, 2)), a.get((2, 1)), a.get((3, 3)), a.get((0, 0))), (Some(&2), Some(&6), Some(&7), None));
    }

    #[test]
    fn a_grid_counts_the_same_with_and_without_its_array() {
        for bound in [1, 100, Grid::<u64>::LARGEST, u64::MAX] {
            let (mut grid, mut plain) = (Grid::new(bound), Counts::<u64, u64>::default());
            for n in 0..20_000u64 {
                let number = n * 7919 % 5003 % bound;
                assert_eq!(grid.place(number), plain.place(number));
                let place = grid.place(number);
                *grid.value(place) += 1;
                *plain.value(place) += 1;
            }
            assert_eq!(grid.front.is_empty(), bound == u64::MAX);
            assert!(grid.iter().eq(plain.iter()));
        }
    }

    #[test]
    fn stamps_tell_visitors_apart() {
        let mut stamps = Stamps::default();
        stamps.next();
        assert!(stamps.first(3) && !stamps.first(3) && stamps.first(0));
        stamps.next();
        assert!(stamps.first(3) && !stamps.first(3));
        stamps.now = u32::MAX - 1;
        stamps.next();
        assert!(stamps.first(3));
    }
}
