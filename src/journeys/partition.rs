//! Events → partitions of whole visitors: scatter on arrival, group and order on demand.
//!
//! No event is ever compared with an event of another visitor. A split is scattered by the visitor's stable hash with one histogram
//! and one pass per column. A partition then numbers its visitors densely, scatters stably once more, and sorts only the visitors
//! whose times went back.

use std::hash::BuildHasher;
use std::sync::Mutex;

use foldhash::fast::RandomState;

use super::{Journeys, Names, VisitorKey};
use crate::budget::Budget;
use crate::error::Result;
use crate::events::{Columns, EventBatch, IdArena, Keys};
use crate::ids::{Shape, place_hash};
use crate::sync::{lock, unlocked};

/// Number of partitions: small enough that scattering stays in the cache, large enough that one partition does.
pub const PARTITIONS: usize = 256;

const SHIFT: u32 = 64 - PARTITIONS.ilog2();

/// Where a part of the log belongs in its order: file, split, part of the split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival {
    /// The number of the file among the inputs, from 0.
    pub file: u32,
    /// The number of the split in its file.
    pub split: u32,
    /// The number of the part in its split, from 0: large splits are stored in several.
    pub part: u32,
}

/// A part of the log, sorted by partition; inside a partition in the order of the log.
#[derive(Debug)]
struct Piece {
    arrival: Arrival,
    /// Begin of each partition; one more at the end.
    starts: Vec<u32>,
    events: EventBatch,
}

/// All events read so far.
#[derive(Debug, Default)]
pub struct Store {
    pieces: Mutex<Vec<Piece>>,
}

/// One thread's scratch for scattering.
#[derive(Default)]
pub struct Scatter {
    partition: Vec<u16>,
    to: Vec<u32>,
}

impl Store {
    /// Takes in a part of the log and empties `batch`. Counts its memory.
    pub fn add(&self, arrival: Arrival, batch: &mut EventBatch, scatter: &mut Scatter, budget: &Budget) -> Result<()> {
        if batch.columns.is_empty() {
            batch.clear();
            return Ok(());
        }
        let rows = batch.columns.len();
        let bytes = rows * (batch.columns.row_bytes() + batch.keys.row_bytes()) + batch.keys.ids.text_bytes();
        budget.take(bytes + 4 * PARTITIONS, "the events")?;
        let starts = scatter.plan(&batch.keys);
        let mut columns = Columns::default();
        columns.resize_like(&batch.columns, rows);
        columns.scatter(&batch.columns, 0..rows, &scatter.to);
        let keys = batch.keys.scattered(&scatter.to);
        batch.clear();
        let piece = Piece { arrival, starts, events: EventBatch { keys, columns } };
        lock(&self.pieces).push(piece);
        Ok(())
    }

    /// All events, put into the order of the log.
    pub fn close(self) -> Partitions {
        let mut pieces = unlocked(self.pieces);
        pieces.sort_unstable_by_key(|piece| piece.arrival);
        Partitions { pieces }
    }
}

impl Scatter {
    /// Finds the place of each event; returns where each partition begins.
    fn plan(&mut self, keys: &Keys) -> Vec<u32> {
        self.partition.clear();
        match keys.shape {
            Some(shape) if keys.shapes.is_empty() => {
                self.partition.extend(keys.key.iter().map(|&key| (place_hash(shape, key) >> SHIFT) as u16));
            }
            _ => {
                let both = keys.shapes.iter().zip(&keys.key);
                self.partition.extend(both.map(|(&shape, &key)| (place_hash(shape, key) >> SHIFT) as u16));
            }
        }
        let mut next = [0u32; PARTITIONS];
        for &partition in &self.partition {
            next[partition as usize] += 1;
        }
        let mut starts = Vec::with_capacity(PARTITIONS + 1);
        let mut sum = 0;
        for count in &mut next {
            starts.push(sum);
            sum += std::mem::replace(count, sum);
        }
        starts.push(sum);
        self.to.clear();
        self.to.extend(self.partition.iter().map(|&partition| {
            let place = &mut next[partition as usize];
            *place += 1;
            *place - 1
        }));
        starts
    }
}

/// All events of a run, by partition.
#[derive(Debug)]
pub struct Partitions {
    pieces: Vec<Piece>,
}

/// One thread's scratch for grouping.
#[derive(Default)]
pub struct Grouper {
    numbers: Numbers,
    /// The visitor of each event of the partition, then the place of each event.
    to: Vec<u32>,
    next: Vec<u32>,
}

impl Partitions {
    /// How many events a partition has.
    pub fn events(&self, partition: usize) -> usize {
        self.pieces.iter().map(|piece| piece.rows(partition).len()).sum()
    }

