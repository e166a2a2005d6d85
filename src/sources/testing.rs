//! What the tests of all formats share.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::PathBuf;

use arrow_array::{Array, BinaryViewArray};
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::*;
use crate::events::{RawBatch, Reason};

/// A folder with one file in it.
pub struct OneFile {
    _folder: TempDir,
    pub path: PathBuf,
}

pub fn file(name: &str, bytes: &[u8]) -> OneFile {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    OneFile { _folder: folder, path }
}

pub fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(text, 1).unwrap()
}

/// All batches in the order of their splits, read by so many threads.
pub fn batches(reader: &dyn Reader, threads: usize) -> Result<Vec<RawBatch>> {
    let drain = || {
        let mut splits = Vec::new();
        while let Some(split) = reader.next()? {
            splits.push((split.number, split.batches.collect::<Result<Vec<_>>>()?));
        }
        Ok(splits)
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(drain)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut splits = BTreeMap::new();
    for result in results {
        for (number, batches) in result? {
            assert!(splits.insert(number, batches).is_none(), "split {number} was handed out twice");
        }
    }
    assert!(splits.keys().copied().eq(0..splits.len() as u32), "a split is missing");
    Ok(splits.into_values().flatten().collect())
}

/// The values of a record, missing ones as `None`.
pub type Record = Vec<Option<Vec<u8>>>;

/// What a text file holds, each with its line.
#[derive(Default, PartialEq)]
pub struct Content {
    pub records: Vec<(u64, Record)>,
    pub rejected: Vec<(u64, Reason, Vec<u8>)>,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (line, record) in &self.records {
            let fields: Vec<_> =
                record.iter().map(|field| field.as_ref().map(|field| field.escape_ascii().to_string())).collect();
            writeln!(f, "\nline {line}: {fields:?}")?;
        }
        for (line, reason, text) in &self.rejected {
            writeln!(f, "\nline {line}: {reason:?}: {}", text.escape_ascii())?;
        }
        Ok(())
    }
}

/// Everything in the columns `wanted` of a text file, read by so many threads.
pub fn content(source: &dyn Source, wanted: &[Wanted], threads: usize) -> Result<Content> {
    let reader = source.read(wanted)?;
    let mut content = Content::default();
    let mut bytes = 0;
    for batch in batches(reader.as_ref(), threads)? {
        let columns: Vec<&BinaryViewArray> =
            batch.columns.iter().map(|column| column.as_any().downcast_ref().unwrap()).collect();
        for column in &columns {
            BinaryViewArray::try_new(column.views().clone(), column.data_buffers(), column.nulls().cloned()).unwrap();
            assert_eq!(column.len(), batch.rows);
        }
        for row in 0..batch.rows {
            let values = columns.iter().map(|column| column.is_valid(row).then(|| column.value(row).to_vec()));
            content.records.push((batch.origin.place(row), values.collect()));
        }
        let reject = |reject: crate::events::Reject| (reject.place, reject.reason, reject.text.unwrap());
        content.rejected.extend(batch.rejected.into_iter().map(reject));
        bytes += batch.bytes;
    }
    if source.bytes() > 0 && content != Content::default() {
        assert_eq!(bytes, source.bytes(), "the progress bar does not reach its end");
    }
    Ok(content)
}

/// Every column of a source.
pub fn all(source: &dyn Source) -> Vec<Wanted> {
    (0..source.columns().len()).map(|column| Wanted { column, use_as: UseAs::Names }).collect()
}
