//! Room on disk for what outgrows its share of the memory.
//!
//! A run has one file for all of it. The file is made when it is first needed, nobody else may read it, and its name is gone
//! before anything is written: so nothing is left of it when the run ends, however it ends.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::error::{Error, Result};
use crate::sync::lock;

/// The file of a run, shared by its threads.
#[derive(Debug)]
pub struct Spill {
    folder: PathBuf,
    /// What takes fewer bytes than this stays in memory.
    worth: usize,
    room: Mutex<Option<Room>>,
}

#[derive(Debug)]
struct Room {
    file: Arc<File>,
    /// Bytes written, or given to somebody who writes them now.
    end: u64,
}

/// What was written in one go.
#[derive(Clone, Debug)]
pub struct Extent {
    spill: Arc<Spill>,
    file: Arc<File>,
    start: u64,
    end: u64,
}

impl Spill {
    /// Fewer bytes are not worth the handle that remembers them, nor a read of their own.
    const WORTH: usize = 4 << 10;
    const BUFFER: usize = 64 << 10;

    /// In the system's folder for temporary files.
    pub fn new() -> Spill {
        Spill { folder: std::env::temp_dir(), worth: Self::WORTH, room: Mutex::new(None) }
    }

    /// In `folder`, which is tried at once: who names a folder wants to hear now that it cannot be used.
    pub fn within(folder: &Path) -> Result<Spill> {
        let room = Room::new(folder).map_err(|error| {
            Error::io(folder, &error).hint("--spill-dir takes a folder that is there and may be written to")
        })?;
        Ok(Spill { folder: folder.to_owned(), room: Mutex::new(Some(room)), ..Spill::new() })
    }

    /// The same, but it takes whatever has at least `bytes`.
    #[must_use]
    pub fn worth(self, bytes: usize) -> Spill {
        Spill { worth: bytes, ..self }
    }

    /// Whether `bytes` are worth writing.
    pub fn takes(&self, bytes: usize) -> bool {
        bytes >= self.worth
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        lock(&self.room).as_ref().map_or(0, |room| room.end)
    }

    /// Writes what `write` writes. The other threads wait meanwhile.
    pub fn write(self: &Arc<Self>, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Extent> {
        let mut room = lock(&self.room);
        let written = self.open(&mut room).and_then(|room| Ok((Arc::clone(&room.file), room.write(write)?)));
        let (file, (start, end)) = written.map_err(|error| self.error(&error))?;
        Ok(Extent { spill: Arc::clone(self), file, start, end })
    }

    /// Writes `bytes`. Other threads may do so at the same time.
    pub fn append(self: &Arc<Self>, bytes: &[u8]) -> Result<Extent> {
        let (file, start) = {
            let mut room = lock(&self.room);
            let room = self.open(&mut room).map_err(|error| self.error(&error))?;
            let start = room.end;
            room.end += bytes.len() as u64;
            (Arc::clone(&room.file), start)
        };
        file.write_all_at(bytes, start).map_err(|error| self.error(&error))?;
        Ok(Extent { spill: Arc::clone(self), file, start, end: start + bytes.len() as u64 })
    }

    fn open<'a>(&self, room: &'a mut Option<Room>) -> io::Result<&'a mut Room> {
        match room {
            Some(room) => Ok(room),
            empty => Ok(empty.insert(Room::new(&self.folder)?)),
        }
    }

    fn error(&self, error: &io::Error) -> Error {
        Error::io(&self.folder, error).hint(
            "what outgrows the memory goes there: name a folder with more room with --spill-dir, or give more with --memory",
        )
    }
}

impl Default for Spill {
    fn default() -> Self {
        Spill::new()
    }
}

impl Room {
    fn new(folder: &Path) -> io::Result<Room> {
        // Where a file without a name is not possible it has one for a moment, in a folder that nobody else may enter.
        let private = tempfile::Builder::new().prefix("clickpath-").tempdir_in(folder)?;
        Ok(Room { file: Arc::new(tempfile::tempfile_in(&private)?), end: 0 })
    }

    fn write(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<(u64, u64)> {
        let start = self.end;
        (&*self.file).seek(SeekFrom::Start(start))?;
        let mut writer = BufWriter::with_capacity(Spill::BUFFER, &*self.file);
        write(&mut writer)?;
        writer.flush()?;
        drop(writer);
        self.end = (&*self.file).stream_position()?;
        Ok((start, self.end))
    }
}

impl Extent {
    /// Reads it from its beginning.
    pub fn reader(&self) -> BufReader<Rest> {
        let size = usize::try_from(self.end - self.start).map_or(Spill::BUFFER, |size| size.min(Spill::BUFFER));
        BufReader::with_capacity(size, Rest(self.clone()))
    }

