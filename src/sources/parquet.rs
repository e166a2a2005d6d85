//! Parquet: each row group is a split. Columns inside of structs have dotted names; lists and maps are no columns.

mod pages;
mod rows;

use std::path::Path;
use std::sync::Arc;

use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::ChunkReader;

use self::pages::Pages;
use self::rows::{Column, Part, RowGroups, share};
use super::stored::Stored;
use super::{Format, Opening, Reader, Source, Wanted};
use crate::error::{Error, Result};

/// Parquet files.
pub const FORMAT: Format = Format { name: "Parquet", flag: "parquet", open };

/// What every Parquet file begins and ends with.
const MAGIC: &[u8] = b"PAR1";
/// The same if the footer is encrypted.
const ENCRYPTED: &[u8] = b"PARE";
/// The magic twice and the length of the footer: no file is shorter.
const SHORTEST: u64 = 12;

/// Opens a Parquet file, or says `None` if it does not begin as one.
fn open(opening: &mut Opening) -> Result<Option<Box<dyn Source>>> {
    let path = opening.path();
    if opening.head.starts_with(ENCRYPTED) {
        return Err(Error::input(format!("{}: the Parquet file is encrypted", path.display()))
            .hint("export it again without encryption"));
    }
    if !opening.head.starts_with(MAGIC) {
        return Ok(None);
    }
    let stored = opening.settled()?;
    let pages = Pages::open(&stored)?;
    let metadata = footer(stored.path(), &pages)?;
    let schema = metadata.parquet_schema();
    let leaves: Vec<_> = (0..schema.num_columns()).filter(|leaf| schema.column(*leaf).max_rep_level() == 0).collect();
    let columns = leaves.iter().map(|leaf| schema.column(*leaf).path().string()).collect();
    Ok(Some(Box::new(ParquetFile { stored, bytes: pages.length, metadata, columns, leaves })))
}

/// Reads the footer: what the columns are and where they lie.
fn footer(path: &Path, pages: &Pages) -> Result<ArrowReaderMetadata> {
    let damaged = |error: ParquetError| {
        Error::input(format!("{}: the Parquet file is damaged: {error}", path.display()))
            .hint("copy or export the file again")
    };
    let whole = pages.length >= SHORTEST && pages.get_bytes(pages.length - 4, 4).map_err(damaged)? == MAGIC;
    if !whole {
        return Err(Error::input(format!("{}: the Parquet file is cut off: its footer is missing", path.display()))
            .hint("copy or export the file again; a file that is still being written has no footer yet"));
    }
    // The Arrow schema that some writers embed is not read: its decoder panics on damage, and only types that Parquet does
    // not know are lost with it. They come as integers.
    let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::load(pages, plain).map_err(damaged)?;
    check(metadata.metadata(), pages.length).map_err(damaged)?;
    Ok(metadata)
}

/// Refuses a footer that contradicts itself or the file, because the decoder trusts it.
fn check(metadata: &ParquetMetaData, length: u64) -> Result<(), ParquetError> {
    let mut rows = Some(0i64);
    for (number, group) in metadata.row_groups().iter().enumerate() {
        if let Some(chunk) = group.columns().iter().find(|chunk| !lies_within(chunk, length)) {
            let name = chunk.column_path();
            return Err(ParquetError::General(format!("column {name} of row group {number} lies outside of it")));
        }
        rows = rows.and_then(|rows| rows.checked_add(group.num_rows())).filter(|_| group.num_rows() >= 0);
    }
    if rows != Some(metadata.file_metadata().num_rows()) {
        return Err(ParquetError::General("its number of rows is not that of its row groups".to_owned()));
    }
    Ok(())
}

fn lies_within(chunk: &ColumnChunkMetaData, length: u64) -> bool {
    let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
    let end = start.checked_add(chunk.compressed_size());
    start >= 0 && chunk.compressed_size() >= 0 && end.is_some_and(|end| end as u64 <= length)
}

/// A Parquet file whose footer was read.
struct ParquetFile {
    stored: Arc<Stored>,
    bytes: u64,
    metadata: ArrowReaderMetadata,
    columns: Vec<String>,
    /// Which leaf of the schema each column is.
    leaves: Vec<usize>,
}

impl Source for ParquetFile {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn describe(&self) -> String {
        let groups = self.metadata.metadata().row_groups();
        let codec =
            groups.first().and_then(|group| group.columns().first()).map(|chunk| chunk.compression().to_string());
        // `ZSTD(ZstdLevel(1))`: the level is not stored, so it is made up.
        let codec = codec.as_deref().and_then(|codec| codec.split('(').next()).unwrap_or("empty").to_lowercase();
        let plural = if groups.len() == 1 { "" } else { "s" };
        format!("Parquet, {codec}, {} row group{plural}", groups.len())
    }

    fn read(&self, wanted: &[Wanted]) -> Result<Box<dyn Reader>> {
        let pages = Pages::open(&self.stored)?;
        if pages.length != self.bytes {
            return Err(Error::input(format!(
                "{}: the file has changed since it was opened",
                self.stored.path().display()
            )));
        }
        let columns = self.chosen(wanted);
        let parts = self.parts(&columns);
        Ok(Box::new(RowGroups::new(self.stored.path(), pages, self.metadata.clone(), columns, parts)))
    }
}

impl ParquetFile {
    /// Where to find the wanted columns.
    fn chosen(&self, wanted: &[Wanted]) -> Vec<Column> {
        let schema = self.metadata.parquet_schema();
        let root = |want: &Wanted| schema.get_column_root_idx(self.leaves[want.column]);
        let mut roots: Vec<_> = wanted.iter().map(root).collect();
        roots.sort_unstable();
        roots.dedup();
        let column = |want: &Wanted| Column {
            leaf: self.leaves[want.column],
            root: roots.partition_point(|other| *other < root(want)),
            path: schema.column(self.leaves[want.column]).path().clone(),
            use_as: want.use_as,
        };
        wanted.iter().map(column).collect()
    }

    /// The row groups to read. Progress follows the compressed size of the columns that are read, scaled so that it ends at
    /// the size of the file.
    fn parts(&self, columns: &[Column]) -> Vec<Part> {
        let groups = self.metadata.metadata().row_groups();
        let size = |group: &RowGroupMetaData| -> u64 {
            columns.iter().map(|column| group.column(column.leaf).compressed_size() as u64).sum()
        };
        let total = groups.iter().map(size).sum();
        let (mut row, mut read) = (1, 0);
        let part = |(number, group): (usize, &RowGroupMetaData)| {
            let (first, before) = (row, read);
            row += group.num_rows() as u64;
            read += size(group);
            let progress = share(self.bytes, before, total)..share(self.bytes, read, total);
            Part { group: number, rows: first..row, progress, outside: false }
        };
        groups.iter().enumerate().map(part).collect()
    }
}

#[cfg(test)]
mod tests;
