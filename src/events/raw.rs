//! What a source hands over: the asked-for columns of some records, still in the words of the file.

use std::cell::Cell;

use arrow_array::{Array, ArrayRef};
use arrow_buffer::Buffer;

/// Some records of one file in file order, one Arrow array per asked-for column.
///
/// A text format gives `BinaryView` arrays over its block (the text is checked for UTF-8 once per distinct value, later); a
/// typed format gives its own types. Null means: no value. Records that could not be read are in `rejected` and in no array.
pub struct RawBatch {
    /// One array of `rows` values per asked-for column, in the order asked for.
    pub columns: Vec<ArrayRef>,
    /// How many records the arrays hold.
    pub rows: usize,
    /// Where the records stand in their file.
    pub origin: Origin,
    /// The records that could not be read, in file order.
    pub rejected: Vec<Reject>,
    /// How far this batch moves the progress bar, in bytes of the file as stored.
    pub bytes: u64,
}

impl RawBatch {
    /// About the bytes that the batch holds: the text of its records once, or else the buffers of its columns; and the
    /// rejects.
    pub fn held_bytes(&self) -> usize {
        let texts: usize = self.rejected.iter().filter_map(|reject| reject.text.as_ref()).map(Vec::capacity).sum();
        let rejected = self.rejected.capacity() * size_of::<Reject>() + texts;
        rejected
            + match &self.origin {
                Origin::Rows { .. } => self.columns.iter().map(Array::get_buffer_memory_size).sum(),
                Origin::Text(text) => text.block.len() + 4 * text.starts.len() + self.rows * self.columns.len() * 16,
            }
    }
}

/// A column to read, and what for, so that a typed format can choose the cheapest representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its place among the columns of the file.
    pub column: usize,
    /// What its values are read for.
    pub use_as: UseAs,
}

/// What a column is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UseAs {
    /// Names that repeat: dictionary codes are best.
    Names,
    /// Ids: many distinct short texts or numbers.
    Ids,
    /// Times and numbers in their own type.
    Values,
}

/// Where the records of a batch come from, so that a bad one can be named and shown.
pub enum Origin {
    /// Rows of a typed file.
    Rows {
        /// The number of the batch's first row in the file, counted from 1.
        first: u64,
    },
    /// Lines of a text file.
    Text(TextOrigin),
}

/// A block of text and where its records begin.
pub struct TextOrigin {
    block: Buffer,
    /// Offset of each record in the block, and of each rejected record.
    starts: Vec<u32>,
    gaps: Vec<u32>,
    /// An offset and its line number: records are asked about in their order, so counting goes on from there.
    known: Cell<(usize, u64)>,
    first_line: u64,
}

impl Origin {
    /// The place of record `row`: its line or row number in the file, counted from 1.
    pub fn place(&self, row: usize) -> u64 {
        match self {
            Origin::Rows { first } => first + row as u64,
            Origin::Text(text) => text.line(row),
        }
    }

    /// The text of record `row` without its line end, where the format has one; at most [`SHOWN`] bytes of it.
    pub fn text(&self, row: usize) -> Option<Vec<u8>> {
        match self {
            Origin::Rows { .. } => None,
            Origin::Text(text) => Some(text.record(row)),
        }
    }
}

impl TextOrigin {
    /// `starts` are the offsets of the records in `block`, `gaps` those of the rejected ones between them, both ascending;
    /// `first_line` is the line number of the block's first byte, counted from 1.
    pub fn new(block: Buffer, starts: Vec<u32>, gaps: Vec<u32>, first_line: u64) -> Self {
        TextOrigin { block, starts, gaps, known: Cell::new((0, first_line)), first_line }
    }

    /// The text that the records lie in.
    pub fn block(&self) -> &Buffer {
        &self.block
    }

    fn line(&self, row: usize) -> u64 {
        let start = self.starts[row] as usize;
        let (from, line) = if self.known.get().0 <= start { self.known.get() } else { (0, self.first_line) };
        let line = line + memchr::memchr_iter(b'\n', &self.block[from..start]).count() as u64;
        self.known.set((start, line));
        line
    }

    fn record(&self, row: usize) -> Vec<u8> {
        let start = self.starts[row];
        let next = self.starts.get(row + 1).copied();
        let gap = self.gaps.get(self.gaps.partition_point(|gap| *gap <= start)).copied();
        let end = next.into_iter().chain(gap).min().map_or(self.block.len(), |end| end as usize);
        shown(&self.block[start as usize..end])
    }
}

/// At most this many bytes of a rejected record are kept.
pub const SHOWN: usize = 4096;

/// The beginning of a record as it is shown to people: cut at [`SHOWN`] bytes, without its line end.
pub fn shown(record: &[u8]) -> Vec<u8> {
    let cut = &record[..record.len().min(SHOWN)];
    let end = cut.iter().rposition(|b| !matches!(b, b'\n' | b'\r')).map_or(0, |last| last + 1);
    cut[..end].to_vec()
}

/// One record that was not used because it is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Line or row number in the file, counted from 1.
    pub place: u64,
    /// What is wrong with it.
    pub reason: Reason,
    /// The beginning of the record as it stands in the file, where the format has text.
    pub text: Option<Vec<u8>>,
}

/// Why a record was rejected. Only structure, visitor and time can reject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Fewer fields than the header has.
    TooFewFields,
    /// More fields than the header has, the surplus not empty; or a JSON object of more fields than are read.
    TooManyFields,
    /// A quote where CSV allows none.
    StrayQuote,
    /// More bytes than a record may have.
    RecordTooLong,
    /// A line that begins with anything but a JSON object.
    NotAnObject,
    /// A JSON object that is not whole or not well-formed, or that something follows in its line.
    MalformedJson,
    /// JSON of more levels than are read.
    NestedTooDeep,
    /// Text that is not UTF-8 where it has to be: in JSON, or in the visitor's id.
    InvalidUtf8,
    /// No visitor, or an empty one.
    NoVisitor,
    /// A visitor id of more than 4,096 bytes.
    LongVisitor,
    /// No time.
    NoTime,
    /// A time that cannot be read, or is more than some 30,000 years from 1970.
    BadTime,
}

impl Reason {
    /// The name of the reason in reports.
    pub fn name(self) -> &'static str {
        match self {
            Reason::TooFewFields => "too few fields",
            Reason::TooManyFields => "too many fields",
            Reason::StrayQuote => "stray quote",
            Reason::RecordTooLong => "record too long",
            Reason::NotAnObject => "not a JSON object",
            Reason::MalformedJson => "malformed JSON",
            Reason::NestedTooDeep => "nested too deep",
            Reason::InvalidUtf8 => "invalid UTF-8",
            Reason::NoVisitor => "no visitor",
            Reason::LongVisitor => "visitor id too long",
            Reason::NoTime => "no time",
            Reason::BadTime => "unreadable time",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_named_by_its_line_and_ends_before_the_next_one() {
        let block = Buffer::from(&b"a,1\n\"b\n\",2\nbroken\nc,3\n"[..]);
        let origin = Origin::Text(TextOrigin::new(block, vec![0, 4, 18], vec![11], 10));
        let seen: Vec<(u64, Vec<u8>)> =
            [0, 1, 2, 1].into_iter().map(|row| (origin.place(row), origin.text(row).unwrap())).collect();
        let expected: [(u64, &[u8]); 4] = [(10, b"a,1"), (11, b"\"b\n\",2"), (14, b"c,3"), (11, b"\"b\n\",2")];
        assert_eq!(seen, expected.map(|(line, text)| (line, text.to_vec())));
    }
}
