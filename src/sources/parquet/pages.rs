//! A file whose pages are read by position.

use std::fs::File;
use std::io::{BufReader, Read};
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

use crate::error::{Error, Result};
use crate::sources::stored::{Stored, Tail};

/// A file that all threads read at once: no reader moves the cursor of another, as the readers of a [`File`] itself do.
///
/// Pages are read one by one, so that only what is being decoded is in memory, however large the row groups are.
#[derive(Clone)]
pub struct Pages {
    file: Arc<File>,
    pub length: u64,
}

impl Pages {
    pub fn open(stored: &Stored) -> Result<Self> {
        let file = stored.file()?;
        let length = file.metadata().map_err(|error| Error::io(stored.path(), &error))?.len();
        Ok(Pages { file, length })
    }
}

impl Length for Pages {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Pages {
    type T = BufReader<Tail>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        // Only the headers of pages are read through it: they have some dozens of bytes.
        Ok(BufReader::with_capacity(1024, Tail { file: Arc::clone(&self.file), start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        // Checked before memory is taken for it.
        if start.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(ParquetError::EOF("a page lies outside of the file".to_owned()));
        }
        let mut bytes = Vec::with_capacity(length);
        Tail { file: Arc::clone(&self.file), start }.take(length as u64).read_to_end(&mut bytes)?;
        if bytes.len() < length {
            return Err(ParquetError::EOF("the file has become shorter".to_owned()));
        }
        Ok(bytes.into())
    }
}
