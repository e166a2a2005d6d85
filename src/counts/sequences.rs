//! Exact sums by sequence of codes, which go to disk when memory is short.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::hash::BuildHasher;
use std::io::{self, BufReader, Read, Write};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::error::Result;
use crate::ids::Code;
use crate::spill::{Extent, Rest, Spill};

/// `N` sums for each sequence of codes met: always exact, whatever there is of them.
///
/// Sequences stand one behind another in one array, found by a hash table. [`spill`](Self::spill) writes them to disk, in their
/// order, and begins anew; [`drain`](Self::drain) brings all that was written together again, one sequence at a time.
#[derive(Debug)]
pub struct Sequences<const N: usize> {
    table: Table<N>,
    runs: Vec<Run>,
}

/// What one spill wrote: sequences in order, each once.
#[derive(Debug)]
struct Run {
    extent: Extent,
    sequences: usize,
}

impl<const N: usize> Default for Sequences<N> {
    fn default() -> Self {
        Sequences { table: Table::default(), runs: Vec::new() }
    }
}

impl<const N: usize> Sequences<N> {
    /// The place of a sequence in memory, which is new if the sequence is. It stays the same until the next spill or merge.
    ///
    /// # Panics
    /// If 2³² sequences are in memory at one time.
    #[inline]
    pub fn place(&mut self, sequence: &[Code]) -> u32 {
        self.table.place(sequence)
    }

    /// The sums at a place that [`place`](Self::place) gave.
    #[inline]
    pub fn sums(&mut self, place: u32) -> &mut [u64; N] {
        &mut self.table.sums[place as usize]
    }

    /// Adds the sums of `from`.
    pub fn merge(&mut self, mut from: Self) {
        if from.table.ends.len() > self.table.ends.len() {
            std::mem::swap(&mut self.table, &mut from.table);
        }
        for place in 0..from.table.ends.len() as u32 {
            let into = self.table.place(from.table.sequence(place));
            add(&mut self.table.sums[into as usize], &from.table.sums[place as usize]);
        }
        self.runs.append(&mut from.runs);
    }

    /// Writes all that is in memory to disk, and gives the memory back.
    ///
    /// Whoever counts distinct things by sums must not be in the middle of one.
    pub fn spill(&mut self, spill: &Arc<Spill>) -> Result<()> {
        let table = std::mem::take(&mut self.table);
        if table.ends.is_empty() {
            return Ok(());
        }
        let extent = spill.write(|writer| table.write(writer))?;
        self.runs.push(Run { extent, sequences: table.ends.len() });
        Ok(())
    }

    /// Gives every sequence once, with its sums. The order means nothing.
    pub fn drain(mut self, mut each: impl FnMut(&[Code], [u64; N])) -> Result<()> {
        // What is left in memory becomes one more run: so one way of merging is enough, and the memory is free for the answer.
        if let Some(spill) = self.runs.first().map(|run| Arc::clone(run.extent.spill())) {
            self.spill(&spill)?;
            return merge_runs(&self.runs, each);
        }
        (0..self.table.ends.len() as u32)
            .for_each(|place| each(self.table.sequence(place), self.table.sums[place as usize]));
        Ok(())
    }

    /// Bytes in use.
    pub fn bytes(&self) -> usize {
        self.table.bytes() + self.runs.capacity() * size_of::<Run>()
    }
}

fn add<const N: usize>(into: &mut [u64; N], from: &[u64; N]) {
    into.iter_mut().zip(from).for_each(|(into, from)| *into += from);
}

/// The sequences in memory. A place is the number of a sequence, in the order of arrival.
#[derive(Debug)]
struct Table<const N: usize> {
    slots: HashTable<Slot>,
    hasher: RandomState,
    /// All sequences, one behind another.
    codes: Vec<Code>,
    /// End of each in `codes`.
    ends: Vec<usize>,
    sums: Vec<[u64; N]>,
}

/// Half of the hash is kept, so that a growing table need not hash again, and few sequences are compared in vain.
#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    place: u32,
}

