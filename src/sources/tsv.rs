//! Text with backslash escapes and without quotes, as databases export it (MySQL, Postgres, Snowplow, Adobe): mostly tabs.
//!
//! # What a record is
//!
//! - Fields are parted by a tab (or by `--delimiter`), records by LF or CRLF. An empty line is no record. A quote is data.
//! - A backslash changes what follows it: `\t`, `\n`, `\r`, `\b`, `\f`, `\v`, `\0` and `\\` are one character each, and a
//!   backslash before a real delimiter or LF makes it data. Before anything else it is data itself.
//! - A field that is `\N` has no value, and so has an empty one.
//! - Records that are too narrow, too wide or too long, and the header, are judged as in CSV.
//!
//! # When it is this and when CSV
//!
//! Files with tabs are written both ways, and no name tells which. What `--input-format` says holds. Else a file with tabs is
//! read as this if a field of its first MiB is `\N`, and none stands in quotes: nobody means `\N` as a text, and only who has
//! no quotes needs it. All other files with tabs are CSV, with its quotes.

use std::ops::Range;
use std::sync::Arc;

use memchr::{memchr, memchr_iter, memchr2};

use super::csv::{MAX_COLUMNS, delimiter_name, judge, sniff_delimiter};
use super::text::{BLOCK, Head, LONGEST_RECORD, LineFormat, LineStart, Lines, Taken, Text, Views, without_line_end};
use super::{Format, Opening, Reader, Source, Wanted};
use crate::error::{Error, Result};

/// Text with backslash escapes.
pub const FORMAT: Format = Format { name: "TSV", flag: "tsv", open };

fn open(opening: &mut Opening) -> Result<Option<Box<dyn Source>>> {
    let asked_for = opening.options.format.is_some_and(|format| format.flag == FORMAT.flag);
    let given = opening.options.delimiter;
    let (text, head) = opening.text()?;
    let start = first_line(head);
    let rest = &head.text[start.at as usize..];
    let delimiter = given.unwrap_or(if asked_for { b'\t' } else { sniff_delimiter(rest) });
    if !asked_for && (delimiter != b'\t' || !has_null_marks(rest)) {
        return Ok(None);
    }
    head.check_utf8(text.path())?;
    let (columns, body) = header(head, start, delimiter).map_err(|error| error.within(text.path().display()))?;
    Ok(Some(Box::new(Tsv { text: Arc::clone(text), columns, delimiter, body, block: BLOCK })))
}

/// A file whose header was read.
struct Tsv {
    text: Arc<Text>,
    columns: Vec<String>,
    delimiter: u8,
    body: LineStart,
    /// What tests make small.
    block: usize,
}

impl Source for Tsv {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn bytes(&self) -> u64 {
        self.text.bytes()
    }

    fn describe(&self) -> String {
        let delimiter = (self.delimiter != b'\t').then(|| delimiter_name(self.delimiter));
        let words = ["TSV".to_owned()].into_iter().chain(delimiter).chain(["backslash escapes".to_owned()]);
        words.chain(self.text.describe()).collect::<Vec<_>>().join(", ")
    }

    fn read(&self, wanted: &[Wanted]) -> Result<Box<dyn Reader>> {
        let wanted: Vec<usize> = wanted.iter().map(|wanted| wanted.column).collect();
        if let Some(column) = wanted.iter().find(|column| **column >= self.columns.len()) {
            return Err(Error::bug(format!("there is no column {column} in {}", self.text.path().display())));
        }
        let records = Records { delimiter: self.delimiter, columns: self.columns.len(), wanted };
        self.text.read(Lines(records), self.body, self.block)
    }
}

/// Where the first line that is not empty begins.
fn first_line(head: &Head) -> LineStart {
    let text = &head.text[head.mark..];
    let blank = text.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
    let line = 1 + memchr_iter(b'\n', &text[..blank]).count() as u64;
    LineStart { at: (head.mark + blank) as u64, line }
}

/// Whether a field is `\N` and none stands in quotes.
fn has_null_marks(text: &[u8]) -> bool {
    let mut fields = text.split(|byte| matches!(byte, b'\t' | b'\n' | b'\r'));
    let is_quoted = |field: &[u8]| field.len() > 1 && field.starts_with(b"\"") && field.ends_with(b"\"");
    fields.clone().any(|field| field == NULL) && !fields.any(is_quoted)
}

const NULL: &[u8] = b"\\N";

