//! One record at a time: the rules of the parent module, field by field. The slow and sure way, and the one authority on
//! what a record is; [`super::index`] only finds faster what this would find.

use std::ops::Range;

use memchr::{memchr, memchr_iter, memchr2};

/// How the records of one file are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub delimiter: u8,
    /// How many fields a record has.
    pub columns: usize,
    pub limits: Limits,
}

/// How far a record may go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes of a record with its line end.
    pub record: usize,
    /// Bytes of a quoted field with its quotes.
    pub quoted_bytes: usize,
    /// Lines that a quoted field touches.
    pub quoted_lines: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { record: 16 << 20, quoted_bytes: 1 << 20, quoted_lines: 1000 }
    }
}

/// What stands where a record may begin. Ends are offsets from there and include the line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// An empty line.
    Blank { end: usize },
    /// A record; its fields are in [`Fields`].
    Record { end: usize },
    /// A quote that opens a field and is never properly closed, up to the end of its line.
    StrayQuote { end: usize },
    /// A record that goes past the limit; it ends with the first line feed at or after the limit.
    TooLong,
    /// The text is too short to tell.
    Unfinished,
}

/// A field without the quotes around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub at: Range<usize>,
    /// Quoted, with at least one doubled quote inside.
    pub escaped: bool,
}

/// The fields of one record.
#[derive(Default)]
pub(super) struct Fields {
    /// The fields that have a column.
    pub known: Vec<Field>,
    /// How many fields there are in all.
    pub count: usize,
    /// Whether a field beyond the columns has text.
    pub surplus: bool,
}

impl Fields {
    fn clear(&mut self) {
        self.known.clear();
        self.count = 0;
        self.surplus = false;
    }

    fn push(&mut self, field: Field, columns: usize) {
        if self.count < columns {
            self.known.push(field);
        } else {
            self.surplus |= !field.at.is_empty();
        }
        self.count += 1;
    }
}

/// How a field ends.
enum End {
    /// The next field begins at this offset.
    Delimiter(usize),
    /// The record ends before this offset.
    Line(usize),
    /// It began with a quote that opens nothing.
    Stray,
    Unfinished,
}

/// The length of the empty line that `text` begins with, if it does.
pub(super) fn blank(text: &[u8]) -> Option<usize> {
    match text {
        [b'\n', ..] => Some(1),
        [b'\r', b'\n', ..] => Some(2),
        _ => None,
    }
}

/// Reads the record that begins with the first byte of `text`. `ended` says that nothing follows the text.
pub(super) fn scan(rules: &Rules, text: &[u8], ended: bool, fields: &mut Fields) -> Found {
    fields.clear();
    if let Some(end) = blank(text) {
        return Found::Blank { end };
    }
    let mut start = 0;
    loop {
        let quoted = text.get(start) == Some(&b'"');
        let (field, end) =
            if quoted { scan_quoted(rules, text, start, ended) } else { scan_bare(rules, text, start, ended) };
        match end {
            End::Delimiter(next) | End::Line(next) if next > rules.limits.record => return Found::TooLong,
            End::Delimiter(next) => start = next,
            End::Line(end) => {
                fields.push(field, rules.columns);
                return Found::Record { end };
            }
            End::Stray => return stray(rules, text, start, ended),
            End::Unfinished if !quoted && text.len() > rules.limits.record => return Found::TooLong,
            End::Unfinished => return Found::Unfinished,
        }
        fields.push(field, rules.columns);
    }
}

/// The field at `start` that does not begin with a quote: all quotes in it are data.
fn scan_bare(rules: &Rules, text: &[u8], start: usize, ended: bool) -> (Field, End) {
    let bare = |end| Field { at: start..end, escaped: false };
    match memchr2(rules.delimiter, b'\n', &text[start..]) {
        Some(length) if text[start + length] == b'\n' => {
            let carriage_return = text[start..start + length].ends_with(b"\r");
            (bare(start + length - usize::from(carriage_return)), End::Line(start + length + 1))
        }
        Some(length) => (bare(start + length), End::Delimiter(start + length + 1)),
        None if ended => (bare(text.len()), End::Line(text.len())),
        None => (bare(text.len()), End::Unfinished),
    }
}

/// The field at `start` that begins with a quote.
fn scan_quoted(rules: &Rules, text: &[u8], start: usize, ended: bool) -> (Field, End) {
    let mut field = Field { at: start + 1..start + 1, escaped: false };
    let furthest = start + rules.limits.quoted_bytes;
    let within = &text[..furthest.min(text.len())];
    loop {
        let from = field.at.end.min(within.len());
        let Some(length) = memchr(b'"', &within[from..]) else {
            let hopeless = ended || text.len() >= furthest;
            return (field, if hopeless { End::Stray } else { End::Unfinished });
        };
        field.at.end = from + length;
        let after = field.at.end + 1;
        if text.get(after) == Some(&b'"') {
            field.escaped = true;
            field.at.end = after + 1;
            continue;
        }
        let lines = 1 + memchr_iter(b'\n', &text[field.at.clone()]).count();
        if lines > rules.limits.quoted_lines {
            return (field, End::Stray);
        }
        let end = match text[after..] {
            [] if ended => End::Line(after),
            [b'\n', ..] => End::Line(after + 1),
            [b'\r', b'\n', ..] => End::Line(after + 2),
            [] | [b'\r'] if !ended => End::Unfinished,
            [byte, ..] if byte == rules.delimiter => End::Delimiter(after + 1),
            _ => End::Stray,
        };
        return (field, end);
    }
}

/// A record that is broken by the stray quote at `quote`.
fn stray(rules: &Rules, text: &[u8], quote: usize, ended: bool) -> Found {
    let end = match memchr(b'\n', &text[quote..]) {
        Some(length) => quote + length + 1,
        None if ended || text.len() > rules.limits.record => text.len(),
        None => return Found::Unfinished,
    };
    if end > rules.limits.record { Found::TooLong } else { Found::StrayQuote { end } }
}

/// The text of a quoted field with its doubled quotes made single, appended to `into`.
pub(super) fn unescape(text: &[u8], into: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(quote) = memchr(b'"', rest) {
        into.extend_from_slice(&rest[..=quote]);
        rest = rest.get(quote + 2..).unwrap_or_default();
    }
    into.extend_from_slice(rest);
}
