//! A file as stored → its text, and that text read by all threads: compression and encodings are told by the content, never
//! by the name.
//!
//! [`blocks`] reads plain files with all threads at once; [`stream`] reads what must be decoded from its start. Both leave it
//! to a [`Cut`] what a record is. [`lines`] is the cut of formats whose records are lines.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use self::blocks::Blocks;
use self::stream::Sequence;
use self::transcode::Transcode;
use self::unpack::Packing;
use super::stored::{Bytes, STANDARD_INPUT, Stored};
use super::{Encoding, Reader, TextOptions};
use crate::error::{Error, Result};
use crate::sync::lock;

mod block;
mod blocks;
mod cut;
mod ledger;
mod lines;
mod stream;
mod transcode;
mod unpack;
mod views;

pub use self::cut::{Cut, LineStart, Rows, Stop};
pub use self::ledger::Ledger;
pub use self::lines::{LONGEST_RECORD, LineFormat, Lines, Taken, without_line_end};
pub use self::views::Views;

/// So much of the text is looked at before it is read.
const HEAD: u64 = 1 << 20;
const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// Bytes of text that are read at a time: few enough that the text is still near when its fields are read, and enough that the piece of
/// the log has some dozens of events for each partition.
pub const BLOCK: usize = 1 << 20;

/// A text file that was looked at.
pub struct Text {
    stored: Arc<Stored>,
    /// The text of a pipe, until it is read.
    once: Option<Mutex<Option<Stream>>>,
    packing: Packing,
    pub encoding: Encoding,
}

/// The beginning of a text, in UTF-8.
pub struct Head {
    pub text: Vec<u8>,
    /// Length of the byte order mark at its start.
    pub mark: usize,
    /// Whether it is the whole text.
    pub whole: bool,
    /// The offset and the first byte of what is not UTF-8, where the encoding was guessed to be that.
    invalid: Option<(usize, u8)>,
}

impl Head {
    /// Refuses what is not UTF-8, for formats in which that is no matter of single records.
    pub fn check_utf8(&self, path: &Path) -> Result<()> {
        let Some((offset, byte)) = self.invalid else { return Ok(()) };
        let message = format!("{} is not valid UTF-8: byte {byte:#04x} at offset {offset}", path.display());
        Err(Error::input(message).hint("--encoding latin1 reads it as Latin-1"))
    }
}

/// The text from its start, decoded as it is read. A byte order mark of UTF-8 is still in it.
pub struct Stream {
    pub text: Box<dyn Read + Send>,
    consumed: Arc<AtomicU64>,
}

impl Stream {
    /// How many bytes as stored were read for it so far.
    pub fn consumed(&self) -> u64 {
        self.consumed.load(Ordering::Relaxed)
    }
}

impl Text {
    /// Looks at the beginning of what is stored.
    pub fn open(stored: &Arc<Stored>, options: &TextOptions) -> Result<(Text, Head)> {
        let (mut raw, consumed) = counted(stored.stream()?);
        let mut text =
            Text { stored: Arc::clone(stored), once: None, packing: Packing::None, encoding: Encoding::Utf8 };
        let (magic, _) = read_head(&mut raw, unpack::MAGIC).map_err(|error| text.read_error(&error, ""))?;
        text.packing = Packing::of(&magic);
        let unpacked = text.packing.unpack(Cursor::new(magic).chain(raw));
        let mut unpacked = unpacked.map_err(|error| text.read_error(&error, ""))?;
        let (start, failed) = read_head(&mut unpacked, HEAD).map_err(|error| text.read_error(&error, ""))?;
        if start.is_empty() {
            return Err(text.empty());
        }
        let start_is_whole = failed.is_none() && (start.len() as u64) < HEAD;
        text.encoding = options.encoding.or_else(|| marked_or_wide(&start)).unwrap_or(Encoding::Utf8);
        text.check(&start, options.delimiter)?;
        let guessed = options.encoding.is_none() && text.encoding == Encoding::Utf8;
        let invalid = if guessed { invalid(&start, start_is_whole) } else { None };

        let mut decoded = transcode(Cursor::new(start).chain(unpacked), text.encoding);
        let (head, failed) = read_head(&mut decoded, HEAD).map_err(|error| text.read_error(&error, ""))?;
        let head = Head {
            mark: if head.starts_with(UTF8_MARK) { UTF8_MARK.len() } else { 0 },
            whole: failed.is_none() && (head.len() as u64) < HEAD,
            text: head,
            invalid,
        };
        if stored.is_pipe() {
            let again = Box::new(Cursor::new(head.text.clone()).chain(decoded));
            text.once = Some(Mutex::new(Some(Stream { text: again, consumed })));
        }
        Ok((text, head))
    }

    /// Reads the text from `body` on, `block` bytes at a time, cut into records by `cut`.
    pub fn read<C: Cut>(self: &Arc<Self>, cut: C, body: LineStart, block: usize) -> Result<Box<dyn Reader>> {
        if self.is_plain() {
            Ok(Box::new(Blocks::new(self, cut, body, block)?))
        } else {
            Ok(Box::new(Sequence::new(self, cut, body, block)?))
        }
    }

