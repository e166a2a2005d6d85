//! How events lie between the two passes: packed, those of one partition together.
//!
//! A piece of the log is a row of blocks, one per partition. A block has one column after the other, each as wide as the numbers of the
//! piece in it need above the least of them: few logs have more than 255 names of events, and the times of a piece share their upper
//! bytes. Amounts, which most events lack, are listed with the row that has them where that is shorter. Ids that are not numbers stand
//! at the end, each once per block. In memory and on disk the bytes are the same.

use crate::events::{Columns, EventBatch, Keys, Number, Visit, VisitMut};
use crate::ids::{NO_VALUE, Shape, place_hash};

/// How the blocks of a piece are laid out: the same for all of them.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// The shape of all ids, if there is but one.
    shape: Shape,
    /// The columns in the order of [`Packer::pack`].
    columns: Vec<Column>,
    amounts: Amounts,
    /// Whether some ids are no numbers.
    ids: bool,
}

/// How the numbers of a column are stored.
#[derive(Clone, Copy, Debug, Default)]
struct Column {
    /// Whether it is there.
    present: bool,
    /// The least of them: it is taken off all of them.
    base: u64,
    /// Bytes for each; none if they are all the same.
    width: u8,
}

impl Column {
    fn of(numbers: impl ExactSizeIterator<Item = u64>) -> Column {
        let present = numbers.len() > 0;
        let (least, most) = numbers.fold((u64::MAX, 0), |(least, most), number| (least.min(number), most.max(number)));
        let base = if present { least } else { 0 };
        let bits = u64::BITS - most.saturating_sub(base).leading_zeros();
        Column { present, base, width: bits.div_ceil(8) as u8 }
    }

    /// As they are, in as many bytes as the largest of them needs.
    fn plain(numbers: impl ExactSizeIterator<Item = u64>) -> Column {
        let present = numbers.len() > 0;
        Column { present, ..Column::of([0, numbers.max().unwrap_or(0)].into_iter()) }
    }
}

/// Something that is done in one way for all numbers of one width, so that it is compiled for each.
trait ByWidth: Sized {
    /// Does it for numbers that take no bytes.
    fn constant(self);
    /// Does it for numbers of `WIDTH` bytes.
    fn with<const WIDTH: usize>(self);

    fn at(self, width: u8) {
        match width {
            0 => self.constant(),
            1 => self.with::<1>(),
            2 => self.with::<2>(),
            3 => self.with::<3>(),
            4 => self.with::<4>(),
            5 => self.with::<5>(),
            6 => self.with::<6>(),
            7 => self.with::<7>(),
            _ => self.with::<8>(),
        }
    }
}

/// How the amounts of a piece are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Amounts {
    /// No question needs them.
    #[default]
    Absent,
    /// Every event has its own.
    Dense,
    /// Those that there are, with their rows.
    Listed,
}

/// Bytes of an amount and its row.
const LISTED: usize = 12;
/// Bytes before the columns of a block that has listed amounts or ids: how many of each.
const HEAD: usize = 8;

impl Layout {
    /// For a batch that has `present` amounts.
    fn of(batch: &EventBatch, present: usize) -> Layout {
        let EventBatch { keys, columns } = batch;
        let mut all = AllColumns(vec![
            Column { present: true, base: 0, width: 8 },
            Column::plain(keys.shapes.iter().map(|shape| shape.word())),
            Column::plain(keys.wide.iter().map(|id| id.word())),
        ]);
        columns.visit(&mut all);
        let amounts = match columns.value.len() {
            0 => Amounts::Absent,
            rows if present * LISTED < rows * 8 => Amounts::Listed,
            _ => Amounts::Dense,
        };
        Layout { shape: keys.shape.unwrap_or_default(), columns: all.0, amounts, ids: !keys.wide.is_empty() }
    }

    /// Bytes per event, listed amounts and ids left out.
    fn row(&self) -> usize {
        let dense = if self.amounts == Amounts::Dense { 8 } else { 0 };
        width(&self.columns) + dense
    }

