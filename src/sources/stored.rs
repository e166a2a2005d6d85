//! Where the bytes of an input lie: in a file, behind a pipe, or in a copy of what came through one.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::error::{Error, Result};
use crate::sync::lock;

/// The name of standard input among the inputs.
pub const STANDARD_INPUT: &str = "-";

/// The bytes of an input, and what it is called.
pub struct Stored {
    path: PathBuf,
    place: Place,
    /// Bytes; 0 if nobody knows.
    bytes: u64,
}

enum Place {
    /// It is opened anew each time: a run may have more files than the system lets be open.
    File,
    /// What came through a pipe, in a file without a name.
    Copy(Arc<File>),
    /// It comes once.
    Pipe(Mutex<Option<Bytes>>),
}

/// The bytes of an input from its start.
pub type Bytes = Box<dyn Read + Send>;

impl Stored {
    /// Finds the bytes of `path`; `-` is standard input.
    pub fn open(path: &Path) -> Result<Stored> {
        let failed = |error: io::Error| Error::io(path, &error);
        let path = path.to_owned();
        if path.as_os_str() == STANDARD_INPUT {
            let input = io::stdin().as_fd().try_clone_to_owned().map_err(failed)?;
            return Ok(Stored { path, place: Place::pipe(Box::new(File::from(input))), bytes: 0 });
        }
        let file = File::open(&path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        // What the system makes up on demand, as under /proc, says that it has no bytes.
        if metadata.is_file() && metadata.len() > 0 {
            return Ok(Stored { path, place: Place::File, bytes: metadata.len() });
        }
        Ok(Stored { path, place: Place::pipe(Box::new(file)), bytes: 0 })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes there are; 0 if nobody knows.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the bytes come only once.
    pub fn is_pipe(&self) -> bool {
        matches!(self.place, Place::Pipe(_))
    }

    /// The first `length` bytes, or all if there are fewer. They are not lost.
    pub fn head(&mut self, length: u64) -> Result<Vec<u8>> {
        let mut head = Vec::new();
        let mut stream = self.stream()?;
        let read = stream.by_ref().take(length).read_to_end(&mut head);
        read.map_err(|error| Error::io(&self.path, &error))?;
        if self.is_pipe() {
            self.place = Place::pipe(Box::new(Cursor::new(head.clone()).chain(stream)));
        }
        Ok(head)
    }

    /// The bytes from their start. Those of a pipe are given once.
    pub fn stream(&self) -> Result<Bytes> {
        match &self.place {
            Place::File => Ok(Box::new(self.opened()?)),
            Place::Copy(file) => Ok(Box::new(Tail { file: Arc::clone(file), start: 0 })),
            Place::Pipe(bytes) => lock(bytes).take().ok_or_else(|| {
                Error::input(format!("{} is not a regular file, so it can be read only once", self.path.display()))
                    .hint("write it to a file first")
            }),
        }
    }

    /// The file that has the bytes, to be read by position.
    pub fn file(&self) -> Result<Arc<File>> {
        match &self.place {
            Place::File => self.opened().map(Arc::new),
            Place::Copy(file) => Ok(Arc::clone(file)),
            Place::Pipe(_) => Err(Error::bug(format!("{} is a pipe and no file", self.path.display()))),
        }
    }

    /// The bytes of a pipe where they can be read by position: copied into a file without a name.
    pub fn settled(&self) -> Result<Stored> {
        let failed = |error: io::Error| {
            Error::io(&self.path, &error).within("cannot keep what comes through a pipe in a temporary file").hint(format!(
                "it needs as much room as the input has bytes in {}: TMPDIR names another folder, or write the input to a file first",
                std::env::temp_dir().display()
            ))
        };
        let mut bytes = self.stream()?;
        let mut copy = tempfile::tempfile().map_err(failed)?;
        let bytes = io::copy(&mut bytes, &mut copy).map_err(failed)?;
        Ok(Stored { place: Place::Copy(Arc::new(copy)), bytes, path: self.path.clone() })
    }

    fn opened(&self) -> Result<File> {
        File::open(&self.path).map_err(|error| Error::io(&self.path, &error))
    }
}

impl Place {
    fn pipe(bytes: Bytes) -> Place {
        Place::Pipe(Mutex::new(Some(bytes)))
    }
}

/// The bytes of a shared file from a position on: no reader moves the cursor of another.
pub struct Tail {
    pub file: Arc<File>,
    pub start: u64,
}

impl Read for Tail {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(into, self.start)?;
        self.start += count as u64;
        Ok(count)
    }
}
