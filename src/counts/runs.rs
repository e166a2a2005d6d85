//! Counts on disk: runs of keys in order, brought together one key at a time.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::io::{self, BufReader};
use std::marker::PhantomData;
use std::sync::Arc;

use super::{Key, Sums};
use crate::error::Result;
use crate::spill::{Extent, Rest, Spill};

/// Runs of keys with their values.
#[derive(Debug)]
pub struct Runs<K: ?Sized, V> {
    runs: Vec<Run>,
    of: PhantomData<fn(&K) -> V>,
}

/// What was written in one go: keys in order, each once.
#[derive(Clone, Debug)]
struct Run {
    extent: Extent,
    keys: usize,
}

impl<K: ?Sized, V> Clone for Runs<K, V> {
    /// Of the handles: what is on disk is there once.
    fn clone(&self) -> Self {
        Runs { runs: self.runs.clone(), of: PhantomData }
    }
}

impl<K: ?Sized, V> Default for Runs<K, V> {
    fn default() -> Self {
        Runs { runs: Vec::new(), of: PhantomData }
    }
}

impl<K: Key + ?Sized, V: Sums> Runs<K, V> {
    /// Writes a run of keys, which are in order and each there once.
    pub fn write<'a>(&mut self, spill: &Arc<Spill>, keys: impl ExactSizeIterator<Item = (&'a K, &'a V)>) -> Result<()>
    where
        K: 'a,
        V: 'a,
    {
        let (number, mut before, mut bytes) = (keys.len(), None, Vec::new());
        let extent = spill.write(|writer| {
            keys.into_iter().try_for_each(|(key, value)| {
                bytes.clear();
                key.write(before.replace(key), &mut bytes);
                value.write(&mut bytes);
                writer.write_all(&bytes)
            })
        })?;
        self.runs.push(Run { extent, keys: number });
        Ok(())
    }

    /// Takes over the runs of `from`.
    pub fn append(&mut self, mut from: Self) {
        self.runs.append(&mut from.runs);
    }

    /// Where the runs are; nothing if there are none.
    pub fn spill(&self) -> Option<Arc<Spill>> {
        self.runs.first().map(|run| Arc::clone(run.extent.spill()))
    }

    /// Gives every key once, in order, with what all runs together have for it.
    pub fn merge(&self, mut each: impl FnMut(&K, V)) -> Result<()> {
        let mut heads = BinaryHeap::new();
        for run in &self.runs {
            let mut head = Head::<K, V>::new(run);
            if head.advance().map_err(|error| run.extent.error(&error))? {
                heads.push(head);
            }
        }
        let mut current: Option<(K::Owned, V)> = None;
        while let Some(mut least) = heads.peek_mut() {
            let value = std::mem::take(&mut least.value);
            match &mut current {
                Some((key, sum)) if (*key).borrow() == least.key() => sum.add(value),
                Some((key, sum)) => {
                    each((*key).borrow(), std::mem::replace(sum, value));
                    least.key().clone_into(key);
                }
                None => current = Some((least.key().to_owned(), value)),
            }
            if !least.advance().map_err(|error| least.run.extent.error(&error))? {
                PeekMut::pop(least);
            }
        }
        if let Some((key, sum)) = current {
            each(key.borrow(), sum);
        }
        Ok(())
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        self.runs.capacity() * size_of::<Run>()
    }

    /// Makes the runs longer than what was written of them.
    #[cfg(test)]
    pub fn damage(&mut self) {
        self.runs.iter_mut().for_each(|run| run.keys += 1);
    }
}

/// Where the reading of a run is.
struct Head<'a, K: Key + ?Sized, V> {
    run: &'a Run,
    reader: BufReader<Rest>,
    /// Keys that are still to come.
    left: usize,
    key: K::Owned,
    value: V,
}

impl<'a, K: Key + ?Sized, V: Sums> Head<'a, K, V> {
    fn new(run: &'a Run) -> Self {
        Head { run, reader: run.extent.reader(), left: run.keys, key: K::Owned::default(), value: V::default() }
    }

    fn key(&self) -> &K {
        self.key.borrow()
    }

    /// Goes on to the next key, if there is one.
    fn advance(&mut self) -> io::Result<bool> {
        if self.left == 0 {
            return Ok(false);
        }
        self.left -= 1;
        K::read(&mut self.key, &mut self.reader)?;
        self.value = V::read(&mut self.reader)?;
        Ok(true)
    }
}

/// The greatest in a heap is the least key.
impl<K: Key + ?Sized, V: Sums> Ord for Head<'_, K, V> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(self.key())
    }
}

impl<K: Key + ?Sized, V: Sums> PartialOrd for Head<'_, K, V> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Key + ?Sized, V: Sums> PartialEq for Head<'_, K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<K: Key + ?Sized, V: Sums> Eq for Head<'_, K, V> {}
