//! Events as columns, before they are scattered into partitions.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

use crate::ids::{Code, Shape, VisitorId};

/// Some events in the order of the log: who, and the columns of what.
#[derive(Debug, Default)]
pub struct EventBatch {
    /// The visitor of each event.
    pub keys: Keys,
    /// What happened and when, in as many rows.
    pub columns: Columns,
}

impl EventBatch {
    /// Bytes that the batch has taken, filled or not.
    pub fn held_bytes(&self) -> usize {
        let Columns { time, event, page, session, value, dimensions, bits } = &self.columns;
        let codes: usize = [event, page].into_iter().chain(dimensions).map(Vec::capacity).sum();
        let words =
            time.capacity() + session.capacity() + value.capacity() + bits.capacity() + self.keys.key.capacity();
        8 * words + 4 * (codes + self.keys.wide.capacity()) + self.keys.shapes.capacity() + self.keys.ids.bytes()
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.keys.clear();
        self.columns.clear();
    }
}

/// Events as columns of equal length. A column that no question needs is empty.
#[derive(Debug, Default)]
pub struct Columns {
    /// µs since 1970, UTC.
    pub time: Vec<i64>,
    /// Codes of the event names; [`MISSING`](crate::ids::MISSING) where there is none.
    pub event: Vec<Code>,
    /// Codes of the pages; [`MISSING`](crate::ids::MISSING) where there is none.
    pub page: Vec<Code>,
    /// The log's own session id as a number; 0 is none.
    pub session: Vec<u64>,
    /// Millionths of the unit of the input, or [`NO_VALUE`](crate::ids::NO_VALUE).
    pub value: Vec<i64>,
    /// One column per dimension.
    pub dimensions: Vec<Vec<Code>>,
    /// One bit per condition.
    pub bits: Vec<u64>,
}

impl Columns {
    /// How many events there are.
    pub fn len(&self) -> usize {
        self.time.len()
    }

    /// Whether there are no events.
    pub fn is_empty(&self) -> bool {
        self.time.is_empty()
    }

    /// Has `work` done to every column but the amounts, always in the same order.
    pub fn visit(&self, work: &mut impl Visit) {
        work.column(&self.time);
        work.column(&self.session);
        work.column(&self.bits);
        work.column(&self.event);
        work.column(&self.page);
        self.dimensions.iter().for_each(|column| work.column(column));
    }

    /// The same with columns that `work` may change.
    pub fn visit_mut(&mut self, work: &mut impl VisitMut) {
        work.column(&mut self.time);
        work.column(&mut self.session);
        work.column(&mut self.bits);
        work.column(&mut self.event);
        work.column(&mut self.page);
        self.dimensions.iter_mut().for_each(|column| work.column(column));
    }

    fn visit_all(&mut self, work: &mut impl VisitMut) {
        self.visit_mut(work);
        work.column(&mut self.value);
    }

    /// Empties all columns and keeps their memory.
    pub fn clear(&mut self) {
        self.visit_all(&mut Clear);
    }

    /// Replaces the columns by the events of `from` at the places `rows`, in that order.
    pub fn gather(&mut self, from: &Columns, rows: &[u32]) {
        fn gather<T: Copy>(column: &mut Vec<T>, from: &[T], rows: &[u32]) {
            column.clear();
            if !from.is_empty() {
                column.extend(rows.iter().map(|&row| from[row as usize]));
            }
        }
        gather(&mut self.time, &from.time, rows);
        gather(&mut self.event, &from.event, rows);
        gather(&mut self.page, &from.page, rows);
        gather(&mut self.session, &from.session, rows);
        gather(&mut self.value, &from.value, rows);
        self.dimensions.resize_with(from.dimensions.len(), Vec::new);
        for (column, from) in self.dimensions.iter_mut().zip(&from.dimensions) {
            gather(column, from, rows);
        }
        gather(&mut self.bits, &from.bits, rows);
    }

