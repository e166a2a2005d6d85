//! Bytes → numbered splits of raw columns. One file per format; a new format is one new file and one line in [`FORMATS`].
//!
//! A source is opened once (format, columns), then read by all threads at once: each calls [`Reader::next`] until it says
//! `None`. The reader numbers its splits in file order, so that the order of events never depends on which thread read them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::events::RawBatch;
pub use crate::events::{UseAs, Wanted};

mod csv;
mod parquet;

/// Every input format, tried in order: the last one takes whatever is text.
pub const FORMATS: &[Format] = &[parquet::FORMAT, csv::FORMAT];

/// An input format.
pub struct Format {
    pub name: &'static str,
    /// Opens a file, or says `None` if its first bytes are not of this format.
    pub open: Open,
}

/// Opens the file at a path whose first bytes are `head`.
pub type Open = fn(path: &Path, head: &[u8], &TextOptions) -> Result<Option<Box<dyn Source>>>;

/// One file of a known format, whose columns are known. It holds no file open.
pub trait Source: Send + Sync {
    /// The names of the columns, in file order.
    fn columns(&self) -> &[String];

    /// The file's size as stored, in bytes: the length of the progress bar.
    fn bytes(&self) -> u64;

    /// What was found out about the file, in a few words for people: `CSV, comma, gzip`.
    fn describe(&self) -> String;

    /// Starts reading. Only the asked-for columns are decoded, in the order asked for.
    fn read(&self, wanted: &[Wanted]) -> Result<Box<dyn Reader>>;
}

/// A file being read by several threads at once.
pub trait Reader: Send + Sync {
    /// The next split, or `None` when all have been handed out.
    ///
    /// Splits are handed out in file order, each to one thread. A thread must finish a split or drop it before it asks for
    /// the next one; it may wait here for the thread that reads the split before.
    fn next(&self) -> Result<Option<Split>>;
}

/// One part of a file. Splits with smaller numbers stand earlier in the file.
pub struct Split {
    pub number: u32,
    /// The records of the split, in file order.
    pub batches: Box<dyn Iterator<Item = Result<RawBatch>> + Send>,
}

/// How to read text formats, as far as the user said.
#[derive(Clone, Debug, Default)]
pub struct TextOptions {
    /// Field delimiter; found out from the header if not given.
    pub delimiter: Option<u8>,
    /// Text encoding; UTF-8 (or what the byte order mark says) if not given.
    pub encoding: Option<Encoding>,
}

/// The text encodings that are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    Utf8,
    #[value(name = "utf16le")]
    Utf16Le,
    #[value(name = "utf16be")]
    Utf16Be,
    /// ISO-8859-1, read as its superset Windows-1252 as browsers do
    Latin1,
}

/// Bytes of a file that tell its format.
const HEAD: u64 = 16;

/// Opens `path` with the first format that knows its content.
pub fn open(path: &Path, options: &TextOptions) -> Result<Box<dyn Source>> {
    let head = head(path).map_err(|error| Error::io(path, &error))?;
    for format in FORMATS {
        if let Some(source) = (format.open)(path, &head, options)? {
            return Ok(source);
        }
    }
    let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
    let message = format!("{}: no input format knows this file; known are {}", path.display(), names.join(", "));
    Err(Error::input(message))
}

/// The first bytes of a file. Those of a pipe are gone once read: they are left to the format that takes whatever is text.
fn head(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    if path.metadata()?.is_file() {
        File::open(path)?.take(HEAD).read_to_end(&mut head)?;
    }
    Ok(head)
}