    /// Bytes per event of the columns that the blocks are unpacked into.
    pub fn unpacked_row(&self) -> usize {
        let (words, codes) = self.columns[VISITOR..].split_at(WORDS);
        let present = |columns: &[Column]| columns.iter().filter(|column| column.present).count();
        8 * (present(words) + usize::from(self.amounts != Amounts::Absent)) + 4 * present(codes)
    }

    fn has_head(&self) -> bool {
        self.ids || self.amounts == Amounts::Listed
    }
}

/// Bytes per event of some columns.
fn width(columns: &[Column]) -> usize {
    columns.iter().map(|column| usize::from(column.width)).sum()
}

struct AllColumns(Vec<Column>);

impl Visit for AllColumns {
    fn column<T: Number>(&mut self, column: &[T]) {
        self.0.push(Column::of(column.iter().map(|number| number.word())));
    }
}

/// Where a block begins in its piece.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start {
    /// The number of its first event among those of the piece.
    pub row: u32,
    /// The place of its first byte.
    pub byte: u32,
}

/// One thread's scratch for packing.
#[derive(Default)]
pub struct Packer {
    /// The partition of each event.
    partitions: Vec<u16>,
    /// How many events, listed amounts, ids and bytes of ids each partition has.
    totals: Vec<Total>,
    /// The events by partition, in each in the order of the batch; and where the next one of each partition goes.
    order: Vec<u32>,
    next: Vec<u32>,
    /// The amounts that there are: partition, number of the event in it, amount.
    amounts: Vec<(u16, u32, i64)>,
    /// Where the next bytes of each partition go.
    cursors: Vec<u32>,
    ids: LocalIds,
}

#[derive(Clone, Copy, Debug, Default)]
struct Total {
    rows: u32,
    amounts: u32,
    ids: u32,
    id_bytes: u32,
}

impl Packer {
    /// Finds the partition of each event and how the blocks will lie: `starts` gets the begin of each, and one more at the end.
    pub fn plan(&mut self, batch: &EventBatch, bits: u32, starts: &mut Vec<Start>) -> Layout {
        self.totals.clear();
        self.totals.resize(1 << bits, Total::default());
        self.place(&batch.keys, bits);
        self.arrange(&batch.columns.value);
        let layout = Layout::of(batch, self.amounts.len());
        if layout.ids {
            self.ids.find(&batch.keys, &self.partitions, &mut self.totals);
        }
        let mut next = Start::default();
        for total in &self.totals {
            starts.push(next);
            let amounts = if layout.amounts == Amounts::Listed { total.amounts as usize * LISTED } else { 0 };
            let head = if layout.has_head() { HEAD } else { 0 };
            next.row += total.rows;
            // A batch of the longest ids stays below 4 GiB.
            let bytes = head + total.rows as usize * layout.row() + amounts + total.ids as usize * 4;
            next.byte += bytes as u32 + total.id_bytes;
        }
        starts.push(next);
        layout
    }

    /// Finds the partition of each event, and counts the events of each.
    fn place(&mut self, keys: &Keys, bits: u32) {
        let totals = &mut self.totals;
        let mut partition = |shape, key| {
            // A shift by all 64 bits would be none.
            let partition = (place_hash(shape, key) >> 1 >> (63 - bits)) as u16;
            totals[partition as usize].rows += 1;
            partition
        };
        self.partitions.clear();
        match keys.shape {
            Some(shape) if keys.shapes.is_empty() => {
                self.partitions.extend(keys.key.iter().map(|&key| partition(shape, key)));
            }
            _ => {
                let both = keys.shapes.iter().zip(&keys.key);
                self.partitions.extend(both.map(|(&shape, &key)| partition(shape, key)));
            }
        }
    }