    /// Bytes that grouping and preparing a partition takes beside the stored events: a copy of its columns, places, nodes, and
    /// session bounds and visitor tables at their worst.
    pub fn working_bytes(&self, partition: usize, names: &Names) -> usize {
        let row = self.pieces.first().map_or(0, |piece| piece.events.columns.row_bytes());
        // Own sessions may interleave: then each such rule has a copy of the events in the order of its sessions.
        let copies = 1 + names.session_rules().iter().filter(|rule| rule.own).count();
        let prepared = copies * 4 * names.node_tables().len() + 8 * names.session_rules().len();
        // Beside each event its place; per visitor, of which there may be as many, a key and some slots of the table.
        self.events(partition) * (row * copies + prepared + 4 + size_of::<VisitorKey>() + 16)
    }

    /// Fills `journeys` with the visitors of a partition: whole, and each in journey order.
    pub fn group(&self, partition: usize, grouper: &mut Grouper, journeys: &mut Journeys) {
        journeys.clear();
        grouper.numbers.clear();
        grouper.to.clear();
        for (at, piece) in self.pieces.iter().enumerate() {
            let keys = &piece.events.keys;
            for row in piece.rows(partition) {
                let id = if keys.wide.is_empty() { 0 } else { keys.wide[row] };
                let key = VisitorKey { shape: keys.shape_of(row), piece: at as u32, id, key: keys.key[row] };
                let number = grouper.numbers.number(key, |a, b| self.id(a) == self.id(b));
                grouper.to.push(number);
            }
        }
        grouper.place(&mut journeys.offsets);
        let rows = grouper.to.len();
        let mut from = 0;
        for piece in &self.pieces {
            let range = piece.rows(partition);
            if from == 0 {
                journeys.columns.resize_like(&piece.events.columns, rows);
            }
            let to = &grouper.to[from..from + range.len()];
            from += range.len();
            journeys.columns.scatter(&piece.events.columns, range, to);
        }
        journeys.keys.clone_from(&grouper.numbers.keys);
        sort_visitors(&journeys.offsets, &mut journeys.columns);
    }

    /// Writes the ids of the visitors into `journeys`, which this partition was grouped into.
    pub fn identify(&self, journeys: &mut Journeys) {
        journeys.ids = journeys.keys.iter().map(|&key| self.visitor_text(key)).collect();
    }

    fn arena(&self, key: VisitorKey) -> &IdArena {
        &self.pieces[key.piece as usize].events.keys.ids
    }

    /// The bytes of a wide id.
    fn id(&self, key: VisitorKey) -> &[u8] {
        self.arena(key).get(key.id)
    }

    /// The text of a visitor's id, for people.
    pub fn visitor_text(&self, key: VisitorKey) -> String {
        use crate::ids::{VisitorId, id_text};
        let id = match key.shape {
            Shape::Decimal | Shape::Hex16 => VisitorId::Narrow(key.shape, key.key),
            Shape::Text => VisitorId::Text(self.id(key)),
            Shape::Hex32 | Shape::Uuid => {
                let bytes = self.id(key).first_chunk::<16>().copied().unwrap_or_default();
                VisitorId::Wide(key.shape, u128::from_le_bytes(bytes))
            }
        };
        id_text(id)
    }
}

impl Piece {
    #[inline]
    fn rows(&self, partition: usize) -> std::ops::Range<usize> {
        self.starts[partition] as usize..self.starts[partition + 1] as usize
    }
}

impl Grouper {
    /// Turns the visitor of each event into its place, and says where each visitor begins.
    fn place(&mut self, offsets: &mut Vec<u32>) {
        self.next.clear();
        self.next.resize(self.numbers.keys.len(), 0);
        for &visitor in &self.to {
            self.next[visitor as usize] += 1;
        }
        let mut sum = 0;
        for count in &mut self.next {
            offsets.push(sum);
            sum += std::mem::replace(count, sum);
        }
        offsets.push(sum);
        for to in &mut self.to {
            let place = &mut self.next[*to as usize];
            *to = *place;
            *place += 1;
        }
    }
}

/// Sorts the events of each visitor whose times went back, stably: equal times stay in the order of the log.
fn sort_visitors(offsets: &[u32], columns: &mut Columns) {
    let mut order: Vec<u32> = Vec::new();
    for visitor in offsets.windows(2) {
        let (start, end) = (visitor[0] as usize, visitor[1] as usize);
        if columns.time[start..end].is_sorted() {
            continue;
        }
        order.clear();
        order.extend(start as u32..end as u32);
        order.sort_by_key(|&at| columns.time[at as usize]);
        columns.permute(start, &order);
    }
}

/// Dense numbers for the visitors of one partition, by first appearance.
///
/// The seed is random, so that nobody can write a log whose visitors all collide; numbers do not depend on it.
#[derive(Default)]
struct Numbers {
    /// Number + 1 of the visitor in each slot; 0 is free.
    slots: Vec<u32>,
    keys: Vec<VisitorKey>,
    seed: RandomState,
}

