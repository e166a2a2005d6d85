//! A partition → its visitors: numbered densely, scattered stably, and sorted only where times went back.
//!
//! No event is ever compared with an event of another visitor.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::block::Block;
use super::{Journeys, VisitorKey};
use crate::events::Columns;
use crate::ids::{Shape, VisitorId, id_text};

/// One thread's scratch for grouping.
#[derive(Default)]
pub struct Grouper {
    numbers: Numbers,
    /// The visitor of each event of the partition, then the place of each event.
    to: Vec<u32>,
    next: Vec<u32>,
}

impl Grouper {
    /// Fills `journeys` with the visitors of the partition that consists of `blocks`: whole, and each in journey order.
    pub fn group(&mut self, blocks: &[Block<'_>], journeys: &mut Journeys) {
        journeys.offsets.clear();
        journeys.ids.clear();
        self.numbers.clear();
        self.to.clear();
        for (at, block) in blocks.iter().enumerate() {
            self.number(at as u32, block, blocks);
        }
        self.place(&mut journeys.offsets);
        // What is in the columns is written over.
        match blocks.first() {
            Some(block) => block.make_room(self.to.len(), &mut journeys.columns),
            None => journeys.columns.clear(),
        }
        let mut rest = &self.to[..];
        for block in blocks {
            let (to, later) = rest.split_at(block.rows());
            block.unpack(to, &mut journeys.columns);
            rest = later;
        }
        std::mem::swap(&mut journeys.keys, &mut self.numbers.keys);
        sort_visitors(&journeys.offsets, &mut journeys.columns, &mut journeys.apart);
    }

    /// Finds the visitor of each event of block number `at`.
    fn number(&mut self, at: u32, block: &Block<'_>, blocks: &[Block<'_>]) {
        let Grouper { numbers, to, .. } = self;
        if block.is_narrow() {
            let mut number = |(shape, key)| numbers.number(VisitorKey { shape, block: at, id: 0, key }, |_, _| true);
            return match block.shape() {
                Some(shape) => to.extend(block.numbers().map(|key| number((shape, key)))),
                None => to.extend(block.shapes().zip(block.numbers()).map(number)),
            };
        }
        let id = |key: VisitorKey| blocks[key.block as usize].id(key.id);
        let number = |(shape, key, number)| {
            numbers.number(VisitorKey { shape, block: at, id: number, key }, |a, b| id(a) == id(b))
        };
        to.extend(block.keys().map(number));
    }

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

/// Writes the ids of the visitors into `journeys`, which the partition of `blocks` was grouped into.
pub fn identify(blocks: &[Block<'_>], journeys: &mut Journeys) {
    journeys.ids = journeys.keys.iter().map(|&key| visitor_text(blocks, key)).collect();
}

/// The text of a visitor's id, for people.
pub fn visitor_text(blocks: &[Block<'_>], key: VisitorKey) -> String {
    let bytes = || blocks[key.block as usize].id(key.id);
    id_text(match key.shape {
        Shape::Decimal | Shape::Hex16 => VisitorId::Narrow(key.shape, key.key),
        Shape::Text => VisitorId::Text(bytes()),
        Shape::Hex32 | Shape::Uuid => {
            VisitorId::Wide(key.shape, u128::from_le_bytes(bytes().first_chunk().copied().unwrap_or_default()))
        }
    })
}

/// Sorts the events of each visitor whose times went back, stably: equal times stay in the order of the log. Says of each visitor whether
/// its times are known to differ.
fn sort_visitors(offsets: &[u32], columns: &mut Columns, apart: &mut Vec<bool>) {
    let mut order: Vec<u32> = Vec::new();
    apart.clear();
    for visitor in offsets.windows(2) {
        let (start, end) = (visitor[0] as usize, visitor[1] as usize);
        let times = &columns.time[start..end];
        apart.push(times.is_sorted_by(|a, b| a < b));
        if apart.last() == Some(&true) || times.is_sorted() {
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
struct Numbers {
    slots: Vec<Slot>,
    keys: Vec<VisitorKey>,
    seed: RandomState,
}

/// A visitor that is found here first: all that tells those whose ids are numbers apart.
#[derive(Clone, Copy, Default)]
struct Slot {
    key: u64,
    /// The number of the visitor + 1; 0 is free.
    number: u32,
    shape: Shape,
}

impl Default for Numbers {
    fn default() -> Self {
        Numbers { slots: vec![Slot::default(); 1 << 12], keys: Vec::new(), seed: RandomState::default() }
    }
}

impl Numbers {
    fn clear(&mut self) {
        self.slots.fill(Slot::default());
        self.keys.clear();
    }

    /// The number of a visitor. `same` compares the ids of two visitors of equal hash.
    #[inline]
    fn number(&mut self, key: VisitorKey, same: impl Fn(VisitorKey, VisitorKey) -> bool) -> u32 {
        let mask = self.slots.len() - 1;
        let mut slot = self.seed.hash_one(key.key) as usize & mask;
        loop {
            let known = self.slots[slot];
            let Some(number) = known.number.checked_sub(1) else { return self.add(slot, key) };
            let alike = known.key == key.key && known.shape == key.shape;
            if alike && (key.shape.is_narrow() || same(self.keys[number as usize], key)) {
                return number;
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Gives a number to a visitor that was looked for up to a free slot.
    // Out of the way of the loops that look for visitors.
    #[inline(never)]
    fn add(&mut self, slot: usize, key: VisitorKey) -> u32 {
        self.keys.push(key);
        let number = self.keys.len() as u32;
        self.slots[slot] = Slot { key: key.key, number, shape: key.shape };
        if self.keys.len() * 2 >= self.slots.len() {
            self.grow();
        }
        number - 1
    }

    #[cold]
    fn grow(&mut self) {
        let size = self.slots.len() * 4;
        self.slots.clear();
        self.slots.resize(size, Slot::default());
        for (number, &VisitorKey { key, shape, .. }) in (1..).zip(&self.keys) {
            let mut slot = self.seed.hash_one(key) as usize & (size - 1);
            while self.slots[slot].number != 0 {
                slot = (slot + 1) & (size - 1);
            }
            self.slots[slot] = Slot { key, number, shape };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::budget::Budget;
    use crate::events::EventBatch;
    use crate::journeys::{Arrival, Scatter, Store};
    use crate::spill::Spill;

    type Grouped = std::collections::BTreeMap<String, Vec<(i64, u32)>>;

    /// Groups events (visitor, time) that come in pieces, through every partition: from memory and from disk.
    fn group(pieces: &[&[(&str, i64)]]) -> Grouped {
        let [memory, disk] = [1 << 30, 1 << 16].map(|budget| group_within(pieces, budget));
        assert_eq!(memory, disk);
        memory
    }

    fn group_within(pieces: &[&[(&str, i64)]], budget: usize) -> Grouped {
        let (store, budget) = (Store::new(3, Arc::new(Spill::new())), Budget::new(budget));
        // Nothing fits below half of a budget that is half used up.
        budget.take(1 << 15, "what is there").unwrap();
        let (mut scatter, mut row) = (Scatter::default(), 0);
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
        let (mut all, mut buffer) = (Grouped::new(), Vec::new());
        for partition in 0..partitions.count() {
            let loaded = partitions.load(partition, &mut buffer).unwrap();
            loaded.group(&mut grouper, &mut journeys);
            loaded.identify(&mut journeys);
            for visitor in journeys.visitors() {
                let whole = visitor.whole();
                let events = whole.times().iter().copied().zip(whole.events().iter().copied()).collect();
                let known = all.insert(visitor.id().to_owned(), events);
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
        let key = |id| VisitorKey { shape: Shape::Text, block: 0, id, key: 42 };
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