    /// Puts the events from `start` on into the given order: place `i` gets the event of place `order[i]`.
    pub fn permute(&mut self, start: usize, order: &[u32]) {
        self.visit_all(&mut Permute { start, order });
    }

    /// Appends copies of the events at the places `order`.
    pub fn append(&mut self, order: &[u32]) {
        self.visit_all(&mut Append { order });
    }
}

/// What a column holds: whole numbers, each of which is one of 64 bits too.
pub trait Number: Copy {
    /// The number as one of 64 bits without sign.
    fn word(self) -> u64;
    /// The number that is `word`.
    fn of(word: u64) -> Self;
}

impl Number for u64 {
    #[inline]
    fn word(self) -> u64 {
        self
    }

    #[inline]
    fn of(word: u64) -> Self {
        word
    }
}

impl Number for i64 {
    #[inline]
    fn word(self) -> u64 {
        self as u64
    }

    #[inline]
    fn of(word: u64) -> Self {
        word as i64
    }
}

impl Number for Code {
    #[inline]
    fn word(self) -> u64 {
        u64::from(self)
    }

    #[inline]
    fn of(word: u64) -> Self {
        word as Code
    }
}

impl Number for Shape {
    #[inline]
    fn word(self) -> u64 {
        self as u64
    }

    #[inline]
    fn of(word: u64) -> Self {
        Shape::ALL[word as usize]
    }
}

/// Something that is done to columns one by one, whatever they hold.
pub trait Visit {
    /// Does it to the next column; empty if no question needs it.
    fn column<T: Number>(&mut self, column: &[T]);
}

/// Something that changes columns one by one, whatever they hold.
pub trait VisitMut {
    /// Does it to the next column; empty if no question needs it.
    fn column<T: Number>(&mut self, column: &mut Vec<T>);
}

struct Clear;

impl VisitMut for Clear {
    fn column<T: Number>(&mut self, column: &mut Vec<T>) {
        column.clear();
    }
}

struct Permute<'a> {
    start: usize,
    order: &'a [u32],
}

impl VisitMut for Permute<'_> {
    fn column<T: Number>(&mut self, column: &mut Vec<T>) {
        if column.is_empty() {
            return;
        }
        let moved: Vec<T> = self.order.iter().map(|&from| column[from as usize]).collect();
        column[self.start..self.start + self.order.len()].copy_from_slice(&moved);
    }
}

struct Append<'a> {
    order: &'a [u32],
}

impl VisitMut for Append<'_> {
    fn column<T: Number>(&mut self, column: &mut Vec<T>) {
        if column.is_empty() {
            return;
        }
        column.reserve(self.order.len());
        for &from in self.order {
            column.push(column[from as usize]);
        }
    }
}

/// The visitors of some events: a number each, and for ids that do not fit into one the id itself beside it.
#[derive(Debug, Default)]
pub struct Keys {
    /// [`VisitorId::key`] of each event.
    pub key: Vec<u64>,
    /// The shape of all events, as long as `shapes` is empty.
    pub shape: Option<Shape>,
    /// The shape of each event, once two shapes were met.
    pub shapes: Vec<Shape>,
    /// The place of each event's id in `ids`; empty as long as all ids are narrow.
    pub wide: Vec<u32>,
    pub(crate) ids: IdArena,
}

impl Keys {
    /// Appends the visitor of one more event.
    #[inline]
    pub fn push(&mut self, id: VisitorId<'_>) {
        match id {
            VisitorId::Narrow(shape, number) => self.push_narrow(shape, number),
            VisitorId::Wide(shape, number) => self.push_wide(shape, id.key(), &number.to_le_bytes()),
            VisitorId::Text(text) => self.push_wide(Shape::Text, id.key(), text),
        }
    }

    /// The same for an id that is a number.
    #[inline]
    pub fn push_narrow(&mut self, shape: Shape, number: u64) {
        self.push_shape(shape);
        if !self.wide.is_empty() {
            self.wide.push(0);
        }
        self.key.push(number);
    }