    /// Puts the events into the order of their partitions, and takes out the amounts that there are.
    fn arrange(&mut self, values: &[i64]) {
        let mut sum = 0;
        self.next.clear();
        self.next.extend(self.totals.iter().map(|total| {
            sum += total.rows;
            sum - total.rows
        }));
        self.order.resize(self.partitions.len(), 0);
        self.amounts.clear();
        for (row, &partition) in self.partitions.iter().enumerate() {
            let next = &mut self.next[partition as usize];
            self.order[*next as usize] = row as u32;
            if values.get(row).is_some_and(|value| *value != NO_VALUE) {
                self.amounts.push((partition, *next, values[row]));
                self.totals[partition as usize].amounts += 1;
            }
            *next += 1;
        }
        // Until now their places are those among all events.
        for (partition, place, _) in &mut self.amounts {
            let partition = usize::from(*partition);
            *place -= self.next[partition] - self.totals[partition].rows;
        }
    }

    /// Writes all blocks of `batch` as they were planned into `bytes`, which must have room for them.
    pub fn pack(&mut self, batch: &EventBatch, layout: &Layout, starts: &[Start], bytes: &mut [u8]) {
        let EventBatch { keys, columns } = batch;
        self.cursors.clear();
        self.cursors.extend(starts.iter().map(|start| start.byte));
        let rest = &layout.columns[..];
        let mut put = Put { bytes, cursors: &mut self.cursors, order: &self.order, starts, rest };
        if layout.has_head() {
            let listed = layout.amounts == Amounts::Listed;
            for (partition, total) in self.totals.iter().enumerate() {
                put.at(partition, &(if listed { total.amounts } else { 0 }).to_le_bytes());
                put.at(partition, &total.ids.to_le_bytes());
            }
        }
        put.column(&keys.key);
        put.column(&keys.shapes);
        put.column(if layout.ids { &self.ids.of_event } else { &keys.wide });
        columns.visit(&mut put);
        match layout.amounts {
            Amounts::Absent => {}
            Amounts::Dense => PutColumn { put: &mut put, column: &columns.value, base: 0 }.with::<8>(),
            Amounts::Listed => {
                for &(partition, row, value) in &self.amounts {
                    put.at(partition as usize, &row.to_le_bytes());
                    put.at(partition as usize, &value.to_le_bytes());
                }
            }
        }
        if layout.ids {
            self.ids.write(keys, &mut put);
        }
    }
}

/// Puts numbers behind what each partition has already: so each column follows the one before it.
struct Put<'a> {
    bytes: &'a mut [u8],
    cursors: &'a mut [u32],
    order: &'a [u32],
    starts: &'a [Start],
    /// The columns that are still to come.
    rest: &'a [Column],
}

impl Visit for Put<'_> {
    fn column<T: Number>(&mut self, column: &[T]) {
        let Some((&Column { base, width, .. }, rest)) = self.rest.split_first() else { return };
        self.rest = rest;
        PutColumn { put: self, column, base }.at(width);
    }
}

struct PutColumn<'p, 'a, 'c, T> {
    put: &'p mut Put<'a>,
    column: &'c [T],
    base: u64,
}

impl<T: Number> ByWidth for PutColumn<'_, '_, '_, T> {
    fn constant(self) {}

    fn with<const WIDTH: usize>(self) {
        let Put { bytes, cursors, order, starts, .. } = self.put;
        for (start, cursor) in starts.windows(2).zip(&mut **cursors) {
            let rows = &order[start[0].row as usize..start[1].row as usize];
            let (from, to) = (*cursor as usize, *cursor as usize + rows.len() * WIDTH);
            for (bytes, &row) in bytes[from..to].as_chunks_mut::<WIDTH>().0.iter_mut().zip(rows) {
                let number = self.column[row as usize].word() - self.base;
                bytes.copy_from_slice(&number.to_le_bytes()[..WIDTH]);
            }
            *cursor = to as u32;
        }
    }
}

impl Put<'_> {
    fn at(&mut self, partition: usize, bytes: &[u8]) {
        let cursor = &mut self.cursors[partition];
        let at = *cursor as usize;
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        *cursor += bytes.len() as u32;
    }
}