    /// Fills `into` with what begins at byte `at` of it.
    pub fn read_at(&self, at: u64, into: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(into, self.start + at).map_err(|error| self.error(&error))
    }

    /// The file that it is in.
    pub fn spill(&self) -> &Arc<Spill> {
        &self.spill
    }

    /// An error about reading it.
    pub fn error(&self, error: &io::Error) -> Error {
        self.spill.error(error)
    }
}

/// What is still to be read of an extent.
#[derive(Debug)]
pub struct Rest(Extent);

impl Read for Rest {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Extent { file, start, end, .. } = &mut self.0;
        let left = usize::try_from(*end - *start).unwrap_or(usize::MAX);
        let wanted = into.len().min(left);
        let read = file.read_at(&mut into[..wanted], *start)?;
        *start += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn written(spill: &Arc<Spill>, bytes: &[u8]) -> Extent {
        spill.write(|writer| writer.write_all(bytes)).unwrap()
    }

    fn read(extent: &Extent) -> Vec<u8> {
        let mut bytes = Vec::new();
        extent.reader().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn extents_are_read_as_they_were_written_however_often() {
        let spill = Arc::new(Spill::new());
        let large: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
        let extents = [written(&spill, &large), written(&spill, b""), written(&spill, b"small")];
        for _ in 0..2 {
            assert_eq!(read(&extents[0]), large);
            assert_eq!(read(&extents[1]), b"");
            assert_eq!(read(&extents[2]), b"small");
        }
        let more = written(&spill, b"more");
        assert_eq!((read(&more), read(&extents[2])), (b"more".to_vec(), b"small".to_vec()));
        assert_eq!(spill.bytes(), 300_009);
    }

    #[test]
    fn many_write_at_once_and_read_anywhere() {
        let spill = Arc::new(Spill::new());
        let extents: Vec<Extent> = std::thread::scope(|scope| {
            let write = |byte: u8| {
                let spill = &spill;
                scope.spawn(move || spill.append(&vec![byte; 50_000 + usize::from(byte)]).unwrap())
            };
            (0..8).map(write).collect::<Vec<_>>().into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let run = written(&spill, b"a run");
        for (byte, extent) in (0u8..).zip(&extents) {
            assert_eq!(read(extent), vec![byte; 50_000 + usize::from(byte)]);
            let mut last = [0xFF; 7];
            extent.read_at(49_993 + u64::from(byte), &mut last).unwrap();
            assert_eq!(last, [byte; 7]);
        }
        assert_eq!(read(&run), b"a run");
        let end = spill.bytes();
        assert!(run.read_at(end, &mut [0]).is_err(), "nothing lies behind the end");
    }

    #[test]
    fn readers_take_turns() {
        let spill = Arc::new(Spill::new());
        let extents = [1u8, 2].map(|byte| written(&spill, &[byte; 200_000]));
        let mut readers = extents.each_ref().map(Extent::reader);
        for _ in 0..200 {
            for (number, reader) in (1..).zip(&mut readers) {
                let mut block = [0; 1000];
                reader.read_exact(&mut block).unwrap();
                assert_eq!(block, [number; 1000]);
            }
        }
    }

    #[test]
    fn nothing_is_left_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let names = || std::fs::read_dir(folder.path()).unwrap().count();
        let spill = Arc::new(Spill::within(folder.path()).unwrap());
        assert_eq!(names(), 0);
        let extent = written(&spill, b"secret");
        assert_eq!((names(), read(&extent)), (0, b"secret".to_vec()));
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_an_error_with_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("nowhere");
        let error = Spill::within(&nowhere).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("nowhere") && error.advice().is_some());

        let spill = Arc::new(Spill { folder: nowhere, ..Spill::new() });
        let error = spill.write(|_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("nowhere") && error.advice().is_some_and(|hint| hint.contains("--memory")));
    }

    #[test]
    fn a_write_that_fails_is_an_error() {
        let spill = Arc::new(Spill::new());
        let error = spill.write(|_| Err(io::Error::other("no space"))).unwrap_err();
        assert!(error.to_string().ends_with("no space"));
    }

    #[test]
    fn little_is_not_worth_writing() {
        let spill = Spill::new();
        assert!(!spill.takes(100) && spill.takes(1 << 20) && spill.worth(0).takes(0));
    }
}
