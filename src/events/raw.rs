//! What a source hands over: the asked-for columns of some records, still in the words of the file.

use arrow_array::ArrayRef;
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

/// A column to read, and what for, so that a typed format can choose the cheapest representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its place among the columns of the file.
    pub column: usize,
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
    /// Rows of a typed file; the first row of the batch has this number, counted from 1.
    Rows { first: u64 },
    /// Lines of a text file.
    Text {
        /// The block of text that the records lie in.
        block: Buffer,
        /// Offset of each record in the block.
        starts: Vec<u32>,
        /// The line number, counted from 1, of the block's first byte.
        first_line: u64,
    },
}

impl Origin {
    /// The place of record `row`: its line or row number in the file, counted from 1.
    pub fn place(&self, row: usize) -> u64 {
        match self {
            Origin::Rows { first } => first + row as u64,
            Origin::Text { block, starts, first_line } => {
                first_line + memchr::memchr_iter(b'\n', &block[..starts[row] as usize]).count() as u64
            }
        }
    }

    /// The text of record `row` without its line end, where the format has one; at most [`SHOWN`] bytes of it.
    pub fn text(&self, row: usize) -> Option<Vec<u8>> {
        let Origin::Text { block, starts, .. } = self else { return None };
        let start = starts[row] as usize;
        let end = starts.get(row + 1).map_or(block.len(), |next| *next as usize);
        Some(shown(&block[start..end]))
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
    pub reason: Reason,
    /// The beginning of the record as it stands in the file, where the format has text.
    pub text: Option<Vec<u8>>,
}

/// Why a record was rejected. Only structure, visitor and time can reject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    TooFewFields,
    TooManyFields,
    StrayQuote,
    RecordTooLong,
    InvalidUtf8,
    NoVisitor,
    NoTime,
    BadTime,
}

impl Reason {
    /// Every reason, in the order in which they are shown.
    pub const ALL: [Reason; 8] = [
        Reason::TooFewFields,
        Reason::TooManyFields,
        Reason::StrayQuote,
        Reason::RecordTooLong,
        Reason::InvalidUtf8,
        Reason::NoVisitor,
        Reason::NoTime,
        Reason::BadTime,
    ];

    /// The name of the reason in reports.
    pub fn name(self) -> &'static str {
        match self {
            Reason::TooFewFields => "too few fields",
            Reason::TooManyFields => "too many fields",
            Reason::StrayQuote => "stray quote",
            Reason::RecordTooLong => "record too long",
            Reason::InvalidUtf8 => "invalid UTF-8",
            Reason::NoVisitor => "no visitor",
            Reason::NoTime => "no time",
            Reason::BadTime => "unreadable time",
        }
    }
}