/// The ids of a batch that are no numbers, numbered anew in each partition.
#[derive(Default)]
struct LocalIds {
    /// For each event the number of its id in its partition; 0 if the id is a number.
    of_event: Vec<u32>,
    /// The number of each id of the batch, [`LocalIds::NEW`] before it is met.
    numbers: Vec<u32>,
    /// The ids in the order in which they are met, and their partitions.
    met: Vec<(u16, u32)>,
}

impl LocalIds {
    const NEW: u32 = u32::MAX;

    fn find(&mut self, keys: &Keys, partitions: &[u16], totals: &mut [Total]) {
        self.of_event.clear();
        self.met.clear();
        self.numbers.clear();
        self.numbers.resize(keys.ids.len(), Self::NEW);
        for (row, (&partition, &id)) in partitions.iter().zip(&keys.wide).enumerate() {
            if keys.shape_of(row).is_narrow() {
                self.of_event.push(0);
                continue;
            }
            let number = &mut self.numbers[id as usize];
            if *number == Self::NEW {
                let total = &mut totals[partition as usize];
                *number = total.ids;
                total.ids += 1;
                total.id_bytes += keys.ids.get(id).len() as u32;
                self.met.push((partition, id));
            }
            self.of_event.push(*number);
        }
    }

    /// First where each id of a block ends, then the ids.
    fn write(&self, keys: &Keys, put: &mut Put<'_>) {
        let mut ends = vec![0u32; put.cursors.len()];
        for &(partition, id) in &self.met {
            let end = &mut ends[partition as usize];
            *end += keys.ids.get(id).len() as u32;
            put.at(partition as usize, &end.to_le_bytes());
        }
        for &(partition, id) in &self.met {
            put.at(partition as usize, keys.ids.get(id));
        }
    }
}

/// The events of one partition in one piece, as they were packed.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    layout: &'a Layout,
    rows: usize,
    amounts: usize,
    ids: usize,
    /// Behind the head.
    bytes: &'a [u8],
}

impl<'a> Block<'a> {
    /// `bytes` are those of a block of `rows` events.
    pub fn new(layout: &'a Layout, rows: usize, bytes: &'a [u8]) -> Block<'a> {
        if !layout.has_head() || rows == 0 {
            return Block { layout, rows, amounts: 0, ids: 0, bytes };
        }
        let (head, bytes) = bytes.split_at(HEAD);
        let count = |at: usize| number::<4>(&head[at..]) as usize;
        Block { layout, rows, amounts: count(0), ids: count(4), bytes }
    }

    /// How many events it has.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether all ids are numbers.
    pub fn is_narrow(&self) -> bool {
        !self.layout.ids
    }

    /// The shape of all ids, if there is but one.
    pub fn shape(&self) -> Option<Shape> {
        (!self.layout.columns[1].present).then_some(self.layout.shape)
    }

    /// For each event the number or stable hash of its id.
    pub fn numbers(&self) -> impl Iterator<Item = u64> + use<'a> {
        self.column(0).as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes))
    }

    /// For each event the shape of its id, if there are several.
    pub fn shapes(&self) -> impl Iterator<Item = Shape> + use<'a> {
        self.column(1).iter().map(|shape| Shape::of(u64::from(*shape)))
    }

    /// For each event the shape of its id, the id's number or stable hash, and if it is no number which of the block's ids it is.
    pub fn keys(&self) -> impl Iterator<Item = (Shape, u64, u32)> + use<'a> {
        let block = *self;
        let [keys, shapes, ids] = [0, 1, 2].map(|column| self.column(column));
        let width = usize::from(self.layout.columns[2].width);
        (0..self.rows).map(move |row| {
            let shape = shapes.get(row).map_or(block.layout.shape, |shape| Shape::of(u64::from(*shape)));
            let id = if width == 0 { 0 } else { word(&ids[row * width..(row + 1) * width]) };
            (shape, number::<8>(&keys[row * 8..]), id as u32)
        })
    }

    /// The bytes of an id of the block.
    pub fn id(&self, number: u32) -> &'a [u8] {
        let ends = self.rows * self.layout.row() + self.amounts * LISTED;
        let end = |number: usize| self::number::<4>(&self.bytes[ends + number * 4..]) as usize;
        let number = number as usize;
        let start = if number == 0 { 0 } else { end(number - 1) };
        let texts = &self.bytes[ends + self.ids * 4..];
        &texts[start..end(number)]
    }

    /// Writes event `i` of the block to the place `to[i]` of columns that have room for it.
    pub fn unpack(&self, to: &[u32], columns: &mut Columns) {
        let (visitor, rest) = self.layout.columns.split_at(VISITOR);
        let mut take = Take { rest, bytes: &self.bytes[width(visitor) * self.rows..], to };
        columns.visit_mut(&mut take);
        match self.layout.amounts {
            Amounts::Absent => {}
            Amounts::Dense => TakeColumn { take: &mut take, column: &mut columns.value, base: 0 }.with::<8>(),
            Amounts::Listed => {
                for &place in to {
                    columns.value[place as usize] = NO_VALUE;
                }
                for entry in take.bytes.as_chunks::<LISTED>().0.iter().take(self.amounts) {
                    let row = number::<4>(entry) as usize;
                    columns.value[to[row] as usize] = number::<8>(&entry[4..]) as i64;
                }
            }
        }
    }

    /// Makes room for `rows` events in the columns that the block has.
    pub fn make_room(&self, rows: usize, columns: &mut Columns) {
        columns.dimensions.resize_with(self.layout.columns.len() - FIXED, Vec::new);
        columns.visit_mut(&mut Room { rest: &self.layout.columns[VISITOR..], rows });
        columns.value.resize(if self.layout.amounts == Amounts::Absent { 0 } else { rows }, NO_VALUE);
    }

    fn column(&self, column: usize) -> &'a [u8] {
        let columns = &self.layout.columns;
        &self.bytes[width(&columns[..column]) * self.rows..][..usize::from(columns[column].width) * self.rows]
    }
}