impl Numbers {
    fn clear(&mut self) {
        self.slots.fill(0);
        self.keys.clear();
    }

    /// The number of a visitor. `same` compares the ids of two visitors of equal hash.
    #[inline]
    fn number(&mut self, key: VisitorKey, same: impl Fn(VisitorKey, VisitorKey) -> bool) -> u32 {
        if self.keys.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut slot = self.seed.hash_one(key.key) as usize & mask;
        loop {
            let Some(number) = self.slots[slot].checked_sub(1) else {
                self.keys.push(key);
                self.slots[slot] = self.keys.len() as u32;
                return self.keys.len() as u32 - 1;
            };
            let known = self.keys[number as usize];
            if known.key == key.key && known.shape == key.shape && (key.is_narrow() || same(known, key)) {
                return number;
            }
            slot = (slot + 1) & mask;
        }
    }

    #[cold]
    fn grow(&mut self) {
        let size = (self.slots.len() * 4).max(1 << 12);
        self.slots.clear();
        self.slots.resize(size, 0);
        for (number, key) in self.keys.iter().enumerate() {
            let mut slot = self.seed.hash_one(key.key) as usize & (size - 1);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (size - 1);
            }
            self.slots[slot] = number as u32 + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::VisitorId;

    type Grouped = std::collections::BTreeMap<String, Vec<(i64, u32)>>;

    /// Groups events (visitor, time) that come in pieces, through every partition.
    fn group(pieces: &[&[(&str, i64)]]) -> Grouped {
        let (store, budget, mut scatter) = (Store::default(), Budget::new(1 << 30), Scatter::default());
        let mut row = 0;
        for (split, events) in pieces.iter().enumerate() {
            let mut batch = EventBatch::default();
            for (visitor, time) in *events {
                batch.keys.push(VisitorId::parse(visitor.as_bytes()));
                batch.columns.time.push(*time);
                batch.columns.event.push(row);
                row += 1;
            }
            let arrival = Arrival { file: 0, split: split as u32, part: 0 };
            store.add(arrival, &mut batch, &mut scatter, &budget).unwrap();
        }
        let (partitions, mut grouper, mut journeys) = (store.close(), Grouper::default(), Journeys::default());
        let mut all = Grouped::new();
        for partition in 0..PARTITIONS {
            partitions.group(partition, &mut grouper, &mut journeys);
            for visitor in journeys.visitors() {
                let whole = visitor.whole();
                let events = whole.times().iter().copied().zip(whole.events().iter().copied()).collect();
                let known = all.insert(partitions.visitor_text(journeys.keys[visitor.number()]), events);
                assert_eq!(known, None, "a visitor is in one partition, once");
            }
        }
        all
    }

    #[test]
    fn visitors_are_whole_and_in_journey_order() {
        let grouped = group(&[&[("ann", 5), ("7", 3), ("ann", 1)], &[], &[("007", 1), ("ann", 5), ("7", 3)]]);
        assert_eq!(grouped["ann"], [(1, 2), (5, 0), (5, 4)], "by time, then by arrival");
        assert_eq!(grouped["7"], [(3, 1), (3, 5)]);
        assert_eq!(grouped["007"], [(1, 3)]);
        assert_eq!(grouped.len(), 3);
    }

    #[test]
    fn every_shape_of_id_survives() {
        let ids = [
            "7",
            "ann",
            "0123456789abcdef",
            "0123456789abcdef0123456789abcdef",
            "01234567-89ab-cdef-0123-456789abcdef",
            "Ärger",
        ];
        let events: Vec<(&str, i64)> = ids.iter().cycle().take(600).map(|id| (*id, 1)).collect();
        let grouped = group(&[&events]);
        assert_eq!(
            grouped.keys().map(String::as_str).collect::<std::collections::BTreeSet<_>>(),
            ids.into_iter().collect()
        );
        assert!(grouped.values().all(|events| events.len() == 100));
    }

    #[test]
    fn equal_hashes_of_different_ids_stay_apart() {
        let mut numbers = Numbers::default();
        let key = |id| VisitorKey { shape: Shape::Text, piece: 0, id, key: 42 };
        assert_eq!(numbers.number(key(0), |a, b| a.id == b.id), 0);
        assert_eq!(numbers.number(key(1), |a, b| a.id == b.id), 1);
        assert_eq!(numbers.number(key(0), |a, b| a.id == b.id), 0);
    }

    #[test]
    fn many_visitors_grow_the_table() {
        let ids: Vec<String> = (0..20_000).map(|n| n.to_string()).collect();
        let events: Vec<(&str, i64)> = ids.iter().chain(&ids).map(|id| (id.as_str(), 1)).collect();
        let grouped = group(&[&events]);
        assert_eq!((grouped.len(), grouped.values().map(Vec::len).sum::<usize>()), (20_000, 40_000));
    }
}
