//! Formats whose records end at a line end that is plain to see, read one record after the other.

use std::ops::Range;

use arrow_buffer::Buffer;
use memchr::{memchr, memchr_iter};

use super::cut::{Cut, Rows, Stop};
use super::views::Views;
use crate::events::{Origin, RawBatch, Reason, Reject, TextOrigin, shown};

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
            starts: Vec::with_capacity(expected),
            rejected: Vec::new(),
            gaps: Vec::new(),
            at: 0,
            lines: 0,
        }
    }
}

/// The records of one piece of text.
pub struct LineRows<'a, F: LineFormat> {
    format: &'a F,
    scratch: F::Scratch,
    columns: Vec<Views>,
    /// Offset of each record that was taken.
    starts: Vec<u32>,
    /// With places counted from 0.
    rejected: Vec<Reject>,
    /// Offset of each rejected record, and of each blank line, which is part of no record.
    gaps: Vec<u32>,
    at: usize,
    /// Line feeds before `at`.
    lines: u64,
}

impl<F: LineFormat> LineRows<'_, F> {
    /// Takes the record of so many bytes, its line end included.
    fn take(&mut self, text: &[u8], length: usize) {
        let record = &text[self.at..self.at + length];
        let end = without_line_end(record).len();
        let taken = self.format.take(text, self.at..self.at + end, &mut self.scratch, &mut self.columns);
        match taken {
            Taken::Record => self.starts.push(self.at as u32),
            Taken::Blank => self.gaps.push(self.at as u32),
            Taken::Rejected(reason) => self.reject(record, reason),
        }
        self.pass(text, length);
    }

    fn reject(&mut self, record: &[u8], reason: Reason) {
        self.gaps.push(self.at as u32);
        self.rejected.push(Reject { place: self.lines, reason, text: Some(shown(record)) });
    }

    fn pass(&mut self, text: &[u8], length: usize) {
        let end = self.at + length;
        self.lines += memchr_iter(b'\n', &text[self.at..end]).count() as u64;
        self.at = end;
    }
}

impl<F: LineFormat> Rows for LineRows<'_, F> {
    fn read(&mut self, text: &[u8], limit: usize, ended: bool) -> Stop {
        let longest = self.format.longest();
        while self.at < limit.min(text.len()) {
            let rest = &text[self.at..];
            match self.format.length(&rest[..rest.len().min(longest)]) {
                Some(length) => self.take(text, length),
                None if rest.len() > longest => {
                    let line_end = memchr(b'\n', &rest[longest..]).map(|length| longest + length + 1);
                    self.reject(&rest[..longest], Reason::RecordTooLong);
                    self.pass(text, line_end.unwrap_or(rest.len()));
                    if line_end.is_none() && !ended {
                        return Stop::Skip;
                    }
                }
                None if ended => self.take(text, rest.len()),
                None => return Stop::Unfinished,
            }
        }
        Stop::Limit
    }

    fn end(&self) -> usize {
        self.at
    }

    fn lines(&self) -> u64 {
        self.lines
    }

    fn records(&self) -> usize {
        self.starts.len() + self.rejected.len()
    }

    fn finish(self, block: Buffer, first_line: u64, bytes: u64) -> RawBatch {
        let mut rejected = self.rejected;
        for reject in &mut rejected {
            reject.place += first_line;
        }
        RawBatch {
            rows: self.starts.len(),
            columns: self.columns.into_iter().map(|column| column.finish(&block)).collect(),
            origin: Origin::Text(TextOrigin::new(block, self.starts, self.gaps, first_line)),
            rejected,
            bytes,
        }
    }
}
