//! Counts by numbers below a bound.

use std::sync::Arc;

use super::{Counts, Sums};
use crate::error::Result;
use crate::spill::Spill;

/// Counts by numbers below a bound: in a hash table, and once enough of the numbers were met to be worth the memory, in an array.
#[derive(Clone, Debug)]
pub struct Grid<V> {
    bound: u64,
    /// By number; empty while it is not worth its memory.
    pub(super) dense: Vec<Option<V>>,
    /// All others.
    counts: Counts<u64, V>,
}

impl<V: Sums> Grid<V> {
    /// Bytes of an array that a second-level cache holds.
    pub(super) const SMALL: u64 = 1 << 20;
    /// Places of a small array for each number met, at most.
    const SPARSEST: u64 = 16;
    /// The same for any other: a hash table of so many takes as much memory, and is slower wherever it lies.
    const SPARSE: u64 = 2;

    /// For numbers below `bound`.
    pub fn new(bound: u64) -> Self {
        Grid { bound, dense: Vec::new(), counts: Counts::default() }
    }

    /// The value of `number`, which is the default if the number is new.
    #[inline]
    pub fn at(&mut self, number: u64) -> &mut V {
        if self.dense.is_empty() {
            return self.by_hash(number);
        }
        self.dense[number as usize].get_or_insert_default()
    }

    // Out of the way of the loops that it would be in.
    #[inline(never)]
    fn by_hash(&mut self, number: u64) -> &mut V {
        let place = self.counts.place(&number);
        let small = self.bound <= Self::SMALL / size_of::<Option<V>>() as u64;
        let places = if small { Self::SPARSEST } else { Self::SPARSE };
        if self.bound <= self.counts.len() as u64 * places {
            self.dense.resize_with(self.bound as usize, || None);
            let Self { dense, counts, .. } = self;
            counts.take(|&number, value| dense[number as usize] = Some(value));
            return self.dense[number as usize].get_or_insert_default();
        }
        self.counts.value(place)
    }

    /// Moves what is in the array into the hash table.
    fn settle(&mut self) {
        for (number, value) in (0..).zip(std::mem::take(&mut self.dense)) {
            if let Some(value) = value {
                *self.counts.at(&number) = value;
            }
        }
    }

    /// Adds the counts of `from`.
    pub fn merge(&mut self, mut from: Self) {
        if self.dense.len() == from.dense.len() {
            for (into, from) in self.dense.iter_mut().zip(std::mem::take(&mut from.dense)) {
                if let Some(from) = from {
                    into.get_or_insert_default().add(from);
                }
            }
        } else {
            self.settle();
            from.settle();
        }
        self.counts.merge(from.counts);
    }

    /// As [`Counts::relieve`].
    pub fn relieve(&mut self, spill: &Arc<Spill>) -> Result<()> {
        if !spill.takes(self.bytes()) {
            return Ok(());
        }
        self.settle();
        self.counts.spill(spill)
    }

    /// As [`Counts::drain`].
    pub fn drain(mut self, mut each: impl FnMut(u64, V)) -> Result<()> {
        self.settle();
        self.counts.drain(|&number, value| each(number, value))
    }

    /// As [`Counts::drain_in_order`].
    pub fn drain_in_order(mut self, mut each: impl FnMut(u64, V)) -> Result<()> {
        self.settle();
        self.counts.drain_in_order(|&number, value| each(number, value))
    }

    /// Bytes in use.
    pub fn bytes(&self) -> usize {
        let values = self.dense.iter().flatten().map(Sums::bytes).sum::<usize>();
        self.counts.bytes() + self.dense.capacity() * size_of::<Option<V>>() + values
    }
}
