//! Exact counts by key: nodes, transitions, links, whole paths.

mod grid;
mod key;
mod runs;
mod slots;
mod sums;
#[cfg(test)]
mod tests;

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::error::Result;
use crate::spill::Spill;
pub use grid::Grid;
pub use key::Key;
pub use runs::Runs;
use slots::{Slot, Slots};
pub use sums::{Sums, read_number, write_number};

/// A value of type `V` for each key met: always exact, whatever there is of them.
///
/// Keys and values stand one behind another and are found by a hash table. [`relieve`](Self::relieve) writes them to disk, in the
/// order of the keys, and begins anew; [`drain`](Self::drain) brings all that was written together again, one key at a time. So what
/// was met is forgotten then: nobody may spill in the middle of a visitor.
#[derive(Debug)]
pub struct Counts<K: Key + ?Sized, V> {
    slots: Slots,
    hasher: RandomState,
    arena: K::Arena,
    entries: Vec<(K::Kept, V)>,
    runs: Runs<K, V>,
}

impl<K: Key + ?Sized, V: Clone> Clone for Counts<K, V> {
    /// What is on disk is there once.
    fn clone(&self) -> Self {
        let Counts { slots, hasher, arena, entries, runs } = self;
        Counts {
            slots: slots.clone(),
            hasher: hasher.clone(),
            arena: arena.clone(),
            entries: entries.clone(),
            runs: runs.clone(),
        }
    }
}

impl<K: Key + ?Sized, V> Default for Counts<K, V> {
    fn default() -> Self {
        let (slots, hasher, runs) = (Slots::default(), RandomState::default(), Runs::default());
        Counts { slots, hasher, arena: K::Arena::default(), entries: Vec::new(), runs }
    }
}

impl<K: Key + ?Sized, V: Sums> Counts<K, V> {
    /// The place of `key` in memory, which is new if the key is. It stays the same until the next spill or merge.
    ///
    /// # Panics
    /// If 2³² − 1 keys are in memory at one time.
    #[inline]
    pub fn place(&mut self, key: &K) -> usize {
        self.place_of(key, self.hash(key))
    }

    #[inline]
    fn hash(&self, key: &K) -> u32 {
        (self.hasher.hash_one(key) >> 32) as u32
    }

    #[inline]
    fn holds(&self, place: u32, key: &K) -> bool {
        K::kept(&self.entries[place as usize].0, &self.arena) == key
    }

    #[inline]
    fn place_of(&mut self, key: &K, hash: u32) -> usize {
        if let Some(place) = self.slots.find(hash, |place| self.holds(place, key)) {
            return place as usize;
        }
        let place = u32::try_from(self.entries.len()).ok().filter(|place| *place != Slot::FREE);
        let place = place.expect("fewer than 2^32 - 1 keys");
        self.entries.push((key.keep(&mut self.arena), V::default()));
        self.slots.insert(Slot { hash, place });
        place as usize
    }

