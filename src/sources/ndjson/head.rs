//! The beginning of a file → its columns.

use std::collections::HashSet;

use super::fields::{Fields, Found};
use super::lexer::{Lexer, unescape};
use crate::error::{Error, Result, nearest};
use crate::events::Reason;
use crate::sources::text::{Head, LONGEST_RECORD};

/// So many columns are listed; others are read if they are named.
const MOST_COLUMNS: usize = 10_000;

/// The columns of a file, as far as they are known.
#[derive(Default)]
pub struct Columns {
    /// In the order in which they first occur, then those that only the user knows of.
    pub names: Vec<String>,
    /// Names that the user gave and the beginning of the file does not show.
    pub unseen: Vec<String>,
    /// Whether there are more than are listed.
    pub more: bool,
}

impl Columns {
    /// The columns in `head`, and those of `named` that may occur in the file.
    pub fn find(head: &Head, named: &[Vec<String>]) -> Result<Columns> {
        let lines = lines(head);
        let mut seen = Seen::default();
        let mut first = None;
        let mut objects = 0;
        for (number, line) in lines.iter().enumerate() {
            match seen.line(line) {
                Ok(object) => objects += usize::from(object),
                Err(reason) => first = first.or(Some((number + 1, reason))),
            }
        }
        if let (0, Some((line, reason))) = (objects, first) {
            return Err(not_ndjson(line, reason));
        }
        let mut columns = Columns { names: seen.names, unseen: Vec::new(), more: seen.more };
        for list in named {
            columns.name(list, &lines, head.whole);
        }
        Ok(columns)
    }

    /// Adds the names of `list` that the lines have; if none is there, and the file goes on, its first.
    fn name(&mut self, list: &[String], lines: &[&[u8]], whole: bool) {
        let mut any = false;
        for name in list.iter().filter(|name| *name != "none") {
            let known = self.names.iter().any(|column| column.eq_ignore_ascii_case(name));
            if !known && occurs(name, lines) {
                self.names.push(name.clone());
            }
            any |= known || self.names.last() == Some(name);
        }
        if let (false, false, Some(first)) = (any, whole || list.iter().any(|name| name == "none"), list.first()) {
            self.names.push(first.clone());
            self.unseen.push(first.clone());
        }
    }

    /// What a reader of any answer must know.
    pub fn notes(&self) -> Vec<String> {
        let known = || self.names.iter().filter(|name| !self.unseen.contains(name)).map(String::as_str);
        let unseen = self.unseen.iter().map(|name| {
            let near = nearest(name, known()).map(|near| format!(" (did you mean {near:?}?)")).unwrap_or_default();
            format!("no field {name:?} in the first MiB{near}; it is no value wherever it is missing")
        });
        let more = format!("more than {MOST_COLUMNS} different fields; only the first of them are listed");
        unseen.chain(self.more.then_some(more)).collect()
    }
}

/// The lines of the beginning that are whole.
fn lines(head: &Head) -> Vec<&[u8]> {
    let text = &head.text[head.mark..];
    let whole = if head.whole { text.len() } else { memchr::memrchr(b'\n', text).map_or(0, |end| end + 1) };
    text[..whole].split(|byte| *byte == b'\n').collect()
}

/// Whether a line has something at the path `name`.
fn occurs(name: &str, lines: &[&[u8]]) -> bool {
    let fields = Fields::new(vec![name.to_owned()], LONGEST_RECORD);
    let mut found = Found::default();
    lines.iter().any(|line| fields.find(line, 0..line.len(), &mut found) == Ok(true) && found.has(0))
}

fn not_ndjson(line: usize, reason: Reason) -> Error {
    let what = format!("no line of the beginning is a JSON object (line {line}: {})", reason.name());
    Error::input(what)
        .hint("NDJSON has one whole object on each line: jq -c . FILE > events.ndjson writes objects like this")
}

/// The paths that were seen.
#[derive(Default)]
struct Seen {
    names: Vec<String>,
    known: HashSet<String>,
    more: bool,
    path: Vec<u8>,
}

impl Seen {
    /// Notes the paths of a line; false if it is empty.
    fn line(&mut self, line: &[u8]) -> std::result::Result<bool, Reason> {
        let mut lexer = Lexer::new(line, 0);
        let first = lexer.peek();
        if std::str::from_utf8(line).is_err() {
            return Err(Reason::InvalidUtf8);
        }
        match first {
            None => Ok(false),
            Some(b'{') => {
                // A line counts as a whole or not at all.
                Lexer::new(line, 0).skip(1)?;
                self.path.clear();
                self.object(&mut lexer, 1)?;
                Ok(true)
            }
            Some(_) => Err(Reason::NotAnObject),
        }
    }

    fn object(&mut self, lexer: &mut Lexer<'_>, depth: usize) -> std::result::Result<(), Reason> {
        lexer.object(depth, |lexer, key| {
            let before = self.path.len();
            if depth > 1 {
                self.path.push(b'.');
            }
            unescape(&lexer.text[key.at], &mut self.path);
            if lexer.peek() == Some(b'{') {
                self.object(lexer, depth + 1)?;
            } else {
                lexer.skip(depth + 1)?;
                self.note();
            }
            self.path.truncate(before);
            Ok(())
        })
    }

    fn note(&mut self) {
        let Ok(path) = std::str::from_utf8(&self.path) else { return };
        if self.known.contains(path) {
            return;
        }
        if self.names.len() == MOST_COLUMNS {
            self.more = true;
            return;
        }
        self.known.insert(path.to_owned());
        self.names.push(path.to_owned());
    }
}
