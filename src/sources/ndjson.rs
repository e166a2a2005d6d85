//! NDJSON: one JSON object on each line, plain or compressed, in any of the encodings of text.
//!
//! # What a record is
//!
//! - A line ends with LF; white space around its object is nothing. A line of white space is no record.
//! - A line is rejected if it is not UTF-8, not an object, not JSON by RFC 8259, longer than 16 MiB, nested over 64 levels, or
//!   if it has more than 10,000 fields outside of arrays.
//! - A column is a path, as [`fields`] says. Its value is a text with its escapes resolved, the digits of a number as they
//!   stand, `true`, `false`, or an object or array as JSON, as it stands. `null`, an empty text and a missing field are no
//!   value. Half of a surrogate pair becomes U+FFFD, because the rest of the record is worth more than it.
//!
//! # Which columns there are
//!
//! The paths of all fields in the first MiB that are no objects; of an array, the path of the whole. Besides, any path that
//! the user names: if the file goes on behind the first MiB, whether it occurs there or not.

use std::sync::Arc;

use self::fields::Fields;
use self::head::Columns;
use super::text::{BLOCK, LONGEST_RECORD, LineStart, Lines, Text};
use super::{Format, Opening, Reader, Source, Wanted};
use crate::error::{Error, Result};

mod fields;
mod head;
mod lexer;
#[cfg(test)]
mod tests;

/// One JSON object on each line.
pub const FORMAT: Format = Format { name: "NDJSON", flag: "ndjson", open };

/// Opens a text whose first character is a brace, or any text that was said to be NDJSON.
fn open(opening: &mut Opening) -> Result<Option<Box<dyn Source>>> {
    let asked_for = opening.options.format.is_some_and(|format| format.flag == FORMAT.flag);
    let named = opening.options.named.clone();
    let (text, head) = opening.text()?;
    let start = head.text[head.mark..].trim_ascii_start();
    if start.strip_prefix(b"[").is_some_and(|rest| rest.trim_ascii_start().starts_with(b"{")) {
        return Err(Error::input(format!("{} is one array of JSON objects", text.path().display()))
            .hint("write each object on a line of its own: jq -c '.[]' FILE > events.ndjson"));
    }
    if !asked_for && !start.starts_with(b"{") {
        return Ok(None);
    }
    let columns = Columns::find(head, &named).map_err(|error| error.within(text.path().display()))?;
    Ok(Some(Box::new(Ndjson {
        text: Arc::clone(text),
        mark: head.mark as u64,
        columns,
        block: BLOCK,
        longest: LONGEST_RECORD,
    })))
}

/// An NDJSON file whose beginning was read.
struct Ndjson {
    text: Arc<Text>,
    /// Length of the byte order mark.
    mark: u64,
    columns: Columns,
    /// What tests make small.
    block: usize,
    longest: usize,
}

impl Source for Ndjson {
    fn columns(&self) -> &[String] {
        &self.columns.names
    }

    fn bytes(&self) -> u64 {
        self.text.bytes()
    }

    fn describe(&self) -> String {
        ["NDJSON".to_owned()].into_iter().chain(self.text.describe()).collect::<Vec<_>>().join(", ")
    }

    fn notes(&self) -> Vec<String> {
        self.columns.notes()
    }

    fn read(&self, wanted: &[Wanted]) -> Result<Box<dyn Reader>> {
        let path = |wanted: &Wanted| self.columns.names.get(wanted.column).cloned();
        let paths: Option<Vec<String>> = wanted.iter().map(path).collect();
        let missing = || Error::bug(format!("a column is not in {}", self.text.path().display()));
        let fields = Fields::new(paths.ok_or_else(missing)?, self.longest);
        self.text.read(Lines(fields), LineStart { at: self.mark, line: 1 }, self.block)
    }
}