/// The first columns: key, shape and id of the visitor.
const VISITOR: usize = 3;
/// The next ones: time, session, bits.
const WORDS: usize = 3;
/// With event and page the columns of every layout; behind them are the dimensions.
const FIXED: usize = VISITOR + WORDS + 2;

struct Room<'a> {
    rest: &'a [Column],
    rows: usize,
}

impl VisitMut for Room<'_> {
    fn column<T: Number>(&mut self, column: &mut Vec<T>) {
        let Some((&Column { present, .. }, rest)) = self.rest.split_first() else { return };
        self.rest = rest;
        column.resize(if present { self.rows } else { 0 }, T::of(0));
    }
}

/// Takes one column after the other from the bytes of a block.
struct Take<'a> {
    rest: &'a [Column],
    bytes: &'a [u8],
    to: &'a [u32],
}

impl VisitMut for Take<'_> {
    fn column<T: Number>(&mut self, column: &mut Vec<T>) {
        let Some((&Column { present, base, width }, rest)) = self.rest.split_first() else { return };
        self.rest = rest;
        if present {
            TakeColumn { take: self, column, base }.at(width);
        }
    }
}

struct TakeColumn<'t, 'a, 'c, T> {
    take: &'t mut Take<'a>,
    column: &'c mut [T],
    base: u64,
}

impl<T: Number> ByWidth for TakeColumn<'_, '_, '_, T> {
    fn constant(self) {
        for &place in self.take.to {
            self.column[place as usize] = T::of(self.base);
        }
    }

    fn with<const WIDTH: usize>(self) {
        let (bytes, rest) = self.take.bytes.split_at(WIDTH * self.take.to.len());
        self.take.bytes = rest;
        for (bytes, &place) in bytes.as_chunks::<WIDTH>().0.iter().zip(self.take.to) {
            self.column[place as usize] = T::of(word(bytes) + self.base);
        }
    }
}

/// The number in the first `WIDTH` bytes.
#[inline]
fn number<const WIDTH: usize>(bytes: &[u8]) -> u64 {
    word(&bytes[..WIDTH])
}

#[inline]
fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests;
