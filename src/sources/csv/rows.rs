//! Text → the asked-for columns of its records, as Arrow views into that text.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::NullArray;
use arrow_buffer::Buffer;
use memchr::memchr;

use super::index::{CHUNK, Index};
use super::record::{Fields, Found, Rules, blank, scan, unescape};
use crate::events::{RawBatch, Reason};
use crate::sources::text::{Ledger, Rows, Stop, Views};

/// The records of one piece of text, read from its start. How the text is cut into pieces changes nothing but where one
/// `Records` ends and the next begins: what stands at a record start depends only on the text that follows it.
pub(super) struct Records<'a> {
    rules: &'a Rules,
    /// None for a column that is of no use any more.
    columns: Vec<Option<Column>>,
    ledger: Ledger,
    index: Index,
    fields: Fields,
}

/// One asked-for column.
struct Column {
    /// Its place among the fields.
    field: usize,
    views: Views,
}

impl<'a> Records<'a> {
    /// No rows yet of the columns in `wanted`; about `expected` are to come.
    pub fn new(rules: &'a Rules, wanted: impl Iterator<Item = Option<usize>>, expected: usize) -> Self {
        let column = |field| Column { field, views: Views::with_capacity(expected) };
        Records {
            rules,
            columns: wanted.map(|field| field.map(column)).collect(),
            ledger: Ledger::new(expected),
            index: Index::new(),
            fields: Fields::default(),
        }
    }

    /// Takes the indexed records that begin before `limit`.
    fn take_indexed(&mut self, text: &[u8], limit: usize) {
        let base = self.ledger.at;
        let mut count = self.index.len();
        while count > 0 && base + self.index.start(count - 1) >= limit {
            count -= 1;
        }
        // Where a record is one field, an empty one is a blank line: all must be looked at.
        let columns = self.rules.columns;
        let plain = |index: &Index, row| index.fields(row) == columns && columns > 1;
        let mut taken = 0;
        for row in 0..count {
            if !plain(&self.index, row) {
                self.take_rows(text, base, taken..row);
                self.take_odd(text, base, row);
                taken = row + 1;
            }
        }
        self.take_rows(text, base, taken..count);
        self.ledger.at = base + self.index.start(count);
        self.ledger.lines += count as u64;
    }

    /// Takes indexed records that have every column.
    fn take_rows(&mut self, text: &[u8], base: usize, rows: Range<usize>) {
        self.ledger.starts.extend(rows.clone().map(|row| (base + self.index.start(row)) as u32));
        for column in self.columns.iter_mut().flatten() {
            column.take(text, base, &self.index, rows.clone());
        }
    }

    /// Looks at an indexed record that is not as wide as the header, or may be a blank line.
    fn take_odd(&mut self, text: &[u8], base: usize, row: usize) {
        let (start, end) = (base + self.index.start(row), base + self.index.start(row + 1));
        if blank(&text[start..end]).is_some() {
            return;
        }
        let columns = self.rules.columns;
        let fields = self.index.fields(row);
        let has_text = |field| {
            let (start, end) = self.index.field(row, field);
            !bare(text, base + start, base + end).0.is_empty()
        };
        match judge(fields, columns, || (columns..fields).any(has_text)) {
            None => self.take_rows(text, base, row..row + 1),
            Some(reason) => self.ledger.reject(self.ledger.lines + row as u64, start, &text[start..end], reason),
        }
    }

    /// Takes the record in `self.fields`, unless it has too few or too many.
    fn take_scanned(&mut self, text: &[u8], length: usize) {
        if let Some(reason) = judge(self.fields.count, self.rules.columns, || self.fields.surplus) {
            return self.ledger.reject_next(text, length, reason);
        }
        let at = self.ledger.at;
        self.ledger.starts.push(at as u32);
        for column in self.columns.iter_mut().flatten() {
            let field = &self.fields.known[column.field];
            column.push(text, at + field.at.start..at + field.at.end, field.escaped);
        }
        self.ledger.pass(text, length);
    }
}

impl Rows for Records<'_> {
    fn read(&mut self, text: &[u8], limit: usize, ended: bool) -> Stop {
        let chunk = CHUNK.min(self.rules.limits.quoted_bytes).min(self.rules.limits.record);
        let limit = limit.min(text.len());
        while self.ledger.at < limit {
            let regular =
                self.index.fill(&text[self.ledger.at..text.len().min(self.ledger.at + chunk)], self.rules.delimiter);
            let any = self.index.len() > 0;
            self.take_indexed(text, limit);
            if self.ledger.at >= limit || (regular && any) {
                continue;
            }
            match scan(self.rules, &text[self.ledger.at..], ended, &mut self.fields) {
                Found::Blank { end } => self.ledger.pass(text, end),
                Found::Record { end } => self.take_scanned(text, end),
                Found::StrayQuote { end } => self.ledger.reject_next(text, end, Reason::StrayQuote),
                Found::TooLong => {
                    if !self.ledger.reject_too_long(text, self.rules.limits.record) && !ended {
                        return Stop::Skip;
                    }
                }
                Found::Unfinished => return Stop::Unfinished,
            }
        }
        Stop::Limit
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn finish(self, block: Buffer, first_line: u64, bytes: u64) -> RawBatch {
        let rows = self.ledger.starts.len();
        let values = |column: Option<Column>| match column {
            Some(column) => column.views.finish(&block),
            None => Arc::new(NullArray::new(rows)),
        };
        let columns = self.columns.into_iter().map(values).collect();
        self.ledger.finish(columns, block, first_line, bytes)
    }
}

/// What is wrong with a record of `fields` fields. Surplus fields are forgiven while they are empty, because real logs end
/// their lines with delimiters.
pub fn judge(fields: usize, columns: usize, surplus: impl FnOnce() -> bool) -> Option<Reason> {
    if fields < columns {
        Some(Reason::TooFewFields)
    } else if fields > columns && surplus() {
        Some(Reason::TooManyFields)
    } else {
        None
    }
}

/// The indexed field `start..end` without its quotes and the CR of its line end, and whether it has quotes.
#[inline(always)]
fn bare(text: &[u8], start: usize, end: usize) -> (Range<usize>, bool) {
    let carriage_return = text[end] == b'\n' && end > start && text[end - 1] == b'\r';
    let end = end - usize::from(carriage_return);
    // An indexed field that begins with a quote also ends with one.
    let quoted = text[start] == b'"';
    (start + usize::from(quoted)..end - usize::from(quoted), quoted)
}

impl Column {
    fn take(&mut self, text: &[u8], base: usize, index: &Index, rows: Range<usize>) {
        if index.escapes {
            for row in rows {
                let (start, end) = index.field(row, self.field);
                let (field, quoted) = bare(text, base + start, base + end);
                let escaped = quoted && memchr(b'"', &text[field.clone()]).is_some();
                self.push(text, field, escaped);
            }
            return;
        }
        let place = |row| {
            let (start, end) = index.field(row, self.field);
            bare(text, base + start, base + end).0
        };
        self.views.extend(text, rows.map(place));
    }

    fn push(&mut self, text: &[u8], field: Range<usize>, escaped: bool) {
        if escaped {
            self.views.push_own(|own| unescape(&text[field], own));
        } else {
            self.views.push(text, field);
        }
    }
}
