//! Parquet files for tests.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use chrono::NaiveDateTime;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

/// Writes the CSV `text`, which has no quotes, to `path`: a column `timestamp` as times in UTC, all others as texts, empty
/// fields as nulls.
pub fn write(path: &Path, text: &str, rows_of_a_group: usize) {
    let batch = batch(text);
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(rows_of_a_group)).build();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// The rows of `text` in the types that [`write`] writes.
pub fn batch(text: &str) -> RecordBatch {
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    let rows: Vec<_> = lines.collect();
    let column = |at: usize| {
        let values = rows.iter().map(move |row| Some(row[at]).filter(|value| !value.is_empty()));
        if header[at] == "timestamp" { times(values) } else { Arc::new(values.collect::<StringArray>()) }
    };
    let columns = (0..header.len()).map(|at| (header[at], column(at), true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn times<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    let micros = |text| {
        let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").expect("a time");
        time.and_utc().timestamp_micros()
    };
    Arc::new(texts.map(|text| text.map(micros)).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}
