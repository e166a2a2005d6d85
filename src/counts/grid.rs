//! Counts by numbers below a bound.

use std::sync::Arc;

use super::{Counts, Sums};
use crate::error::Result;
use crate::spill::Spill;

/// Counts by numbers below a bound: a hash table, and in front of it an array of places once that is worth its memory.
///
/// A number costs one look into the array where few are possible, and no more than the hash table where many are.
#[derive(Debug)]
pub struct Grid<V> {
    counts: Counts<u64, V>,
    bound: u64,
    /// One more than the place of each number met; 0 for the others. Empty while it is not worth its memory.
    pub(super) front: Vec<u32>,
}

impl<V: Sums> Grid<V> {
    /// The largest array: 1 MiB, what a second-level cache holds, and enough for all pairs of 512 nodes.
    pub(super) const LARGEST: u64 = 1 << 18;
    /// Entries of the array for each number met, at most: so it is never much larger than what it points to.
    const SPARSEST: u64 = 64;

    /// For numbers below `bound`.
    pub fn new(bound: u64) -> Self {
        Grid { counts: Counts::default(), bound, front: Vec::new() }
    }

    /// The place of `number`, which is new if the number is. It stays the same until the next spill or merge.
    #[inline]
    pub fn place(&mut self, number: u64) -> usize {
        if self.front.is_empty() {
            return self.place_by_hash(number);
        }
        match self.front[number as usize].checked_sub(1) {
            Some(place) => place as usize,
            None => self.place_of_new(number),
        }
    }

    // Out of the way of the loops that it would be in, as the next one.
    #[cold]
    #[inline(never)]
    fn place_of_new(&mut self, number: u64) -> usize {
        let place = self.counts.place(&number);
        self.front[number as usize] = place as u32 + 1;
        place
    }

    #[inline(never)]
    fn place_by_hash(&mut self, number: u64) -> usize {
        let place = self.counts.place(&number);
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

    /// The value of `number`, which is the default if the number is new.
    #[inline]
    pub fn at(&mut self, number: u64) -> &mut V {
        let place = self.place(number);
        self.value(place)
    }

    /// Adds the counts of `from`.
    pub fn merge(&mut self, from: Self) {
        self.counts.merge(from.counts);
        self.front = Vec::new();
    }

    /// As [`Counts::relieve`].
    pub fn relieve(&mut self, spill: &Arc<Spill>) -> Result<()> {
        self.counts.relieve(spill)?;
        if self.counts.len() == 0 {
            self.front = Vec::new();
        }
        Ok(())
    }

    /// As [`Counts::drain`].
    pub fn drain(self, mut each: impl FnMut(u64, V)) -> Result<()> {
        self.counts.drain(|&number, value| each(number, value))
    }

    /// As [`Counts::drain_in_order`].
    pub fn drain_in_order(self, mut each: impl FnMut(u64, V)) -> Result<()> {
        self.counts.drain_in_order(|&number, value| each(number, value))
    }

    /// Bytes in use.
    pub fn bytes(&self) -> usize {
        self.counts.bytes() + self.front.capacity() * size_of::<u32>()
    }
}