    /// The words that describe how the text is stored, where that is out of the ordinary: `UTF-16LE`, `gzip`.
    pub fn describe(&self) -> impl Iterator<Item = String> {
        let encoding = match self.encoding {
            Encoding::Utf8 => None,
            Encoding::Utf16Le => Some("UTF-16LE"),
            Encoding::Utf16Be => Some("UTF-16BE"),
            Encoding::Latin1 => Some("Latin-1"),
        };
        encoding.into_iter().chain(self.packing.name()).map(str::to_owned)
    }

    /// Whether the bytes of the file are the text and can be read anywhere.
    fn is_plain(&self) -> bool {
        !self.stored.is_pipe() && self.packing == Packing::None && self.encoding == Encoding::Utf8
    }

    /// The file, to be read by position.
    fn file(&self) -> Result<Arc<File>> {
        self.stored.file()
    }

    /// The text from its start.
    fn stream(&self) -> Result<Stream> {
        if let Some(once) = &self.once
            && let Some(stream) = lock(once).take()
        {
            return Ok(stream);
        }
        let (raw, consumed) = counted(self.stored.stream()?);
        let unpacked = self.packing.unpack(raw).map_err(|error| self.read_error(&error, ""))?;
        Ok(Stream { text: transcode(unpacked, self.encoding), consumed })
    }

    /// Bytes as stored; 0 if nobody knows.
    pub fn bytes(&self) -> u64 {
        self.stored.bytes()
    }

    pub fn path(&self) -> &Path {
        self.stored.path()
    }

    /// An error from reading, with where it was met: empty, or words like `after 5 records`.
    fn read_error(&self, error: &io::Error, after: &str) -> Error {
        self.packing.error(self.path(), error, after).unwrap_or_else(|| Error::io(self.path(), error))
    }

    fn empty(&self) -> Error {
        if self.path().as_os_str() == STANDARD_INPUT {
            return Error::input("standard input is empty")
                .hint("send a log into it, or name a file, a glob or a folder");
        }
        Error::input(format!("{} is empty", self.path().display()))
    }

    /// Refuses what is not text.
    fn check(&self, start: &[u8], delimiter: Option<u8>) -> Result<()> {
        let wide = matches!(self.encoding, Encoding::Utf16Le | Encoding::Utf16Be);
        if wide || !is_binary(start, delimiter) {
            return Ok(());
        }
        Err(Error::input(format!("{} is not text", self.path().display()))
            .hint("it looks like binary data: is it another format?"))
    }
}

/// The offset and the first byte of what is not UTF-8. What is cut off at the end may go on behind it.
fn invalid(start: &[u8], whole: bool) -> Option<(usize, u8)> {
    let error = std::str::from_utf8(start).err()?;
    let offset = error.valid_up_to();
    (error.error_len().is_some() || whole).then(|| (offset, start[offset]))
}

/// The encoding that a byte order mark names; else UTF-16 if every other byte is zero, as in Western text without a mark.
fn marked_or_wide(start: &[u8]) -> Option<Encoding> {
    match start {
        [0xff, 0xfe, ..] => return Some(Encoding::Utf16Le),
        [0xfe, 0xff, ..] => return Some(Encoding::Utf16Be),
        _ => {}
    }
    let (pairs, _) = start[..start.len().min(1024)].as_chunks::<2>();
    let zeros = |place: usize| pairs.iter().filter(|pair| pair[place] == 0).count();
    let (first, second) = (zeros(0), zeros(1));
    let most = |zeros: usize| zeros * 4 >= pairs.len() * 3;
    let few = |zeros: usize| zeros * 4 < pairs.len();
    match () {
        () if most(second) && few(first) => Some(Encoding::Utf16Le),
        () if most(first) && few(second) => Some(Encoding::Utf16Be),
        () => None,
    }
}

/// Text has hardly any control characters; of random bytes every ninth is one.
fn is_binary(start: &[u8], delimiter: Option<u8>) -> bool {
    let is_control = |byte: u8| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r' | b'\x0c' | b'\x1b');
    let controls = start.iter().filter(|&&byte| is_control(byte) && Some(byte) != delimiter).count();
    controls * 50 > start.len()
}

/// The first `length` bytes, or all if there are fewer. A failure after a whole line is handed back beside what was read
/// before it: reading will meet it again and can then say how far it came.
fn read_head(from: &mut impl Read, length: u64) -> io::Result<(Vec<u8>, Option<io::Error>)> {
    let mut head = Vec::new();
    match from.take(length).read_to_end(&mut head) {
        Ok(_) => Ok((head, None)),
        Err(error) if head.contains(&b'\n') => Ok((head, Some(error))),
        Err(error) => Err(error),
    }
}

fn transcode(bytes: impl Read + Send + 'static, encoding: Encoding) -> Box<dyn Read + Send> {
    match encoding {
        Encoding::Utf8 => Box::new(bytes),
        Encoding::Utf16Le => Box::new(Transcode::new(bytes, encoding_rs::UTF_16LE)),
        Encoding::Utf16Be => Box::new(Transcode::new(bytes, encoding_rs::UTF_16BE)),
        Encoding::Latin1 => Box::new(Transcode::new(bytes, encoding_rs::WINDOWS_1252)),
    }
}

fn counted(bytes: Bytes) -> (Counted, Arc<AtomicU64>) {
    let consumed = Arc::new(AtomicU64::new(0));
    (Counted { bytes, consumed: Arc::clone(&consumed) }, consumed)
}

/// Counts what is read through it.
struct Counted {
    bytes: Bytes,
    consumed: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(into)?;
        self.consumed.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
