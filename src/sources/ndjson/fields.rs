//! A line → the values at the asked-for paths.

use std::ops::Range;

use super::lexer::{Lexer, Text, unescape};
use crate::events::Reason;
use crate::sources::text::{LineFormat, Taken, Views};

/// The asked-for paths of a file, one for each column.
///
/// A path is the names of the fields on the way to a value, with points between them: `context.page.url`. An element of an
/// array goes by its number from 0: `items.0.id`. A name may have points of its own. If several fields of a line fit a path,
/// the one with the fewest steps wins, so a field with points in its name wins over the way through objects; then the last.
pub struct Fields {
    paths: Vec<String>,
    /// The first bytes of all paths.
    first: [bool; 256],
    longest: usize,
}

/// What was found in a line so far.
#[derive(Default)]
pub struct Found {
    /// For each path.
    values: Vec<Option<Value>>,
    /// What is looked for, innermost container last.
    sought: Vec<Sought>,
    key: Vec<u8>,
}

/// A path, and how much of it the containers that are open have used up.
#[derive(Clone, Copy)]
struct Sought {
    path: u32,
    /// Offset of the rest in the path; [`WHOLE`] if nothing is left.
    rest: u32,
}

const WHOLE: u32 = u32::MAX;

impl Found {
    /// Whether the last line has something at path number `path`, be it null.
    pub fn has(&self, path: usize) -> bool {
        self.values[path].is_some()
    }
}

#[derive(Clone)]
struct Value {
    /// How many containers lie around it.
    steps: usize,
    at: Range<usize>,
    escaped: bool,
}

type Result<T> = std::result::Result<T, Reason>;

impl Fields {
    pub fn new(paths: Vec<String>, longest: usize) -> Self {
        let mut first = [false; 256];
        for path in &paths {
            first[usize::from(path.bytes().next().unwrap_or_default())] = true;
        }
        Fields { paths, first, longest }
    }

    /// Finds what the line at `at` of `text` has at the paths; false if the line is empty.
    pub fn find(&self, text: &[u8], at: Range<usize>, found: &mut Found) -> Result<bool> {
        found.values.clear();
        found.values.resize(self.paths.len(), None);
        found.sought.clear();
        found.sought.extend((0..self.paths.len() as u32).map(|path| Sought { path, rest: 0 }));
        let line = &text[..at.end];
        let mut lexer = Lexer::new(line, at.start);
        match lexer.peek() {
            None => return Ok(false),
            Some(_) if std::str::from_utf8(&line[at.start..]).is_err() => return Err(Reason::InvalidUtf8),
            Some(b'{') => self.object(&mut lexer, found, 0..self.paths.len(), 1)?,
            Some(_) => return Err(Reason::NotAnObject),
        }
        if lexer.peek().is_some() { Err(Reason::MalformedJson) } else { Ok(true) }
    }

    /// Reads the object that begins here and lies at `depth`; `sought` are the places of what is looked for in it.
    fn object(&self, lexer: &mut Lexer<'_>, found: &mut Found, sought: Range<usize>, depth: usize) -> Result<()> {
        lexer.object(depth, |lexer, key| {
            // Most fields are of no interest, and their first byte says so.
            let plain = depth == 1 && !key.escaped && !key.at.is_empty();
            if plain && !self.first[usize::from(lexer.text[key.at.start])] {
                return lexer.skip(depth + 1);
            }
            self.advance(lexer.text, &key, found, sought.clone());
            self.value(lexer, found, sought.end, depth + 1)
        })
    }

    fn array(&self, lexer: &mut Lexer<'_>, found: &mut Found, sought: Range<usize>, depth: usize) -> Result<()> {
        lexer.array(depth, |lexer, number| {
            self.advance_by(number.to_string().as_bytes(), found, sought.clone());
            self.value(lexer, found, sought.end, depth + 1)
        })
    }

    /// Adds what is still looked for behind the field `key`.
    fn advance(&self, text: &[u8], key: &Text, found: &mut Found, sought: Range<usize>) {
        if !key.escaped {
            return self.advance_by(&text[key.at.clone()], found, sought);
        }
        let mut name = std::mem::take(&mut found.key);
        name.clear();
        unescape(&text[key.at.clone()], &mut name);
        self.advance_by(&name, found, sought);
        found.key = name;
    }

    fn advance_by(&self, name: &[u8], found: &mut Found, sought: Range<usize>) {
        for place in sought {
            let Sought { path, rest } = found.sought[place];
            if rest == WHOLE {
                continue;
            }
            let Some(behind) = self.paths[path as usize].as_bytes()[rest as usize..].strip_prefix(name) else {
                continue;
            };
            match behind {
                [] => found.sought.push(Sought { path, rest: WHOLE }),
                [b'.', ..] => found.sought.push(Sought { path, rest: rest + name.len() as u32 + 1 }),
                _ => {}
            }
        }
    }

    /// Reads the value that comes next, in which everything from place `from` on is looked for.
    fn value(&self, lexer: &mut Lexer<'_>, found: &mut Found, from: usize, depth: usize) -> Result<()> {
        let sought = from..found.sought.len();
        let deeper = found.sought[sought.clone()].iter().any(|sought| sought.rest != WHOLE);
        let first = lexer.peek();
        let start = lexer.at;
        let (mut at, mut escaped) = (None, false);
        match first {
            Some(b'{') if deeper => self.object(lexer, found, sought.clone(), depth)?,
            Some(b'[') if deeper => self.array(lexer, found, sought.clone(), depth)?,
            Some(b'"') => {
                let text = lexer.string()?;
                escaped = text.escaped;
                at = Some(text.at);
            }
            _ => lexer.skip(depth)?,
        }
        // No JSON value but null begins like this; no value is an empty range.
        let whole = if first == Some(b'n') { start..start } else { start..lexer.at };
        let value = Value { steps: depth, at: at.unwrap_or(whole), escaped };
        for place in sought {
            let Sought { path, rest } = found.sought[place];
            let known = &mut found.values[path as usize];
            if rest == WHOLE && known.as_ref().is_none_or(|known| known.steps >= value.steps) {
                *known = Some(value.clone());
            }
        }
        found.sought.truncate(from);
        Ok(())
    }
}

impl LineFormat for Fields {
    type Scratch = Found;

    fn columns(&self) -> usize {
        self.paths.len()
    }

    fn longest(&self) -> usize {
        self.longest
    }

    fn take(&self, text: &[u8], at: Range<usize>, found: &mut Found, columns: &mut [Views]) -> Taken {
        match self.find(text, at, found) {
            Ok(true) => {}
            Ok(false) => return Taken::Blank,
            Err(reason) => return Taken::Rejected(reason),
        }
        for (column, value) in columns.iter_mut().zip(&found.values) {
            match value {
                Some(Value { at, escaped: false, .. }) => column.push(text, at.clone()),
                Some(Value { at, .. }) => column.push_own(|own| unescape(&text[at.clone()], own)),
                None => column.push_null(),
            }
        }
        Taken::Record
    }
}
