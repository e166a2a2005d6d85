//! Row groups being read, in the Arrow types that cost least.

use std::collections::HashMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, NullArray, RecordBatch, make_array};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Fields, Schema, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::{ConvertedType, Encoding};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnPath;

use super::pages::Pages;
use crate::error::{Error, Result};
use crate::events::{Origin, RawBatch, micros, sane};
use crate::sources::{Outside, Reader, Split, UseAs};
use crate::sync::lock;

/// Enough rows that the work per batch vanishes, few enough for the second-level cache.
const BATCH_ROWS: usize = 16_384;

/// A column to read.
#[derive(Clone)]
pub struct Column {
    /// Its place among the leaves of the schema.
    pub leaf: usize,
    /// The place of its outermost field among those that are read.
    pub root: usize,
    /// The names that lead to it: more than one inside of structs.
    pub path: ColumnPath,
    pub use_as: UseAs,
}

impl Column {
    /// Its values in `batch`, which has the columns in file order.
    fn values(&self, batch: &RecordBatch) -> Option<ArrayRef> {
        let root = batch.columns().get(self.root)?;
        self.path.parts().iter().skip(1).try_fold(Arc::clone(root), |array, name| {
            let group = array.as_struct_opt()?;
            let child = group.column_by_name(name)?;
            match group.nulls() {
                // A required field has no nulls of its own, but is null where the struct is.
                Some(nulls) if child.nulls().is_none() => masked(child, nulls),
                _ => Some(Arc::clone(child)),
            }
        })
    }
}

fn masked(array: &ArrayRef, nulls: &NullBuffer) -> Option<ArrayRef> {
    array.to_data().into_builder().nulls(Some(nulls.clone())).build().ok().map(make_array)
}

/// A row group to read.
#[derive(Clone)]
pub struct Part {
    pub group: usize,
    /// The numbers of its rows, counted from 1.
    pub rows: Range<u64>,
    /// Where the progress stands before and after it.
    pub progress: Range<u64>,
    /// Whether its statistics say that all its times are outside of those that are asked for.
    pub outside: bool,
}

impl Part {
    /// Where the progress stands before row `row`.
    fn progress_at(&self, row: u64) -> u64 {
        let (length, rows) = (self.progress.end - self.progress.start, self.rows.end - self.rows.start);
        self.progress.start + share(length, row - self.rows.start, rows)
    }
}

/// `whole × part / total`, rounded down.
pub fn share(whole: u64, part: u64, total: u64) -> u64 {
    (u128::from(whole) * u128::from(part) / u128::from(total.max(1))) as u64
}

/// The row groups of a file, handed out one by one.
pub struct RowGroups {
    path: Arc<Path>,
    pages: Pages,
    metadata: ArrowReaderMetadata,
    /// None for a column that was forgotten.
    columns: Mutex<Arc<[Option<Column>]>>,
    parts: Vec<Part>,
    next: AtomicUsize,
}

impl RowGroups {
    pub fn new(
        path: &Path,
        pages: Pages,
        metadata: ArrowReaderMetadata,
        columns: Vec<Column>,
        parts: Vec<Part>,
    ) -> Self {
        let columns = Mutex::new(columns.into_iter().map(Some).collect());
        RowGroups { path: path.into(), pages, metadata, columns, parts, next: AtomicUsize::new(0) }
    }

    fn open(&self, group: usize, columns: &[Option<Column>]) -> ParquetResult<ParquetRecordBatchReader> {
        // The decoder refuses a type that it cannot give; then it gives its own.
        let metadata = self.typed(group, columns).unwrap_or_else(|_| self.metadata.clone());
        let leaves = columns.iter().flatten().map(|column| column.leaf);
        let mask = ProjectionMask::leaves(metadata.parquet_schema(), leaves);
        ParquetRecordBatchReaderBuilder::new_with_metadata(self.pages.clone(), metadata)
            .with_row_groups(vec![group])
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS)
            .build()
    }

    /// The metadata with the Arrow types that suit the row group best.
    fn typed(&self, group: usize, columns: &[Option<Column>]) -> ParquetResult<ArrowReaderMetadata> {
        let group = self.metadata.metadata().row_group(group);
        let wanted = |column: &Column| (column.path.string(), (column.use_as, group.column(column.leaf)));
        let wanted = columns.iter().flatten().map(wanted).collect();
        let schema = Schema::new(retyped(self.metadata.schema().fields(), "", &wanted));
        let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
        ArrowReaderMetadata::try_new(Arc::clone(self.metadata.metadata()), options)
    }
}

impl Reader for RowGroups {
    fn next(&self) -> Result<Option<Split>> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let Some(part) = self.parts.get(number) else { return Ok(None) };
        let number = number as u32;
        if part.outside {
            let outside =
                Outside { records: part.rows.end - part.rows.start, bytes: part.progress.end - part.progress.start };
            return Ok(Some(Split { outside, ..Split::whole(number, std::iter::empty()) }));
        }
        let columns = Arc::clone(&lock(&self.columns));
        let reader = match self.open(part.group, &columns) {
            Ok(reader) => reader,
            Err(error) => {
                // A failure belongs to its row group, so it travels in the split.
                let error = Err(broken(&self.path, part.group, &error));
                return Ok(Some(Split::whole(number, std::iter::once(error))));
            }
        };
        let batches = Batches {
            path: Arc::clone(&self.path),
            columns,
            part: part.clone(),
            row: part.rows.start,
            reader: Some(reader),
        };
        Ok(Some(Split::whole(number, batches)))
    }

    fn forget(&self, wanted: usize) {
        let mut columns = lock(&self.columns);
        let Some(forgotten) = &columns[wanted] else { return };
        let mut left = columns.to_vec();
        left[wanted] = None;
        let root = forgotten.root;
        if left.iter().flatten().all(|column| column.root != root) {
            left.iter_mut().flatten().filter(|column| column.root > root).for_each(|column| column.root -= 1);
        }
        *columns = left.into();
    }

    fn limit_times(&mut self, wanted: usize, from: i64, to: i64) {
        let columns = lock(&self.columns);
        let Some(column) = &columns[wanted] else { return };
        let [name] = column.path.parts() else { return };
        let Ok(DataType::Timestamp(unit, Some(_))) = self.metadata.schema().field_with_name(name).map(Field::data_type)
        else {
            return;
        };
        for part in &mut self.parts {
            let chunk = self.metadata.metadata().row_group(part.group).column(column.leaf);
            part.outside = times(chunk, *unit).is_some_and(|(first, last)| last < from || first >= to);
        }
    }
}