/// The names of the columns, and the start of the first record.
fn header(head: &Head, start: LineStart, delimiter: u8) -> Result<(Vec<String>, LineStart)> {
    let rest = &head.text[start.at as usize..];
    if rest.is_empty() {
        return Err(Error::input("no header: the file has only empty lines"));
    }
    let length = length(rest).or(head.whole.then_some(rest.len())).ok_or_else(|| {
        Error::input("the header does not end within the first MiB").hint("is this a text with lines?")
    })?;
    let line = without_line_end(&rest[..length]);
    let mut fields = Vec::new();
    split(line, delimiter, &mut fields);
    if fields.len() > MAX_COLUMNS {
        return Err(Error::input(format!("the header has {} columns; at most {MAX_COLUMNS} are read", fields.len())));
    }
    let names = fields.iter().enumerate().map(|(column, field)| {
        let mut name = Vec::new();
        unescape(&line[field.at.clone()], delimiter, &mut name);
        if name.is_empty() { format!("column_{}", column + 1) } else { String::from_utf8_lossy(&name).into_owned() }
    });
    let lines = memchr_iter(b'\n', &rest[..length]).count() as u64;
    Ok((names.collect(), LineStart { at: start.at + length as u64, line: start.line + lines }))
}

/// How records are written, and which of their fields are asked for.
struct Records {
    delimiter: u8,
    columns: usize,
    wanted: Vec<usize>,
}

/// A field of a record.
struct Field {
    at: Range<usize>,
    /// Whether it has a backslash.
    escaped: bool,
}

impl LineFormat for Records {
    type Scratch = Vec<Field>;

    fn columns(&self) -> usize {
        self.wanted.len()
    }

    fn longest(&self) -> usize {
        LONGEST_RECORD
    }

    fn length(&self, text: &[u8]) -> Option<usize> {
        length(text)
    }

    fn take(&self, text: &[u8], at: Range<usize>, fields: &mut Vec<Field>, columns: &mut [Views]) -> Taken {
        if at.is_empty() {
            return Taken::Blank;
        }
        let record = &text[at.clone()];
        split(record, self.delimiter, fields);
        let surplus = || fields[self.columns..].iter().any(|field| !field.at.is_empty());
        if let Some(reason) = judge(fields.len(), self.columns, surplus) {
            return Taken::Rejected(reason);
        }
        for (column, wanted) in columns.iter_mut().zip(&self.wanted) {
            let field = &fields[*wanted];
            let place = at.start + field.at.start..at.start + field.at.end;
            match field.escaped {
                false => column.push(text, place),
                true if &text[place.clone()] == NULL => column.push_null(),
                true => column.push_own(|own| unescape(&text[place], self.delimiter, own)),
            }
        }
        Taken::Record
    }
}

/// The length of the record that `text` begins with, its line end included: an LF behind a backslash is data.
fn length(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'\n', b'\\', &text[at..])? + 1;
        if text[at - 1] == b'\n' {
            return Some(at);
        }
        // Whatever stands behind the backslash is no line end and no other backslash.
        at = (at + 1).min(text.len());
    }
}

/// The fields of a record without its line end.
fn split(record: &[u8], delimiter: u8, fields: &mut Vec<Field>) {
    fields.clear();
    let (mut start, mut at, mut escaped) = (0, 0, false);
    while let Some(found) = memchr2(delimiter, b'\\', &record[at..]) {
        at += found;
        if record[at] == delimiter {
            fields.push(Field { at: start..at, escaped });
            (start, escaped) = (at + 1, false);
            at += 1;
        } else {
            escaped = true;
            at = (at + 2).min(record.len());
        }
    }
    fields.push(Field { at: start..record.len(), escaped });
}

/// Appends the text of a field.
fn unescape(field: &[u8], delimiter: u8, into: &mut Vec<u8>) {
    let mut rest = field;
    while let Some(at) = memchr(b'\\', rest) {
        // A backslash at the very end is data.
        let Some(next) = rest.get(at + 1) else { break };
        into.extend_from_slice(&rest[..at]);
        match next {
            b't' => into.push(b'\t'),
            b'n' => into.push(b'\n'),
            b'r' => into.push(b'\r'),
            b'b' => into.push(8),
            b'f' => into.push(12),
            b'v' => into.push(11),
            b'0' => into.push(0),
            b'\\' | b'\n' => into.push(*next),
            other if *other == delimiter => into.push(*other),
            other => into.extend_from_slice(&[b'\\', *other]),
        }
        rest = &rest[at + 2..];
    }
    into.extend_from_slice(rest);
}

#[cfg(test)]
mod tests;