impl Slot {
    /// The kept half made whole: the table looks at both ends of the number.
    #[inline]
    fn spread(hash: u32) -> u64 {
        u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

impl<const N: usize> Default for Table<N> {
    fn default() -> Self {
        let (slots, hasher) = (HashTable::new(), RandomState::default());
        Table { slots, hasher, codes: Vec::new(), ends: Vec::new(), sums: Vec::new() }
    }
}

impl<const N: usize> Table<N> {
    #[inline]
    fn sequence(&self, place: u32) -> &[Code] {
        slice(&self.codes, &self.ends, place)
    }

    #[inline]
    fn place(&mut self, sequence: &[Code]) -> u32 {
        let hash = (self.hasher.hash_one(sequence) >> 32) as u32;
        let (codes, ends) = (&self.codes, &self.ends);
        let same = |slot: &Slot| slot.hash == hash && slice(codes, ends, slot.place) == sequence;
        if let Some(slot) = self.slots.find(Slot::spread(hash), same) {
            return slot.place;
        }
        let place = u32::try_from(self.ends.len()).expect("fewer than 2^32 sequences");
        self.codes.extend_from_slice(sequence);
        self.ends.push(self.codes.len());
        self.sums.push([0; N]);
        self.slots.insert_unique(Slot::spread(hash), Slot { hash, place }, |slot| Slot::spread(slot.hash));
        place
    }

    /// Writes all sequences in order, each as what differs from the one before it.
    fn write(&self, writer: &mut dyn Write) -> io::Result<()> {
        let mut order: Vec<u32> = (0..self.ends.len() as u32).collect();
        order.sort_unstable_by(|&a, &b| self.sequence(a).cmp(self.sequence(b)));
        let (mut before, mut bytes): (&[Code], _) = (&[], Vec::new());
        for place in order {
            let sequence = self.sequence(place);
            let shared = before.iter().zip(sequence).take_while(|(a, b)| a == b).count();
            let own = &sequence[shared..];
            bytes.clear();
            [shared, own.len()].into_iter().for_each(|length| write_number(&mut bytes, length as u64));
            own.iter().for_each(|&code| write_number(&mut bytes, u64::from(code)));
            self.sums[place as usize].iter().for_each(|&sum| write_number(&mut bytes, sum));
            writer.write_all(&bytes)?;
            before = sequence;
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        // A hash table is at most 7/8 full and has a byte beside each slot.
        self.slots.capacity() * 8 / 7 * (size_of::<Slot>() + 1)
            + self.codes.capacity() * size_of::<Code>()
            + self.ends.capacity() * size_of::<usize>()
            + self.sums.capacity() * size_of::<[u64; N]>()
    }
}

#[inline]
fn slice<'a>(codes: &'a [Code], ends: &[usize], place: u32) -> &'a [Code] {
    let place = place as usize;
    let start = if place == 0 { 0 } else { ends[place - 1] };
    &codes[start..ends[place]]
}

/// Reads all runs at the same pace, always on at the least sequence.
fn merge_runs<const N: usize>(runs: &[Run], mut each: impl FnMut(&[Code], [u64; N])) -> Result<()> {
    let mut heads = BinaryHeap::new();
    for run in runs {
        let mut head = Head::new(run);
        if head.advance().map_err(|error| run.extent.error(&error))? {
            heads.push(head);
        }
    }
    let (mut sequence, mut sums): (Vec<Code>, _) = (Vec::new(), None);
    while let Some(mut least) = heads.peek_mut() {
        match &mut sums {
            Some(sums) if sequence == least.sequence => add(sums, &least.sums),
            _ => {
                if let Some(sums) = sums {
                    each(&sequence, sums);
                }
                sequence.clone_from(&least.sequence);
                sums = Some(least.sums);
            }
        }
        if !least.advance().map_err(|error| least.run.extent.error(&error))? {
            PeekMut::pop(least);
        }
    }
    if let Some(sums) = sums {
        each(&sequence, sums);
    }
    Ok(())
}

/// Where the reading of a run is.
struct Head<'a, const N: usize> {
    run: &'a Run,
    reader: BufReader<Rest>,
    /// Sequences that are still to come.
    left: usize,
    sequence: Vec<Code>,
    sums: [u64; N],
}

impl<'a, const N: usize> Head<'a, N> {
    fn new(run: &'a Run) -> Self {
        Head { run, reader: run.extent.reader(), left: run.sequences, sequence: Vec::new(), sums: [0; N] }
    }

    /// Goes on to the next sequence, if there is one.
    fn advance(&mut self) -> io::Result<bool> {
        if self.left == 0 {
            return Ok(false);
        }
        self.left -= 1;
        let shared = read_number(&mut self.reader)? as usize;
        self.sequence.truncate(shared);
        for _ in 0..read_number(&mut self.reader)? {
            self.sequence.push(read_number(&mut self.reader)? as Code);
        }
        for sum in &mut self.sums {
            *sum = read_number(&mut self.reader)?;
        }
        Ok(true)
    }
}

/// The greatest in a heap is the least sequence.
impl<const N: usize> Ord for Head<'_, N> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.sequence.cmp(&self.sequence)
    }
}

impl<const N: usize> PartialOrd for Head<'_, N> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<const N: usize> PartialEq for Head<'_, N> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<const N: usize> Eq for Head<'_, N> {}

/// Seven bits to a byte, the lowest first; the highest bit says that more follow.
fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read_number(reader: &mut impl Read) -> io::Result<u64> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let mut byte = [0];
        reader.read_exact(&mut byte)?;
        number |= u64::from(byte[0] & 0x7F) << shift;
        if byte[0] < 0x80 {
            return Ok(number);
        }
        shift += 7;
        if shift > 63 {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
    }
}
