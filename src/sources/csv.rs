//! Delimited text: CSV, TSV and their kin, plain or in gzip, in UTF-8, UTF-16 or Latin-1.
//!
//! # What a record is
//!
//! Records are read as RFC 4180 says, with any delimiter. The rules leave nothing open, and each record depends only on the
//! text from its own start: so blocks of any size, read by any number of threads, give the same records.
//!
//! - A line ends with LF or CRLF; a CR elsewhere is data. The last line needs no end. An empty line is no record.
//! - A field whose first byte is a quote is quoted: it goes on to the closing quote, over delimiters and line ends; `""` in it
//!   is one quote. A quote anywhere else is data. Nothing is trimmed. An empty field is null, quoted or not.
//! - A quote that opens a field is a **stray** if no quote closes the field within 1 MiB and 1,000 lines, or if something else
//!   than a delimiter, a line end or the end of the file follows the closing quote. Then everything from the start of the
//!   record to the end of the line with the stray quote is one rejected record, and reading resumes on the next line.
//! - A record that does not end within 16 MiB is rejected, up to the first line end after these 16 MiB, quoted or not.
//! - A record with fewer fields than the header is rejected; one with more too, unless all its surplus fields are empty.
//! - The first record is the header. It must end within the first MiB and have at most 10,000 columns; a name that is empty
//!   becomes `column_N`.
//!
//! Whether a field is valid UTF-8 is not looked at here, except in the first MiB of a file whose encoding was not given.
//!
//! # How it is read
//!
//! [`index`] finds the ends of fields 64 bytes at a time where records are regular, [`record`] reads any other record, and
//! [`rows`] makes Arrow views of what they found.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};
use crate::sources::text::{BLOCK, Cut, Head, LineStart, Text};
use crate::sources::{Format, Opening, Reader, Source, Wanted};

use self::record::{Fields, Found, Limits, Rules, scan, unescape};
use self::rows::Records;
pub use self::rows::judge;

mod index;
mod record;
mod rows;
#[cfg(test)]
mod tests;

/// A header may have so many columns.
pub const MAX_COLUMNS: usize = 10_000;

/// Delimited text: whatever no other format knows.
pub const FORMAT: Format = Format { name: "CSV", flag: "csv", open };

/// Opens a file of delimited text and reads its header.
fn open(opening: &mut Opening) -> Result<Option<Box<dyn Source>>> {
    Ok(Some(Box::new(Csv::open(opening, Tuning::default())?)))
}

/// What tests make small.
#[derive(Clone, Copy)]
struct Tuning {
    /// Bytes of text that are read at a time.
    block: usize,
    limits: Limits,
}

impl Default for Tuning {
    fn default() -> Self {
        Tuning { block: BLOCK, limits: Limits::default() }
    }
}

/// A file of delimited text whose header was read.
struct Csv {
    text: Arc<Text>,
    columns: Vec<String>,
    delimiter: u8,
    /// Where the first line after the header begins.
    body: LineStart,
    tuning: Tuning,
}

impl Csv {
    fn open(opening: &mut Opening, tuning: Tuning) -> Result<Csv> {
        let delimiter = opening.options.delimiter;
        if let Some(delimiter) = delimiter
            && (!delimiter.is_ascii() || matches!(delimiter, b'"' | b'\n' | b'\r'))
        {
            return Err(Error::question("the delimiter must be an ASCII character other than a quote or a line end"));
        }
        let (text, head) = opening.text()?;
        head.check_utf8(text.path())?;
        let (columns, delimiter, body) =
            read_header(head, delimiter).map_err(|error| error.within(text.path().display()))?;
        Ok(Csv { text: Arc::clone(text), columns, delimiter, body, tuning })
    }
}

impl Source for Csv {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn bytes(&self) -> u64 {
        self.text.bytes()
    }

    fn describe(&self) -> String {
        let mut words = vec!["CSV".to_owned(), delimiter_name(self.delimiter)];
        words.extend(self.text.describe());
        words.join(", ")
    }

    fn read(&self, wanted: &[Wanted]) -> Result<Box<dyn Reader>> {
        let wanted: Vec<Field> = wanted.iter().map(|wanted| Field::new(wanted.column)).collect();
        if let Some(Field { number: column, .. }) = wanted.iter().find(|field| field.number >= self.columns.len()) {
            return Err(Error::bug(format!("there is no column {column} in {}", self.text.path().display())));
        }
        let rules = Rules { delimiter: self.delimiter, columns: self.columns.len(), limits: self.tuning.limits };
        self.text.read(Columns { rules, wanted }, self.body, self.tuning.block)
    }
}

