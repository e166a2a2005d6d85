//! Arrow IPC files and streams for tests.

use std::fs::File;
use std::path::Path;

use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};

use super::parquet::batch;

#[derive(Clone, Copy)]
pub enum Kind {
    File,
    Stream,
}

/// Writes the CSV `text` to `path`, in the types of [`batch`] and compressed with zstd, so many rows in a batch.
pub fn write(path: &Path, text: &str, rows: usize, kind: Kind) {
    let (batch, file) = (batch(text), File::create(path).unwrap());
    let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD)).unwrap();
    let parts = (0..batch.num_rows()).step_by(rows).map(|at| batch.slice(at, rows.min(batch.num_rows() - at)));
    match kind {
        Kind::File => {
            let mut writer = FileWriter::try_new_with_options(file, &batch.schema(), options).unwrap();
            parts.for_each(|part| writer.write(&part).unwrap());
            writer.finish().unwrap();
        }
        Kind::Stream => {
            let mut writer = StreamWriter::try_new_with_options(file, &batch.schema(), options).unwrap();
            parts.for_each(|part| writer.write(&part).unwrap());
            writer.finish().unwrap();
        }
    }
}
