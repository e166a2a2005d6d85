//! What was read of a piece of text, record by record.

use arrow_array::ArrayRef;
use arrow_buffer::Buffer;
use memchr::{memchr, memchr_iter};

use crate::events::{Origin, RawBatch, Reason, Reject, TextOrigin, shown};

/// Where the reading of a piece of text is, and where its records are.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Offset of each record that was taken.
    pub starts: Vec<u32>,
    /// With places counted from 0.
    rejected: Vec<Reject>,
    /// Offset of each rejected record, and of what else belongs to no record.
    pub gaps: Vec<u32>,
    /// Offset of what comes next: the start of a record, of an empty line, or the end.
    pub at: usize,
    /// Line feeds before `at`.
    pub lines: u64,
}

impl Ledger {
    /// Nothing read yet; about `expected` records are to come.
    pub fn new(expected: usize) -> Self {
        Ledger { starts: Vec::with_capacity(expected), ..Ledger::default() }
    }

    /// Records that were read, with the rejected ones.
    pub fn records(&self) -> usize {
        self.starts.len() + self.rejected.len()
    }

    /// Sets aside the `record` that begins at `start`, in line `place` counted from 0.
    pub fn reject(&mut self, place: u64, start: usize, record: &[u8], reason: Reason) {
        self.gaps.push(start as u32);
        self.rejected.push(Reject { place, reason, text: Some(shown(record)) });
    }

    /// Sets aside what comes next, a record of so many bytes, and goes on past it.
    pub fn reject_next(&mut self, text: &[u8], length: usize, reason: Reason) {
        self.reject(self.lines, self.at, &text[self.at..self.at + length], reason);
        self.pass(text, length);
    }

    /// Sets aside the record that comes next, of which no end was found in so many bytes: it ends with the first line after them. Whether
    /// that is in `text`.
    pub fn reject_too_long(&mut self, text: &[u8], longest: usize) -> bool {
        let least = self.at + longest;
        let line_end = memchr(b'\n', &text[least..]).map(|length| least + length + 1);
        self.reject(self.lines, self.at, &text[self.at..least], Reason::RecordTooLong);
        self.pass(text, line_end.unwrap_or(text.len()) - self.at);
        line_end.is_some()
    }

    /// Goes on past so many bytes.
    pub fn pass(&mut self, text: &[u8], length: usize) {
        let end = self.at + length;
        self.lines += memchr_iter(b'\n', &text[self.at..end]).count() as u64;
        self.at = end;
    }

    /// The records with their `columns`, as a batch over `block`, which begins with line `first_line`.
    pub fn finish(self, columns: Vec<ArrayRef>, block: Buffer, first_line: u64, bytes: u64) -> RawBatch {
        let mut rejected = self.rejected;
        for reject in &mut rejected {
            reject.place += first_line;
        }
        RawBatch {
            rows: self.starts.len(),
            columns,
            origin: Origin::Text(TextOrigin::new(block, self.starts, self.gaps, first_line)),
            rejected,
            bytes,
        }
    }
}
