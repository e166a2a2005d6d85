//! Events as columns, before they are scattered into partitions.

use std::ops::Range;

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

    /// Empties all columns and keeps their memory.
    pub fn clear(&mut self) {
        self.time.clear();
        self.event.clear();
        self.page.clear();
        self.session.clear();
        self.value.clear();
        self.dimensions.iter_mut().for_each(Vec::clear);
        self.bits.clear();
    }

    /// Bytes that the columns of one event take.
    pub fn row_bytes(&self) -> usize {
        let codes =
            [&self.event, &self.page].into_iter().chain(&self.dimensions).filter(|column| !column.is_empty()).count();
        let words = [self.session.is_empty(), self.value.is_empty(), self.bits.is_empty()];
        8 + 4 * codes + 8 * words.into_iter().filter(|empty| !empty).count()
    }

    /// Makes room for `len` events in the columns that `like` has.
    pub fn resize_like(&mut self, like: &Columns, len: usize) {
        fn resize<T: Copy + Default>(column: &mut Vec<T>, like: &[T], len: usize) {
            column.resize(if like.is_empty() { 0 } else { len }, T::default());
        }
        resize(&mut self.time, &like.time, len);
        resize(&mut self.event, &like.event, len);
        resize(&mut self.page, &like.page, len);
        resize(&mut self.session, &like.session, len);
        resize(&mut self.value, &like.value, len);
        self.dimensions.resize_with(like.dimensions.len(), Vec::new);
        for (column, like) in self.dimensions.iter_mut().zip(&like.dimensions) {
            resize(column, like, len);
        }
        resize(&mut self.bits, &like.bits, len);
    }

    /// Moves the events `rows` of `from` to the places `to`, which must be inside this batch.
    pub fn scatter(&mut self, from: &Columns, rows: Range<usize>, to: &[u32]) {
        fn scatter<T: Copy>(column: &mut [T], from: &[T], rows: &Range<usize>, to: &[u32]) {
            if from.is_empty() {
                return;
            }
            for (&value, &place) in from[rows.clone()].iter().zip(to) {
                column[place as usize] = value;
            }
        }
        scatter(&mut self.time, &from.time, &rows, to);
        scatter(&mut self.event, &from.event, &rows, to);
        scatter(&mut self.page, &from.page, &rows, to);
        scatter(&mut self.session, &from.session, &rows, to);
        scatter(&mut self.value, &from.value, &rows, to);
        for (column, from) in self.dimensions.iter_mut().zip(&from.dimensions) {
            scatter(column, from, &rows, to);
        }
        scatter(&mut self.bits, &from.bits, &rows, to);
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
        fn permute<T: Copy>(column: &mut [T], start: usize, order: &[u32]) {
            if column.is_empty() {
                return;
            }
            let moved: Vec<T> = order.iter().map(|&from| column[from as usize]).collect();
            column[start..start + order.len()].copy_from_slice(&moved);
        }
        permute(&mut self.time, start, order);
        permute(&mut self.event, start, order);
        permute(&mut self.page, start, order);
        permute(&mut self.session, start, order);
        permute(&mut self.value, start, order);
        for column in &mut self.dimensions {
            permute(column, start, order);
        }
        permute(&mut self.bits, start, order);
    }

    /// Appends copies of the events at the places `order`.
    pub fn append(&mut self, order: &[u32]) {
        fn append<T: Copy>(column: &mut Vec<T>, order: &[u32]) {
            if column.is_empty() {
                return;
            }
            column.reserve(order.len());
            for &from in order {
                column.push(column[from as usize]);
            }
        }
        append(&mut self.time, order);
        append(&mut self.event, order);
        append(&mut self.page, order);
        append(&mut self.session, order);
        append(&mut self.value, order);
        self.dimensions.iter_mut().for_each(|column| append(column, order));
        append(&mut self.bits, order);
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
        let (shape, key) = (id.shape(), id.key());
        if self.shape != Some(shape) || !self.shapes.is_empty() {
            self.push_shape(shape);
        }
        match id {
            VisitorId::Narrow(..) if self.wide.is_empty() => {}
            VisitorId::Narrow(..) => self.wide.push(0),
            VisitorId::Wide(_, number) => self.push_wide(key, &number.to_le_bytes()),
            VisitorId::Text(text) => self.push_wide(key, text),
        }
        self.key.push(key);
    }

    fn push_shape(&mut self, shape: Shape) {
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

    fn push_wide(&mut self, key: u64, bytes: &[u8]) {
        if self.wide.len() < self.key.len() {
            self.wide.resize(self.key.len(), 0);
        }
        let place = self.ids.intern(key, bytes);
        self.wide.push(place);
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

    /// Bytes that the key of one event takes.
    pub fn row_bytes(&self) -> usize {
        8 + usize::from(!self.shapes.is_empty()) + 4 * usize::from(!self.wide.is_empty())
    }

    /// The keys in another order: key `i` goes to place `to[i]`.
    pub fn scattered(&mut self, to: &[u32]) -> Keys {
        fn scattered<T: Copy>(column: &[T], filler: T, to: &[u32]) -> Vec<T> {
            let mut moved = vec![filler; column.len()];
            for (&value, &place) in column.iter().zip(to) {
                moved[place as usize] = value;
            }
            moved
        }
        let mut ids = std::mem::take(&mut self.ids);
        ids.close();
        Keys {
            key: scattered(&self.key, 0, to),
            shape: self.shape,
            shapes: scattered(&self.shapes, Shape::Text, to),
            wide: scattered(&self.wide, 0, to),
            ids,
        }
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

    /// Forgets how to find ids by text and keeps what is needed to read them.
    pub fn close(&mut self) {
        self.table = HashTable::new();
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    /// Bytes of the ids alone, without what finds them.
    pub fn text_bytes(&self) -> usize {
        self.bytes.len() + self.ends.len() * 4
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
