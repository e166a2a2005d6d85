//! What a text format must say, so that its text can be read in blocks and in sequence.

use arrow_buffer::Buffer;

use super::ledger::Ledger;
use crate::events::RawBatch;

/// How the text of one file is cut into records, and which of their values are asked for.
///
/// What stands at the start of a record must depend on nothing but the text from there on: then blocks of any size, read by
/// any number of threads, give the same records.
pub trait Cut: Send + Sync + 'static {
    type Rows<'a>: Rows;

    /// No records yet; about `expected` are to come.
    fn rows(&self, expected: usize) -> Self::Rows<'_>;

    /// As [`Reader::forget`](crate::sources::Reader::forget), for the records that are begun later.
    fn forget(&self, _wanted: usize) {}
}

/// The records of one piece of text, read from the start of a record.
pub trait Rows {
    /// Goes on with everything that begins before `limit`. `text` is the text from before, perhaps with more at its end;
    /// `ended` says that nothing can follow it.
    fn read(&mut self, text: &[u8], limit: usize, ended: bool) -> Stop;

    /// What was read.
    fn ledger(&self) -> &Ledger;

    /// The rows as a batch over `block`, which is the text up to where the reading is and begins with line `first_line`.
    fn finish(self, block: Buffer, first_line: u64, bytes: u64) -> RawBatch;
}

/// Why reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// All that begins before the limit was read.
    Limit,
    /// Something begins before the limit whose end cannot be told from the text so far.
    Unfinished,
    /// The last record was too long and is rejected. It ends after the next line feed that follows the text.
    Skip,
}

/// The start of a line of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineStart {
    /// In bytes of text from its start.
    pub at: u64,
    /// Counted from 1.
    pub line: u64,
}
