//! Bytes → numbered splits of raw columns. One file per format; a new format is one new file and one line in [`FORMATS`].
//!
//! A source is opened once (format, columns), then read by all threads at once: each calls [`Reader::next`] until it says
//! `None`. The reader numbers its splits in file order, so that the order of events never depends on which thread read them.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, nearest};
pub use crate::events::{Origin, RawBatch, UseAs, Wanted};

mod constants;
mod csv;
mod ipc;
#[cfg(feature = "polars")]
mod lazy;
mod ndjson;
mod opening;
mod parquet;
mod stored;
#[cfg(test)]
mod testing;
mod text;
mod tsv;

pub use constants::{Constant, partitions, with_constants};
pub use opening::Opening;
pub use stored::STANDARD_INPUT;

#[cfg(feature = "polars")]
pub use lazy::from_lazy;

/// Every input format, tried in order: the last one takes whatever is text.
pub const FORMATS: &[Format] = &[parquet::FORMAT, ipc::FORMAT, ndjson::FORMAT, tsv::FORMAT, csv::FORMAT];

/// An input format.
#[derive(Debug)]
pub struct Format {
    /// Its name for people.
    pub name: &'static str,
    /// Its name as `--input-format` takes it.
    pub flag: &'static str,
    /// Opens a file, or says `None` if its content is not of this format.
    pub open: Open,
}

/// Opens the file that was looked at.
pub type Open = fn(&mut Opening) -> Result<Option<Box<dyn Source>>>;

/// One file of a known format, whose columns are known. It holds no file open.
pub trait Source: Send + Sync {
    /// The names of the columns, in file order.
    fn columns(&self) -> &[String];

    /// The file's size as stored, in bytes: the length of the progress bar.
    fn bytes(&self) -> u64;

    /// What a reader of any answer must know about the file; each sentence goes behind its name.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// What was found out about the file, in a few words for people: `CSV, comma, gzip`.
    fn describe(&self) -> String;

    /// Starts reading. Only the asked-for columns are decoded, in the order asked for.
    fn read(&self, wanted: &[Wanted]) -> Result<Box<dyn Reader>>;
}

/// A source that others hold too.
impl<S: Source + ?Sized> Source for Arc<S> {
    fn columns(&self) -> &[String] {
        (**self).columns()
    }

    fn bytes(&self) -> u64 {
        (**self).bytes()
    }

    fn notes(&self) -> Vec<String> {
        (**self).notes()
    }

    fn describe(&self) -> String {
        (**self).describe()
    }

    fn read(&self, wanted: &[Wanted]) -> Result<Box<dyn Reader>> {
        (**self).read(wanted)
    }
}

/// A file being read by several threads at once.
pub trait Reader: Send + Sync {
    /// The next split, or `None` when all have been handed out.
    ///
    /// Splits are handed out in file order, each to one thread. A thread must finish a split or drop it before it asks for
    /// the next one; it may wait here for the thread that reads the split before.
    fn next(&self) -> Result<Option<Split>>;

    /// Column number `wanted` of those that are read is of no use any more: what later splits hold in its place does not matter.
    fn forget(&self, _wanted: usize) {}

    /// Of the records whose time in column number `wanted` is before `from` or not before `to`, in µs, no more is asked than how many
    /// they are. Said before the first split is asked for.
    fn limit_times(&mut self, _wanted: usize, _from: i64, _to: i64) {}
}

/// One part of a file. Splits with smaller numbers stand earlier in the file.
pub struct Split {
    /// Its number in the file, counted from 0.
    pub number: u32,
    /// The records of the split, in file order.
    pub batches: Box<dyn Iterator<Item = Result<RawBatch>> + Send>,
    /// Those that are not among them.
    pub outside: Outside,
}

/// Records that were not read because [`Reader::limit_times`] said so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// How many.
    pub records: u64,
    /// How far they move the progress bar, in bytes of the file as stored.
    pub bytes: u64,
}

impl Split {
    /// A split of which all records are there.
    pub fn whole(number: u32, batches: impl Iterator<Item = Result<RawBatch>> + Send + 'static) -> Split {
        Split { number, batches: Box::new(batches), outside: Outside::default() }
    }
}

/// How to read files, as far as the user said.
#[derive(Clone, Debug, Default)]
pub struct TextOptions {
    /// The format of all files; each file's content tells it if not given.
    pub format: Option<&'static Format>,
    /// Field delimiter; found out from the header if not given.
    pub delimiter: Option<u8>,
    /// The columns that the user names: of each list the first that a file has. Formats without a header take a name that the
    /// beginning of the file does not show for a column too, unless its list ends with `none`.
    pub named: Vec<Vec<String>>,
    /// Text encoding; UTF-8 (or what the byte order mark says) if not given.
    pub encoding: Option<Encoding>,
}

/// The text encodings that are decoded: UTF-8, UTF-16 of either byte order, and Latin-1.
#[allow(missing_docs, reason = "the doc comments of its variants stand in the help, and the names say enough there")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// UTF-8
    Utf8,
    /// UTF-16, the low byte first
    #[value(name = "utf16le")]
    Utf16Le,
    /// UTF-16, the high byte first
    #[value(name = "utf16be")]
    Utf16Be,
    /// ISO-8859-1, read as its superset Windows-1252 as browsers do
    Latin1,
}

/// The format that `--input-format` calls `flag`.
pub fn format(flag: &str) -> Result<&'static Format> {
    let flags = || FORMATS.iter().map(|format| format.flag);
    FORMATS.iter().find(|format| format.flag == flag).ok_or_else(|| {
        let known: Vec<&str> = flags().collect();
        let error = Error::question(format!("{flag:?} is no input format; known are auto, {}", known.join(", ")));
        match nearest(flag, flags()) {
            Some(near) => error.hint(format!("did you mean {near:?}?")),
            None => error.hint("leave it out, and the content of each file tells"),
        }
    })
}

/// Opens `path`, or standard input for `-`, with the format that was asked for, or else the first that knows its content.
pub fn open(path: &Path, options: &TextOptions) -> Result<Box<dyn Source>> {
    let mut opening = Opening::new(path, options)?;
    if let Some(format) = options.format {
        return (format.open)(&mut opening)?.ok_or_else(|| {
            Error::input(format!("{} is not {}, the input format that was asked for", path.display(), format.name))
                .hint("leave --input-format out, and the content of each file tells")
        });
    }
    for format in FORMATS {
        if let Some(source) = (format.open)(&mut opening)? {
            return Ok(source);
        }
    }
    let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
    let message = format!("{}: no input format knows this file; known are {}", path.display(), names.join(", "));
    Err(Error::input(message))
}