    /// The numbers of the events, to append those of ids of this narrow shape, if all events have it.
    pub fn numbers_of(&mut self, shape: Shape) -> Option<&mut Vec<u64>> {
        let alike = *self.shape.get_or_insert(shape) == shape && self.shapes.is_empty() && self.wide.is_empty();
        alike.then_some(&mut self.key)
    }

    #[inline]
    fn push_shape(&mut self, shape: Shape) {
        if self.shape != Some(shape) || !self.shapes.is_empty() {
            self.push_other_shape(shape);
        }
    }

    // Out of the way of the loops that it would be in.
    #[inline(never)]
    fn push_other_shape(&mut self, shape: Shape) {
        match self.shape {
            None => self.shape = Some(shape),
            Some(first) => {
                if self.shapes.is_empty() {
                    self.shapes.resize(self.key.len(), first);
                }
                self.shapes.push(shape);
            }
        }
    }

    fn push_wide(&mut self, shape: Shape, key: u64, bytes: &[u8]) {
        self.push_shape(shape);
        if self.wide.len() < self.key.len() {
            self.wide.resize(self.key.len(), 0);
        }
        let place = self.ids.intern(key, bytes);
        self.wide.push(place);
        self.key.push(key);
    }

    /// The shape of event `row`.
    #[inline]
    pub fn shape_of(&self, row: usize) -> Shape {
        if self.shapes.is_empty() { self.shape.unwrap_or(Shape::Text) } else { self.shapes[row] }
    }

    fn clear(&mut self) {
        self.key.clear();
        self.shape = None;
        self.shapes.clear();
        self.wide.clear();
        self.ids = IdArena::default();
    }
}

/// Distinct wide ids, each stored once.
#[derive(Debug, Default)]
pub struct IdArena {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    /// Places by key; keys of different ids may be equal, so the bytes decide.
    table: HashTable<(u64, u32)>,
    hasher: RandomState,
}

impl IdArena {
    /// The place of an id whose stable hash is `key`.
    pub fn intern(&mut self, key: u64, id: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(key);
        let (bytes, ends) = (&self.bytes, &self.ends);
        if let Some(&(_, place)) = self.table.find(hash, |&(k, place)| k == key && slice(bytes, ends, place) == id) {
            return place;
        }
        let place = self.ends.len() as u32;
        self.bytes.extend_from_slice(id);
        self.ends.push(self.bytes.len() as u32);
        let hasher = &self.hasher;
        self.table.insert_unique(hash, (key, place), |&(key, _)| hasher.hash_one(key));
        place
    }

    #[inline]
    pub fn get(&self, place: u32) -> &[u8] {
        slice(&self.bytes, &self.ends, place)
    }

    /// How many ids there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn bytes(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * 4 + self.table.capacity() * 17
    }
}

#[inline]
fn slice<'a>(bytes: &'a [u8], ends: &[u32], place: u32) -> &'a [u8] {
    let place = place as usize;
    let start = if place == 0 { 0 } else { ends[place - 1] as usize };
    &bytes[start..ends[place] as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_grow_columns_only_when_needed() {
        let mut keys = Keys::default();
        keys.push(VisitorId::parse(b"7"));
        keys.push(VisitorId::parse(b"8"));
        assert!(keys.shapes.is_empty() && keys.wide.is_empty());
        keys.push(VisitorId::parse(b"ann"));
        keys.push(VisitorId::parse(b"9"));
        keys.push(VisitorId::parse(b"ann"));
        assert_eq!(keys.wide, [0, 0, 0, 0, 0]);
        assert_eq!((0..5).map(|row| keys.shape_of(row)).collect::<Vec<_>>(), {
            use Shape::*;
            [Decimal, Decimal, Text, Decimal, Text]
        });
        assert_eq!(keys.ids.get(0), b"ann");
    }
}