/// How records are written, and which of their fields are asked for.
struct Columns {
    rules: Rules,
    wanted: Vec<Field>,
}

/// A field that is asked for.
struct Field {
    number: usize,
    forgotten: AtomicBool,
}

impl Field {
    fn new(number: usize) -> Self {
        Field { number, forgotten: AtomicBool::new(false) }
    }
}

impl Cut for Columns {
    type Rows<'a> = Records<'a>;

    fn rows(&self, expected: usize) -> Records<'_> {
        let fields = self.wanted.iter().map(|field| (!field.forgotten.load(Ordering::Relaxed)).then_some(field.number));
        Records::new(&self.rules, fields, expected)
    }

    fn forget(&self, wanted: usize) {
        self.wanted[wanted].forgotten.store(true, Ordering::Relaxed);
    }
}

/// The column names, the delimiter and the place behind the header.
fn read_header(head: &Head, delimiter: Option<u8>) -> Result<(Vec<String>, u8, LineStart)> {
    let mut rest = &head.text[head.mark..];
    let mut line = 1;
    while let Some(length) = record::blank(rest) {
        rest = &rest[length..];
        line += 1;
    }
    let delimiter = delimiter.unwrap_or_else(|| sniff_delimiter(rest));
    let rules = Rules { delimiter, columns: MAX_COLUMNS, limits: Limits::default() };
    let mut fields = Fields::default();
    let length = match scan(&rules, rest, head.whole, &mut fields) {
        _ if rest.is_empty() => return Err(Error::input("no header: the file has only empty lines")),
        Found::Record { end } => end,
        Found::StrayQuote { .. } => {
            return Err(Error::input(format!("the header in line {line} has a stray quote"))
                .hint("a name that begins with a quote must end with one, and a quote inside it is doubled"));
        }
        Found::Blank { .. } | Found::TooLong | Found::Unfinished => {
            return Err(Error::input("the header does not end within the first MiB").hint("is this a text with lines?"));
        }
    };
    if fields.count > MAX_COLUMNS {
        return Err(Error::input(format!("the header has {} columns; at most {MAX_COLUMNS} are read", fields.count)));
    }
    let names = fields.known.iter().enumerate().map(|(column, field)| {
        let mut name = Vec::new();
        if field.escaped {
            unescape(&rest[field.at.clone()], &mut name);
        } else {
            name.extend_from_slice(&rest[field.at.clone()]);
        }
        if name.is_empty() { format!("column_{}", column + 1) } else { String::from_utf8_lossy(&name).into_owned() }
    });
    let lines = memchr::memchr_iter(b'\n', &rest[..length]).count() as u64;
    let at = (head.text.len() - rest.len() + length) as u64;
    Ok((names.collect(), delimiter, LineStart { at, line: line + lines }))
}

/// The delimiter that the first line outside quotes has most of; a comma if that is not clear.
pub fn sniff_delimiter(text: &[u8]) -> u8 {
    const CANDIDATES: [u8; 4] = [b',', b'\t', b';', b'|'];
    let mut counts = [0; CANDIDATES.len()];
    let mut quoted = false;
    for &byte in text {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            _ if quoted => {}
            _ => {
                if let Some(candidate) = CANDIDATES.iter().position(|candidate| *candidate == byte) {
                    counts[candidate] += 1;
                }
            }
        }
    }
    let most = counts.into_iter().max().unwrap_or_default();
    let mut best = CANDIDATES.into_iter().zip(counts).filter(|(_, count)| *count == most);
    match (best.next(), best.next()) {
        (Some((delimiter, _)), None) => delimiter,
        _ => b',',
    }
}

/// A delimiter as people call it.
pub fn delimiter_name(delimiter: u8) -> String {
    match delimiter {
        b',' => "comma".to_owned(),
        b'\t' => "tab".to_owned(),
        b';' => "semicolon".to_owned(),
        b'|' => "bar".to_owned(),
        b' ' => "space".to_owned(),
        other => format!("delimiter '{}'", other.escape_ascii()),
    }
}