/// The first and the last time of a chunk that has a good time in every row, in µs.
fn times(chunk: &ColumnChunkMetaData, unit: TimeUnit) -> Option<(i64, i64)> {
    match chunk.statistics()? {
        Statistics::Int64(known) if known.null_count_opt() == Some(0) => {
            let time = |time: Option<&i64>| micros(*time?, unit).filter(|time| sane(*time));
            Some((time(known.min_opt())?, time(known.max_opt())?))
        }
        _ => None,
    }
}

/// `fields` with the best types for the `wanted` leaves, which go by their dotted names.
fn retyped(fields: &Fields, prefix: &str, wanted: &HashMap<String, (UseAs, &ColumnChunkMetaData)>) -> Fields {
    let best = |field: &Arc<Field>| {
        let name = format!("{prefix}{}", field.name());
        let data_type = match (field.data_type(), wanted.get(&name)) {
            (DataType::Struct(children), _) => DataType::Struct(retyped(children, &format!("{name}."), wanted)),
            (own, Some((use_as, chunk))) => best_type(own, *use_as, chunk),
            (own, None) => own.clone(),
        };
        field.as_ref().clone().with_data_type(data_type)
    };
    fields.iter().map(best).collect()
}

/// The cheapest type to read a column as whose own type is `own`.
fn best_type(own: &DataType, use_as: UseAs, chunk: &ColumnChunkMetaData) -> DataType {
    match own {
        // Others that Arrow has as text (JSON) are not checked for UTF-8 and stay as they are.
        DataType::Utf8 if chunk.column_descr().converted_type() == ConvertedType::UTF8 => {
            if use_as == UseAs::Names && is_coded(chunk) {
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
            } else {
                DataType::Utf8View
            }
        }
        DataType::Binary => DataType::BinaryView,
        other => other.clone(),
    }
}

/// Whether the values are codes of a dictionary throughout. Where the writer gave the dictionary up half way, the decoder
/// would build a new one for each batch.
fn is_coded(chunk: &ColumnChunkMetaData) -> bool {
    let codes = [Encoding::RLE_DICTIONARY, Encoding::PLAIN_DICTIONARY];
    match chunk.page_encoding_stats_mask() {
        Some(pages) => codes.iter().any(|code| pages.is_only(*code)),
        None => chunk.encodings().any(|encoding| codes.contains(&encoding)),
    }
}

/// A row group being read.
struct Batches {
    path: Arc<Path>,
    columns: Arc<[Option<Column>]>,
    part: Part,
    /// The number of the next row.
    row: u64,
    /// `None` after an error.
    reader: Option<ParquetRecordBatchReader>,
}

impl Iterator for Batches {
    type Item = Result<RawBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let result = decode(self.reader.as_mut()?).and_then(|batch| self.raw(batch));
        if result.is_err() {
            self.reader = None;
        }
        result.map_err(|error| broken(&self.path, self.part.group, &error)).transpose()
    }
}

impl Batches {
    fn raw(&mut self, batch: Option<RecordBatch>) -> ParquetResult<Option<RawBatch>> {
        let rows = batch.as_ref().map_or(0, RecordBatch::num_rows);
        let (first, next) = (self.row, self.row + rows as u64);
        if next > self.part.rows.end || (batch.is_none() && next < self.part.rows.end) {
            return Err(ParquetError::General("it does not have as many rows as the footer says".to_owned()));
        }
        let Some(batch) = batch else { return Ok(None) };
        self.row = next;
        let values = |column: &Option<Column>| match column {
            Some(column) => column.values(&batch),
            None => Some(Arc::new(NullArray::new(rows)) as ArrayRef),
        };
        let columns: Option<_> = self.columns.iter().map(values).collect();
        Ok(Some(RawBatch {
            columns: columns.ok_or_else(|| ParquetError::General("a column is missing".to_owned()))?,
            rows,
            origin: Origin::Rows { first },
            rejected: Vec::new(),
            bytes: self.part.progress_at(next) - self.part.progress_at(first),
        }))
    }
}

/// The next batch. The decoder panics on some damaged pages, by an index out of bounds or a division by zero; it is not
/// used again after an error.
fn decode(reader: &mut ParquetRecordBatchReader) -> ParquetResult<Option<RecordBatch>> {
    let batch = catch_unwind(AssertUnwindSafe(|| reader.next().transpose()));
    Ok(batch.map_err(|_| ParquetError::General("a page contradicts itself".to_owned()))??)
}

fn broken(path: &Path, group: usize, error: &ParquetError) -> Error {
    Error::input(format!("{}: row group {group} of the Parquet file is damaged: {error}", path.display()))
        .hint("copy or export the file again")
}
