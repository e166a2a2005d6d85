//! Formats whose records end at a line end that is plain to see, read one record after the other.

use std::ops::Range;

use arrow_buffer::Buffer;
use memchr::memchr;

use super::cut::{Cut, Rows, Stop};
use super::ledger::Ledger;
use super::views::Views;
use crate::events::{RawBatch, Reason};

/// A record may have so many bytes, with its line end.
pub const LONGEST_RECORD: usize = 16 << 20;

/// How such a format ends and reads its records.
pub trait LineFormat: Send + Sync + 'static {
    /// What reading a record needs beside the text, kept from record to record.
    type Scratch: Default;

    /// How many columns are asked for.
    fn columns(&self) -> usize;

    /// The most bytes of a record with its line end; a longer one is rejected, up to the first line end after these bytes.
    fn longest(&self) -> usize;

    /// The length of the record that `text` begins with, its line end included; `None` if that is not in the text.
    fn length(&self, text: &[u8]) -> Option<usize> {
        memchr(b'\n', text).map(|end| end + 1)
    }

    /// Reads the record that stands at `at` of `text` without its line end: one value for each column, or none at all.
    fn take(&self, text: &[u8], at: Range<usize>, scratch: &mut Self::Scratch, columns: &mut [Views]) -> Taken;
}

/// What a line was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    Record,
    /// No record.
    Blank,
    Rejected(Reason),
}

/// A record without the LF or CRLF at its end.
pub fn without_line_end(record: &[u8]) -> &[u8] {
    record.strip_suffix(b"\n").map_or(record, |line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// The cut of a line format.
pub struct Lines<F>(pub F);

impl<F: LineFormat> Cut for Lines<F> {
    type Rows<'a> = LineRows<'a, F>;

    fn rows(&self, expected: usize) -> LineRows<'_, F> {
        LineRows {
            format: &self.0,
            scratch: F::Scratch::default(),
            columns: (0..self.0.columns()).map(|_| Views::with_capacity(expected)).collect(),
            ledger: Ledger::new(expected),
        }
    }
}

/// The records of one piece of text. Its gaps are rejected records and blank lines.
pub struct LineRows<'a, F: LineFormat> {
    format: &'a F,
    scratch: F::Scratch,
    columns: Vec<Views>,
    ledger: Ledger,
}

impl<F: LineFormat> LineRows<'_, F> {
    /// Takes the record of so many bytes, its line end included.
    fn take(&mut self, text: &[u8], length: usize) {
        let at = self.ledger.at;
        let end = at + without_line_end(&text[at..at + length]).len();
        match self.format.take(text, at..end, &mut self.scratch, &mut self.columns) {
            Taken::Record => self.ledger.starts.push(at as u32),
            Taken::Blank => self.ledger.gaps.push(at as u32),
            Taken::Rejected(reason) => return self.ledger.reject_next(text, length, reason),
        }
        self.ledger.pass(text, length);
    }
}

impl<F: LineFormat> Rows for LineRows<'_, F> {
    fn read(&mut self, text: &[u8], limit: usize, ended: bool) -> Stop {
        let longest = self.format.longest();
        while self.ledger.at < limit.min(text.len()) {
            let rest = &text[self.ledger.at..];
            match self.format.length(&rest[..rest.len().min(longest)]) {
                Some(length) => self.take(text, length),
                None if rest.len() > longest => {
                    if !self.ledger.reject_too_long(text, longest) && !ended {
                        return Stop::Skip;
                    }
                }
                None if ended => self.take(text, rest.len()),
                None => return Stop::Unfinished,
            }
        }
        Stop::Limit
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn finish(self, block: Buffer, first_line: u64, bytes: u64) -> RawBatch {
        let columns = self.columns.into_iter().map(|column| column.finish(&block)).collect();
        self.ledger.finish(columns, block, first_line, bytes)
    }
}