    /// Gives the values of `count` keys to `each`, in their order; a new key has the default.
    ///
    /// The keys of a group are looked up side by side, so that they wait for the memory together: with millions of keys that is
    /// most of what a look-up takes.
    pub fn at_each<'k>(&mut self, count: usize, key: impl Fn(usize) -> &'k K, mut each: impl FnMut(usize, &mut V))
    where
        K: 'k,
    {
        const GROUP: usize = 64;
        let (mut hashes, mut places) = ([0; GROUP], [Slot::FREE; GROUP]);
        for first in (0..count).step_by(GROUP) {
            let group = GROUP.min(count - first);
            let (hashes, places) = (&mut hashes[..group], &mut places[..group]);
            // Each loop does but one thing, so that the loads of many rounds are under way at once.
            for (hash, number) in hashes.iter_mut().zip(first..) {
                *hash = self.hash(key(number));
            }
            std::hint::black_box(hashes.iter().fold(0, |all, &hash| all ^ self.slots.touch(hash)));
            for (place, &hash) in places.iter_mut().zip(&*hashes) {
                *place = self.slots.find(hash, |_| true).unwrap_or(Slot::FREE);
            }
            let touched = places.iter().filter_map(|&place| self.entries.get(place as usize));
            std::hint::black_box(touched.fold(0, |all, (kept, _)| all ^ K::touch(kept)));
            for ((place, &hash), number) in places.iter().zip(&*hashes).zip(first..) {
                let found = *place != Slot::FREE && self.holds(*place, key(number));
                let place = if found { *place as usize } else { self.place_of(key(number), hash) };
                each(number, self.value(place));
            }
        }
    }

    /// The value at a place that [`place`](Self::place) gave.
    #[inline]
    pub fn value(&mut self, place: usize) -> &mut V {
        &mut self.entries[place].1
    }

    /// The value of `key`, which is the default if the key is new.
    #[inline]
    pub fn at(&mut self, key: &K) -> &mut V {
        let place = self.place(key);
        self.value(place)
    }

    /// How many different keys are in memory.
    fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds the counts of `from`.
    pub fn merge(&mut self, mut from: Self) {
        if from.len() > self.len() {
            std::mem::swap(self, &mut from);
        }
        let (keys, values): (Vec<K::Kept>, Vec<V>) = from.entries.into_iter().unzip();
        let mut values = values.into_iter();
        let add = |_, into: &mut V| values.next().into_iter().for_each(|value| into.add(value));
        self.at_each(keys.len(), |number| K::kept(&keys[number], &from.arena), add);
        self.runs.append(from.runs);
    }

    /// Writes what is in memory to disk and gives the memory back, if it is worth it.
    ///
    /// Whoever counts distinct things must not be in the middle of one.
    ///
    /// # Errors
    /// If the disk is full or fails.
    pub fn relieve(&mut self, spill: &Arc<Spill>) -> Result<()> {
        if spill.takes(self.bytes()) { self.spill(spill) } else { Ok(()) }
    }

    fn spill(&mut self, spill: &Arc<Spill>) -> Result<()> {
        if self.entries.is_empty() {
            return Ok(());
        }
        self.slots = Slots::default();
        let (entries, arena) = self.take_in_order();
        self.runs.write(spill, entries.iter().map(|(kept, value)| (K::kept(kept, &arena), value)))
    }

    /// Takes the keys in memory and their values out. The order means nothing.
    fn take(&mut self, mut each: impl FnMut(&K, V)) {
        self.slots = Slots::default();
        let (entries, arena) = (std::mem::take(&mut self.entries), std::mem::take(&mut self.arena));
        entries.into_iter().for_each(|(kept, value)| each(K::kept(&kept, &arena), value));
    }

    /// The same in order.
    fn take_in_order(&mut self) -> (Vec<(K::Kept, V)>, K::Arena) {
        let (mut entries, arena) = (std::mem::take(&mut self.entries), std::mem::take(&mut self.arena));
        entries.sort_unstable_by(|a, b| K::kept(&a.0, &arena).cmp(K::kept(&b.0, &arena)));
        (entries, arena)
    }

    /// Gives every key once, with its value. The order means nothing.
    ///
    /// # Errors
    /// If what is on disk cannot be read.
    pub fn drain(mut self, each: impl FnMut(&K, V)) -> Result<()> {
        if self.runs.spill().is_some() {
            return self.drain_in_order(each);
        }
        self.take(each);
        Ok(())
    }

    /// Gives every key once, in order, with its value.
    ///
    /// # Errors
    /// If what is on disk cannot be read.
    pub fn drain_in_order(mut self, mut each: impl FnMut(&K, V)) -> Result<()> {
        if let Some(spill) = self.runs.spill() {
            // What is in memory becomes one more run: so one way of merging is enough, and the memory is free for the answer.
            self.spill(&spill)?;
            return self.runs.merge(each);
        }
        let (entries, arena) = self.take_in_order();
        entries.into_iter().for_each(|(kept, value)| each(K::kept(&kept, &arena), value));
        Ok(())
    }

    /// Bytes in use.
    pub fn bytes(&self) -> usize {
        self.slots.bytes()
            + K::arena_bytes(&self.arena)
            + self.entries.capacity() * size_of::<(K::Kept, V)>()
            + self.entries.iter().map(|(_, value)| value.bytes()).sum::<usize>()
            + self.runs.bytes()
    }
}

/// Which journey is at hand, and of which visitor: so that journeys and visitors that meet a key are counted exactly without a set.
#[derive(Clone, Copy, Debug, Default)]
pub struct Turn {
    /// The number of the journey, from 1.
    journey: u64,
    /// The number of the visitor's first journey.
    visitor: u64,
}

/// The last journey that met a key: it stands among the sums of the key, is nobody's to add, and is not written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark(u64);

impl Turn {
    /// Begins the next visitor, whose first journey is still to begin.
    #[inline]
    pub fn next_visitor(&mut self) {
        self.visitor = self.journey + 1;
    }

    /// Begins the next journey of the visitor.
    #[inline]
    pub fn next_journey(&mut self) {
        self.journey += 1;
    }

    /// Leaves a mark: whether the journey is at the key for the first time, and whether the visitor is.
    #[inline]
    pub fn first(&self, mark: &mut Mark) -> (bool, bool) {
        let before = std::mem::replace(&mut mark.0, self.journey);
        (before != self.journey, before < self.visitor)
    }
}
