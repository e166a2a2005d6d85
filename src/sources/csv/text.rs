//! A file as stored → its text: gzip and encodings, told by the content, never by the name.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use flate2::bufread::MultiGzDecoder;

use super::transcode::Transcode;
use crate::error::{Error, Result};
use crate::sources::Encoding;
use crate::sync::lock;

/// So much of the text is looked at before it is read.
const HEAD: u64 = 1 << 20;
const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// A text file that was looked at.
pub(super) struct Text {
    path: PathBuf,
    stored: Stored,
    pub gzip: bool,
    pub encoding: Encoding,
    /// Bytes as stored; 0 if nobody knows.
    pub bytes: u64,
}

/// The beginning of a text, in UTF-8.
pub(super) struct Head {
    pub text: Vec<u8>,
    /// Length of the byte order mark at its start.
    pub mark: usize,
    /// Whether it is the whole text.
    pub whole: bool,
}

/// How to come by the text.
enum Stored {
    /// As often as wanted: the file is opened anew each time.
    File,
    /// Once.
    Pipe(Mutex<Option<Stream>>),
}

/// The text from its start, decoded as it is read. A byte order mark of UTF-8 is still in it.
pub(super) struct Stream {
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
    /// Opens `path` and looks at its beginning. `delimiter` is one that was asked for: it may be a control character.
    pub fn open(path: &Path, encoding: Option<Encoding>, delimiter: Option<u8>) -> Result<(Text, Head)> {
        let file = File::open(path).map_err(|error| Error::io(path, &error))?;
        let metadata = file.metadata().map_err(|error| Error::io(path, &error))?;
        // What the system makes up on demand, as under /proc, says that it has no bytes.
        let regular = metadata.is_file() && metadata.len() > 0;
        let mut text = Text {
            path: path.to_owned(),
            stored: Stored::File,
            gzip: false,
            encoding: Encoding::Utf8,
            bytes: if regular { metadata.len() } else { 0 },
        };

        let (mut raw, consumed) = counted(file);
        let (magic, _) = read_head(&mut raw, 3).map_err(|error| text.read_error(&error, ""))?;
        text.gzip = magic == [0x1f, 0x8b, 8];
        let mut stored = unpack(Cursor::new(magic).chain(raw), text.gzip);
        let (start, failed) = read_head(&mut stored, HEAD).map_err(|error| text.read_error(&error, ""))?;
        if start.is_empty() {
            return Err(Error::input(format!("{} is empty", path.display())));
        }
        let start_is_whole = failed.is_none() && (start.len() as u64) < HEAD;
        text.encoding = encoding.or_else(|| marked_or_wide(&start)).unwrap_or(Encoding::Utf8);
        text.check(&start, start_is_whole, encoding.is_none(), delimiter)?;

        let mut decoded = transcode(Cursor::new(start).chain(stored), text.encoding);
        let (head, failed) = read_head(&mut decoded, HEAD).map_err(|error| text.read_error(&error, ""))?;
        let head = Head {
            mark: if head.starts_with(UTF8_MARK) { UTF8_MARK.len() } else { 0 },
            whole: failed.is_none() && (head.len() as u64) < HEAD,
            text: head,
        };
        if !regular {
            let again = Box::new(Cursor::new(head.text.clone()).chain(decoded));
            text.stored = Stored::Pipe(Mutex::new(Some(Stream { text: again, consumed })));
        }
        Ok((text, head))
    }

    /// Whether the bytes of the file are the text and can be read anywhere.
    pub fn is_plain(&self) -> bool {
        matches!(self.stored, Stored::File) && !self.gzip && self.encoding == Encoding::Utf8
    }

    /// The file, from its start.
    pub fn file(&self) -> Result<File> {
        File::open(&self.path).map_err(|error| Error::io(&self.path, &error))
    }

    /// The text from its start.
    pub fn stream(&self) -> Result<Stream> {
        match &self.stored {
            Stored::File => {
                let (raw, consumed) = counted(self.file()?);
                Ok(Stream { text: transcode(unpack(raw, self.gzip), self.encoding), consumed })
            }
            Stored::Pipe(stream) => lock(stream).take().ok_or_else(|| {
                Error::input(format!("{} is not a regular file, so it can be read only once", self.path.display()))
                    .hint("write it to a file first")
            }),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An error from reading, with where it was met: empty, or words like `after 5 records`.
    pub fn read_error(&self, error: &io::Error, after: &str) -> Error {
        let path = self.path.display();
        let after = if after.is_empty() { String::new() } else { format!(", {after}") };
        match error.kind() {
            io::ErrorKind::UnexpectedEof if self.gzip => Error::input(format!(
                "{path}: the gzip data break off{after}"
            ))
            .hint("the file is cut short: fetch it again, or save what is there with `gzip -dc FILE > part.csv`"),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput if self.gzip => {
                Error::input(format!("{path}: the gzip data are damaged{after} ({error})"))
                    .hint("fetch the file again; `gzip -t FILE` checks it")
            }
            _ => Error::io(&self.path, error),
        }
    }

    /// Refuses what is not text, or is not in the encoding that was guessed.
    fn check(&self, start: &[u8], whole: bool, guessed: bool, delimiter: Option<u8>) -> Result<()> {
        if matches!(self.encoding, Encoding::Utf16Le | Encoding::Utf16Be) {
            return Ok(());
        }
        let path = self.path.display();
        if is_binary(start, delimiter) {
            return Err(
                Error::input(format!("{path} is not text")).hint("it looks like binary data: is it another format?")
            );
        }
        if !guessed {
            return Ok(());
        }
        match std::str::from_utf8(start) {
            Err(error) if error.error_len().is_some() || whole => {
                let byte = error.valid_up_to();
                let message = format!("{path} is not valid UTF-8: byte {:#04x} at offset {byte}", start[byte]);
                Err(Error::input(message).hint("--encoding latin1 reads it as Latin-1"))
            }
            // What is cut off at the end of the head may go on behind it.
            _ => Ok(()),
        }
    }
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

fn unpack(stored: impl Read + Send + 'static, gzip: bool) -> Box<dyn Read + Send> {
    if gzip { Box::new(MultiGzDecoder::new(BufReader::with_capacity(128 << 10, stored))) } else { Box::new(stored) }
}

fn transcode(bytes: impl Read + Send + 'static, encoding: Encoding) -> Box<dyn Read + Send> {
    match encoding {
        Encoding::Utf8 => Box::new(bytes),
        Encoding::Utf16Le => Box::new(Transcode::new(bytes, encoding_rs::UTF_16LE)),
        Encoding::Utf16Be => Box::new(Transcode::new(bytes, encoding_rs::UTF_16BE)),
        Encoding::Latin1 => Box::new(Transcode::new(bytes, encoding_rs::WINDOWS_1252)),
    }
}

fn counted(file: File) -> (Counted, Arc<AtomicU64>) {
    let consumed = Arc::new(AtomicU64::new(0));
    (Counted { file, consumed: Arc::clone(&consumed) }, consumed)
}

/// Counts what is read through it.
struct Counted {
    file: File,
    consumed: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        self.consumed.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
